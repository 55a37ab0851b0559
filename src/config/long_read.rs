//! Says what is waited for where reading a file takes long: a pipe may never end, and storage may be away.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use super::disk::is_stdin;

/// How long a read may take without a word.
const IN_SILENCE: Duration = Duration::from_secs(1);

/// Says, once, that a file is waited for.
pub(super) type Say = fn(&Path);

/// What `read` returns, which reads the file. Standard error has a line once that takes longer than a second.
pub fn said_if_long<T>(file: &Path, read: impl FnOnce() -> T) -> T {
    if_long(file, on_stderr, read)
}

/// The same, said by `say`.
pub(super) fn if_long<T>(file: &Path, say: Say, read: impl FnOnce() -> T) -> T {
    let name: PathBuf = file.to_owned();
    let (reading, ended) = channel::<()>();
    let wait = move || {
        if ended.recv_timeout(IN_SILENCE) == Err(RecvTimeoutError::Timeout) {
            say(&name);
        }
    };
    // Without a thread it is not said.
    drop(thread::Builder::new().spawn(wait));
    let read = read();
    drop(reading);
    read
}

/// For what is read before there is a log.
pub(super) fn on_stderr(file: &Path) {
    let text = format!("tollgate: waiting for {}\n", waited_for(file));
    // Nobody may read it.
    let _ = io::stderr().write_all(text.as_bytes());
}

/// For what a gateway reads that serves already.
pub(super) fn in_log(file: &Path) {
    tracing::warn!(
        "the reload waits for {}; what was served is served on",
        waited_for(file)
    );
}

fn waited_for(file: &Path) -> String {
    if is_stdin(file) {
        return "the end of standard input, which was named as the file to read".to_owned();
    }
    let name = file.display();
    format!("{name}: a pipe is read until whoever writes to it closes it, and storage may be away")
}
