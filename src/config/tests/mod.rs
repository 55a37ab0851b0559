//! Tests of the configuration as a whole, each from the text that a user writes.

mod access;
mod acme;
mod bad_files;
mod bad_names;
mod bad_values;
mod changes;
mod client_auth;
mod defaults;
mod docs;
mod fields;
mod files;
mod formats;
mod health;
mod hints;
mod limits;
mod lints;
mod properties;
mod redis;
mod routes;
mod schema;
mod secrets;
mod tls;
mod traces;
mod upstream_tls;
mod upstreams;
mod upstreams_bad;
mod wider;

use std::env::VarError;
use std::path::Path;

use super::{Format, Loaded, Problems, Unreadable, parse};

/// Reads a TOML configuration that stands alone, with a few variables in the environment.
fn read(text: &str) -> Result<Loaded, Problems> {
    parse("tollgate.toml", text, Format::Toml, &environment, &|_| {
        Err(Unreadable::Missing)
    })
}

fn environment(name: &str) -> Result<String, VarError> {
    match name {
        "HOME" => Ok("/home/gate".to_owned()),
        "PASSWORD" => Ok("hunter2".to_owned()),
        "OTLP_TOKEN" => Ok("t0ken".to_owned()),
        _ => Err(VarError::NotPresent),
    }
}

/// Reads a good one.
fn good(text: &str) -> Loaded {
    read(text).unwrap_or_else(|problems| panic!("{problems}"))
}

/// What is odd in a good one, a line each.
fn lints(text: &str) -> Vec<String> {
    let lints = good(text).lints;
    lints.iter().map(ToString::to_string).collect()
}

/// What is said of a bad one.
fn complaints(text: &str) -> String {
    read(text).expect_err("there are problems").to_string()
}

/// Checks all that is said of a bad one, to the letter.
#[track_caller]
fn assert_complaints(text: &str, expected: &str) {
    let said = complaints(text);
    assert_eq!(said, expected, "\n{said}");
}
