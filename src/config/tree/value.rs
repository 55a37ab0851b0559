//! Values as they were written, each with its place. They may be secrets: nothing here has a
//! `Debug`.

use std::ffi::OsStr;
use std::ops::Range;
use std::path::Path;

use crate::config::problems::Problem;
use crate::config::source::{At, Span};

/// A value as it was written.
#[derive(Clone)]
pub(in crate::config) enum Value {
    Text(String),
    Integer(i64),
    Boolean(bool),
    List(Vec<At<Value>>),
    /// Keys with their values, in the order of the file.
    Table(Vec<Entry>),
    /// A date and time of TOML's own, as it was written.
    Time(String),
    /// A number with a fraction, or beyond 64 bits.
    OtherNumber(f64),
    /// The `null` of JSON and YAML; no key takes it.
    Null,
    /// Something that has been complained about already.
    Broken,
}

/// A key with its value.
pub(in crate::config) type Entry = (At<String>, At<Value>);

impl Value {
    /// What a user calls it.
    pub(in crate::config) fn noun(&self) -> &'static str {
        match self {
            Self::Text(_) => "a string",
            Self::Integer(_) => "a whole number",
            Self::Boolean(_) => "true or false",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
            Self::Time(_) => "a date",
            Self::OtherNumber(_) => "a number with a fraction, or too large a number",
            Self::Null => "null",
            Self::Broken => "broken",
        }
    }
}

/// Where a range of the parsed text stands in its source.
pub(super) type ToSpan<'t> = &'t dyn Fn(Range<usize>) -> Span;

/// What a parser gives: a tree, as far as the text is one, and everything that is wrong.
pub(super) type Parsed = (Option<At<Value>>, Vec<Problem>);

/// What to do about a table or a key of this name that is given twice.
pub(super) fn advice(name: &str, is_table: bool) -> &'static str {
    match name {
        _ if !is_table => "keep one of them; several values go into one list",
        name if name.starts_with("clients") => {
            "keep one of them, with what stands in both; two keys of a client go into one list"
        }
        _ => "keep one of them, with what stands in both",
    }
}

/// How a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// TOML 1.
    Toml,
    /// JSON as RFC 8259 has it: no comments, no trailing commas.
    Json,
    /// YAML 1.2, without anchors, aliases and tags.
    Yaml,
}

impl Format {
    /// The format of a file: JSON or YAML if it is called so, otherwise TOML.
    pub fn of(path: &Path) -> Self {
        let extension = path.extension().map(OsStr::to_ascii_lowercase);
        match extension.as_deref().and_then(OsStr::to_str) {
            Some("json") => Self::Json,
            Some("yaml" | "yml") => Self::Yaml,
            _ => Self::Toml,
        }
    }

    /// What a text looks like, by its first line that says something.
    pub fn guess(text: &str) -> Option<Self> {
        let lines = text.trim_start_matches('\u{feff}').lines().map(str::trim);
        let mut lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
        let first = lines.next()?;
        let (key, value) = first.split_once(':').unwrap_or((first, "none"));
        let is_key = !key.contains(['=', '[']) && key.matches('"').count() != 1;
        if first.starts_with('{') {
            Some(Self::Json)
        } else if first == "---" || is_key && !value.starts_with(|c| c != ' ') {
            Some(Self::Yaml)
        } else if first.contains('=') || first.starts_with('[') && first.ends_with(']') {
            Some(Self::Toml)
        } else {
            None
        }
    }

    /// What a user calls it.
    pub(in crate::config) fn name(self) -> &'static str {
        match self {
            Self::Toml => "TOML",
            Self::Json => "JSON",
            Self::Yaml => "YAML",
        }
    }

    /// How a file is called that is written so.
    pub(in crate::config) fn extension(self) -> &'static str {
        match self {
            Self::Toml => ".toml",
            Self::Json => ".json",
            Self::Yaml => ".yaml",
        }
    }
}

impl At<Value> {
    /// Shows all places in it, its own first: those of values and of keys, with what is written there if it
    /// is text.
    pub(in crate::config) fn each(&self, see: &mut dyn FnMut(Option<&str>, Span)) {
        match &self.value {
            Value::Text(text) => see(Some(text), self.span),
            _ => see(None, self.span),
        }
        match &self.value {
            Value::List(list) => list.iter().for_each(|one| one.each(see)),
            Value::Table(entries) => {
                for (key, value) in entries {
                    see(Some(&key.value), key.span);
                    value.each(see);
                }
            }
            _ => {}
        }
    }

    /// The value without its places.
    pub(in crate::config) fn into_json(self) -> serde_json::Value {
        match self.value {
            Value::Text(text) | Value::Time(text) => text.into(),
            Value::Integer(number) => number.into(),
            Value::Boolean(truth) => truth.into(),
            Value::List(list) => list.into_iter().map(Self::into_json).collect(),
            Value::Table(entries) => {
                let entries = entries.into_iter();
                entries
                    .map(|(key, value)| (key.value, value.into_json()))
                    .collect()
            }
            Value::OtherNumber(number) => number.into(),
            Value::Null | Value::Broken => serde_json::Value::Null,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_first_line_shows_how_a_text_is_written() {
        for (text, format) in [
            ("{\"a\": 1}", Some(Format::Json)),
            ("\n  {\n", Some(Format::Json)),
            ("\u{feff}# x\n\n[a]\n", Some(Format::Toml)),
            ("listen = \"h:1\"\n", Some(Format::Toml)),
            ("\"a: b\" = 1\n", Some(Format::Toml)),
            ("[[route]]\n", Some(Format::Toml)),
            ("---\nlisten: x\n", Some(Format::Yaml)),
            ("# c\nroutes:\n  /a: http://x\n", Some(Format::Yaml)),
            ("\"routes\": { /a: http://x }\n", Some(Format::Yaml)),
            ("", None),
            ("hello\n", None),
            ("http://x\n", None),
            ("[1,\n", None),
        ] {
            assert_eq!(Format::guess(text), format, "{text:?}");
        }
    }
}
