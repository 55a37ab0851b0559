//! A new key as the file holds it, and where it goes there: what is printed can be pasted as it is.

use jiff::Timestamp;

use super::New;
use crate::config::{self, Format, KeyPlace, Within};

impl New {
    /// Where what is to be added goes.
    pub(super) fn whither(&self) -> String {
        let name = self.client.as_str();
        let file = if config::is_stdin(&self.file) {
            "the configuration".to_owned()
        } else {
            self.file.display().to_string()
        };
        let first = if self.is_in_brackets() && !self.place.text.is_empty() {
            ", in front of what stands there"
        } else {
            ""
        };
        let Some(known) = &self.known else {
            return match self.place.within {
                Within::Clients if !self.is_at_end() => {
                    format!("Add this to `clients` in {file}{first}")
                }
                _ => format!("Add this to {file}{first}"),
            };
        };
        let (line, keys) = (known.line, known.keys.len());
        let what = match self.place.within {
            Within::OneKey => "Write this in the place of its `keys`".to_owned(),
            Within::Tables => {
                "Add the new one, in double brackets as all of several are".to_owned()
            }
            Within::Keys => format!("Add the new one to its `keys`{first}"),
            _ if self.place.dotted.is_some() => "Add this line beside it".to_owned(),
            _ => format!("Add this to it{first}"),
        };
        format!("{name} stands in {file}, line {line}, with {keys} so far. {what}")
    }

    /// Whether what is to be added stands within braces or brackets, and is parted by commas there.
    fn is_in_brackets(&self) -> bool {
        let (within, text) = (self.place.within, &self.place.text);
        match self.format {
            Format::Toml => within == Within::Keys || text.starts_with('{'),
            Format::Yaml => text.starts_with(['{', '[']),
            Format::Json => true,
        }
    }

    /// Whether what is to be added is a table of TOML with its header.
    fn is_at_end(&self) -> bool {
        let is_new = self.place.within <= Within::Clients;
        self.format == Format::Toml && is_new && !self.is_in_brackets()
    }

    /// What is to be added to the file.
    pub(super) fn to_add(&self) -> String {
        let (name, entry) = (self.quoted(self.client.as_str()), self.entry());
        let in_brackets = self.is_in_brackets();
        let KeyPlace {
            within,
            text,
            dotted,
        } = &self.place;
        let keys = |value: &str| match dotted {
            Some(client) => format!("{client}.keys = {value}"),
            None => self.line("keys", value),
        };
        let mut added = match within {
            Within::Keys if !in_brackets => return format!("- {entry}"),
            Within::Keys => entry,
            Within::OneKey => return keys(&format!("[{}, {entry}]", self.old())),
            Within::Tables => {
                return format!("[[clients.{name}.keys]]\n{}", self.fields().join("\n"));
            }
            _ => keys(&format!("[{entry}]")),
        };
        if self.is_at_end() {
            return format!("[clients.{name}]\n{added}");
        }
        let outer: &[_] = match within {
            Within::File => &[self.client.as_str(), "clients"],
            Within::Clients => &[self.client.as_str()],
            _ => &[],
        };
        for key in outer {
            added = if in_brackets {
                self.line(key, &format!("{{ {added} }}"))
            } else {
                format!("{}:\n  {}", self.quoted(key), added.replace('\n', "\n  "))
            };
        }
        let rest = text.get(1..).unwrap_or_default().trim_start();
        if in_brackets && !rest.is_empty() && !rest.starts_with(['}', ']']) {
            added.push(',');
        }
        added
    }

    /// The one key that there is, as it can stand in a list: a table of YAML may have a line for each of its
    /// keys.
    fn old(&self) -> String {
        let text = &self.place.text;
        if self.format != Format::Yaml || !text.contains("hash") {
            return text.clone();
        }
        let lines = text.trim_start_matches('{').lines();
        let lines: Vec<_> = lines
            .map(|line| line.trim().trim_end_matches(','))
            .collect();
        format!("{{ {} }}", lines.join(", "))
    }

    /// A key with its value.
    fn line(&self, key: &str, value: &str) -> String {
        let sign = match self.format {
            Format::Toml => " =",
            _ => ":",
        };
        format!("{}{sign} {value}", self.quoted(key))
    }

    /// A key, in quotes where it needs them.
    fn quoted(&self, key: &str) -> String {
        let is_plain = match self.format {
            // A dot would begin a table below.
            Format::Toml => !key.contains('.'),
            // As a name it may be a number or a truth.
            Format::Yaml => key != self.client.as_str(),
            Format::Json => false,
        };
        if is_plain {
            key.to_owned()
        } else {
            format!("\"{key}\"")
        }
    }

    /// The key as it stands in a list.
    fn entry(&self) -> String {
        match &self.fields()[..] {
            [_] => format!("\"{}\"", self.key.hash()),
            fields => format!("{{ {} }}", fields.join(", ")),
        }
    }

    /// The hash and the lifetime.
    fn fields(&self) -> Vec<String> {
        let text = |moment: Option<Timestamp>| moment.map(|moment| moment.to_string());
        let fields = [
            ("hash", Some(self.key.hash().to_string())),
            ("not_before", text(self.not_before)),
            ("expires_at", text(self.expires_at)),
        ];
        let given = fields.into_iter().filter_map(|(key, it)| Some((key, it?)));
        given
            .map(|(key, it)| self.line(key, &format!("\"{it}\"")))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::client::{ApiKey, ClientName};
    use crate::config::{Loaded, parse};

    fn loaded(text: &str, format: Format) -> Loaded {
        let files = |_: &Path| Err(config::Unreadable::Missing);
        parse("x", text, format, &config::environment, &files)
            .unwrap_or_else(|problems| panic!("{text}\n{problems}"))
    }

    /// Files, and where a key for NAME goes in them: at `@`, or in the place of what stands between two of them.
    const ROWS: &str = r#"
        toml File => @
        toml File => listen = "127.0.0.1:1"\n@
        toml Clients => [clients.old]\nkeys = ["OLD"]\n@
        toml Clients => clients = { @old = { keys = "OLD" } }
        toml Client => [clients.NAME]\n@\ngroups = "g"\n[log]
        toml Client => [clients]\nNAME = {@ groups = ["g"] }\nold = { keys = "OLD" }
        toml Client => [clients]\nNAME = {@}
        toml OneKey => [clients.NAME]\n@keys = "OLD"@\ngroups = "g"
        toml OneKey => [clients]\nNAME = { @keys = { hash = "OLD", not_before = 2000-01-01T00:00:00Z }@, groups = [] }
        toml Tables => [[clients.NAME.keys]]\nhash = "OLD"\n@\n[log]
        toml Keys => [clients.NAME]\nkeys = [@]
        toml Keys => [clients.NAME]\nkeys = [\n    @\n    "OLD"\n]
        toml Client => clients.NAME.groups = "g"\n@\n[log]
        toml Client => [clients]\nNAME . groups = "g"\n@\n[log]
        toml OneKey => @clients.NAME.keys = "OLD"@\nclients.NAME.groups = "g"
        toml Keys => clients.NAME.keys = [@ "OLD"]
        json File => {@}
        json File => {@ "log": {} }
        json Clients => { "clients": {@} }
        json Clients => { "clients": {@ "old": { "keys": "OLD" } } }
        json Client => { "clients": { "NAME": {@} } }
        json Client => { "clients": { "NAME": {@ "groups": [] } } }
        json OneKey => { "clients": { "NAME": { @"keys": "OLD"@, "groups": [] } } }
        json Keys => { "clients": { "NAME": { "keys": [@] } } }
        json Keys => { "clients": { "NAME": { "keys": [@ "OLD"] } } }
        yaml File => @
        yaml File => # c\nlog: {}\n@\n
        yaml File => {@ log: {} }
        yaml Clients => clients:\n  @\n  old:\n    keys: OLD\n
        yaml Clients => clients: {@}\n
        yaml Clients => clients: {@ old: {keys: [OLD]}}\n
        yaml Client => clients:\n  "NAME":\n    groups: g\n    @\n
        yaml Client => clients:\n  "NAME": {@}\n
        yaml OneKey => clients:\n  "NAME":\n    @keys: OLD@\n
        yaml OneKey => clients:\n  "NAME": {@keys: OLD@, groups: g}\n
        yaml OneKey => clients:\n  "NAME":\n    @keys:\n      hash: OLD\n      expires_at: 2100-01-01T00:00:00Z@\n    groups: g\n
        yaml OneKey => clients:\n  "NAME":\n    @keys: {hash: OLD}@\n
        yaml Keys => clients:\n  "NAME":\n    keys:\n      @\n      - OLD\n
        yaml Keys => clients:\n  "NAME":\n    keys: [@ OLD]\n
        yaml Keys => clients:\n  "NAME":\n    keys: [@]\n
    "#;

    fn paste(file: &str, added: &str) -> String {
        let (before, after) = file.split_once('@').expect("a place");
        let after = after.split_once('@').map_or(after, |(_, after)| after);
        let column = before.len() - before.rfind('\n').map_or(0, |end| end + 1);
        let added = added.replace('\n', &format!("\n{}", " ".repeat(column)));
        format!("{before}{added}{after}")
    }

    #[test]
    fn what_is_to_be_added_can_be_pasted() {
        let end = "2100-01-01T00:00:00Z".parse().unwrap();
        let old = ApiKey::generate().unwrap().hash();
        for row in ROWS.trim().lines() {
            let (kind, file) = row.trim().split_once(" => ").expect(row);
            let (extension, within) = kind.split_once(' ').expect(row);
            let format = Format::of(Path::new(&format!("x.{extension}")));
            let file = file.replace("\\n", "\n");
            for (name, expires_at) in [("mobile-app", None), ("mobile.app", Some(end)), ("8", None)]
            {
                let quoted = if format == Format::Toml {
                    "\"NAME\""
                } else {
                    "NAME"
                };
                let file = file.replace("NAME", quoted).replace("NAME", name);
                let file = file.replace("OLD", &old.to_string());
                let now = Timestamp::now();
                let before = loaded(&file.replace('@', ""), format);
                let new = New {
                    client: ClientName::parse(name).unwrap(),
                    key: ApiKey::generate().unwrap(),
                    not_before: None,
                    expires_at,
                    known: before.clients(now).find(|it| it.client == name),
                    place: before.key_place(name),
                    file: "the/file".into(),
                    format,
                };
                assert_eq!(format!("{:?}", new.place.within), within, "{file}");
                let whole = paste(&file, &new.to_add());
                let keys = loaded(&whole, format).snapshot.access.keys;
                let client = keys
                    .find(&new.key.hash(), Timestamp::now)
                    .expect(&whole)
                    .client;
                assert_eq!(client.name.as_str(), name);
                let is_old_in = keys.find(&old, Timestamp::now).is_ok();
                assert_eq!(is_old_in, file.contains("sha256"), "{whole}");
                let letter = new.letter();
                assert_eq!(letter.matches(new.key.expose()).count(), 1, "{letter}");
                assert!(letter.contains("the/file"), "{letter}");
            }
        }
    }
}
