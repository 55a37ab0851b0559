//! Clients and their keys as they stand in the files, for those who look after them.

use jiff::Timestamp;
use serde::Serialize;

use super::Loaded;
use super::file::KeyKeys;

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
    /// `valid`, `expired` or `not yet valid`.
    pub state: &'static str,
}

impl Loaded {
    /// All clients in the order of the files, as they are at `now`.
    pub fn clients(&self, now: Timestamp) -> impl Iterator<Item = ListedClient> {
        self.written.0.clients.good().map(move |(name, client)| {
            let source = self.sources.get(name.span.source);
            ListedClient {
                client: name.as_str().to_owned(),
                file: source.name.clone(),
                line: source.position(name.span.start).0,
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
        } else {
            "valid"
        },
    }
}
