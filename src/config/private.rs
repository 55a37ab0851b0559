//! Problems are shown and logged with lines of the file. Lines that may hold a secret are not: those
//! below `clients`, those with credentials in a URL, and values that belong to no key. Of a file
//! that cannot be parsed, no line is shown.

use super::source::{Sources, Span};
use super::tree::{Node, Value};

/// How messages say where user and password stand.
const USER_OF_A_URL: &str = "[user:password@]";

/// Hides all that stands below `clients`, and credentials in URLs wherever they stand.
pub(super) fn hide_secrets(tree: &Node, sources: &mut Sources) {
    each_text(tree, &mut |text, span| {
        if has_credentials(text) {
            sources.hide(span);
        }
    });
    if let Value::Table(entries) = &tree.value {
        let clients = entries.iter().filter(|entry| entry.key.value == "clients");
        clients.for_each(|entry| hide(&entry.node, sources));
    }
}

/// Hides a value and all that stands in it.
pub(super) fn hide(node: &Node, sources: &mut Sources) {
    sources.hide(node.span);
    hide_below(&node.value, sources);
}

/// Hides what stands in tables, in a place where none belongs.
pub(super) fn hide_tables(value: &Value, sources: &mut Sources) {
    if has_tables(value) {
        hide_below(value, sources);
    }
}

/// Whether a value is a table, or a list with one in it.
pub(super) fn has_tables(value: &Value) -> bool {
    match value {
        Value::Table(_) => true,
        Value::List(list) => list.iter().any(|one| has_tables(&one.value)),
        _ => false,
    }
}

fn hide_below(value: &Value, sources: &mut Sources) {
    match value {
        Value::List(list) => list.iter().for_each(|one| hide(one, sources)),
        Value::Table(entries) => {
            for entry in entries {
                sources.hide(entry.key.span);
                hide(&entry.node, sources);
            }
        }
        _ => {}
    }
}

fn each_text(node: &Node, see: &mut dyn FnMut(&str, Span)) {
    match &node.value {
        Value::Text(text) => see(text, node.span),
        Value::List(list) => list.iter().for_each(|one| each_text(one, see)),
        Value::Table(entries) => {
            for entry in entries {
                see(&entry.key.value, entry.key.span);
                each_text(&entry.node, see);
            }
        }
        _ => {}
    }
}

/// A message in which nothing is quoted that has credentials in it.
pub(super) fn without_credentials(message: String) -> String {
    // What the message itself explains is no secret.
    if !has_credentials(&message.replace(USER_OF_A_URL, "")) {
        return message;
    }
    match (message.find('`'), message.rfind('`')) {
        (Some(first), Some(last)) => format!("{}`...{}", &message[..first], &message[last..]),
        _ => message,
    }
}

/// Whether a text has something secret before an `@`; the name of a variable is not.
fn has_credentials(text: &str) -> bool {
    let Some((before, _)) = text.rsplit_once('@') else {
        return false;
    };
    let user = before.split_once("://").map_or(before, |(_, user)| user);
    let secret = user.split_once(':').map_or(user, |(_, password)| password);
    let variable = secret.strip_prefix("${").and_then(|s| s.strip_suffix('}'));
    let is_name = |name: &str| name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    !secret.is_empty() && !variable.is_some_and(is_name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_quote_no_credentials() {
        for (message, shown) in [
            ("no upstream `u:pw@h`", "no upstream `...`"),
            ("`u:p`w@h` and `b` are", "`...` are"),
            ("no upstream `h`", "no upstream `h`"),
            (
                "write `redis://[user:password@]host`",
                "write `redis://[user:password@]host`",
            ),
        ] {
            assert_eq!(without_credentials(message.to_owned()), shown);
        }
    }

    #[test]
    fn credentials_are_what_stands_before_an_at_sign() {
        for text in [
            "redis://:pw@h",
            "redis://user:pw@h",
            "redis://token@h",
            "redis://user:p/?#@w@h",
            "redis://user:${PW:-pw}@h",
            "redis://user:${PW}pw@h",
            "redis://user:${A}${B}@h",
            "user:pw@h",
        ] {
            assert!(has_credentials(text), "{text}");
        }
        for text in [
            "redis://h",
            "redis://user:${PW}@h",
            "redis://${USER}@h",
            "@h",
        ] {
            assert!(!has_credentials(text), "{text}");
        }
    }
}
