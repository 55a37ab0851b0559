//! Keys that were written in place of their hashes are problems, and problems are shown and logged;
//! so such keys are struck out of the text first.

use super::problems::Problems;
use super::source::Span;
use super::tree::{Node, Value};

/// Strikes out whatever may be a key.
pub(super) fn strike(tree: &Node, problems: &mut Problems) {
    let Some(clients) = below(tree, "clients") else {
        return;
    };
    for client in elements(clients) {
        for key in below(client, "keys").into_iter().flat_map(elements) {
            let hash = below(key, "hash").unwrap_or(key);
            if let Value::Text(text) = &hash.value
                && !is_like_a_hash(text)
            {
                problems.sources.strike(inside(hash.span));
            }
        }
    }
}

/// Whether a text looks like a hash, perhaps one with a slip.
fn is_like_a_hash(text: &str) -> bool {
    text.strip_prefix("sha256:")
        .is_some_and(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// A string's place without its quotes.
fn inside(span: Span) -> Span {
    Span {
        start: span.start + 1,
        end: span.end.saturating_sub(1).max(span.start + 1),
        ..span
    }
}

fn below<'n>(node: &'n Node, key: &str) -> Option<&'n Node> {
    match &node.value {
        Value::Table(entries) => entries
            .iter()
            .find(|entry| entry.key.value == key)
            .map(|entry| &entry.node),
        _ => None,
    }
}

/// The values of a table or a list; any other value is the only one.
fn elements(node: &Node) -> Vec<&Node> {
    match &node.value {
        Value::Table(entries) => entries.iter().map(|entry| &entry.node).collect(),
        Value::List(list) => list.iter().collect(),
        _ => vec![node],
    }
}
