//! Problems are shown and logged with lines of the file, so whatever may be a secret is struck out
//! of the text first: what stands under `clients` and is neither a hash nor a date nor the name of
//! a tier, and what stands at keys that nobody knows. Of a text that is no TOML and no JSON
//! nothing is known for certain; there, more is struck out.

mod unparsed;

pub(super) use unparsed::{is_telling, strike_unparsed};

use super::source::{Sources, Span};
use super::tree::{Entry, Node, Value};

/// Strikes out whatever may be a key, wherever it stands below `clients`, and what stands before
/// the `@` of what was meant to be a URL and lacks its `://`.
pub(super) fn strike(tree: &Node, sources: &mut Sources) {
    strike_users(tree, sources);
    if let Value::Table(entries) = &tree.value {
        let clients = entries.iter().filter(|entry| entry.key.value == "clients");
        clients.for_each(|entry| strike_keys(&entry.node, "", 0, sources));
    }
}

/// Strikes out all strings of a value that nobody knows the meaning of.
pub(super) fn strike_all(node: &Node, sources: &mut Sources) {
    match &node.value {
        Value::Text(_) => sources.strike(inside(node.span)),
        Value::List(list) => list.iter().for_each(|one| strike_all(one, sources)),
        Value::Table(entries) => {
            let nodes = entries.iter().map(|entry| &entry.node);
            nodes.for_each(|one| strike_all(one, sources));
        }
        _ => {}
    }
}

/// Strikes out what stands in tables, in a place where none belongs.
pub(super) fn strike_tables(value: &Value, sources: &mut Sources) {
    match value {
        Value::List(list) => list
            .iter()
            .for_each(|one| strike_tables(&one.value, sources)),
        Value::Table(entries) => {
            let nodes = entries.iter().map(|entry| &entry.node);
            nodes.for_each(|one| strike_all(one, sources));
        }
        _ => {}
    }
}

/// `key` is what the value stands at, `depth` how many keys below `clients` that is.
fn strike_keys(node: &Node, key: &str, depth: usize, sources: &mut Sources) {
    match &node.value {
        Value::Text(text) if is_harmless(text, key, depth) => {}
        Value::Text(_) => sources.strike(inside(node.span)),
        Value::Integer(_) | Value::OtherNumber => sources.strike(node.span),
        Value::List(list) => list
            .iter()
            .for_each(|one| strike_keys(one, key, depth, sources)),
        Value::Table(entries) => {
            for Entry { key, node } in entries {
                strike_keys(node, &key.value, depth + 1, sources);
            }
        }
        _ => {}
    }
}

fn is_harmless(text: &str, key: &str, depth: usize) -> bool {
    let in_date = |b: u8| b.is_ascii_digit() || b"-:.+TtZz ".contains(&b);
    match key {
        "tier" if depth == 2 => true,
        "not_before" | "expires_at" if text.bytes().all(in_date) => true,
        _ => is_like_a_hash(text),
    }
}

/// Whether a text looks like a hash, perhaps one with a slip.
fn is_like_a_hash(text: &str) -> bool {
    text.strip_prefix("sha256:")
        .is_some_and(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()))
}

fn strike_users(node: &Node, sources: &mut Sources) {
    match &node.value {
        Value::Text(text) if !text.contains("://") && !text.starts_with('/') => {
            let span = inside(node.span);
            if let Some(at) = sources.text(span).rfind('@') {
                let end = span.start + at;
                sources.strike(Span { end, ..span });
            }
        }
        Value::List(list) => list.iter().for_each(|one| strike_users(one, sources)),
        Value::Table(entries) => {
            let nodes = entries.iter().map(|entry| &entry.node);
            nodes.for_each(|one| strike_users(one, sources));
        }
        _ => {}
    }
}

/// A string's place without its quotes.
pub(super) fn inside(span: Span) -> Span {
    Span {
        start: span.start + 1,
        end: span.end.saturating_sub(1).max(span.start + 1),
        ..span
    }
}
