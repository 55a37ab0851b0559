//! A thread that writes what others hand it through a bounded queue. Handing over never blocks:
//! what finds the queue full, or cannot be written, is counted as lost and dropped.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

/// How many batches may wait for the disk; a batch is at most a few dozen KiB.
const QUEUE: usize = 128;

/// Where a sink writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// A file that is appended to.
    File(PathBuf),
}

/// The handle to a sink's thread; shared by all who write to it.
#[derive(Debug)]
pub struct Sink {
    queue: SyncSender<Batch>,
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    lost: AtomicU64,
    reopen: AtomicBool,
    finished: AtomicBool,
}

#[derive(Debug)]
enum Batch {
    Lines { text: Vec<u8>, count: u64 },
    Wake,
    Finish,
}

impl Sink {
    /// Opens the target and starts the thread.
    ///
    /// # Errors
    /// When the file cannot be opened or no thread can be started.
    pub fn start(target: Target) -> io::Result<Arc<Self>> {
        let output = Output::open(&target)?;
        let (queue, batches) = sync_channel(QUEUE);
        let counts = Arc::new(Counts::default());
        let seen = Arc::clone(&counts);
        thread::Builder::new()
            .name("log".into())
            .spawn(move || write_batches(&target, output, &batches, &seen))?;
        Ok(Arc::new(Self { queue, counts }))
    }

    /// Hands over whole lines; `count` says how many.
    pub fn write(&self, text: Vec<u8>, count: u64) {
        if self.queue.try_send(Batch::Lines { text, count }).is_err() {
            self.counts.lost.fetch_add(count, Ordering::Relaxed);
        }
    }

    /// Opens the file anew, for those who rotate logs by renaming.
    pub fn reopen(&self) {
        self.counts.reopen.store(true, Ordering::Release);
        // A full queue wakes the thread just as well.
        let _ = self.queue.try_send(Batch::Wake);
    }

    /// How many lines have been lost since the last call.
    #[must_use]
    pub fn take_lost(&self) -> u64 {
        self.counts.lost.swap(0, Ordering::Relaxed)
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

fn write_batches(target: &Target, mut output: Output, batches: &Receiver<Batch>, counts: &Counts) {
    let mut broken = false;
    for batch in batches {
        if counts.reopen.swap(false, Ordering::AcqRel) {
            match Output::open(target) {
                Ok(new) => (output, broken) = (new, false),
                Err(error) => {
                    tracing::error!(%error, "the log cannot be reopened; going on with the old file");
                }
            }
        }
        match batch {
            Batch::Lines { text, count } => {
                // After a failure the last line may be half a one; the next begins on a line of its own.
                let separated = if broken {
                    output.write_all(b"\n")
                } else {
                    Ok(())
                };
                broken = separated.and_then(|()| output.write_all(&text)).is_err();
                if broken {
                    counts.lost.fetch_add(count, Ordering::Relaxed);
                }
            }
            Batch::Wake => {}
            Batch::Finish => break,
        }
    }
    counts.finished.store(true, Ordering::Release);
}

enum Output {
    Stdout(io::Stdout),
    Stderr(io::Stderr),
    File(File),
}

impl Output {
    fn open(target: &Target) -> io::Result<Self> {
        Ok(match target {
            Target::Stdout => Self::Stdout(io::stdout()),
            Target::Stderr => Self::Stderr(io::stderr()),
            Target::File(path) => {
                Self::File(OpenOptions::new().create(true).append(true).open(path)?)
            }
        })
    }

    fn write_all(&mut self, text: &[u8]) -> io::Result<()> {
        match self {
            Self::Stdout(out) => {
                let mut out = out.lock();
                out.write_all(text).and_then(|()| out.flush())
            }
            Self::Stderr(out) => out.write_all(text),
            Self::File(out) => out.write_all(text),
        }
    }
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
        let sink = Sink::start(Target::File(path.clone())).unwrap();
        sink.write(b"one\n".to_vec(), 1);
        while std::fs::read(&path).unwrap() != b"one\n" {
            thread::yield_now();
        }
        std::fs::rename(&path, &old).unwrap();
        sink.reopen();
        sink.write(b"two\n".to_vec(), 1);
        sink.finish(Duration::from_secs(10));
        assert_eq!(std::fs::read(&old).unwrap(), b"one\n");
        assert_eq!(std::fs::read(&path).unwrap(), b"two\n");
        assert_eq!(sink.take_lost(), 0);
    }

    #[test]
    fn lines_that_cannot_be_written_are_counted() {
        let sink = Sink::start(Target::File("/dev/full".into())).unwrap();
        sink.write(b"a\nb\n".to_vec(), 2);
        sink.finish(Duration::from_secs(10));
        assert_eq!(sink.take_lost(), 2);
        assert_eq!(sink.take_lost(), 0);
    }
}
