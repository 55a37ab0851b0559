//! How keys are written, as the documentation, the JSON Schema and problems have it.

use serde_json::{Value as Json, json};

use super::shown::Shown;

/// How a value is written.
pub(in crate::config) struct Form {
    /// What to write: "`timeout` takes ...".
    pub takes: String,
    /// What the JSON Schema says of it.
    pub schema: Json,
    /// The table that it is or that stands in it, and what stands for the names on the way there.
    pub table: Option<(Vec<&'static str>, Declared)>,
}

impl Form {
    /// Of what has no table in it.
    pub(in crate::config) fn new(takes: impl Into<String>, schema: Json) -> Self {
        Self {
            takes: takes.into(),
            schema,
            table: None,
        }
    }

    /// Of any string.
    pub(in crate::config) fn string(takes: &str) -> Self {
        Self::new(takes, json!({ "type": "string" }))
    }

    /// Of a string that is not empty.
    pub(in crate::config) fn not_empty(takes: &str) -> Self {
        Self::new(takes, json!({ "type": "string", "minLength": 1 }))
    }
}

/// A key as it is declared.
pub(in crate::config) struct Key {
    pub name: &'static str,
    /// A sentence or two, as Markdown, as they stand in the source.
    pub lines: &'static str,
    /// What holds where it is not written; nothing if it has to be.
    pub default: Option<Shown>,
    /// Whether a change takes a restart, with all that stands below.
    pub needs_restart: bool,
    pub form: fn() -> Form,
}

impl Key {
    /// What the key says, in one line.
    pub(in crate::config) fn about(&self) -> String {
        let words: Vec<_> = self.lines.split_whitespace().collect();
        words.join(" ")
    }
}

/// A table as it is declared.
#[derive(Clone, Copy)]
pub(in crate::config) struct Declared {
    /// What the schema calls it.
    pub name: &'static str,
    pub keys: fn() -> Vec<Key>,
}
