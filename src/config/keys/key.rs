//! What is declared of a key.

use serde_json::Value as Json;

use super::schema::Definitions;
use super::shown::Shown;

/// A key as it is declared.
pub(in crate::config) struct Key {
    pub name: &'static str,
    /// A sentence or two, as Markdown, as they stand in the source.
    pub lines: &'static str,
    /// What holds where it is not written; nothing if it has to be.
    pub default: Option<Shown>,
    /// Whether a change takes a restart, with all that stands below.
    pub needs_restart: bool,
    pub takes: fn() -> String,
    pub schema: fn(&mut Definitions) -> Json,
    pub tables: fn(&str, &mut Tables),
}

impl Key {
    /// What the key says, in one line.
    pub(in crate::config) fn about(&self) -> String {
        let words: Vec<_> = self.lines.split_whitespace().collect();
        words.join(" ")
    }
}

/// Tables by how a user would write their path, with the keys of each.
pub(in crate::config) type Tables = Vec<(String, Vec<Key>)>;
