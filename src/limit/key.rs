//! What a counter is found by: what it counts, and for whom. The same key finds it in this process,
//! and what a worker remembers of it.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::net::IpAddr;
use std::sync::Arc;

use super::decision::Check;
use super::policy::CounterName;
use super::subject::Who;

/// Which counter.
#[derive(Debug, Clone)]
pub(super) struct Key {
    pub counter: CounterName,
    pub who: Who,
}

impl Key {
    /// That of a check.
    pub(super) fn of(check: &Check<'_>) -> Self {
        Self {
            counter: Arc::clone(check.policy.counter()),
            who: check.subject.who().clone(),
        }
    }

    /// Whether it is the key of `who` under policies that count by this name. Mostly both have one
    /// text in one place, until a reload reads it anew.
    pub(super) fn is_of(&self, counter: &CounterName, who: &Who) -> bool {
        self.who == *who && (Arc::ptr_eq(&self.counter, counter) || self.counter == *counter)
    }

    /// Takes the texts of an equal key for its own. Else a key would keep those from before a reload,
    /// and each comparison would read both.
    pub(super) fn renew(&mut self, check: &Check<'_>) {
        let is_new = match (&self.who, check.subject.who()) {
            (Who::Client(own), Who::Client(new)) => !Arc::ptr_eq(own, new),
            _ => false,
        };
        if is_new {
            *self = Self::of(check);
        }
    }
}

/// Hashes keys, with a secret: callers choose their addresses.
#[derive(Debug, Default)]
pub(super) struct KeyHasher(RandomState);

impl KeyHasher {
    /// The hash of a check's key.
    pub(super) fn of_check(&self, check: &Check<'_>) -> u64 {
        self.hash(check.policy.counter(), check.subject.who())
    }

    /// The hash of a key. By hand, because derived code writes more and in more pieces, which takes
    /// 10 ns. The kind stands between the two names, so that neither runs on into the other.
    pub(super) fn hash(&self, counter: &str, who: &Who) -> u64 {
        let mut hasher = self.0.build_hasher();
        let kind = match who {
            Who::Client(name) => {
                hasher.write(name.as_bytes());
                0xfc
            }
            Who::Address(IpAddr::V4(address)) => {
                hasher.write(&address.octets());
                0xfd
            }
            Who::Address(IpAddr::V6(address)) => {
                hasher.write(&address.octets());
                0xfe
            }
            Who::Route(name) => {
                hasher.write(name.as_bytes());
                0xff
            }
        };
        hasher.write_u8(kind);
        hasher.write(counter.as_bytes());
        hasher.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limit::Subject;
    use crate::limit::tests::policy;

    #[test]
    fn a_key_does_not_keep_a_name_from_before_a_reload() {
        let policy = &policy(1, 1);
        let [old, new] = ["a", "a"].map(Arc::<str>::from);
        let subjects = [&old, &new].map(|name| Subject::client(Arc::clone(name)));
        let [before, after] = subjects.each_ref().map(|subject| Check { policy, subject });
        let mut key = Key::of(&before);
        assert!(key.is_of(policy.counter(), after.subject.who()));
        key.renew(&after);
        assert_eq!((Arc::strong_count(&old), Arc::strong_count(&new)), (2, 3));
    }
}
