//! Keeps the counters of this process in the state file: read before the first request, written
//! every few seconds and at the end, by a thread of its own, for a disk may be slow. Trouble with
//! the file never stops the gateway once it serves; the log has one line when it begins and one
//! when it ends.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::limit::{LimitStore, StateError, StateFile};

/// The pause between two copies: what a kill costs at most, as a rule.
const PAUSE: Duration = Duration::from_secs(2);

/// A pause lasts at least this many times as long as the copy before: writing a million counters
/// takes a fifth of a second, and must not keep a core or a disk busy.
const PAUSES_PER_COPY: u32 = 19;

/// The thread that writes copies.
#[derive(Debug)]
pub(super) struct Keeper {
    stop: Sender<()>,
    thread: JoinHandle<()>,
}

/// Takes the file for this process and reads it. What is wrong with its content is told and no
/// reason not to start.
pub(super) fn restore(path: &Path, store: &LimitStore) -> Result<StateFile, StateError> {
    let file = StateFile::open(path)?;
    let path = path.display();
    match file.load(store) {
        Ok(counters) => tracing::info!(file = %path, counters, "counters restored"),
        Err(error) => {
            tracing::error!(file = %path, %error, "no counters restored; counting begins anew");
        }
    }
    Ok(file)
}

impl Keeper {
    /// Starts to write copies.
    pub(super) fn start(file: Arc<StateFile>, store: Arc<LimitStore>) -> io::Result<Self> {
        let (stop, stopped) = mpsc::channel();
        let work = move || {
            let mut copies = Copies {
                file,
                store,
                failing: false,
            };
            let mut pause = PAUSE;
            while stopped.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
                let begun = Instant::now();
                copies.write();
                pause = PAUSE.max(begun.elapsed() * PAUSES_PER_COPY);
            }
            copies.write();
        };
        let thread = thread::Builder::new().name("limit-state".into());
        Ok(Self {
            stop,
            thread: thread.spawn(work)?,
        })
    }

    /// Writes the last copy, and waits until that is done.
    pub(super) fn finish(self) {
        drop(self.stop);
        // A bug in there has been told of already, and the counters are lost either way.
        let _ = self.thread.join();
    }
}

struct Copies {
    file: Arc<StateFile>,
    store: Arc<LimitStore>,
    failing: bool,
}

impl Copies {
    fn write(&mut self) {
        let path = self.file.path().display();
        match self.file.save(&self.store) {
            Ok(counters) if self.failing => {
                tracing::info!(file = %path, counters, "counters are saved again");
                self.failing = false;
            }
            Err(error) if !self.failing => {
                tracing::error!(file = %path, %error, "counters cannot be saved; trying on");
                self.failing = true;
            }
            Ok(_) | Err(_) => {}
        }
    }
}
