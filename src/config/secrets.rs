//! Secrets that stand where they don't belong: keys in place of their hashes, or under a name that
//! is no key of the configuration. They are problems, and problems are shown and logged with the
//! lines that they are in; so whatever may be secret is struck out of the text first.

use super::problems::Problems;
use super::source::Span;
use super::tree::{Entry, Node, Value};

/// What a client is told beside its keys.
const HARMLESS: [&str; 3] = ["tier", "not_before", "expires_at"];

/// Under a name with one of these in it stands something secret, unless it is one of ours.
const TELLING: [&str; 6] = [
    "pass",
    "secret",
    "token",
    "credential",
    "api_key",
    "api-key",
];
const OURS: [&str; 2] = ["api_key_header", "forward_api_key"];

/// Strikes out whatever may be a key or a password.
pub(super) fn strike(tree: &Node, problems: &mut Problems) {
    for Entry { key, node } in entries(tree) {
        if key.value == "clients" {
            strike_client(node, problems);
        } else {
            strike_named(&key.value, node, problems);
        }
    }
}

/// Strikes out all texts of clients, but for those that are known to be none of theirs.
fn strike_client(node: &Node, problems: &mut Problems) {
    strike_text(node, problems);
    for below in elements(node) {
        strike_client(below, problems);
    }
    let harmful = |entry: &&Entry| !HARMLESS.contains(&entry.key.value.as_str());
    for entry in entries(node).iter().filter(harmful) {
        strike_client(&entry.node, problems);
    }
}

/// Strikes out what stands under a telling name, here or further down.
fn strike_named(name: &str, node: &Node, problems: &mut Problems) {
    let name = name.to_ascii_lowercase();
    let tells = TELLING.iter().any(|telling| name.contains(telling));
    if tells && !OURS.contains(&name.as_str()) {
        return strike_client(node, problems);
    }
    for below in elements(node) {
        strike_named("", below, problems);
    }
    for entry in entries(node) {
        strike_named(&entry.key.value, &entry.node, problems);
    }
}

fn strike_text(node: &Node, problems: &mut Problems) {
    if let Value::Text(text) = &node.value
        && !is_like_a_hash(text)
    {
        problems.sources.strike(inside(node.span));
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

/// The entries of a table; none of anything else.
fn entries(node: &Node) -> &[Entry] {
    match &node.value {
        Value::Table(entries) => entries,
        _ => &[],
    }
}

/// The elements of a list; none of anything else.
fn elements(node: &Node) -> &[Node] {
    match &node.value {
        Value::List(list) => list,
        _ => &[],
    }
}
