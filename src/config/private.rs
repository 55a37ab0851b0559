//! Problems are shown and logged with lines of the file. Lines that may hold a secret are not: those
//! below `clients`, those of a kind that is one, those with credentials in a URL or with a header field
//! and its value, and those with a value that may be one at an unknown key, or in the place of something
//! else, and those with a key as `tollgate keys new` makes them. Of a file that cannot be parsed, no line is shown.

use super::credentials::has_credentials;
use super::source::{At, Sources};
use super::suggest::called_here;
use super::tree::Value;
use crate::message::own_keys;

/// Hides all that stands below `clients`, and credentials in URLs, queries and header fields wherever they
/// stand.
pub(super) fn hide_secrets(tree: &At<Value>, sources: &mut Sources) {
    let is_secret = |text: &str| {
        has_credentials(text)
            || has_secret_query(text)
            || has_named_value(text)
            || own_keys::find(text.as_bytes()).is_some()
    };
    tree.each(&mut |text, span| {
        if text.is_some_and(is_secret) {
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

/// Hides what is wrong at a key: the whole of it where a secret belongs or is near, else what stands in
/// tables, where none belongs.
pub(super) fn hide_wrong(path: &str, written: &At<Value>, sources: &mut Sources) {
    // What is no name of a field may be a field and its value.
    let is_field = || path.contains("header") && !is_word(&written.value);
    if is_private(path) || path == "limits.redis.url" || is_field() {
        hide(written, sources);
    } else {
        hide_tables(written, sources);
    }
}

/// Whether what nobody knows at a key may be a secret, whatever it looks like: it is a client's, for Redis,
/// or a header field with its value.
pub(super) fn is_private(path: &str) -> bool {
    path.starts_with("clients") || path == "limits.redis" || path.ends_with("_headers")
}

/// Whether a value is a word without blanks and signs.
fn is_word(value: &Value) -> bool {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    matches!(value, Value::Text(text) if text.bytes().all(is_plain))
}

/// Hides what stands in tables, in a place where none belongs.
fn hide_tables(written: &At<Value>, sources: &mut Sources) {
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

/// Whether a text is a name with a value behind it that may be a secret: a header field as it is sent, or
/// something that sounds like one.
fn has_named_value(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    if lower.contains("bearer ") || lower.contains("basic ") {
        return true;
    }
    let end = text.find(|c: char| c.is_whitespace() || matches!(c, ':' | '='));
    let (name, rest) = text.split_at(end.unwrap_or(text.len()));
    let is_name = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    let is_field = rest.starts_with(": ") || rest.starts_with(":\t");
    // A client in a list of those who may.
    let is_client = name == "client";
    let has_value = rest.len() > 1 && !rest.starts_with("://");
    has_value
        && !name.is_empty()
        && name.bytes().all(is_name)
        && (is_field || sounds_secret(name) && !is_client)
}

fn sounds_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SECRET_NAMES.iter().any(|part| name.contains(part))
}

/// Hides what may be a secret at a key that nobody knows: by its name, or by looking like one. All of it
/// `is_secret` if its key was meant to be one of a secret. Of a table, its header is shown.
pub(super) fn hide_unknown(key: &str, written: &At<Value>, is_secret: bool, sources: &mut Sources) {
    // What other programs call so is as secret as what it is called here.
    let mut names = called_here(key).unwrap_or(key).split(' ');
    let is_secret = is_secret || names.any(sounds_secret);
    match &written.value {
        Value::Table(entries) => {
            for (key, value) in entries {
                if looks_secret(&Value::Text(key.value.clone())) {
                    sources.hide(key.span);
                }
                hide_unknown(&key.value, value, is_secret, sources);
            }
        }
        Value::List(list) => list
            .iter()
            .for_each(|one| hide_unknown(key, one, is_secret, sources)),
        Value::Boolean(_) => {}
        value if is_secret || looks_secret(value) => sources.hide(written.span),
        _ => {}
    }
}

/// Whether a value is more than a number, a word, a path or a URL.
pub(super) fn looks_secret(value: &Value) -> bool {
    match value {
        Value::Table(_) => true,
        Value::List(list) => list.iter().any(|one| looks_secret(&one.value)),
        Value::Text(text) => {
            let is_word = |b: u8| b.is_ascii_alphabetic() || b == b'-' || b == b'_';
            let is_quantity = text.len() < 8
                && text.starts_with(|c: char| c.is_ascii_digit())
                && text
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"/%".contains(&b));
            let is_place = text.starts_with('/') || text.contains("://") || text.contains('.');
            let is_long = text.len() >= 32 || has_credentials(text);
            let is_sign = text.bytes().all(|b| b.is_ascii_punctuation());
            is_long || !(is_quantity || is_place || is_sign || text.bytes().all(is_word))
        }
        _ => false,
    }
}
