//! `tollgate keys new`: a fresh key, and the lines of the configuration that let it in, as they are
//! to be written there.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use jiff::Timestamp;
use serde_json::json;

use super::Config;
use crate::client::{ApiKey, ClientName};
use crate::config::{self, Format, ListedClient};

/// What the key is to be.
#[derive(Debug, Args)]
pub(super) struct Options {
    /// The client that the key is for; one that the configuration has gets a further key
    client: String,
    /// When the key ends: a date, a date and time, or how long from now on, such as 90d
    #[arg(long, value_name = "TIME")]
    expires: Option<String>,
    /// When the key begins to hold, written like --expires
    #[arg(long, value_name = "TIME")]
    not_before: Option<String>,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

/// A key for a client.
struct New {
    client: ClientName,
    key: ApiKey,
    not_before: Option<Timestamp>,
    expires_at: Option<Timestamp>,
    /// Where the client stands already.
    known: Option<ListedClient>,
    /// The file that gets the key, and how it is written.
    file: PathBuf,
    format: Format,
}

/// Runs the command.
pub(super) fn run(config: &Config, options: &Options) -> ExitCode {
    // Nobody wants to read the fractions of a second.
    let now = Timestamp::now().as_second();
    let now = Timestamp::from_second(now).unwrap_or_default();
    let (client, not_before, expires_at) = match wanted(options, now) {
        Ok(wanted) => wanted,
        Err(wrong) => {
            super::complain(&format!("tollgate: {wrong}\n"));
            return ExitCode::from(2);
        }
    };
    let file = config.file();
    if config.file.is_some() && !config::is_stdin(file) && !file.exists() {
        // Whoever names a file wants to know if the client is in it.
        let file = file.display();
        return super::fail(&format!("cannot read `{file}`: there is no such file"));
    }
    let known = known(file, &client, now);
    let key = match ApiKey::generate() {
        Ok(key) => key,
        Err(error) => return super::fail(&error.to_string()),
    };
    let file = known.as_ref().map_or(file, |known| Path::new(&known.file));
    let new = New {
        format: Format::of(file),
        file: file.to_owned(),
        client,
        key,
        not_before,
        expires_at,
        known,
    };
    super::print(&if options.json {
        new.json()
    } else {
        new.letter()
    })
}

type Wanted = (ClientName, Option<Timestamp>, Option<Timestamp>);

fn wanted(options: &Options, now: Timestamp) -> Result<Wanted, String> {
    let client = &options.client;
    let client = ClientName::parse(client).map_err(|error| format!("`{client}`: {error}"))?;
    let moment = |name: &str, text: &Option<String>| match text {
        None => Ok(None),
        Some(text) => {
            let moment = config::moment(text, now);
            let wrong = |why| format!("--{name} {text}: {why}");
            moment.map(Some).map_err(wrong)
        }
    };
    let not_before = moment("not-before", &options.not_before)?;
    let expires_at = moment("expires", &options.expires)?;
    let first = not_before.unwrap_or(now);
    if let Some(end) = expires_at.filter(|end| *end <= first) {
        return Err(format!("a key that expires at {end} would never be valid"));
    }
    Ok((client, not_before, expires_at))
}

/// Where the client stands already, if there is a file and it can be read.
fn known(file: &Path, client: &ClientName, now: Timestamp) -> Option<ListedClient> {
    if !config::is_stdin(file) && !file.exists() {
        return None;
    }
    let Ok(loaded) = config::load(file, &config::environment) else {
        let file = file.display();
        super::complain(&format!(
            "tollgate: `{file}` has problems (`tollgate check`), so it is not known whether it has the client\n"
        ));
        return None;
    };
    loaded.clients(now).find(|it| it.client == client.as_str())
}

impl New {
    fn letter(&self) -> String {
        let name = self.client.as_str();
        let mut text = format!(
            "The key of {name}, shown this once:\n\n    {}\n\n",
            self.key.expose()
        );
        match &self.known {
            Some(known) => {
                let (file, line, keys) = (&known.file, known.line, known.keys.len());
                let _ = write!(
                    text,
                    "{name} stands in {file}, line {line}, with {keys} so far. Add the new one to its `keys`:\n\n"
                );
            }
            None if config::is_stdin(&self.file) => {
                text.push_str("Add this to the configuration:\n\n");
            }
            None => {
                let _ = write!(text, "Add this to {}:\n\n", self.file.display());
            }
        }
        for line in self.to_add().lines() {
            let _ = writeln!(text, "    {line}");
        }
        text
    }

    /// What is to be added to the file.
    fn to_add(&self) -> String {
        let (name, entry) = (self.client.as_str(), self.entry());
        match (&self.known, self.format) {
            (Some(_), Format::Toml) => format!("{entry},"),
            (Some(_), Format::Yaml) => format!("- {entry}"),
            (Some(_), Format::Json) => entry,
            // A dot would begin a table below.
            (None, Format::Toml) if name.contains('.') => {
                format!("[clients.\"{name}\"]\nkeys = [{entry}]")
            }
            (None, Format::Toml) => format!("[clients.{name}]\nkeys = [{entry}]"),
            (None, Format::Yaml) => format!("clients:\n  \"{name}\":\n    keys:\n      - {entry}"),
            (None, Format::Json) => {
                format!("\"clients\": {{\n  \"{name}\": {{ \"keys\": [{entry}] }}\n}}")
            }
        }
    }

    /// The key as it stands in a list.
    fn entry(&self) -> String {
        let hash = self.key.hash();
        if self.not_before.is_none() && self.expires_at.is_none() {
            return format!("\"{hash}\"");
        }
        let mut entry = Vec::new();
        let mut add = |key: &str, value: &str| {
            entry.push(match self.format {
                Format::Toml => format!("{key} = \"{value}\""),
                Format::Yaml => format!("{key}: \"{value}\""),
                Format::Json => format!("\"{key}\": \"{value}\""),
            });
        };
        add("hash", &hash.to_string());
        for (key, moment) in [
            ("not_before", self.not_before),
            ("expires_at", self.expires_at),
        ] {
            if let Some(moment) = moment {
                add(key, &moment.to_string());
            }
        }
        format!("{{ {} }}", entry.join(", "))
    }

    fn json(&self) -> String {
        let hash = self.key.hash();
        let text = |moment: Option<Timestamp>| moment.map(|moment| moment.to_string());
        let answer = json!({
            "client": self.client.as_str(),
            "key": self.key.expose(),
            "id": hash.id().to_string(),
            "hash": hash.to_string(),
            "not_before": text(self.not_before),
            "expires_at": text(self.expires_at),
            "known": self.known.is_some(),
            "file": self.known.as_ref().map(|known| &known.file),
            "line": self.known.as_ref().map(|known| known.line),
            "add": self.to_add(),
        });
        format!("{answer:#}\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Loaded, parse};

    fn loaded(text: &str, format: Format) -> Loaded {
        let files = |_: &Path| Err(config::Unreadable::Missing);
        parse("x", text, format, &config::environment, &files)
            .unwrap_or_else(|problems| panic!("{text}\n{problems}"))
    }

    fn new(name: &str, format: Format, expires_at: Option<Timestamp>) -> New {
        New {
            client: ClientName::parse(name).unwrap(),
            key: ApiKey::generate().unwrap(),
            not_before: None,
            expires_at,
            known: None,
            file: "the/file".into(),
            format,
        }
    }

    #[test]
    fn the_printed_configuration_lets_the_printed_key_in() {
        let end = "2100-01-01T00:00:00Z".parse().unwrap();
        for name in ["mobile-app", "mobile.app", "8"] {
            for format in [Format::Toml, Format::Json, Format::Yaml] {
                for expires_at in [None, Some(end)] {
                    let mut new = new(name, format, expires_at);
                    let whole = |to_add: String| match format {
                        Format::Json => format!("{{{to_add}}}"),
                        _ => to_add,
                    };
                    let first = loaded(&whole(new.to_add()), format);
                    let keys = &first.snapshot.access.keys;
                    let key = new.key.hash();
                    let client = keys.find(&key, Timestamp::now).unwrap().client;
                    assert_eq!(client.name.as_str(), name);
                    let letter = new.letter();
                    assert_eq!(letter.matches(new.key.expose()).count(), 1, "{letter}");
                    assert!(letter.contains("\n\nAdd this to the/file:\n\n"), "{letter}");
                    // The next one goes into the list.
                    new.known = first.clients(Timestamp::now()).next();
                    let further = new.to_add();
                    assert!(further.contains(&new.key.hash().to_string()), "{further}");
                    assert_eq!(further.lines().count(), 1);
                    assert!(new.letter().contains("with 1 so far"), "{}", new.letter());
                }
            }
        }
    }

    #[test]
    fn lifetimes_are_moments_that_can_be() {
        let options = |expires: &str, not_before: Option<&str>| Options {
            client: "a".into(),
            expires: Some(expires.into()),
            not_before: not_before.map(Into::into),
            json: false,
        };
        let now = Timestamp::from_second(1_000_000_000).unwrap();
        assert!(wanted(&options("1d", None), now).is_ok());
        assert!(wanted(&options("2d", Some("1d")), now).is_ok());
        for (expires, not_before) in [
            ("1d", Some("1d")),
            ("1d", Some("2d")),
            ("2001-01-01", None),
            ("soon", None),
            ("1d", Some("soon")),
        ] {
            let wrong = wanted(&options(expires, not_before), now).unwrap_err();
            assert!(
                wrong.contains("never") || wrong.contains("write a moment"),
                "{wrong}"
            );
        }
    }
}
