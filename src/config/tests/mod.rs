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
mod instead;
mod limits;
mod lints;
mod listeners;
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

use super::problems::Problem;
use super::source::Span;
use super::{Change, Format, Loaded, Problems, Unreadable, parse};

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
#[track_caller]
fn good(text: &str) -> Loaded {
    fine(read(text))
}

/// What was read without a problem.
#[track_caller]
fn fine(read: Result<Loaded, Problems>) -> Loaded {
    read.unwrap_or_else(|problems| panic!("{problems}"))
}

/// What is odd in a good one, a line each.
#[track_caller]
fn lints(text: &str) -> Vec<String> {
    oddities(&good(text))
}

fn oddities(loaded: &Loaded) -> Vec<String> {
    loaded.lints.iter().map(ToString::to_string).collect()
}

/// What a reload says, a line for each change with what that means.
fn reload(old: &Loaded, new: &Loaded) -> Vec<String> {
    let changes = super::changes(&old.written, &old.written, &new.written);
    assert!(changes.is_sorted_by_key(|change| change.kind));
    let line = |change: &Change| format!("{:?}: {change}", change.kind);
    changes.iter().map(line).collect()
}

/// What is said of a bad one.
fn complaints(text: &str) -> String {
    read(text).expect_err("there are problems").to_string()
}

/// Problems in few words, a line each: the place and what is marked there, what is said, the same of other
/// places, and what to do.
fn rows(problems: &Problems) -> String {
    let sources = &problems.sources;
    let marked = |span: Span| {
        let (line, column) = sources.get(span.source).position(span.range().start);
        let text = sources.text(span).lines().next().unwrap_or_default();
        format!("{line}:{column} {text}: ")
    };
    let row = |problem: &Problem| {
        let mut row = problem.at.map_or(String::new(), marked) + &problem.message;
        if !problem.label.is_empty() {
            row = row + ": " + &problem.label;
        }
        for (span, label) in &problem.also {
            row = row + " | " + &marked(*span) + label;
        }
        if let Some(help) = &problem.help {
            row = row + " = " + help;
        }
        row + "\n"
    };
    problems.sorted().into_iter().map(row).collect()
}

/// The rows of a table: what stands in front of ` => `, where `\n` ends a line, and what stands behind.
/// Comments begin with `//`.
pub(super) fn table(text: &str) -> impl Iterator<Item = (String, &str)> {
    let rows = text.lines().map(str::trim);
    let rows = rows.filter(|row| !row.is_empty() && !row.starts_with("//"));
    rows.map(|row| {
        let (written, said) = row.split_once(" => ").expect(row);
        (written.replace("\\n", "\n"), said)
    })
}

/// Checks what users see of a bad one, to the letter.
#[track_caller]
fn assert_complaints(text: &str, expected: &str) {
    let said = complaints(text);
    assert_eq!(said, expected, "\n{said}");
}

/// Checks the places and all that is said of a bad one, a line for each problem.
#[track_caller]
fn assert_problems(text: &str, expected: &str) {
    let rows = rows(&read(text).expect_err("there are problems"));
    assert_eq!(rows.trim_end(), expected.trim(), "\n{rows}");
}
