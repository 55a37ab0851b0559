//! What to write in the place of a value that is no table: one such as its declaration shows, with what was
//! written in it where that fits.

use crate::config::private::looks_secret;
use crate::config::tree::Value;

/// The table as it is written, if its declaration shows one; with `given` in the place of what it marks. A
/// table that is written as the value of its key `short` is so here.
pub(super) fn example(keys: &str, short: Option<&str>, given: Option<&Value>) -> Option<String> {
    let given = given.filter(|given| !is_yes(given) && !looks_secret(given));
    let given = given.and_then(literal);
    let keys = with(given.as_deref(), keys);
    let short = short.and_then(|short| keys.strip_prefix(short)?.strip_prefix(" = "));
    match short.filter(|value| !value.contains('=')) {
        _ if keys.is_empty() => None,
        Some(value) => Some(value.to_owned()),
        None => Some(format!("`{{ {keys} }}`")),
    }
}

/// The keys of an example with a value in the place of one of its kind.
fn with(given: Option<&str>, example: &str) -> String {
    let kind = |value: &str| value.chars().next().filter(|c| !c.is_ascii_digit());
    let mut parts = example.split('@');
    let mut keys = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (value, after) = part.split_at(part.find(", ").unwrap_or(part.len()));
        match given {
            Some(given) if kind(given) == kind(value) => keys += given,
            Some(given) if kind(given) == Some('"') && value.starts_with('[') => {
                keys.extend(["[", given, "]"]);
            }
            _ => keys += value,
        }
        keys += after;
    }
    keys
}

/// A value as TOML has it.
fn literal(written: &Value) -> Option<String> {
    match written {
        Value::Text(text) => Some(format!("\"{text}\"")),
        Value::Integer(number) => Some(number.to_string()),
        Value::Boolean(false) => Some("\"off\"".to_owned()),
        Value::List(list) => {
            let list: Option<Vec<_>> = list.iter().map(|one| literal(&one.value)).collect();
            Some(format!("[{}]", list?.join(", ")))
        }
        _ => None,
    }
}

/// Whether a value says no more than that there is to be one.
fn is_yes(written: &Value) -> bool {
    const WORDS: [&str; 6] = ["on", "yes", "true", "enable", "enabled", "auto"];
    matches!(written, Value::Text(text) if WORDS.iter().any(|word| text.eq_ignore_ascii_case(word)))
}

/// Whether a value says that there is to be none.
pub(super) fn is_no(written: &Value) -> bool {
    const WORDS: [&str; 7] = ["off", "no", "none", "false", "never", "disable", "disabled"];
    match written {
        Value::Text(text) => WORDS.iter().any(|word| text.eq_ignore_ascii_case(word)),
        value => matches!(value, Value::Boolean(false)),
    }
}
