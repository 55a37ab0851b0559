//! Credentials in URLs, and in what is meant to be one.

use crate::message::own_keys;

/// How messages say where user and password stand.
const USER_OF_A_URL: &str = "[user:password@]";

/// A message in which nothing is quoted that has credentials in it, and no key can be read.
pub(super) fn without_credentials(message: String) -> String {
    let message = own_keys::hidden(message).into_owned();
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
pub(super) fn has_credentials(text: &str) -> bool {
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
