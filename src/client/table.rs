//! Which client a key belongs to, and from when to when. Only digests are looked up, so the time
//! that a look-up takes says nothing about a key that would be accepted.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

use jiff::Timestamp;

use super::{ApiKeyHash, Client, MAX_KEY};

/// All keys of all clients, by digest.
#[derive(Debug, Default)]
pub struct KeyTable {
    by_hash: HashMap<ApiKeyHash, Key, BuildHasherDefault<Uniform>>,
}

#[derive(Debug)]
struct Key {
    client: Arc<Client>,
    /// The first moment at which the key counts.
    not_before: Option<Timestamp>,
    /// The first moment at which it does not count any more.
    expires_at: Option<Timestamp>,
}

impl KeyTable {
    /// The client that `key` belongs to, if the key is known and in force at `now`.
    /// The clock is only read (through `now`) when the key found has a lifetime.
    #[must_use]
    pub fn find(&self, key: &[u8], now: impl FnOnce() -> Timestamp) -> Option<&Arc<Client>> {
        if key.len() > MAX_KEY {
            return None;
        }
        let key = self.by_hash.get(&ApiKeyHash::of(key))?;
        key.in_force(now).then_some(&key.client)
    }

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

impl Key {
    fn in_force(&self, now: impl FnOnce() -> Timestamp) -> bool {
        if self.not_before.is_none() && self.expires_at.is_none() {
            return true;
        }
        let now = now();
        self.not_before.is_none_or(|from| from <= now) && self.expires_at.is_none_or(|to| now < to)
    }
}

/// Collects keys; a digest may be given once only.
#[derive(Debug, Default)]
pub struct KeyTableBuilder {
    table: KeyTable,
}

impl KeyTableBuilder {
    /// Adds a key of `client` that counts from `not_before` on and no more at `expires_at`.
    ///
    /// # Errors
    ///
    /// A digest that was added before, for whichever client; the first stays.
    pub fn add(
        &mut self,
        hash: ApiKeyHash,
        client: Arc<Client>,
        not_before: Option<Timestamp>,
        expires_at: Option<Timestamp>,
    ) -> Result<(), DuplicateKey> {
        match self.table.by_hash.entry(hash) {
            Entry::Occupied(first) => Err(DuplicateKey {
                owner: first.get().client.name.as_str().to_owned(),
            }),
            Entry::Vacant(free) => {
                free.insert(Key {
                    client,
                    not_before,
                    expires_at,
                });
                Ok(())
            }
        }
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

/// Takes a digest's own bits for its hash. They are uniform already, and who can choose keys so
/// that their digests collide has still no way to put them into the table.
#[derive(Debug, Default)]
struct Uniform(u64);

impl Hasher for Uniform {
    /// Keeps the last eight bytes: a digest writes no more.
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0 << 8 | u64::from(*byte);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::ClientName;

    fn client(name: &str) -> Arc<Client> {
        Arc::new(Client::new(ClientName::parse(name).unwrap(), None))
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn no_clock() -> Timestamp {
        panic!("the clock was read for a key without a lifetime")
    }

    fn name(found: Option<&Arc<Client>>) -> Option<&str> {
        found.map(|client| client.name.as_str())
    }

    #[test]
    fn every_key_leads_to_its_client() {
        let mut keys = KeyTableBuilder::default();
        let clients: Vec<_> = (0..50).map(|n| client(&format!("client-{n}"))).collect();
        for n in 0..200 {
            let hash = ApiKeyHash::of(format!("key-{n}").as_bytes());
            keys.add(hash, Arc::clone(&clients[n % 50]), None, None)
                .unwrap();
        }
        let keys = keys.build();
        for n in 0..200 {
            let found = keys.find(format!("key-{n}").as_bytes(), no_clock);
            assert_eq!(name(found), Some(format!("client-{}", n % 50).as_str()));
        }
        for unknown in ["", "key-200", "KEY-1", "key-1 ", "client-1"] {
            assert!(
                keys.find(unknown.as_bytes(), no_clock).is_none(),
                "{unknown}"
            );
        }
    }

    #[test]
    fn a_key_that_is_too_long_is_not_hashed() {
        let mut keys = KeyTableBuilder::default();
        let lengths = [MAX_KEY, MAX_KEY + 1];
        for length in lengths {
            let hash = ApiKeyHash::of(&vec![b'x'; length]);
            keys.add(hash, client("a"), None, None).unwrap();
        }
        let keys = keys.build();
        let found = lengths.map(|length| keys.find(&vec![b'x'; length], no_clock).is_some());
        assert_eq!(found, [true, false]);
    }

    #[test]
    fn a_digest_is_not_a_key() {
        let mut keys = KeyTableBuilder::default();
        let hash = ApiKeyHash::of(b"k");
        keys.add(hash, client("a"), None, None).unwrap();
        let keys = keys.build();
        assert!(keys.find(hash.to_string().as_bytes(), no_clock).is_none());
    }

    #[test]
    fn a_lifetime_includes_its_first_moment_and_excludes_its_last() {
        let table = [
            (
                Some(at(10)),
                Some(at(20)),
                vec![10, 15, 19],
                vec![9, 20, 21],
            ),
            (Some(at(10)), None, vec![10, 1_000], vec![9, -5]),
            (None, Some(at(20)), vec![-5, 19], vec![20]),
            (Some(at(20)), Some(at(10)), vec![], vec![5, 10, 15, 20, 25]),
        ];
        for (from, to, within, without) in table {
            let mut keys = KeyTableBuilder::default();
            keys.add(ApiKeyHash::of(b"k"), client("a"), from, to)
                .unwrap();
            let keys = keys.build();
            for second in within {
                assert_eq!(name(keys.find(b"k", || at(second))), Some("a"), "{second}");
            }
            for second in without {
                assert_eq!(name(keys.find(b"k", || at(second))), None, "{second}");
            }
        }
    }

    #[test]
    fn a_key_given_twice_is_refused_by_its_first_owner_s_name() {
        let mut keys = KeyTableBuilder::default();
        let hash = ApiKeyHash::of(b"k");
        keys.add(hash, client("first"), None, None).unwrap();
        for second in ["second", "first"] {
            let error = keys.add(hash, client(second), None, None).unwrap_err();
            assert_eq!(
                error.to_string(),
                "this key already belongs to client `first`"
            );
        }
        assert_eq!(name(keys.build().find(b"k", no_clock)), Some("first"));
    }
}
