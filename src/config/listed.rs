//! Clients and their keys as they stand in the files, for those who look after them.

use jiff::Timestamp;
use serde::Serialize;

use super::Loaded;
use super::file::KeyKeys;
use super::lint::SOON;
use super::source::Span;

/// A client, and where it is written.
#[derive(Debug, Serialize)]
pub struct ListedClient {
    /// Its name.
    pub client: String,
    /// The file that it stands in.
    pub file: String,
    /// Where its name stands there, from 1.
    pub line: usize,
    /// The tier that it is of.
    pub tier: Option<String>,
    /// The groups that it belongs to.
    pub groups: Vec<String>,
    /// Its keys, in the order of the file.
    pub keys: Vec<ListedKey>,
}

/// A key, without what would let anybody in.
#[derive(Debug, Serialize)]
pub struct ListedKey {
    /// The first digits of its hash, by which the access log tells keys apart.
    pub id: String,
    /// The moment from which on it counts.
    pub not_before: Option<String>,
    /// The moment from which on it does not count any more.
    pub expires_at: Option<String>,
    /// `valid`, `ends soon`, `expired` or `not yet valid`.
    pub state: &'static str,
}

/// The innermost of what a new key goes into that is written already, and what is written there.
#[derive(Debug, Clone, Default)]
pub struct KeyPlace {
    /// What it is.
    pub within: Within,
    /// Its text; of what has braces, brackets or a header, how it begins.
    pub text: String,
    /// What the lines of a client begin with that is written in dotted keys: `clients.mobile`.
    pub dotted: Option<String>,
}

/// What a new key goes into.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Within {
    /// The file, which has no clients.
    #[default]
    File,
    /// Its clients, among which there is none of that name.
    Clients,
    /// The client, which has no keys.
    Client,
    /// The one key of the client, which stands in no list.
    OneKey,
    /// The list of its keys, as tables with headers of TOML.
    Tables,
    /// The list of its keys.
    Keys,
}

impl Loaded {
    /// Where a new key of a client goes.
    pub fn key_place(&self, client: &str) -> KeyPlace {
        let clients = &self.written.file.clients;
        let own = clients.good().find(|(name, _)| name.as_str() == client);
        let (within, span) = match own.map(|(_, own)| (own.span, &own.keys)) {
            None if clients.span == self.root => (Within::File, self.root),
            None => (Within::Clients, clients.span),
            Some((own, keys)) if keys.span == own => (Within::Client, own),
            Some((_, keys)) => match keys.first() {
                Some(first) if first.span == keys.span => (Within::OneKey, keys.span),
                _ => (Within::Keys, keys.span),
            },
        };
        // Of a table in YAML the place is no more than its beginning.
        let text = self.sources.text_from(span);
        let one = own.and_then(|(_, own)| own.keys.first());
        let dotted = own.and_then(|(name, _)| self.dotted(name.span));
        match one.filter(|_| within == Within::OneKey) {
            Some(_) if text.starts_with('[') => KeyPlace {
                within: Within::Tables,
                text: String::new(),
                dotted: None,
            },
            Some(key) => {
                let ends = [
                    span,
                    key.hash.span,
                    key.not_before.span,
                    key.expires_at.span,
                ];
                let end = ends.iter().map(|it| it.end).max().unwrap_or(span.end);
                KeyPlace {
                    within,
                    text: text[..(end - span.start) as usize].to_owned(),
                    dotted,
                }
            }
            None => KeyPlace {
                within,
                text: text.split_whitespace().take(2).collect(),
                dotted,
            },
        }
    }

    /// The beginning of a line of TOML that goes on with a dot behind a name, and is no header.
    fn dotted(&self, name: Span) -> Option<String> {
        let (line, after) = self.sources.line_until(name);
        let line = line.trim_start();
        let goes_on = after.trim_start_matches([' ', '\t']).starts_with('.');
        (goes_on && !line.starts_with('[') && !line.contains('{')).then(|| line.to_owned())
    }

    /// All clients in the order of the files, as they are at `now`.
    pub fn clients(&self, now: Timestamp) -> impl Iterator<Item = ListedClient> {
        self.written.file.clients.good().map(move |(name, client)| {
            let source = self.sources.get(name.span.source);
            ListedClient {
                client: name.as_str().to_owned(),
                file: source.name.clone(),
                line: source.position(name.span.range().start).0,
                tier: client.tier.as_ref().map(|tier| tier.0.clone()),
                groups: client.groups.iter().map(|group| group.0.clone()).collect(),
                keys: client.keys.iter().map(|key| listed(key, now)).collect(),
            }
        })
    }
}

fn listed(key: &KeyKeys, now: Timestamp) -> ListedKey {
    let text = |moment: &Option<Timestamp>| moment.map(|moment| moment.to_string());
    ListedKey {
        id: key.hash.id().to_string(),
        not_before: text(&key.not_before),
        expires_at: text(&key.expires_at),
        state: if key.expires_at.is_some_and(|end| end <= now) {
            "expired"
        } else if key.not_before.is_some_and(|begin| now < begin) {
            "not yet valid"
        } else if key
            .expires_at
            .is_some_and(|end| end.duration_since(now) <= SOON)
        {
            "ends soon"
        } else {
            "valid"
        },
    }
}
