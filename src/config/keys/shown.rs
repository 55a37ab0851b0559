//! Values as a user would write them: for the log of a reload, and for defaults.

use std::borrow::Cow;
use std::fmt;

use serde_json::{Value as Json, json};

/// A value, and what stands in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::config) enum Shown {
    /// The key is not written, and has no default.
    None,
    /// A string.
    Text(String),
    /// A number, or true or false.
    Plain(String),
    /// What is shown of a secret, and something that differs whenever the secret does.
    Secret {
        shown: String,
        all: String,
    },
    List(Vec<Self>),
    Table(Vec<Line>),
    /// A table that may be written as the value of this key alone.
    Short(&'static str, Vec<Line>),
}

/// A key with its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::config) struct Line {
    pub key: Cow<'static, str>,
    pub needs_restart: bool,
    /// It says no more than its absence would.
    pub is_default: bool,
    pub shown: Shown,
}

impl Line {
    /// Of a key that the user chose, such as a name.
    pub(in crate::config) fn new(key: String, shown: Shown) -> Self {
        Self {
            key: key.into(),
            needs_restart: false,
            is_default: false,
            shown,
        }
    }
}

impl Shown {
    /// The value in JSON, and, but for tables, in TOML.
    pub(in crate::config) fn json(&self) -> Json {
        match self {
            Self::None => Json::Null,
            Self::Text(text) | Self::Secret { shown: text, .. } => json!(text),
            Self::Plain(text) => text.parse().unwrap_or(Json::Null),
            Self::List(list) => list.iter().map(Self::json).collect(),
            Self::Table(lines) | Self::Short(_, lines) => {
                let entry = |line: &Line| (line.key.to_string(), line.shown.json());
                let given = lines.iter().filter(|line| line.shown != Self::None);
                given.map(entry).collect()
            }
        }
    }
}

/// For people: without quotes, and without what says no more than its absence.
impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Text(text) | Self::Plain(text) | Self::Secret { shown: text, .. } => {
                f.write_str(text)
            }
            Self::List(list) => {
                let list: Vec<_> = list.iter().map(ToString::to_string).collect();
                write!(f, "[{}]", list.join(", "))
            }
            Self::Table(lines) | Self::Short(_, lines) => {
                let lines: Vec<_> = lines.iter().filter(|line| !line.is_default).collect();
                if let (Self::Short(short, _), [only]) = (self, &lines[..])
                    && only.key == *short
                {
                    return only.shown.fmt(f);
                }
                if lines.is_empty() {
                    return f.write_str("{}");
                }
                let line = |line: &&Line| format!("{} = {}", line.key, line.shown);
                let lines: Vec<_> = lines.iter().map(line).collect();
                write!(f, "{{ {} }}", lines.join(", "))
            }
        }
    }
}
