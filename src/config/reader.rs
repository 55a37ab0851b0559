//! Reads typed values out of a tree, and complains at the right place about whatever does not fit.
//! Keys that nobody asked for are unknown, and that is a problem too.
//!
//! Not serde: a derived reader stops at its first problem, and the places that it knows of are
//! those of one format only. The price is one line for each key, in the modules below `file`.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::ops::RangeInclusive;

use super::private;
use super::problems::{Problem, Problems};
use super::source::{At, Span};
use super::suggest::closest;
use super::tree::{Entry, Node, Value};

/// A type that a value can be read as.
pub(super) trait Read: Sized {
    /// What to write: "`timeout` takes ...".
    const WHAT: &'static str;

    /// Reads a value.
    fn read(value: &Value) -> Result<Self, Wrong>;
}

/// Why a value cannot be read as what it should be.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wrong {
    /// It is of another kind: a number instead of a string.
    Kind,
    /// It is of the right kind; what is wrong with it is said.
    Text(String),
}

/// A table that is being read.
pub(super) struct Table {
    /// How the user would write it: `limits.redis`, or nothing for the file itself.
    path: String,
    pub span: Span,
    entries: Vec<Entry>,
    known: Vec<&'static str>,
}

impl Table {
    /// Takes a node for a table; `path` is how a user would write it.
    pub(super) fn of(node: Node, path: &str, problems: &mut Problems) -> Option<Self> {
        match node.value {
            Value::Table(entries) => Some(Self {
                path: path.to_owned(),
                span: node.span,
                entries,
                known: Vec::new(),
            }),
            value => {
                complain(path, "a table", &value, node.span, Wrong::Kind, problems);
                None
            }
        }
    }

    fn has(&self, key: &str) -> bool {
        self.entries.iter().any(|entry| entry.key.value == key)
    }

    /// Takes a key out, whatever its value is.
    pub(super) fn take(&mut self, key: &'static str) -> Option<Entry> {
        self.known.push(key);
        let index = self
            .entries
            .iter()
            .position(|entry| entry.key.value == key)?;
        Some(self.entries.remove(index))
    }

    /// Reads a key's value, if the key is there.
    pub(super) fn read<T: Read>(
        &mut self,
        key: &'static str,
        problems: &mut Problems,
    ) -> Option<At<T>> {
        let node = self.take(key)?.node;
        read(&node, &self.path_of(key), problems)
    }

    /// Reads the value of a key that has to be there; `what` says what it is if it is missing.
    pub(super) fn require<T: Read>(
        &mut self,
        key: &'static str,
        what: &str,
        problems: &mut Problems,
    ) -> Option<At<T>> {
        if !self.has(key) {
            self.missing(key, what, problems);
        }
        self.read(key, problems)
    }

    /// Complains that a key is missing.
    pub(super) fn missing(&self, key: &str, what: &str, problems: &mut Problems) {
        let message = if self.path.is_empty() {
            format!("there is no `{key}`")
        } else {
            format!("`{}` has no `{key}`", self.path)
        };
        problems.add(Problem::at(self.span, message).label(format!("give it {what}")));
    }

    /// Reads a number within a range, if the key is there.
    pub(super) fn number(
        &mut self,
        key: &'static str,
        range: RangeInclusive<u64>,
        problems: &mut Problems,
    ) -> Option<At<u64>> {
        let Node { value, span } = self.take(key)?.node;
        let path = self.path_of(key);
        let number = match value {
            Value::Integer(number) => u64::try_from(number).ok(),
            value => {
                complain(&path, "a whole number", &value, span, Wrong::Kind, problems);
                return None;
            }
        };
        if let Some(value) = number.filter(|number| range.contains(number)) {
            return Some(At { value, span });
        }
        let (least, most) = range.into_inner();
        let message = format!("`{path}` takes a number from {least} to {most}");
        problems.add(Problem::at(span, message));
        None
    }

    /// Reads a number within a range, of a key that has to be there.
    pub(super) fn require_number(
        &mut self,
        key: &'static str,
        range: RangeInclusive<u64>,
        problems: &mut Problems,
    ) -> Option<At<u64>> {
        if !self.has(key) {
            self.missing(key, "a whole number", problems);
        }
        self.number(key, range, problems)
    }

    /// Reads a list. Elements that do not fit are complained about and left out.
    pub(super) fn list<T: Read>(
        &mut self,
        key: &'static str,
        problems: &mut Problems,
    ) -> Vec<At<T>> {
        let Some(entry) = self.take(key) else {
            return Vec::new();
        };
        let path = self.path_of(key);
        match entry.node.value {
            Value::List(list) => list
                .iter()
                .filter_map(|node| read(node, &path, problems))
                .collect(),
            Value::Broken => Vec::new(),
            value => {
                complain(
                    &path,
                    "a list",
                    &value,
                    entry.node.span,
                    Wrong::Kind,
                    problems,
                );
                Vec::new()
            }
        }
    }

    /// Reads a value or a list of them. If one of them does not fit, there is none.
    pub(super) fn one_or_more<T: Read>(
        &mut self,
        key: &'static str,
        problems: &mut Problems,
    ) -> Option<At<Vec<At<T>>>> {
        let node = self.take(key)?.node;
        let path = self.path_of(key);
        let nodes = match &node.value {
            Value::List(list) => list,
            _ => std::slice::from_ref(&node),
        };
        // All are read before any is missed, so that each is complained about.
        let read: Vec<Option<At<T>>> = nodes.iter().map(|one| read(one, &path, problems)).collect();
        Some(At {
            value: read.into_iter().collect::<Option<_>>()?,
            span: node.span,
        })
    }

    /// Reads a value or a list of them, of a key that has to be there.
    pub(super) fn require_one_or_more<T: Read>(
        &mut self,
        key: &'static str,
        what: &str,
        problems: &mut Problems,
    ) -> Option<At<Vec<At<T>>>> {
        if !self.has(key) {
            self.missing(key, what, problems);
        }
        self.one_or_more(key, problems)
    }

    /// Takes a table out.
    pub(super) fn table(&mut self, key: &'static str, problems: &mut Problems) -> Option<Self> {
        let entry = self.take(key)?;
        Self::of(entry.node, &self.path_of(key), problems)
    }

    /// Takes a table out whose keys are names that the user chose: name and value of each.
    pub(super) fn named(&mut self, key: &'static str, problems: &mut Problems) -> Vec<Entry> {
        self.table(key, problems)
            .map(|table| table.entries)
            .unwrap_or_default()
    }

    /// How a user would write a key of this table.
    pub(super) fn path_of(&self, key: &str) -> String {
        join(&self.path, key)
    }

    /// Complains about all keys that nobody has asked for.
    pub(super) fn finish(self, problems: &mut Problems) {
        let mut asked = HashSet::new();
        let known: Vec<_> = self
            .known
            .iter()
            .filter(|key| asked.insert(**key))
            .collect();
        for Entry { key, node } in &self.entries {
            let meant = closest(&key.value, known.iter().copied().copied());
            // Who knows what this is? `clients` may have been meant, or a password.
            if private::has_tables(&node.value) || meant.is_none_or(|key| key == "clients") {
                private::hide(node, &mut problems.sources);
            }
            let problem = Problem::at(key.span, format!("unknown key `{}`", key.value));
            let elsewhere = home(&key.value).filter(|home| *home != self.path);
            problems.add(if let Some(meant) = meant {
                problem.label(format!("did you mean `{meant}`?"))
            } else if let Some(home) = elsewhere {
                problem.label(belongs(home))
            } else {
                let mut list = String::new();
                for key in &known {
                    let comma = if list.is_empty() { "" } else { ", " };
                    let _ = write!(list, "{comma}{key}");
                }
                problem.help(format!("the keys here are {list}"))
            });
        }
    }
}

/// Reads a value. `path` is how a user would write its key.
pub(super) fn read<T: Read>(node: &Node, path: &str, problems: &mut Problems) -> Option<At<T>> {
    match T::read(&node.value) {
        Ok(value) => Some(At {
            value,
            span: node.span,
        }),
        Err(wrong) => {
            complain(path, T::WHAT, &node.value, node.span, wrong, problems);
            None
        }
    }
}

/// Says what is wrong with a value, unless that has been said already.
pub(super) fn complain(
    path: &str,
    what: &str,
    value: &Value,
    span: Span,
    wrong: Wrong,
    problems: &mut Problems,
) {
    if matches!(value, Value::Broken) {
        return;
    }
    private::hide_tables(value, &mut problems.sources);
    let message = if path.is_empty() {
        format!("the file is {what}")
    } else {
        format!("`{path}` takes {what}")
    };
    let label = match wrong {
        Wrong::Kind => format!("this is {}", value.noun()),
        Wrong::Text(text) => text,
    };
    problems.add(Problem::at(span, message).label(label));
}

/// How a user would write `key` of the table at `path`.
pub(super) fn join(path: &str, key: &str) -> String {
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

/// Says where a key belongs.
pub(super) fn belongs(home: &str) -> String {
    if home.is_empty() {
        "this belongs at the top of the file, before the first table".to_owned()
    } else {
        format!("this belongs in `[{home}]`")
    }
}

/// The table that a key is at home in, for those that are easily put elsewhere.
pub(super) fn home(key: &str) -> Option<&'static str> {
    Some(match key {
        "listen" | "routes_file" | "routes" | "route" | "upstreams" | "access" | "clients"
        | "limits" | "server" | "admin" | "log" => "",
        "protected" | "api_key_header" | "forward_api_key" | "client_header" => "access",
        "anonymous" | "identified" | "headers" | "ipv6_prefix" | "max_keys" | "state_file"
        | "tiers" | "policies" | "redis" => "limits",
        "deadline" | "key_prefix" | "lease" | "on_failure" => "limits.redis",
        "workers" | "trusted_proxies" | "request_id_header" | "odd_field_names"
        | "max_connections" | "max_head" | "max_headers" | "header_timeout" | "drain_timeout"
        | "watch" => "server",
        "level" | "format" => "log",
        _ => return None,
    })
}
