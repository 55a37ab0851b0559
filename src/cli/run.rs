//! `tollgate run`: starts the gateway and serves until told to stop.

use std::path::Path;
use std::process::ExitCode;

use crate::app;

/// Runs the command.
pub(super) fn run(file: &Path) -> ExitCode {
    match app::run(file) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The configuration's problems are whole paragraphs; everything else is one line.
            match error {
                app::StartError::Config(problems) => eprint!("{problems}"),
                error => eprintln!("tollgate: {error}"),
            }
            ExitCode::FAILURE
        }
    }
}
