//! The configuration file: what the user wrote, checked as a whole, and compiled into what the
//! program runs on. A file with a problem changes nothing.

mod settings;

pub use settings::{AccessLog, LogFormat, Settings};
