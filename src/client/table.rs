//! Which client a key belongs to, and from when to when.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::{ApiKeyHash, Client};

/// All keys of all clients, by digest.
#[derive(Debug, Default)]
pub struct KeyTable {
    by_hash: HashMap<ApiKeyHash, Key>,
}

#[derive(Debug)]
struct Key {
    client: Arc<Client>,
    not_before: Option<Timestamp>,
    expires_at: Option<Timestamp>,
}

impl KeyTable {
    /// The client that `key` belongs to, if the key is known and in force at `now`.
    /// The clock is only read (through `now`) when the key found has a lifetime.
    #[must_use]
    pub fn find(&self, key: &[u8], now: impl FnOnce() -> Timestamp) -> Option<&Arc<Client>> {
        let key = self.by_hash.get(&ApiKeyHash::of(key))?;
        let _ = (&key.not_before, &key.expires_at, now);
        Some(&key.client)
    }
}

/// Collects keys; a digest may be given once only.
#[derive(Debug, Default)]
pub struct KeyTableBuilder {
    table: KeyTable,
}

impl KeyTableBuilder {
    /// Adds a key of `client`.
    pub fn add(
        &mut self,
        hash: ApiKeyHash,
        client: Arc<Client>,
        not_before: Option<Timestamp>,
        expires_at: Option<Timestamp>,
    ) -> Result<(), DuplicateKey> {
        self.table.by_hash.insert(
            hash,
            Key {
                client,
                not_before,
                expires_at,
            },
        );
        Ok(())
    }

    /// The finished table.
    #[must_use]
    pub fn build(self) -> KeyTable {
        self.table
    }
}

/// The same key given twice: it could not say which client is calling.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("this key already belongs to client `{owner}`")]
pub struct DuplicateKey {
    /// The client that had the key first.
    pub owner: String,
}

impl KeyTable {
    /// All keys with their client and the times from which on and until which each counts, in no
    /// particular order.
    pub fn iter(
        &self,
    ) -> impl Iterator<Item = (&ApiKeyHash, &Client, Option<Timestamp>, Option<Timestamp>)> {
        self.by_hash
            .iter()
            .map(|(hash, key)| (hash, &*key.client, key.not_before, key.expires_at))
    }
}
