//! Says what is waited for where reading a file takes long: a pipe may never end, and storage may be away.

use std::io::{self, Write as _};
use std::path::Path;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use super::disk::is_stdin;

/// How long a read may take without a word.
const IN_SILENCE: Duration = Duration::from_secs(1);

/// What `read` returns, which reads the file. Standard error has a line once that takes longer than a second.
pub fn said_if_long<T>(file: &Path, read: impl FnOnce() -> T) -> T {
    let what = if is_stdin(file) {
        "the end of standard input, which was named as the file to read".to_owned()
    } else {
        let name = file.display();
        format!(
            "{name}: a pipe is read until whoever writes to it closes it, and storage may be away"
        )
    };
    let (reading, ended) = channel::<()>();
    let say = move || {
        if ended.recv_timeout(IN_SILENCE) == Err(RecvTimeoutError::Timeout) {
            let text = format!("tollgate: waiting for {what}\n");
            // Nobody may read it.
            let _ = io::stderr().write_all(text.as_bytes());
        }
    };
    // Without a thread it is not said.
    drop(thread::Builder::new().spawn(say));
    let read = read();
    drop(reading);
    read
}
