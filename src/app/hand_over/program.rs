//! The program that runs, started anew as a successor.

use std::env;
use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{self, Child, Command};

use super::{PREDECESSOR, TELLS_TEXTS};

/// What passes open files in the environment of this process, and means nothing to a successor.
const OF_SYSTEMD: [&str; 4] = [
    "LISTEN_PID",
    "LISTEN_FDS",
    "LISTEN_FDNAMES",
    "LISTEN_FDS_FIRST_FD",
];

/// What is started anew.
#[derive(Debug, Clone)]
pub(in crate::app) struct Program {
    path: PathBuf,
    arguments: Vec<OsString>,
}

impl Program {
    /// The program that runs, by the path that an upgrade puts its next version at: as it was called if
    /// that has a `/`, for links in it may lead elsewhere by then. To be asked at the start, while both
    /// are the same file.
    pub(in crate::app) fn running() -> io::Result<Self> {
        let mut arguments = env::args_os();
        let called = arguments.next().unwrap_or_default();
        let running = env::current_exe()?;
        let called = Path::new(&called);
        let as_called = called.as_os_str().as_bytes().contains(&b'/');
        let same = as_called && called.canonicalize().is_ok_and(|path| path == running);
        Ok(Self {
            path: if same {
                std::path::absolute(called)?
            } else {
                running
            },
            arguments: arguments.collect(),
        })
    }

    pub(super) fn start(&self, end: std::os::fd::OwnedFd) -> io::Result<Child> {
        let mut command = Command::new(&self.path);
        if let Some(called) = env::args_os().next() {
            command.arg0(called);
        }
        for variable in OF_SYSTEMD {
            command.env_remove(variable);
        }
        command
            .args(&self.arguments)
            .env(PREDECESSOR, format!("{} {TELLS_TEXTS}", process::id()))
            .stdin(end)
            .spawn()
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// A shell that runs these words.
    #[cfg(test)]
    pub(super) fn shell(words: &str) -> Self {
        Self {
            path: "/bin/sh".into(),
            arguments: vec!["-c".into(), words.into()],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_is_what_runs_by_the_path_that_it_was_called_by() {
        let program = Program::running().unwrap();
        assert_eq!(
            program.path.canonicalize().unwrap(),
            env::current_exe().unwrap()
        );
        assert!(program.path.is_absolute());
    }
}
