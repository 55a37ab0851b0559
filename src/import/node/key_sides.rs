//! Where a file of keys pairs strings, which side are the keys? As documented, the members' names. A
//! client's name goes to services, logs and metrics, so a file that could be the other way round is
//! refused until somebody says what it is.

use std::collections::HashSet;

/// What the keys are in a file of keys that pairs strings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeysAre {
    /// `{ "KEY": "client" }`.
    Names,
    /// `{ "client": "KEY" }`.
    Values,
}

/// What the pairs leave open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Doubt {
    /// Two members have one value: a client may have two keys, but a key never has two clients.
    None,
    /// The values look less like keys than the names.
    Small,
    /// The values may be the keys.
    Large,
}

/// How sure it is that the names are the keys.
pub(super) fn doubt(pairs: &[(&str, &str)]) -> Doubt {
    let distinct: HashSet<&str> = pairs.iter().map(|(_, value)| *value).collect();
    if distinct.len() < pairs.len() {
        return Doubt::None;
    }
    let may_be_reversed = |&(name, value): &(&str, &str)| {
        let marks = |text: &str| (key_marks(text), text.len());
        marks(value) > marks(name)
    };
    if pairs.iter().any(may_be_reversed) {
        Doubt::Large
    } else {
        Doubt::Small
    }
}

/// How much the text looks like a key rather than like a client's name: digits among letters, a word
/// that stands in keys, long runs without a separator.
fn key_marks(text: &str) -> usize {
    let lower = text.to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    let is_called_key = has(&["key", "secret", "token", "passw", "pwd"]);
    let is_called_client = has(&["client", "app", "user", "service", "partner", "customer"]);
    let turns = text
        .as_bytes()
        .windows(2)
        .filter(|two| {
            two[0].is_ascii_alphanumeric()
                && two[1].is_ascii_alphanumeric()
                && two[0].is_ascii_digit() != two[1].is_ascii_digit()
        })
        .count();
    let is_separator = |c: char| !c.is_alphanumeric();
    let longest = text.split(is_separator).map(str::len).max().unwrap_or(0);
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    // Most names of clients are words with something between them.
    let is_one = !text.contains(is_separator);
    let marks = turns
        + if is_called_key { 3 } else { 0 }
        + if longest >= 16 { 3 } else { 0 }
        + if is_number { 2 } else { 0 }
        + usize::from(is_one);
    marks.saturating_sub(if is_called_client { 2 } else { 0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_keys_unless_the_values_look_more_like_them() {
        for (pairs, expected) in [
            (
                &[("key1", "clientA"), ("key2", "clientB")][..],
                Doubt::Small,
            ),
            (
                &[("hunter2", "backoffice"), ("s3cret", "mobile-app")],
                Doubt::Small,
            ),
            (&[("topsecret", "mobile-app-v2")], Doubt::Small),
            (&[("a1b2c3", "Max Mustermann")], Doubt::Small),
            (&[("web-key", "web-2024-frontend-app")], Doubt::Small),
            (&[("demo-key-mobile-app", "mobile-app")], Doubt::Small),
            (&[("mobile-app", "demo-key-mobile-app")], Doubt::Large),
            (
                &[("partner-company-of-berlin-2024", "s3cret")],
                Doubt::Large,
            ),
            (&[("mobile-app", "correcthorse")], Doubt::Large),
            (&[("mobile", "correcthorse")], Doubt::Large),
            (
                &[("mobile2", "550e8400-e29b-41d4-a716-446655440000")],
                Doubt::Large,
            ),
            (&[("mobile", "83749283")], Doubt::Large),
            (&[("abc123", "client1"), ("k", "a")], Doubt::Small),
            (&[("key1", "clientA"), ("partner", "x7")], Doubt::Large),
            (&[("a", "s3cret"), ("b", "s3cret")], Doubt::None),
        ] {
            assert_eq!(doubt(pairs), expected, "{pairs:?}");
        }
    }
}
