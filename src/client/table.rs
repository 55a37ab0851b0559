//! Which client a key belongs to, and from when to when. Only digests are looked up, so the time
//! that a look-up takes says nothing about a key that would be accepted.
//!
//! Of 100,000 clients hardly any is in the processor's caches, and each line of memory that a request
//! waits for costs some 150 ns. So all that it needs of its client stands beside the key's digest, in
//! two neighbouring lines; a client with several keys stands there several times.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use jiff::Timestamp;

use super::{ApiKeyHash, Client, MAX_KEY};

/// All keys of all clients, by digest.
#[derive(Debug, Default)]
pub struct KeyTable {
    by_hash: HashTable<Key>,
}

#[derive(Debug)]
#[repr(align(128))]
struct Key {
    hash: ApiKeyHash,
    client: Client,
    /// Absent: it always counts. Few have one.
    lifetime: Option<Box<Lifetime>>,
    used: LastUse,
}

/// When a key was last accepted, in whole seconds since 1970; 0: not since the start.
#[derive(Debug, Default)]
pub struct LastUse(AtomicU32);

impl LastUse {
    /// Notes a use. Workers share the memory, so it is written once a second and not with each request.
    #[inline]
    pub fn note(&self, second: u32) {
        if self.0.load(Relaxed) != second {
            self.0.store(second, Relaxed);
        }
    }

    fn get(&self) -> Option<Timestamp> {
        match self.0.load(Relaxed) {
            0 => None,
            second => Timestamp::from_second(second.into()).ok(),
        }
    }
}

/// A key that is accepted.
#[derive(Debug, Clone, Copy)]
pub struct KnownKey<'t> {
    /// Whose it is.
    pub client: &'t Client,
    /// When it was last accepted.
    pub used: &'t LastUse,
}

/// A key, for who looks at all.
#[derive(Debug, Clone, Copy)]
pub struct ListedKey<'t> {
    /// Its digest.
    pub hash: &'t ApiKeyHash,
    /// Whose it is.
    pub client: &'t Client,
    /// The first moment at which it counts.
    pub not_before: Option<Timestamp>,
    /// The first moment at which it does not count any more.
    pub expires_at: Option<Timestamp>,
    /// When it was last accepted, in whole seconds; `None`: not since the start.
    pub last_used: Option<Timestamp>,
}

#[derive(Debug)]
struct Lifetime {
    /// The first moment at which the key counts.
    not_before: Option<Timestamp>,
    /// The first moment at which it does not count any more.
    expires_at: Option<Timestamp>,
}

impl KeyTable {
    /// The client that a key belongs to, by the key's digest. The clock is only read (through `now`)
    /// when the key found has a lifetime.
    ///
    /// # Errors
    /// When no client has the key, or it is not in force at `now`.
    pub fn find(
        &self,
        key: &ApiKeyHash,
        now: impl FnOnce() -> Timestamp,
    ) -> Result<KnownKey<'_>, KeyFault<'_>> {
        let found = self.by_hash.find(key.prefix(), |found| found.hash == *key);
        let found = found.ok_or(KeyFault::Unknown)?;
        let client = found.client(now)?;
        let used = &found.used;
        Ok(KnownKey { client, used })
    }

    /// All keys, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = ListedKey<'_>> {
        self.by_hash.iter().map(|key| {
            let lifetime = key.lifetime.as_deref();
            ListedKey {
                hash: &key.hash,
                client: &key.client,
                not_before: lifetime.and_then(|lifetime| lifetime.not_before),
                expires_at: lifetime.and_then(|lifetime| lifetime.expires_at),
                last_used: key.used.get(),
            }
        })
    }

    /// Takes over when the same keys were last used, from the table that this one replaces.
    pub fn keep_uses(&self, before: &Self) {
        for key in &self.by_hash {
            let hash = key.hash.prefix();
            if let Some(old) = before.by_hash.find(hash, |old| old.hash == key.hash) {
                key.used.note(old.used.0.load(Relaxed));
            }
        }
    }
}

impl Key {
    fn client(&self, now: impl FnOnce() -> Timestamp) -> Result<&Client, KeyFault<'_>> {
        let client = &self.client;
        let Some(lifetime) = &self.lifetime else {
            return Ok(client);
        };
        let now = now();
        if let Some(at) = lifetime.expires_at.filter(|at| *at <= now) {
            return Err(KeyFault::Expired { client, at });
        }
        if let Some(from) = lifetime.not_before.filter(|from| now < *from) {
            return Err(KeyFault::NotYetValid { client, from });
        }
        Ok(client)
    }
}

/// Why a key, or a certificate, is not accepted. For the operator: a caller is told only that it is not.
#[derive(Debug, Clone, Copy, thiserror::Error)]
pub enum KeyFault<'t> {
    /// More than one was sent, and it is not for us to choose which one counts.
    #[error("more than one key was sent")]
    Several,
    /// It is empty, too long, or has bytes that no key has.
    #[error("the key is empty, longer than {MAX_KEY} bytes, or not visible ASCII")]
    Malformed,
    /// It belongs to nobody.
    #[error("no client has this key")]
    Unknown,
    /// It belongs to another client than the certificate.
    #[error("the key is of `{}`, the certificate of `{}`", .key.name.as_str(), .certificate.name.as_str())]
    OtherCertificate {
        /// Whose key it is.
        key: &'t Client,
        /// Whose certificate it is.
        certificate: &'t Client,
    },
    /// The certificate says that it is of two clients.
    #[error("the certificate is of `{}` and of `{}`", .one.name.as_str(), .other.name.as_str())]
    SeveralClients {
        /// One of them.
        one: &'t Client,
        /// Another.
        other: &'t Client,
    },
    /// Its time is over.
    #[error("the key of `{}` expired at {at}", .client.name.as_str())]
    Expired {
        /// To whom it belonged.
        client: &'t Client,
        /// The first moment at which it did not count any more.
        at: Timestamp,
    },
    /// Its time is to come.
    #[error("the key of `{}` is not valid before {from}", .client.name.as_str())]
    NotYetValid {
        /// To whom it will belong.
        client: &'t Client,
        /// The first moment at which it will count.
        from: Timestamp,
    },
}

impl<'t> KeyFault<'t> {
    /// The client whose key it is, outside of its lifetime. `None` also where there are two.
    pub fn client(self) -> Option<&'t Client> {
        match self {
            Self::Several
            | Self::Malformed
            | Self::Unknown
            | Self::OtherCertificate { .. }
            | Self::SeveralClients { .. } => None,
            Self::Expired { client, .. } | Self::NotYetValid { client, .. } => Some(client),
        }
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
        client: Client,
        not_before: Option<Timestamp>,
        expires_at: Option<Timestamp>,
    ) -> Result<(), DuplicateKey> {
        let is_it = |key: &Key| key.hash == hash;
        let rehash = |key: &Key| key.hash.prefix();
        match self.table.by_hash.entry(hash.prefix(), is_it, rehash) {
            Entry::Occupied(first) => Err(DuplicateKey {
                owner: first.get().client.name.as_str().to_owned(),
            }),
            Entry::Vacant(free) => {
                let has_lifetime = not_before.is_some() || expires_at.is_some();
                let lifetime = has_lifetime.then(|| {
                    Box::new(Lifetime {
                        not_before,
                        expires_at,
                    })
                });
                free.insert(Key {
                    hash,
                    client,
                    lifetime,
                    used: LastUse::default(),
                });
                Ok(())
            }
        }
    }

    /// The finished table.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::ClientName;

    fn client(name: &str) -> Client {
        Client::new(ClientName::parse(name).unwrap(), None)
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn no_clock() -> Timestamp {
        panic!("the clock was read for a key without a lifetime")
    }

    /// The client that a key leads to, or why it leads to none.
    fn found(keys: &KeyTable, key: &str, now: impl FnOnce() -> Timestamp) -> String {
        match keys.find(&ApiKeyHash::of(key.as_bytes()), now) {
            Ok(known) => known.client.name.as_str().to_owned(),
            Err(fault) => fault.to_string(),
        }
    }

    #[test]
    fn a_key_and_its_client_are_two_lines_of_memory() {
        assert_eq!(size_of::<Key>(), 128);
    }

    #[test]
    fn every_key_leads_to_its_client() {
        let mut keys = KeyTableBuilder::default();
        let clients: Vec<_> = (0..50).map(|n| client(&format!("client-{n}"))).collect();
        for n in 0..200 {
            let hash = ApiKeyHash::of(format!("key-{n}").as_bytes());
            keys.add(hash, clients[n % 50].clone(), None, None).unwrap();
        }
        let keys = keys.build();
        for n in 0..200 {
            let found = found(&keys, &format!("key-{n}"), no_clock);
            assert_eq!(found, format!("client-{}", n % 50));
        }
        for unknown in ["", "key-200", "KEY-1", "key-1 ", "client-1"] {
            let found = found(&keys, unknown, no_clock);
            assert_eq!(found, "no client has this key", "{unknown}");
        }
    }

    #[test]
    fn a_table_that_replaces_another_knows_when_keys_were_last_used() {
        let table = |keys: &[&str]| {
            let mut builder = KeyTableBuilder::default();
            for key in keys {
                let hash = ApiKeyHash::of(key.as_bytes());
                builder.add(hash, client("a"), None, None).unwrap();
            }
            builder.build()
        };
        let uses = |table: &KeyTable, key: &str| {
            let hash = ApiKeyHash::of(key.as_bytes());
            let listed = table.iter().find(|it| *it.hash == hash);
            listed.unwrap().last_used
        };
        let before = table(&["one", "two", "three"]);
        let known = before.find(&ApiKeyHash::of(b"one"), no_clock).unwrap();
        known.used.note(100);
        known.used.note(101);
        let after = table(&["four", "one", "two"]);
        after.keep_uses(&before);
        assert_eq!(uses(&after, "one"), Some(at(101)));
        assert_eq!(uses(&after, "two"), None);
        assert_eq!(uses(&after, "four"), None);
    }

    #[test]
    fn a_digest_is_not_a_key() {
        let mut keys = KeyTableBuilder::default();
        let hash = ApiKeyHash::of(b"k");
        keys.add(hash, client("a"), None, None).unwrap();
        let keys = keys.build();
        let found = found(&keys, &hash.to_string(), no_clock);
        assert_eq!(found, "no client has this key");
    }

    #[test]
    fn a_lifetime_includes_its_first_moment_and_excludes_its_last() {
        let early = "the key of `a` is not valid before 1970-01-01T00:00:10Z";
        let over = "the key of `a` expired at 1970-01-01T00:00:20Z";
        #[rustfmt::skip] // One lifetime, one line.
        let table = [
            (Some(at(10)), Some(at(20)), vec![(9, early), (10, "a"), (19, "a"), (20, over), (21, over)]),
            (Some(at(10)), None, vec![(-5, early), (9, early), (10, "a"), (1_000, "a")]),
            (None, Some(at(20)), vec![(-5, "a"), (19, "a"), (20, over)]),
            // What nobody can use has expired, if it is ever looked at.
            (Some(at(30)), Some(at(20)), vec![(25, over), (35, over)]),
        ];
        for (from, to, moments) in table {
            let mut keys = KeyTableBuilder::default();
            keys.add(ApiKeyHash::of(b"k"), client("a"), from, to)
                .unwrap();
            let keys = keys.build();
            for (second, expected) in moments {
                assert_eq!(found(&keys, "k", || at(second)), expected, "{second}");
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
        assert_eq!(found(&keys.build(), "k", no_clock), "first");
    }
}
