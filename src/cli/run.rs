//! `tollgate run`: starts the gateway and serves until told to stop.

use std::path::Path;
use std::process::ExitCode;

use crate::app::{self, StartError};

use super::{complain, fail};

/// Runs the command.
pub(super) fn run(file: &Path) -> ExitCode {
    match app::run(file) {
        Ok(()) => ExitCode::SUCCESS,
        // Its problems are whole paragraphs; everything else is one line.
        Err(StartError::Config(problems)) => {
            complain(&problems.to_string());
            ExitCode::FAILURE
        }
        Err(error) => fail(&error.to_string()),
    }
}
