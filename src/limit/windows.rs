//! The windows of one shard of the memory store, by key, and at most so many.
//!
//! When it is full, windows that are over go first, then the addresses' windows that end soonest.
//! A client's running window never goes: how many clients there are is for the configuration to
//! say, how many addresses there are is for an attacker.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use hashbrown::HashTable;

use super::rings::{Key, Rings, Window};
use super::{Policy, Subject};

/// How many finished windows a new one sweeps away: more than one, so that the table shrinks to
/// what is running; few, so that nobody waits for it.
const SWEPT_PER_INSERT: usize = 2;

/// Windows by key.
#[derive(Debug)]
pub(super) struct Windows {
    rings: Rings,
    /// The slots, by their keys' hash. Holds no key a second time: five bytes a window.
    index: HashTable<u32>,
    clients: usize,
    capacity: usize,
}

impl Windows {
    /// Makes room for `capacity` windows; memory is taken as they come.
    pub(super) fn new(capacity: usize) -> Self {
        // Far below the 2^32 that slots can be numbered with: clients come on top.
        let capacity = capacity.clamp(1, 1 << 31);
        Self {
            rings: Rings::new(),
            index: HashTable::new(),
            clients: 0,
            capacity,
        }
    }

    /// How many windows there are.
    pub(super) fn len(&self) -> usize {
        self.index.len()
    }

    /// The window of `subject` under the policy of that name, running or over.
    pub(super) fn find(&self, hash: u64, policy: &str, subject: &Subject) -> Option<u32> {
        let same = |&slot: &u32| {
            let key = self.rings.key(slot);
            key.subject == *subject && *key.policy == *policy
        };
        self.index.find(hash, same).copied()
    }

    /// The window that [`Windows::find`] has named.
    pub(super) fn window(&self, slot: u32) -> Window {
        self.rings.window(slot)
    }

    /// The same, to spend from it.
    pub(super) fn window_mut(&mut self, slot: u32) -> &mut Window {
        self.rings.window_mut(slot)
    }

    /// To be told when a window has begun anew or was given another end.
    pub(super) fn requeue(&mut self, slot: u32, window_ms: u64) {
        self.rings.requeue(slot, window_ms);
    }

    /// Begins a window for a key that has none.
    pub(super) fn insert(
        &mut self,
        hasher: &RandomState,
        policy: &Policy,
        subject: &Subject,
        window: Window,
        now_ms: u64,
    ) {
        let key = Key {
            subject: subject.clone(),
            policy: Arc::clone(policy.counter()),
        };
        self.make_room(hasher, key.is_client(), now_ms);
        self.clients += usize::from(key.is_client());
        let hash = hash_key(hasher, &key);
        let slot = self.rings.add(key, window, policy.limit.longest_ms());
        let rings = &self.rings;
        self.index
            .insert_unique(hash, slot, |&slot| hash_key(hasher, rings.key(slot)));
    }

    fn make_room(&mut self, hasher: &RandomState, for_client: bool, now_ms: u64) {
        for _ in 0..SWEPT_PER_INSERT {
            let soonest = self.rings.soonest(|_| true);
            match soonest.filter(|&slot| self.rings.window(slot).ends_ms <= now_ms) {
                Some(over) => self.remove(hasher, over),
                None => break,
            }
        }
        if self.len() < self.capacity {
            return;
        }
        // However many clients are configured, addresses keep half of the room: squeezed into
        // less they would push each other out, and with it out of their limits.
        let floor = (self.capacity / 2).max(1);
        let addresses = self.len() - self.clients;
        let may_go = addresses > floor || (addresses == floor && !for_client);
        if may_go && let Some(slot) = self.rings.soonest(|ring| !ring.of_clients) {
            self.remove(hasher, slot);
        }
    }

    fn remove(&mut self, hasher: &RandomState, slot: u32) {
        let Some(key) = self.rings.remove(slot) else {
            return;
        };
        self.clients -= usize::from(key.is_client());
        let indexed = self
            .index
            .find_entry(hash_key(hasher, &key), |&indexed| indexed == slot);
        indexed.expect("what is in a ring is in the index").remove();
    }
}

/// Hashes a key. The hasher is keyed: callers choose their addresses.
pub(super) fn hash(hasher: &RandomState, policy: &str, subject: &Subject) -> u64 {
    hasher.hash_one((policy, subject))
}

fn hash_key(hasher: &RandomState, key: &Key) -> u64 {
    hash(hasher, &key.policy, &key.subject)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::ClientName;
    use crate::limit::Limit;
    use crate::limit::algorithm::Counter;
    use proptest::prelude::*;
    use std::net::{IpAddr, Ipv4Addr};
    use std::sync::LazyLock;
    use std::time::Duration;

    const CAPACITY: usize = 8;

    /// Of twelve callers every third is a client.
    fn subject(n: u32) -> Subject {
        if n.is_multiple_of(3) {
            Subject::Client(ClientName::parse(&format!("client-{n}")).unwrap())
        } else {
            Subject::Address(IpAddr::V4(Ipv4Addr::from_bits(n)))
        }
    }

    fn policy(seconds: u64) -> Policy {
        let limit = Limit::new(1, Duration::from_secs(seconds)).unwrap();
        Policy::new("test", limit)
    }

    /// Begins a window for `n`, unless it has one that is running; says whether it had.
    fn begin(windows: &mut Windows, n: u32, policy: &Policy, now: u64) -> bool {
        // One key for all: a table is only ever asked with the hasher it was filled with.
        static HASHER: LazyLock<RandomState> = LazyLock::new(RandomState::new);
        let (subject, length) = (subject(n), policy.limit.window_ms());
        let counter = Counter {
            spent: 1,
            at_ms: now + length,
            ..Counter::default()
        };
        let window = Window {
            counter,
            ends_ms: now + length,
        };
        let found = windows.find(
            hash(&HASHER, &policy.name, &subject),
            &policy.name,
            &subject,
        );
        match found {
            Some(slot) if windows.window_mut(slot).ends_ms > now => return true,
            Some(slot) => {
                *windows.window_mut(slot) = window;
                windows.requeue(slot, length);
            }
            None => windows.insert(&HASHER, policy, &subject, window, now),
        }
        false
    }

    proptest! {
        #[test]
        fn whatever_comes_it_stays_sound_and_no_client_is_forgotten(
            steps in prop::collection::vec((0..12_u32, 1..6_u64, 0..2000_u64), 1..300)
        ) {
            let mut windows = Windows::new(CAPACITY);
            let mut ends = [0; 12];
            let mut now = 1;
            for (n, seconds, passed) in steps {
                now += passed;
                let policy = policy(seconds);
                let running = begin(&mut windows, n, &policy, now);
                let end = &mut ends[n as usize];
                if n.is_multiple_of(3) {
                    prop_assert_eq!(running, *end > now);
                }
                if !running {
                    *end = now + policy.limit.window_ms();
                }
                prop_assert_eq!(windows.rings.assert_sound(), windows.len());
                prop_assert!(windows.len() - windows.clients <= CAPACITY);
                prop_assert!(windows.len() <= CAPACITY.max(windows.clients + CAPACITY / 2));
            }
        }
    }

    #[test]
    fn a_clients_finished_window_goes_before_an_addresss_running_one() {
        let mut windows = Windows::new(2);
        begin(&mut windows, 0, &policy(1), 0);
        begin(&mut windows, 1, &policy(60), 0);
        begin(&mut windows, 2, &policy(60), 1000);
        assert!(begin(&mut windows, 1, &policy(60), 1000));
        assert_eq!(windows.len(), 2);
    }

    #[test]
    fn finished_windows_are_swept_without_need() {
        let mut windows = Windows::new(1000);
        for n in 0..100 {
            begin(&mut windows, n, &policy(1), 0);
        }
        for n in 100..200 {
            begin(&mut windows, n, &policy(1), 1000);
        }
        assert_eq!(windows.len(), 100);
        assert!(
            windows.rings.slots() < 110,
            "{} slots",
            windows.rings.slots()
        );
    }
}
