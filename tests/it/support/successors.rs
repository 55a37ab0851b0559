//! Gateways that hand over: the harness follows them from process to process. All of them write to one
//! operator log, and are killed when the first is dropped.

use std::collections::{BTreeMap, BTreeSet};
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, test_kill_process};
use serde_json::Value;

use super::gateway::{Gateway, TOLLGATE};
use super::wait::eventually;

impl Gateway {
    /// Hands over, and waits until the successor serves. What is asked of the gateway then is asked of
    /// it; the one before drains. Returns that one.
    pub(crate) fn hand_over(&mut self) -> Pid {
        self.signal(Signal::USR2);
        self.wait_handed_over()
    }

    /// Waits for the end of a hand-over that somebody has asked for.
    pub(crate) fn wait_handed_over(&mut self) -> Pid {
        let (old, before) = (self.pid(), self.successors.len());
        let successor = eventually("the successor to serve", || {
            let log = self.log();
            let says = |what: &'static str| move |line: &&Value| line["message"] == what;
            let handed = log.iter().filter(says("handed over")).nth(before)?;
            let taken = log
                .iter()
                .enumerate()
                .filter(|(_, line)| line["message"] == "taken over");
            let (at, _) = taken.into_iter().nth(before)?;
            log[at..].iter().find(says("listening"))?;
            successor_in(handed)
        });
        self.successors.push(successor);
        assert_ne!(successor, old);
        old
    }

    /// How many lines of the operator log say this.
    pub(crate) fn said(&self, message: &str) -> usize {
        let says = |line: &&Value| line["message"] == message;
        self.log().iter().filter(says).count()
    }

    /// Waits until so many lines of the operator log say this.
    pub(crate) fn wait_said(&self, message: &str, times: usize) {
        // Not by the log's own wait: it fails when the log ends, and successors may come and go.
        eventually(&format!("{times} times {message:?} in the log"), || {
            (self.said(message) >= times).then_some(())
        });
    }

    /// Waits for the process id of a successor that has been started, whether or not it serves.
    pub(crate) fn wait_begun(&self) -> Pid {
        let line = self.wait_log("a successor", |line| line["message"] == "handing over");
        successor_in(&line).expect("a process id")
    }

    /// Every successor that the log names, those included that never served.
    pub(super) fn all_successors(&self) -> Vec<Pid> {
        self.log().iter().filter_map(successor_in).collect()
    }

    /// Stops what serves, and waits until it has ended.
    pub(crate) fn stop(&mut self) {
        self.signal(Signal::TERM);
        if self.successors.is_empty() {
            assert_eq!(self.wait_exit().code(), Some(0));
        } else {
            wait_gone(self.pid());
        }
    }

    /// Starts a gateway that systemd passes this socket to.
    pub(crate) fn start_with_socket(socket: &TcpListener, config: &str) -> Self {
        let mut gateway = Self::begin_with_socket(socket, super::folder_with(config));
        gateway.wait_listening();
        gateway
    }

    /// The same on the complete `tollgate.toml` of a folder, without waiting for anything.
    pub(crate) fn begin_with_socket(socket: &TcpListener, dir: tempfile::TempDir) -> Self {
        // Number 3, as sd_listen_fds(3) has it; no other test's process may inherit it.
        let words = "exec 3<&0 0</dev/null && LISTEN_FDS=1 LISTEN_PID=$$ exec \"$0\" \"$@\"";
        let mut shell = Command::new("sh");
        shell.args(["-c", words, TOLLGATE]);
        let socket = socket.try_clone().expect("clone a socket");
        let stdin = Stdio::from(OwnedFd::from(socket));
        Self::begin_reading(stdin, shell, dir)
    }
}

fn successor_in(line: &Value) -> Option<Pid> {
    let pid = line["successor"].as_i64()?;
    Pid::from_raw(i32::try_from(pid).ok()?)
}

/// Waits until a process that need not be a child of the test has ended.
pub(crate) fn wait_gone(pid: Pid) {
    eventually("a process to end", || is_gone(pid).then_some(()));
}

/// Whether a process has ended; whoever should have heard of that may not have listened.
fn is_gone(pid: Pid) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()));
    let zombie =
        status.is_ok_and(|text| text.rsplit(')').next().is_some_and(|s| s.starts_with(" Z")));
    zombie || test_kill_process(pid).is_err()
}

/// What files and sockets a process has open, each once, and which kinds of files that have no name.
pub(crate) fn open_files(pid: Pid) -> BTreeSet<String> {
    links(pid).into_iter().collect()
}

fn links(pid: Pid) -> Vec<String> {
    let folder = format!("/proc/{}/fd", pid.as_raw_nonzero());
    let entries = std::fs::read_dir(folder).expect("the files of a process");
    let links = entries.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok());
    let text = |link: std::path::PathBuf| link.to_string_lossy().into_owned();
    links.map(text).collect()
}

/// Whether each thread of a gateway that has a runtime has made it. Those that serve nobody may be late.
pub(super) fn has_all_runtimes(pid: Pid) -> bool {
    let folder = format!("/proc/{}/task", pid.as_raw_nonzero());
    let tasks = std::fs::read_dir(folder).expect("the threads of a process");
    let name = |task: std::io::Result<std::fs::DirEntry>| {
        std::fs::read_to_string(task.ok()?.path().join("comm")).ok()
    };
    let names: Vec<_> = tasks.filter_map(name).collect();
    let of = |kind| names.iter().filter(|name| name.trim() == kind).count();
    let threads = ["worker", "control", "acme", "traces", "admin"].map(of);
    // What a runtime opens last is its copy of the socket that brings signals, which nothing has more of.
    let mut copies = BTreeMap::<_, usize>::new();
    for socket in links(pid) {
        if socket.starts_with("socket:") {
            *copies.entry(socket).or_default() += 1;
        }
    }
    let runtimes = copies.into_values().max().unwrap_or(0).saturating_sub(1);
    threads.iter().all(|count| *count > 0) && runtimes > threads.iter().sum()
}
