//! Problems are shown and logged with lines of the file. Lines that may hold a secret are not: those
//! below `clients`, those of a kind that is one, those with credentials in a URL, and those with a value
//! at an unknown key that may be one. Of a file that cannot be parsed, no line is shown.

use super::credentials::has_credentials;
use super::source::{At, Sources};
use super::tree::Value;

/// Hides all that stands below `clients`, and credentials in URLs and queries wherever they stand.
pub(super) fn hide_secrets(tree: &At<Value>, sources: &mut Sources) {
    tree.each(&mut |text, span| {
        if text.is_some_and(|text| has_credentials(text) || has_secret_query(text)) {
            sources.hide(span);
        }
    });
    if let Value::Table(entries) = &tree.value {
        let clients = entries.iter().filter(|(key, _)| key.value == "clients");
        clients.for_each(|(_, value)| hide(value, sources));
    }
}

/// Hides a value and all that stands in it.
pub(super) fn hide(written: &At<Value>, sources: &mut Sources) {
    written.each(&mut |_, span| sources.hide(span));
}

/// Hides what stands in tables, in a place where none belongs.
pub(super) fn hide_tables(written: &At<Value>, sources: &mut Sources) {
    let mut is_own = has_tables(&written.value);
    if is_own {
        written.each(&mut |_, span| {
            if !std::mem::take(&mut is_own) {
                sources.hide(span);
            }
        });
    }
}

/// Whether a value is a table, or a list with one in it.
fn has_tables(value: &Value) -> bool {
    match value {
        Value::Table(_) => true,
        Value::List(list) => list.iter().any(|one| has_tables(&one.value)),
        _ => false,
    }
}

/// Parts of the names of keys that hold secrets.
const SECRET_NAMES: [&str; 13] = [
    "pass", "pw", "secret", "token", "key", "auth", "cred", "user", "client", "login", "hash",
    "sign", "cert",
];

/// Whether a URL or a path has a query with something that may be a secret, by its name.
pub(super) fn has_secret_query(text: &str) -> bool {
    let query = text.split_once('?').map_or("", |(_, query)| query);
    let mut names = query
        .split('&')
        .filter_map(|it| Some(it.split_once('=')?.0));
    names.any(sounds_secret)
}

fn sounds_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SECRET_NAMES.iter().any(|part| name.contains(part))
}

/// Whether what stands at a key that nobody knows may be a secret: by its name, or by looking like
/// one.
pub(super) fn may_be_secret(key: &str, value: &Value) -> bool {
    sounds_secret(key) || looks_secret(value)
}

/// Whether a value is more than a number, a word, a path or a URL.
fn looks_secret(value: &Value) -> bool {
    match value {
        Value::Table(_) => true,
        Value::List(list) => list.iter().any(|one| looks_secret(&one.value)),
        Value::Text(text) => {
            let is_word = |b: u8| b.is_ascii_alphabetic() || b == b'-' || b == b'_';
            let is_quantity = text.len() < 8
                && text.starts_with(|c: char| c.is_ascii_digit())
                && text.bytes().all(|b| b.is_ascii_alphanumeric());
            let is_place = text.starts_with('/') || text.contains("://") || text.contains('.');
            let is_long = text.len() >= 32 || has_credentials(text);
            is_long || !(is_quantity || is_place || text.bytes().all(is_word))
        }
        _ => false,
    }
}
