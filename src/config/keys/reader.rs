//! Reads the declared keys of one table. Keys that are not declared are reported.
//!
//! Not serde: a derived reader stops at its first problem, and knows the places of one format only.

use super::kind::{Kind, read_at, read_expanded};
use crate::config::private;
use crate::config::problems::Problem;
use crate::config::reading::Reading;
use crate::config::source::{At, Span};
use crate::config::suggest::{called_here, closest, is_generic, note, note_in};
use crate::config::tree::{Entry, Value};

/// A table that is being read.
pub(in crate::config) struct Reader {
    /// How a user would write it: `limits.redis`, or nothing for the file itself.
    path: String,
    /// It is written as the value of its one key.
    is_short: bool,
    span: Span,
    entries: Vec<Entry>,
    known: Vec<&'static str>,
}

impl Reader {
    /// Takes the entries out of a value that is a table, or a string that stands for one with the key
    /// `short`.
    pub(in crate::config) fn of(
        written: &mut At<Value>,
        path: &str,
        short: Option<&'static str>,
    ) -> Option<Self> {
        let span = written.span;
        let is_short = matches!(written.value, Value::Text(_));
        let entries = match (&mut written.value, short) {
            (Value::Table(entries), _) => std::mem::take(entries),
            (Value::Text(text), Some(short)) => {
                let value = Value::Text(std::mem::take(text));
                let key = short.to_owned();
                vec![(At { value: key, span }, At { value, span })]
            }
            _ => return None,
        };
        Some(Self {
            path: path.to_owned(),
            is_short,
            span,
            entries,
            known: Vec::new(),
        })
    }

    /// Reads a key's value. `absent` makes the value where the key is not there, or cannot be read.
    pub(in crate::config) fn read<K: Kind>(
        &mut self,
        key: &'static str,
        absent: fn(Span) -> Option<K>,
        reading: &mut Reading<'_>,
    ) -> Option<At<K>> {
        self.known.push(key);
        let span = self.span;
        let absent = || absent(span).map(|value| At { value, span });
        let is_here = |(written, _): &Entry| written.value == key;
        if let Some(index) = self.entries.iter().position(is_here) {
            let (_, mut written) = self.entries.remove(index);
            let read = if self.is_short {
                read_expanded(&mut written, &self.path, reading)
            } else {
                read_at(&mut written, &join(&self.path, key), reading)
            };
            return read.or_else(absent);
        }
        absent().or_else(|| {
            let message = match self.path.as_str() {
                "" => format!("`{key}` is missing"),
                path => format!("`{path}` has no `{key}`"),
            };
            let label = format!("add {}", K::form().takes);
            let problem = Problem::at(span, message).label(label);
            reading.problems.add(problem);
            None
        })
    }

    /// Reports all keys that nobody has asked for.
    pub(in crate::config) fn finish(self, reading: &mut Reading<'_>) {
        let holds_secrets = |key| {
            let names = ["clients", "keys", "username", "password", "token"];
            names.contains(&key)
        };
        for (key, written) in &self.entries {
            let known = || self.known.iter().copied();
            let meant = closest(&key.value, known()).or_else(|| {
                let keys = called_here(&key.value)?;
                known().find(|key| keys.split(' ').any(|it| it == *key))
            });
            // What may be a secret is not shown, whatever its key was meant to be.
            let is_private = private::is_private(&self.path) && meant.is_none();
            let is_secret = is_private || meant.is_some_and(holds_secrets);
            private::hide_unknown(
                &key.value,
                written,
                is_secret,
                &mut reading.problems.sources,
            );
            let label = note_in(&self.path, &key.value)
                .or_else(|| Some(format!("did you mean `{}`?", meant?)))
                .or_else(|| elsewhere(&key.value, reading));
            // In the place of a client's keys it may be an API key itself.
            let is_shown = label.is_some()
                || !self.path.starts_with("clients.")
                || !private::looks_secret(&Value::Text(key.value.clone()));
            let message = if is_shown {
                format!("unknown key `{}`", key.value)
            } else {
                "unknown key".to_owned()
            };
            let problem = Problem::at(key.span, message);
            reading.problems.add(match label {
                Some(label) => problem.label(label),
                None => problem.help(format!("the keys here are {}", self.known.join(", "))),
            });
        }
    }
}

/// Where a key belongs, by its name or by what other programs mean by it; or why there is none.
pub(super) fn elsewhere(key: &str, reading: &Reading<'_>) -> Option<String> {
    // What it means in other programs is nearer than a key of the same name in another table.
    if let Some(note) = note(key) {
        return Some(note.to_owned());
    }
    if is_generic(key) {
        return None;
    }
    if let Some(home) = (reading.home)(key) {
        return Some(format!("this belongs {home}"));
    }
    called_here(key)?.split(' ').find_map(|key| {
        let home = (reading.home)(key)?;
        Some(format!("`{key}` is what it is called here, {home}"))
    })
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
