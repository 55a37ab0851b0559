//! A thread that writes what others hand it through a bounded queue. Handing over never blocks:
//! what finds the queue full, or cannot be written, is counted as lost and dropped.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::Target;
use super::losses::{Losses, News};

/// How many batches may wait for the disk; a batch is at most a few dozen KiB.
const QUEUE: usize = 128;
/// How long to wait for a reader whose pipe is full and does not block.
const FULL_PIPE: Duration = Duration::from_millis(5);
/// Why lines are lost that have not come to the disk.
const FULL_QUEUE: &str = "it takes lines too slowly";

/// The handle to a sink's thread; shared by all who write to it.
#[derive(Debug)]
pub struct Sink {
    queue: SyncSender<Batch>,
    target: Target,
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    losses: Losses,
    reopen: AtomicBool,
    finished: AtomicBool,
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
        let counts = Arc::new(Counts {
            losses: Losses::counted_in(lost),
            ..Counts::default()
        });
        let writer = Writer {
            target: target.clone(),
            output,
            lines: Lines::default(),
            counts: Arc::clone(&counts),
        };
        thread::Builder::new()
            .name("log".into())
            .spawn(move || writer.run(&batches))?;
        Ok(Arc::new(Self {
            queue,
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
    /// reading our standard output must not keep the program from ending.
    pub fn finish(&self, patience: Duration) {
        let deadline = Instant::now() + patience;
        let mut asked = false;
        while !self.counts.finished.load(Ordering::Acquire) && Instant::now() < deadline {
            asked = asked || self.queue.try_send(Batch::Finish).is_ok();
            thread::sleep(Duration::from_millis(1));
        }
    }
}

/// What the sink's thread has.
struct Writer {
    target: Target,
    output: File,
    lines: Lines,
    counts: Arc<Counts>,
}

impl Writer {
    fn run(mut self, batches: &Receiver<Batch>) {
        for batch in batches {
            if self.counts.reopen.swap(false, Ordering::AcqRel) {
                self.reopen();
            }
            match batch {
                Batch::Lines(lines) => self.write(lines),
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
mod tests {
    use super::*;

    #[test]
    fn lines_reach_the_file_and_a_renamed_file_is_left_behind_on_reopen() {
        let folder = tempfile::tempdir().unwrap();
        let (path, old) = (
            folder.path().join("access.log"),
            folder.path().join("access.log.1"),
        );
        let sink = Sink::start(Target::File(path.clone()), Arc::default()).unwrap();
        sink.write(b"one\n".to_vec());
        let runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = { runtime }.enable_time().build().unwrap();
        runtime.block_on(sink.written(Duration::from_secs(10)));
        assert_eq!(std::fs::read(&path).unwrap(), b"one\n");
        std::fs::rename(&path, &old).unwrap();
        sink.reopen();
        sink.write(b"two\n".to_vec());
        sink.finish(Duration::from_secs(10));
        assert_eq!(std::fs::read(&old).unwrap(), b"one\n");
        assert_eq!(std::fs::read(&path).unwrap(), b"two\n");
        assert_eq!(sink.lost_of_late(Instant::now()), None);
    }

    #[test]
    fn lines_that_cannot_be_written_are_counted() {
        let lost = Arc::<AtomicU64>::default();
        let sink = Sink::start(Target::File("/dev/full".into()), Arc::clone(&lost)).unwrap();
        sink.write(b"a\nb\n".to_vec());
        sink.finish(Duration::from_secs(10));
        assert_eq!(lost.load(Ordering::Relaxed), 2);
        let (_, why) = sink.lost_of_late(Instant::now()).unwrap();
        assert!(why.contains("No space left"), "{why}");
    }

    /// A disk with room for so many bytes.
    struct Disk(Vec<u8>, usize);

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let room = bytes.len().min(self.1 - self.0.len());
            self.0.extend_from_slice(&bytes[..room]);
            match room {
                0 => Err(ErrorKind::StorageFull.into()),
                room => Ok(room),
            }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn each_line_is_written_whole_or_lost_wherever_the_disk_is_full() {
        let batches = ["one\ntwo\n", "three\n", "four\nfive\nsix\n"];
        let all = batches.concat().lines().count();
        for room in 0..30 {
            let (mut lines, mut disk) = (Lines::default(), Disk(Vec::new(), room));
            let mut lost = 0;
            for batch in batches {
                let (gone, error) = lines.write(batch.into(), &mut disk);
                assert!(gone.is_empty() || error.is_some());
                assert!(gone.is_empty() || gone.ends_with(b"\n"));
                lost += gone.split_inclusive(|b| *b == b'\n').count();
            }
            let torn = String::from_utf8(disk.0.clone()).unwrap();
            let whole = torn.matches('\n').count();
            let unfinished = usize::from(!lines.unfinished.is_empty());
            assert_eq!(whole + lost + unfinished, all, "{room}: {torn:?}");
            // There is room again: the line that was begun is finished first.
            disk.1 = 1000;
            let (gone, error) = lines.write(b"last\n".into(), &mut disk);
            assert!(gone.is_empty() && error.is_none());
            let text = String::from_utf8(disk.0).unwrap();
            let known = |line: &str| batches.concat().lines().chain(["last"]).any(|l| l == line);
            assert!(text.lines().all(known), "{room}: {text:?}");
            assert_eq!(text.lines().count() + lost, all + 1, "{room}: {text:?}");
        }
    }

    #[test]
    fn a_pipe_that_does_not_block_is_waited_for() {
        let (mut reader, writer) = io::pipe().unwrap();
        rustix::io::ioctl_fionbio(&writer, true).unwrap();
        let text = b"a line of a log\n".repeat(100_000);
        let copy = text.clone();
        let writing = thread::spawn(move || {
            let mut writer = File::from(std::os::fd::OwnedFd::from(writer));
            Lines::default().write(copy, &mut writer)
        });
        let mut read = Vec::new();
        io::Read::read_to_end(&mut reader, &mut read).unwrap();
        assert!(writing.join().unwrap().0.is_empty());
        assert_eq!(read, text);
    }
}
