//! A problem or a warning as a value: a line of the log, or an object of `check --json`.

use std::fmt;

use serde::Serialize;

use super::source::{Sources, Span};
use crate::message::own_keys;

/// What is wrong, or odd, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Whether the configuration can be used all the same.
    pub severity: Severity,
    /// The file's name, as the user knows it; absent if it is about no place in a file.
    pub file: Option<String>,
    /// From 1.
    pub line: Option<usize>,
    /// In characters, from 1.
    pub column: Option<usize>,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// It is about the clock or this machine: the same text may be without it tomorrow, or elsewhere.
    #[serde(skip)]
    pub is_passing: bool,
}

/// How much a finding weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The configuration cannot be used.
    Error,
    /// It is allowed, and most likely not meant.
    Warning,
}

impl Finding {
    /// A warning that is about no place in a file. No key can be read in it.
    pub fn warning(message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            file: None,
            line: None,
            column: None,
            message: own_keys::hidden(message.into()).into_owned(),
            help: None,
            is_passing: false,
        }
    }

    /// An error that is about no place in a file.
    pub fn error(message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            ..Self::warning(message)
        }
    }

    /// The same, of the clock or this machine.
    pub fn passing(self) -> Self {
        Self {
            is_passing: true,
            ..self
        }
    }

    /// The same, at a place if it has one.
    pub(super) fn at(self, span: Option<Span>, sources: &Sources) -> Self {
        let Some(span) = span else { return self };
        let source = sources.get(span.source);
        let (line, column) = source.position(span.range().start);
        Self {
            file: Some(source.name.clone()),
            line: Some(line),
            column: Some(column),
            ..self
        }
    }
}

/// `file:line:column: message`.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let (Some(file), Some(line), Some(column)) = (&self.file, self.line, self.column) {
            write!(f, "{file}:{line}:{column}: ")?;
        }
        f.write_str(&self.message)
    }
}
