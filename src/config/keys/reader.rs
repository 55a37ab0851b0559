//! Reads the declared keys of one table. Keys that are not declared are reported.
//!
//! Not serde: a derived reader stops at its first problem, and knows the places of one format only.

use super::kind::{Kind, read_at};
use crate::config::private;
use crate::config::problems::Problem;
use crate::config::reading::Reading;
use crate::config::source::{At, Span};
use crate::config::suggest::closest;
use crate::config::tree::{Entry, Node, Value};

/// A table that is being read.
pub(in crate::config) struct Reader {
    /// How a user would write it: `limits.redis`, or nothing for the file itself.
    path: String,
    /// It is written as the value of its one key.
    is_short: bool,
    pub span: Span,
    entries: Vec<Entry>,
    known: Vec<&'static str>,
}

impl Reader {
    /// Takes the entries out of a node that is a table.
    pub(in crate::config) fn of(node: &mut Node, path: &str) -> Option<Self> {
        let Value::Table(entries) = &mut node.value else {
            return None;
        };
        Some(Self {
            path: path.to_owned(),
            is_short: false,
            span: node.span,
            entries: std::mem::take(entries),
            known: Vec::new(),
        })
    }

    /// Takes a string for a table with this one key.
    pub(in crate::config) fn short(node: &mut Node, path: &str, key: &str) -> Option<Self> {
        let Value::Text(text) = &mut node.value else {
            return None;
        };
        let span = node.span;
        let value = Value::Text(std::mem::take(text));
        let value = vec![Entry {
            key: At {
                value: key.to_owned(),
                span,
            },
            node: Node { value, span },
        }];
        Some(Self {
            is_short: true,
            ..Self::of(
                &mut Node {
                    value: Value::Table(value),
                    span,
                },
                path,
            )?
        })
    }

    /// Takes a key out, whatever its value is.
    pub(in crate::config) fn take(&mut self, key: &'static str) -> Option<Entry> {
        self.known.push(key);
        let index = self
            .entries
            .iter()
            .position(|entry| entry.key.value == key)?;
        Some(self.entries.remove(index))
    }

    /// Reads a key's value, if the key is there.
    pub(in crate::config) fn read<K: Kind>(
        &mut self,
        key: &'static str,
        reading: &mut Reading<'_>,
    ) -> Option<At<K>> {
        let mut node = self.take(key)?.node;
        if self.is_short {
            return read_at(&mut node, &self.path, reading);
        }
        read_at(&mut node, &join(&self.path, key), reading)
    }

    /// Reads the value of a key that has to be there.
    pub(in crate::config) fn require<K: Kind>(
        &mut self,
        key: &'static str,
        reading: &mut Reading<'_>,
    ) -> Option<At<K>> {
        if !self.entries.iter().any(|entry| entry.key.value == key) {
            let label = format!("add {}", K::takes());
            let message = match self.path.as_str() {
                "" => format!("`{key}` is missing"),
                path => format!("`{path}` has no `{key}`"),
            };
            let problem = Problem::at(self.span, message).label(label);
            reading.problems.add(problem);
        }
        self.read(key, reading)
    }

    /// Reports all keys that nobody has asked for.
    pub(in crate::config) fn finish(self, reading: &mut Reading<'_>) {
        for Entry { key, node } in &self.entries {
            let meant = closest(&key.value, self.known.iter().copied());
            // Who knows what this is? `clients` may have been meant, or a password.
            if private::has_tables(&node.value) || meant.is_none_or(|key| key == "clients") {
                private::hide(node, &mut reading.problems.sources);
            }
            let message = match meant {
                // It may be an API key itself.
                None if self.path.starts_with("clients.") => "unknown key".to_owned(),
                _ => format!("unknown key `{}`", key.value),
            };
            let problem = Problem::at(key.span, message);
            let home = reading.home(&key.value);
            reading.problems.add(match (meant, home) {
                (Some(meant), _) => problem.label(format!("did you mean `{meant}`?")),
                (None, Some(home)) => problem.label(home),
                (None, None) => {
                    problem.help(format!("the keys here are {}", self.known.join(", ")))
                }
            });
        }
    }
}

/// How a user would write `key` of the table at `path`.
pub(in crate::config) fn join(path: &str, key: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    let key = if !key.is_empty() && key.bytes().all(plain) {
        key.to_owned()
    } else {
        format!("\"{key}\"")
    };
    if path.is_empty() {
        key
    } else {
        format!("{path}.{key}")
    }
}
