//! `tollgate keys new`: a fresh key, and the lines of the configuration that let it in, as they are
//! to be written there.

mod written;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use jiff::Timestamp;
use serde_json::json;

use super::Config;
use crate::client::{ApiKey, ClientName};
use crate::config::{self, Format, KeyPlace, ListedClient};

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
    place: KeyPlace,
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
    // Whoever names a file wants to know if the client is in it.
    if config.file.is_some()
        && !config::is_stdin(file)
        && let Some(why) = config::unreadable(file)
    {
        return super::fail(&format!("cannot read `{}`: {why}", file.display()));
    }
    let (known, place) = known(file, &client, now);
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
        place,
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

/// Where the client stands already and where the key goes, if there is a file and it can be read.
fn known(file: &Path, client: &ClientName, now: Timestamp) -> (Option<ListedClient>, KeyPlace) {
    if !config::is_stdin(file) && !file.exists() {
        return Default::default();
    }
    let Ok(loaded) = super::read(file) else {
        let file = file.display();
        super::complain(&format!(
            "tollgate: `{file}` has problems (`tollgate check`), so it is not known whether it has the client\n"
        ));
        return Default::default();
    };
    let known = loaded.clients(now).find(|it| it.client == client.as_str());
    (known, loaded.key_place(client.as_str()))
}

impl New {
    fn letter(&self) -> String {
        let name = self.client.as_str();
        let mut text = format!(
            "The key of {name}, shown this once:\n\n    {}\n\n",
            self.key.expose()
        );
        let _ = writeln!(text, "{}:\n", self.whither());
        for line in self.to_add().lines() {
            let _ = writeln!(text, "    {line}");
        }
        text
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
