//! `tollgate run`: starts the gateway and serves until told to stop.

use std::path::Path;
use std::process::ExitCode;

use crate::app;

use super::fail;

/// Runs the command.
pub(super) fn run(file: &Path) -> ExitCode {
    app::run(file).unwrap_or_else(|error| {
        fail(&format!(
            "the system refuses what the gateway needs to run: {error}"
        ))
    })
}
