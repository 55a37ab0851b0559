//! `tollgate run`: starts the gateway and serves until told to stop.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::Path;
use std::process::ExitCode;

use crate::app::Process;

use super::fail;

/// Runs the command.
pub(super) fn run(process: io::Result<Process>, file: &Path) -> ExitCode {
    let done = process.and_then(|process| process.run(file));
    done.unwrap_or_else(|error| {
        fail(&format!(
            "the system refuses what the gateway needs to run: {error}"
        ))
    })
}

/// Whether a command line is of this command, as far as that shows before it is read: signals that come
/// meanwhile end the other commands, and not the gateway.
pub(super) fn is_meant(line: impl IntoIterator<Item = OsString>) -> bool {
    let mut words = line.into_iter().skip(1);
    while let Some(word) = words.next() {
        if word == "-c" || word == "--config" {
            words.next();
        } else if !word.as_encoded_bytes().starts_with(b"-") {
            return word == OsStr::new("run");
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_to_serve_is_told_from_other_commands() {
        for (line, expected) in [
            ("tollgate", true),
            ("tollgate run", true),
            ("tollgate -c check", true),
            ("tollgate --config check run", true),
            ("tollgate run --config=a.toml", true),
            ("tollgate check", false),
            ("tollgate -c run check", false),
            ("tollgate -crun tail", false),
            ("tollgate --config=run keys hash", false),
            ("tollgate tollgate.toml", false),
        ] {
            let words = line.split(' ').map(OsString::from);
            assert_eq!(is_meant(words), expected, "{line}");
        }
    }
}
