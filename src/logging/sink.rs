//! A thread that writes what others hand it through a bounded queue. Handing over never blocks:
//! what finds the queue full, or cannot be written, is counted as lost and dropped.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::iter;
use std::mem;
use std::os::unix::fs::FileTypeExt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, TryLockError};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::Target;
use super::losses::{Losses, News, line_count};
use crate::lock::lock;

/// How many batches may wait for the disk; a batch is at most a few dozen KiB.
const QUEUE: usize = 128;
/// How long to wait for a reader whose pipe is full and does not block.
const FULL_PIPE: Duration = Duration::from_millis(5);
/// As much as a pipe takes in one step, whole or not at all (`PIPE_BUF`, pipe(7)).
const PIPE_STEP: usize = 4096;
/// Why lines are lost that have not come to the disk.
const FULL_QUEUE: &str = "it takes lines too slowly";
/// Why lines are lost that still wait at the end.
const NO_READER: &str = "it had not taken them when the program ended";

/// The handle to a sink's thread; shared by all who write to it.
#[derive(Debug)]
pub struct Sink {
    queue: SyncSender<Batch>,
    /// The other end, which the thread holds while there is nothing in it.
    waiting: Arc<Mutex<Receiver<Batch>>>,
    target: Target,
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    losses: Losses,
    reopen: AtomicBool,
    finished: AtomicBool,
    /// How many lines the thread has taken and not written yet.
    taken: AtomicU64,
    /// Nobody waits any more until the rest is written: it is counted as lost.
    given_up: AtomicBool,
}

#[derive(Debug)]
enum Batch {
    Lines(Vec<u8>),
    Wake,
    /// Tells when all before it is written.
    Mark(oneshot::Sender<()>),
    Finish,
}

impl Sink {
    /// Opens the target and starts the thread, which counts in `lost` the lines that it cannot write.
    ///
    /// # Errors
    /// When the file cannot be opened or no thread can be started.
    pub fn start(target: Target, lost: Arc<AtomicU64>) -> io::Result<Arc<Self>> {
        let output = target.open()?;
        let (queue, batches) = sync_channel(QUEUE);
        let waiting = Arc::new(Mutex::new(batches));
        let counts = Arc::new(Counts {
            losses: Losses::counted_in(lost),
            ..Counts::default()
        });
        let writer = Writer {
            target: target.clone(),
            is_pipe: is_pipe(&output),
            output,
            lines: Lines::default(),
            counts: Arc::clone(&counts),
        };
        let batches = Arc::clone(&waiting);
        thread::Builder::new()
            .name("log".into())
            .spawn(move || writer.run(&batches))?;
        Ok(Arc::new(Self {
            queue,
            waiting,
            target,
            counts,
        }))
    }

    /// Hands over whole lines.
    pub fn write(&self, lines: Vec<u8>) {
        if let Err(TrySendError::Full(batch) | TrySendError::Disconnected(batch)) =
            self.queue.try_send(Batch::Lines(lines))
            && let Batch::Lines(lines) = batch
        {
            self.counts.losses.lose(&lines, FULL_QUEUE, Instant::now());
        }
    }

    /// Opens the file anew, for those who rotate logs by renaming.
    pub fn reopen(&self) {
        self.counts.reopen.store(true, Ordering::Release);
        // A full queue wakes the thread just as well.
        let _ = self.queue.try_send(Batch::Wake);
    }

    /// Tells the operator of lines that are lost: at once, then once a minute at most, and when they are
    /// written again; at the `end` of all that have not been told of. `lines` is what they are.
    pub fn report(&self, lines: &str, end: bool) {
        let file = &self.target;
        match self.counts.losses.news(end, Instant::now()) {
            None => {}
            Some(News::Lost(lost, error)) => {
                tracing::warn!(%file, %error, lost, "{lines} could not be written");
            }
            Some(News::Again(0)) => tracing::info!(%file, "{lines} are written again"),
            Some(News::Again(lost)) => tracing::info!(%file, lost, "{lines} are written again"),
        }
    }

    /// Since when lines have been lost, and why, if some were within the last minute.
    pub fn lost_of_late(&self, now: Instant) -> Option<(Instant, String)> {
        self.counts.losses.of_late(now)
    }

    /// Waits until what was handed over is written, at most `patience`. For a log that goes on.
    pub async fn written(&self, patience: Duration) {
        let (mark, reached) = oneshot::channel();
        if self.queue.try_send(Batch::Mark(mark)).is_ok() {
            let _ = tokio::time::timeout(patience, reached).await;
        }
    }

    /// Waits until what was handed over is written, at most `patience`: a reader that has stopped
    /// reading our standard output must not keep the program from ending. What is not written by then
    /// counts as lost.
    pub fn finish(&self, patience: Duration) {
        let deadline = Instant::now() + patience;
        let mut asked = false;
        while !self.counts.finished.load(Ordering::Acquire) && Instant::now() < deadline {
            asked = asked || self.queue.try_send(Batch::Finish).is_ok();
            thread::sleep(Duration::from_millis(1));
        }
        if !self.counts.finished.load(Ordering::Acquire) {
            self.give_up();
        }
    }

    fn give_up(&self) {
        self.counts.given_up.store(true, Ordering::Release);
        let mut lost = self.counts.taken.load(Ordering::Acquire);
        let waiting = match self.waiting.try_lock() {
            Ok(waiting) => Some(waiting),
            Err(TryLockError::Poisoned(waiting)) => Some(waiting.into_inner()),
            // The thread waits for lines, so there are none.
            Err(TryLockError::WouldBlock) => None,
        };
        for batch in waiting.iter().flat_map(|waiting| waiting.try_iter()) {
            if let Batch::Lines(lines) = batch {
                lost += line_count(&lines);
            }
        }
        let now = Instant::now();
        self.counts.losses.lose_count(lost, NO_READER, now);
    }
}

/// What the sink's thread has.
struct Writer {
    target: Target,
    output: File,
    is_pipe: bool,
    lines: Lines,
    counts: Arc<Counts>,
}

impl Writer {
    fn run(mut self, batches: &Mutex<Receiver<Batch>>) {
        loop {
            let batch = lock(batches).recv();
            let Ok(batch) = batch else { break };
            if self.counts.reopen.swap(false, Ordering::AcqRel) {
                self.reopen();
            }
            match batch {
                Batch::Lines(lines) => self.write_all(lines),
                Batch::Wake => {}
                // Whoever waited may have given up.
                Batch::Mark(reached) => drop(reached.send(())),
                Batch::Finish => break,
            }
        }
        self.write(Vec::new());
        let unfinished = mem::take(&mut self.lines.unfinished);
        self.lose(&unfinished, "it ends within a line");
        self.counts.finished.store(true, Ordering::Release);
    }

    /// Writes a batch. To a pipe it goes in steps that are taken whole or not at all, so that it is known
    /// which lines its reader has, should that one stop.
    fn write_all(&mut self, lines: Vec<u8>) {
        let taken = &Arc::clone(&self.counts).taken;
        taken.store(line_count(&lines), Ordering::Release);
        if self.is_pipe {
            for step in steps(&lines) {
                self.write(step.to_vec());
                if self.counts.given_up.load(Ordering::Acquire) {
                    return;
                }
                taken.fetch_sub(line_count(step), Ordering::AcqRel);
            }
        } else {
            self.write(lines);
            taken.store(0, Ordering::Release);
        }
    }

    fn write(&mut self, lines: Vec<u8>) {
        let is_empty = lines.is_empty();
        let (lost, error) = self.lines.write(lines, &mut self.output);
        match error {
            Some(error) => self.lose(&lost, &error.to_string()),
            None if is_empty => {}
            None => self.counts.losses.written(),
        }
    }

    fn lose(&self, lines: &[u8], why: &str) {
        self.counts.losses.lose(lines, why, Instant::now());
    }

    fn reopen(&mut self) {
        let file = &self.target;
        let Target::File(_) = file else {
            tracing::info!("the access log goes {file}: there is no file to be opened anew");
            return;
        };
        match self.target.open() {
            Ok(output) => {
                tracing::info!(%file, "the log was opened anew");
                self.is_pipe = is_pipe(&output);
                self.output = output;
                // Its beginning is in the old file.
                let unfinished = mem::take(&mut self.lines.unfinished);
                self.lose(&unfinished, "it is in the old file");
            }
            Err(error) => {
                tracing::error!(%file, %error, "the log cannot be opened anew; going on with the old file");
            }
        }
    }
}

fn is_pipe(output: &File) -> bool {
    output.metadata().is_ok_and(|it| it.file_type().is_fifo())
}

/// Whole lines, as many as go into a pipe in one step; a longer one alone.
fn steps(mut lines: &[u8]) -> impl Iterator<Item = &[u8]> {
    iter::from_fn(move || {
        let most = &lines[..lines.len().min(PIPE_STEP)];
        let end = memchr::memrchr(b'\n', most).or_else(|| memchr::memchr(b'\n', lines));
        let (step, rest) = lines.split_at(end.map_or(lines.len(), |end| end + 1));
        lines = rest;
        (!step.is_empty()).then_some(step)
    })
}

/// Writes lines whole or not at all, as far as that is possible.
#[derive(Default)]
struct Lines {
    /// What is missing of a line that could be written only in part. It comes first when there is
    /// room again, so that no line stays torn.
    unfinished: Vec<u8>,
}

impl Lines {
    /// Writes what can be written, and returns the lines that are lost, and why not all could be written.
    fn write(&mut self, lines: Vec<u8>, output: &mut impl Write) -> (Vec<u8>, Option<io::Error>) {
        let mut begun = !self.unfinished.is_empty();
        let mut text = mem::take(&mut self.unfinished);
        if begun {
            text.extend_from_slice(&lines);
        } else {
            text = lines;
        }
        let (written, error) = write_some(&text, output);
        if let Some(last) = written.checked_sub(1) {
            begun = text[last] != b'\n';
        }
        text.drain(..written);
        let lost = match memchr::memchr(b'\n', &text) {
            Some(end) if begun => text.split_off(end + 1),
            _ => mem::take(&mut text),
        };
        self.unfinished = text;
        (lost, error)
    }
}

/// Writes what can be written; says how many bytes that were, and why no more.
fn write_some(text: &[u8], output: &mut impl Write) -> (usize, Option<io::Error>) {
    let mut written = 0;
    while written < text.len() {
        match output.write(&text[written..]) {
            Ok(0) => return (written, Some(ErrorKind::WriteZero.into())),
            Ok(more) => written += more,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            // Another program has made a pipe that we share one that does not block.
            Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(FULL_PIPE),
            Err(error) => return (written, Some(error)),
        }
    }
    (written, None)
}

#[cfg(test)]
mod tests;
