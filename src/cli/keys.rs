//! `tollgate keys`: new keys, and the hashes that the configuration holds in their place.

use std::io::Read;
use std::process::ExitCode;

use crate::client::{ApiKey, ApiKeyHash, ClientName, MAX_KEY};

/// Prints a fresh key for a client, and the configuration that lets it in.
pub(super) fn new(client: &str) -> ExitCode {
    let client = match ClientName::parse(client) {
        Ok(client) => client,
        Err(error) => {
            super::complain(&format!("tollgate: `{client}`: {error}\n"));
            return ExitCode::from(2);
        }
    };
    match ApiKey::generate() {
        Ok(key) => super::print(&letter(&client, &key)),
        Err(error) => super::fail(&error.to_string()),
    }
}

fn letter(client: &ClientName, key: &ApiKey) -> String {
    let name = match client.as_str() {
        // A dot would begin a table below.
        name if name.contains('.') => format!("\"{name}\""),
        name => name.to_owned(),
    };
    format!(
        "The key of {}, shown this once:\n\n    {}\n\n\
         The configuration holds its hash:\n\n    [clients.{name}]\n    keys = [\"{}\"]\n",
        client.as_str(),
        key.expose(),
        key.hash(),
    )
}

/// Prints the hash of the key that `input` holds, with or without the newline of `echo`.
pub(super) fn hash(input: impl Read) -> ExitCode {
    let mut key = Vec::new();
    if let Err(error) = input.take(MAX_KEY as u64 + 3).read_to_end(&mut key) {
        return super::fail(&format!("cannot read the key: {error}"));
    }
    match usable(&key) {
        Ok(key) => super::print(&format!("{}\n", ApiKeyHash::of(key))),
        Err(why) => super::fail(why),
    }
}

/// The key, if a client could ever send it: what a header field cannot carry would never match.
fn usable(key: &[u8]) -> Result<&[u8], &'static str> {
    let key = key.strip_suffix(b"\n").unwrap_or(key);
    let key = key.strip_suffix(b"\r").unwrap_or(key);
    match key {
        [] => Err("there is no key on standard input"),
        key if key.len() > MAX_KEY => Err("the key is longer than 4096 characters"),
        key if key.contains(&b',') => Err("the key has a comma, which would make it two keys"),
        key if key.iter().all(u8::is_ascii_graphic) => Ok(key),
        _ => Err("the key has blanks, or characters other than ASCII"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_newline_is_not_part_of_the_key() {
        for (input, key) in [
            (&b"secret"[..], &b"secret"[..]),
            (b"secret\n", b"secret"),
            (b"secret\r\n", b"secret"),
        ] {
            assert_eq!(usable(input), Ok(key));
        }
    }

    #[test]
    fn what_no_client_could_send_is_refused() {
        for input in [
            &b""[..],
            b"\n",
            b"\r\n",
            b"secret\n\n",
            b" secret",
            b"secret ",
            b"secret \n",
            b"two words",
            b"\tx",
            "geheim\u{e4}".as_bytes(),
            b"a\0b",
            b"a\nb",
            b"a,b",
            b"\x7f",
            &[b'x'; 5000],
        ] {
            assert!(usable(input).is_err(), "{input:?}");
        }
    }

    #[test]
    fn the_printed_configuration_lets_the_printed_key_in() {
        for name in ["mobile-app", "mobile.app"] {
            let key = ApiKey::generate().unwrap();
            let letter = letter(&ClientName::parse(name).unwrap(), &key);
            let lines = &letter[letter.find("    [clients").unwrap()..];
            let none = |_: &str| Err(std::env::VarError::NotPresent);
            let format = crate::config::Format::Toml;
            let loaded =
                crate::config::parse("x.toml", lines, format, &none, &|_| unreachable!()).unwrap();
            let now = jiff::Timestamp::now;
            let keys = &loaded.snapshot.access.keys;
            let client = keys.find(key.expose().as_bytes(), now).unwrap();
            assert_eq!(client.name.as_str(), name);
        }
    }
}
