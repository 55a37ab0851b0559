//! `tollgate keys list` and `tollgate keys hash`: the keys that there are, and the hash that the
//! configuration holds in the place of a key.

use std::fmt::Write as _;
use std::io::Read;
use std::path::Path;
use std::process::ExitCode;

use jiff::Timestamp;
use serde_json::json;

use crate::client::{ApiKeyHash, MAX_KEY};
use crate::config::ListedClient;

/// Prints all clients with their keys.
pub(super) fn list(file: &Path, as_json: bool) -> ExitCode {
    let loaded = match super::load(file) {
        Ok(loaded) => loaded,
        Err(code) => return code,
    };
    let clients: Vec<_> = loaded.clients(Timestamp::now()).collect();
    super::print(&if as_json {
        format!("{:#}\n", json!(clients))
    } else {
        table(&clients)
    })
}

/// A line for each key, and for each client without one.
fn table(clients: &[ListedClient]) -> String {
    let mut rows = vec![["CLIENT", "GROUPS", "KEY", "FROM", "UNTIL", "STATE"].map(str::to_owned)];
    for client in clients {
        let groups = match &client.groups[..] {
            [] => "-".to_owned(),
            groups => groups.join(","),
        };
        let row = |id: &str, from: &Option<String>, until: &Option<String>, state: &str| {
            let [from, until] = [from, until].map(|moment| moment.as_deref().unwrap_or("-"));
            [&client.client, &*groups, id, from, until, state].map(str::to_owned)
        };
        if client.keys.is_empty() {
            rows.push(row("-", &None, &None, "no keys"));
        }
        let keys = client.keys.iter();
        rows.extend(keys.map(|key| row(&key.id, &key.not_before, &key.expires_at, key.state)));
    }
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let widths = [0, 1, 2, 3, 4].map(width);
    let mut text = String::new();
    for row in &rows {
        let (state, cells) = row.split_last().expect("it has six cells");
        for (cell, width) in cells.iter().zip(widths) {
            let _ = write!(text, "{cell:width$}  ");
        }
        let _ = writeln!(text, "{state}");
    }
    text
}

/// Says how a key is given that stands in the command line, where others can see it.
pub(super) fn refuse_argument() -> ExitCode {
    super::complain(
        "tollgate: the key is read from standard input, for a command line is seen by others and kept by shells: `printf %s KEY | tollgate keys hash`, or `tollgate keys hash < FILE`\n",
    );
    ExitCode::from(2)
}

/// Prints the hash of the key that `input` holds, with or without the newline of `echo`.
pub(super) fn hash(input: impl Read) -> ExitCode {
    let mut key = Vec::new();
    if let Err(error) = input.take(MAX_KEY as u64 + 3).read_to_end(&mut key) {
        return super::fail(&format!("cannot read the key: {error}"));
    }
    match usable(&key) {
        Ok(key) => {
            if key.len() == 64 && key.iter().all(u8::is_ascii_hexdigit) {
                super::complain(
                    "tollgate: these are 64 hexadecimal digits: if they are a hash already, write `sha256:` in front of them instead\n",
                );
            }
            super::print(&format!("{}\n", ApiKeyHash::of(key)))
        }
        Err(why) => super::fail(why),
    }
}

/// The key, if a client could ever send it: what a header field cannot carry would never match.
fn usable(key: &[u8]) -> Result<&[u8], &'static str> {
    let key = key.strip_suffix(b"\n").unwrap_or(key);
    let key = key.strip_suffix(b"\r").unwrap_or(key);
    match key {
        [] => Err("there is no key on standard input"),
        key if key.starts_with(b"sha256:") => {
            Err("this is a hash already: it goes into the configuration as it is")
        }
        key if key.len() > MAX_KEY => Err("the key is longer than 4096 characters"),
        key if key.contains(&b',') => Err("the key has a comma, which would make it two keys"),
        key if key.iter().all(u8::is_ascii_graphic) => Ok(key),
        _ => Err("the key has blanks, or characters other than ASCII"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ListedKey;

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
            b"sha256:53a04f1fc0c388b71a29cc914fcf94922ce578f25f612acc848512274a1497f6",
            b"\x7f",
            &[b'x'; 5000],
        ] {
            assert!(usable(input).is_err(), "{input:?}");
        }
    }

    #[test]
    fn every_key_and_every_client_without_one_has_a_line() {
        let key = |id: &str, until: Option<&str>, state| ListedKey {
            id: id.into(),
            not_before: None,
            expires_at: until.map(Into::into),
            state,
        };
        let client = |client: &str, groups: &[&str], keys| ListedClient {
            client: client.into(),
            file: "x.toml".into(),
            line: 1,
            tier: None,
            groups: groups.iter().map(|group| (*group).to_owned()).collect(),
            keys,
        };
        let valid = key("53a04f1f", None, "valid");
        let expired = key("63a04f1f", Some("2020-01-01T00:00:00Z"), "expired");
        let clients = [
            client("mobile-app", &["partner", "staff"], vec![valid, expired]),
            client("web", &[], vec![]),
        ];
        let expected = "\
CLIENT      GROUPS         KEY       FROM  UNTIL                 STATE
mobile-app  partner,staff  53a04f1f  -     -                     valid
mobile-app  partner,staff  63a04f1f  -     2020-01-01T00:00:00Z  expired
web         -              -         -     -                     no keys
";
        assert_eq!(table(&clients), expected);
    }
}
