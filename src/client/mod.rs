//! Clients and the keys they prove themselves with. Built when the configuration is compiled;
//! on the request path a key is one digest and one look-up.

mod allow;
mod certificates;
mod key;
mod table;

pub use allow::{AllowEntry, AllowList};
pub use certificates::CertificateTable;
pub use key::{ApiKey, ApiKeyHash, InvalidHash, KeyId, MAX_KEY, NoRandomness};
pub use table::{DuplicateKey, KeyFault, KeyTable, KeyTableBuilder, KnownKey, LastUse, ListedKey};

use std::sync::Arc;

use smol_str::SmolStr;

use crate::limit::{Policy, Subject};
use crate::message::bytes::is_safe_name;
use crate::message::own_keys;

/// A configured caller. Services learn its name; counters and log lines carry it.
#[derive(Debug, Clone)]
pub struct Client {
    /// What services, the log and the counters call it.
    pub name: ClientName,
    subject: Subject,
    /// The limit that holds for all keys of this client together, its tier already applied.
    pub policy: Option<Arc<Policy>>,
    /// One word wide: with its keys a client fills two lines of memory.
    groups: Arc<Vec<String>>,
    /// Its place among all clients, by which lists know it.
    place: usize,
}

impl Client {
    /// A client of that name.
    pub fn new(name: ClientName, policy: Option<Arc<Policy>>) -> Self {
        let subject = Subject::client(name.as_str());
        Self {
            name,
            subject,
            policy,
            groups: Arc::default(),
            place: usize::MAX,
        }
    }

    /// The same client in these groups, at its place among all clients.
    pub fn in_groups(self, groups: Vec<String>, place: usize) -> Self {
        Self {
            groups: Arc::new(groups),
            place,
            ..self
        }
    }

    /// The tier that it is of, which its limit is called by: no tier is called as the limit of those
    /// without one.
    pub fn tier(&self) -> Option<&str> {
        let limit = &*self.policy.as_ref()?.name;
        (limit != Policy::IDENTIFIED).then_some(limit)
    }

    /// The groups that it is in.
    pub fn groups(&self) -> &[String] {
        &self.groups
    }

    /// Its place among all clients.
    pub fn place(&self) -> usize {
        self.place
    }

    /// Under what its requests are counted.
    pub fn subject(&self) -> &Subject {
        &self.subject
    }
}

/// A name that is safe in a header, a log line and a Redis key: 1 to 128 characters of `A-Za-z0-9._-`.
/// Most are short, and stand in their client's own memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientName(SmolStr);

impl ClientName {
    /// Parses a name as it stands in the configuration.
    pub fn parse(text: &str) -> Result<Self, InvalidClientName> {
        if own_keys::find(text.as_bytes()).is_some() {
            Err(InvalidClientName::Key)
        } else if is_safe_name(text.as_bytes()) {
            Ok(Self(text.into()))
        } else {
            Err(InvalidClientName::Characters)
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Why a text cannot be a client's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidClientName {
    /// It could not stand in a header or a counter's key.
    #[error("a client's name has 1 to 128 characters of A-Z a-z 0-9 . _ -")]
    Characters,
    /// It would show a key to everybody.
    #[error("this is a key, not a name: treat it as leaked")]
    Key,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_safe_in_a_header_a_log_line_and_a_key() {
        let longest = "x".repeat(128);
        for name in ["a", "mobile-app", "A.b_c-9", longest.as_str()] {
            assert_eq!(ClientName::parse(name).unwrap().as_str(), name);
        }
        let too_long = "x".repeat(129);
        for name in [
            "",
            "a b",
            "a:b",
            "a{b}",
            "a\r\nx: y",
            "café",
            "a/b",
            too_long.as_str(),
        ] {
            let error = ClientName::parse(name).unwrap_err();
            assert_eq!(error, InvalidClientName::Characters, "{name}");
        }
        let key = format!("tg_{}", "7".repeat(64));
        assert_eq!(ClientName::parse(&key), Err(InvalidClientName::Key));
    }
}
