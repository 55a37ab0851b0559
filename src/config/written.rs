//! A configuration in force as lines that can be shown: each key with its value, without secrets.

use serde::Serialize;

use super::file::Written;
use super::keys::{Line, Shown, join, lines};
use crate::message::own_keys;

/// How many lines are shown of a configuration.
const MAX_LINES: usize = 5000;

/// Tables whose names are the user's: there may be thousands, so of these only what is written is shown.
const NAMED: [&str; 6] = [
    "route",
    "routes",
    "clients",
    "upstreams",
    "limits.tiers",
    "limits.policies",
];

/// A key with its value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WrittenLine {
    /// The table in which it stands; empty for the top.
    pub table: String,
    /// The key.
    pub key: String,
    /// Its value; of a secret, what may be shown.
    pub value: String,
    /// It says no more than its absence would.
    pub default: bool,
}

impl Written {
    /// What is in force, table by table.
    pub fn shown_lines(&self) -> Vec<WrittenLine> {
        let mut all = Vec::new();
        flatten("", lines(&*self.file), &mut all);
        all
    }
}

fn flatten(table: &str, lines: Vec<Line>, all: &mut Vec<WrittenLine>) {
    let mut tables = Vec::new();
    let is_named = NAMED.iter().any(|named| {
        let rest = table.strip_prefix(named);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    });
    for line in lines {
        match line.shown {
            Shown::Table(below) => tables.push((join(table, &line.key), below)),
            _ if line.is_default && is_named => {}
            Shown::None => {}
            shown if all.len() < MAX_LINES => all.push(WrittenLine {
                table: own_keys::hidden(table).into_owned(),
                key: own_keys::hidden(line.key).into_owned(),
                value: own_keys::hidden(shown.to_string()).into_owned(),
                default: line.is_default,
            }),
            _ => {}
        }
    }
    for (table, below) in tables {
        flatten(&table, below, all);
    }
}
