//! A shard against a model of it: whatever comes, what ends first gives way.

use super::*;
use proptest::prelude::*;
use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::Arc;

const CAPACITY: usize = 8;

/// A shard, its callers, and when the counter of each ends that has one.
struct Model {
    shard: Shard,
    hasher: KeyHasher,
    counter: CounterName,
    callers: Vec<Subject>,
    ends: HashMap<usize, u64>,
    now_ms: u64,
}

impl Model {
    /// Every third caller is a client.
    fn new(capacity: usize, callers: u32) -> Self {
        let caller = |n: u32| match n % 3 {
            0 => Subject::client(format!("client-{n}")),
            _ => Subject::address(Ipv4Addr::from_bits(n).into(), 64),
        };
        Self {
            shard: Shard::new(capacity),
            hasher: KeyHasher::default(),
            counter: Arc::new("test".into()),
            callers: (0..callers).map(caller).collect(),
            ends: HashMap::new(),
            now_ms: 1,
        }
    }

    /// Counts a request, after which the caller's counter ends in so many milliseconds.
    fn count(&mut self, n: usize, ends_in_ms: u64) {
        let (caller, ends_ms) = (&self.callers[n], self.now_ms + ends_in_ms);
        let hash = self.hasher.hash(&self.counter, caller.who());
        let found = self.shard.find(hash, &self.counter, caller);
        assert_eq!(found.is_some(), self.ends.contains_key(&n));
        if let Some(slot) = found {
            self.shard.update(slot, |entry| entry.ends_ms = ends_ms);
        } else {
            let key = Key {
                counter: Arc::clone(&self.counter),
                who: caller.who().clone(),
            };
            let counter = Counter::default();
            let entry = Entry {
                key,
                counter,
                ends_ms,
            };
            self.shard.insert(&self.hasher, hash, entry, self.now_ms);
            self.forget_the_removed(n);
        }
        self.ends.insert(n, ends_ms);
        assert_eq!(self.shard.len(), self.ends.len());
    }

    /// What gave way to a newcomer was over, or it was the address that ends first, in a full
    /// shard in which nothing was over.
    fn forget_the_removed(&mut self, newcomer: usize) {
        let mut kept = Vec::new();
        self.shard
            .show(0..u32::MAX, |entry| kept.push(entry.key.who.clone()));
        let is_kept = |n: &usize| kept.contains(self.callers[*n].who());
        let (was_full, now_ms) = (self.ends.len() >= self.shard.capacity, self.now_ms);
        let ends = std::mem::take(&mut self.ends).into_iter();
        let (kept, removed): (HashMap<_, _>, HashMap<_, _>) = ends.partition(|(n, _)| is_kept(n));
        let running: Vec<_> = removed.iter().filter(|(_, ends)| **ends > now_ms).collect();
        if let [(n, ends_ms)] = running[..] {
            let first = kept
                .iter()
                .filter(|(n, _)| **n % 3 != 0)
                .map(|(_, ends)| ends);
            assert!(n % 3 != 0 && first.min().is_none_or(|first| ends_ms <= first));
            assert!(was_full && kept.values().all(|ends| *ends > now_ms));
        }
        assert!(running.len() <= 1 && !kept.contains_key(&newcomer));
        self.ends = kept;
    }
}

proptest! {
    #[test]
    fn whatever_comes_what_ends_first_gives_way_and_no_client_is_forgotten(
        steps in prop::collection::vec((0..15_usize, 1..6000_u64, 0..2000_u64), 1..300)
    ) {
        let mut model = Model::new(CAPACITY, 15);
        for (n, ends_in_ms, passed) in steps {
            model.now_ms += passed;
            model.count(n, ends_in_ms);
            let clients = model.ends.keys().filter(|n| *n % 3 == 0).count();
            prop_assert_eq!(model.shard.addresses, model.ends.len() - clients);
            prop_assert!(model.shard.addresses <= CAPACITY);
            prop_assert!(model.shard.len() <= CAPACITY.max(clients + CAPACITY / 2));
            let queued: usize = model.shard.queues.iter().map(ExpiryQueue::len).sum();
            prop_assert!(queued <= 2 * (2 * model.shard.len() + 65));
        }
    }
}

#[test]
fn what_is_over_is_swept_without_need() {
    let mut model = Model::new(1000, 200);
    (0..100).for_each(|n| model.count(n, 1000));
    model.now_ms += 1000;
    (100..200).for_each(|n| model.count(n, 1000));
    assert_eq!(model.shard.len(), 100);
    assert!(model.shard.slots.len() < 110, "{}", model.shard.slots.len());
}

#[test]
fn ends_that_come_closer_again_and_again_take_no_room() {
    let mut model = Model::new(CAPACITY, 2);
    (0..10_000).for_each(|n| model.count(1, 20_000 - n));
    assert!(model.shard.queues[ADDRESSES].len() < 100);
}

/// What `docs/limits-in-depth.md` says of memory.
#[test]
fn a_slot_is_a_cache_line() {
    assert_eq!(size_of::<Option<Entry>>(), 64);
}
