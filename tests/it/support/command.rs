//! Commands of `tollgate` that run to their end, and what they print.

use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::thread::spawn;
use std::time::{Duration, Instant};

use super::gateway::TOLLGATE;
use super::wait::PATIENCE;

/// A `tollgate` command that has ended.
#[derive(Debug)]
pub(crate) struct Finished {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// Runs `tollgate` with these arguments to its end.
pub(crate) fn tollgate(args: &[&str]) -> Finished {
    tollgate_reading(args, "")
}

/// Runs `tollgate` with these arguments and this standard input to its end.
pub(crate) fn tollgate_reading(args: &[&str], input: &str) -> Finished {
    let mut child = Command::new(TOLLGATE)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("start tollgate");
    // Read while it runs: a pipe holds 64 KiB, and the schema is longer.
    let stdout = child.stdout.take().expect("stdout is piped");
    let stdout = spawn(move || text_of(stdout));
    let stderr = child.stderr.take().expect("stderr is piped");
    let stderr = spawn(move || text_of(stderr));
    let mut stdin = child.stdin.take().expect("stdin is piped");
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    let deadline = Instant::now() + PATIENCE;
    let code = loop {
        if let Some(status) = child.try_wait().expect("wait for tollgate") {
            break status.code();
        }
        if Instant::now() > deadline {
            let _ = child.kill();
            let _ = child.wait();
            let said = (stdout.join(), stderr.join());
            panic!("`tollgate {args:?}` did not end: {said:?}");
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    Finished {
        code,
        stdout: stdout.join().expect("read what tollgate printed"),
        stderr: stderr.join().expect("read what tollgate printed"),
    }
}

fn text_of(mut output: impl Read) -> String {
    let mut bytes = Vec::new();
    let _ = output.read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}
