//! The counters of one shard: at most so many.
//!
//! When it is full, what is over goes first, then the address that ends first. What is counted for a
//! client or a route is never given up while it matters: how many of them there are is for the
//! configuration to say, how many addresses there are is for an attacker.

use std::ops::Range;

use hashbrown::HashTable;

use super::expiry::ExpiryQueue;
use crate::limit::algorithm::Counter;
use crate::limit::key::{Key, KeyHasher};
use crate::limit::policy::CounterName;
use crate::limit::{Subject, Who};

/// How many counters that are over each new one sweeps away: more than one, so that those remain which
/// matter; few, so that no request waits for it.
const SWEPT_PER_INSERT: usize = 2;

/// How many are looked at for that while there is room, because most may have begun anew.
const LOOKS: usize = 2 * SWEPT_PER_INSERT;

/// A counter with its key. One cache line: a decision about a caller whom the caches have forgotten
/// waits for this one.
#[derive(Debug, Clone)]
#[repr(align(64))]
pub(in crate::limit) struct Entry {
    pub key: Key,
    pub counter: Counter,
    /// Until when it matters.
    pub ends_ms: u64,
}

/// Counters by key.
#[derive(Debug)]
pub(super) struct Shard {
    slots: Vec<Option<Entry>>,
    unused: Vec<u32>,
    /// The slots in use, by their keys' hash.
    index: HashTable<u32>,
    /// Of addresses, and of those whose number the configuration gives.
    queues: [ExpiryQueue; 2],
    addresses: usize,
    capacity: usize,
}

const ADDRESSES: usize = 0;
const CONFIGURED: usize = 1;

impl Shard {
    /// Makes room for `capacity` counters; memory is taken as they come.
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            slots: Vec::new(),
            unused: Vec::new(),
            index: HashTable::new(),
            queues: Default::default(),
            addresses: 0,
            capacity: capacity.max(1),
        }
    }

    /// How many counters there are.
    pub(super) fn len(&self) -> usize {
        self.index.len()
    }

    /// The slot of a counter, whether it matters or is over.
    pub(super) fn find(&self, hash: u64, counter: &CounterName, subject: &Subject) -> Option<u32> {
        let is_it = |&slot: &u32| self.holds(slot, counter, subject);
        if let Some(slot) = subject.hint.slot(hash).filter(is_it) {
            return Some(slot);
        }
        let slot = *self.index.find(hash, is_it)?;
        subject.hint.note(hash, slot);
        Some(slot)
    }

    /// Whether a counter is in this slot.
    pub(super) fn holds(&self, slot: u32, counter: &CounterName, subject: &Subject) -> bool {
        let entry = self.slots.get(at(slot)).and_then(Option::as_ref);
        entry.is_some_and(|entry| entry.key.is_of(counter, subject.who()))
    }

    /// What is in a slot that [`Self::find`] has named.
    pub(super) fn entry(&self, slot: u32) -> &Entry {
        let entry = self.slots[at(slot)].as_ref();
        entry.expect("a slot in the index holds an entry")
    }

    /// Replaces what is in such a slot by an entry with the same key.
    pub(super) fn update(&mut self, slot: u32, update: impl FnOnce(&mut Entry)) {
        let Some(entry) = &mut self.slots[at(slot)] else {
            return;
        };
        let ended_ms = entry.ends_ms;
        update(entry);
        if entry.ends_ms < ended_ms {
            let (queue, ends_ms) = (queue_of(&entry.key), entry.ends_ms);
            self.queues[queue].push(ends_ms, slot);
            self.bound(queue);
        }
    }

    /// Adds a counter for a key that has none; returns its slot.
    pub(super) fn insert(
        &mut self,
        hasher: &KeyHasher,
        hash: u64,
        entry: Entry,
        now_ms: u64,
    ) -> u32 {
        let queue = queue_of(&entry.key);
        self.make_room(hasher, queue, now_ms);
        self.addresses += usize::from(queue == ADDRESSES);
        let ends_ms = entry.ends_ms;
        let slot = self.put(entry);
        let slots = &self.slots;
        let rehash = |&slot: &u32| {
            slots[at(slot)]
                .as_ref()
                .map_or(0, |entry| hash_of(hasher, &entry.key))
        };
        self.index.insert_unique(hash, slot, rehash);
        self.queues[queue].push(ends_ms, slot);
        slot
    }

    /// Shows the entries in those slots; says whether there are slots after them.
    pub(super) fn show(&self, slots: Range<u32>, show: impl FnMut(&Entry)) -> bool {
        let end = at(slots.end).min(self.slots.len());
        let slots = self.slots.get(at(slots.start)..end).unwrap_or_default();
        slots.iter().flatten().for_each(show);
        end < self.slots.len()
    }

    fn make_room(&mut self, hasher: &KeyHasher, newcomer: usize, now_ms: u64) {
        let is_full = self.len() >= self.capacity;
        let looks = if is_full { usize::MAX } else { LOOKS };
        for queue in [ADDRESSES, CONFIGURED] {
            for _ in 0..SWEPT_PER_INSERT {
                self.remove_first(hasher, queue, now_ms, looks);
            }
        }
        if self.len() < self.capacity {
            return;
        }
        // However many clients are configured, addresses keep half of the room: squeezed into less
        // they would push each other out, and with it out of their limits.
        let floor = (self.capacity / 2).max(1);
        if self.addresses > floor || (self.addresses == floor && newcomer == ADDRESSES) {
            self.remove_first(hasher, ADDRESSES, u64::MAX, usize::MAX);
        }
    }

    /// Removes what ends first of a queue, if that is by `until_ms`.
    fn remove_first(&mut self, hasher: &KeyHasher, queue: usize, until_ms: u64, looks: usize) {
        let slots = &self.slots;
        let ends_of = |slot| {
            let entry = slots[at(slot)].as_ref()?;
            (queue_of(&entry.key) == queue).then_some(entry.ends_ms)
        };
        let first = self.queues[queue].take_first(until_ms, looks, ends_of);
        let Some((slot, entry)) = first.and_then(|slot| Some((slot, self.slots[at(slot)].take()?)))
        else {
            return;
        };
        self.addresses -= usize::from(queue == ADDRESSES);
        self.unused.push(slot);
        let hash = hash_of(hasher, &entry.key);
        if let Ok(found) = self.index.find_entry(hash, |&found| found == slot) {
            found.remove();
        }
    }

    /// Takes a slot for an entry.
    fn put(&mut self, entry: Entry) -> u32 {
        if let Some(slot) = self.unused.pop() {
            self.slots[at(slot)] = Some(entry);
            return slot;
        }
        if self.slots.len() == self.slots.capacity() {
            // By a quarter, not to twice as many: this is nearly all the memory there is.
            self.slots.reserve_exact((self.slots.len() / 4).max(4));
        }
        self.slots.push(Some(entry));
        u32::try_from(self.slots.len() - 1).expect("2^32 slots need 256 GiB")
    }

    /// Keeps a queue from growing with slots that are in it more than once.
    fn bound(&mut self, queue: usize) {
        if self.queues[queue].len() <= 2 * self.len() + 64 {
            return;
        }
        let slots = (0..).zip(&self.slots);
        let all = slots.filter_map(|(slot, entry)| {
            let entry = entry.as_ref()?;
            (queue_of(&entry.key) == queue).then_some((entry.ends_ms, slot))
        });
        self.queues[queue].refill(all);
    }
}

fn queue_of(key: &Key) -> usize {
    match key.who {
        Who::Address(_) => ADDRESSES,
        Who::Client(_) | Who::Route(_) => CONFIGURED,
    }
}

fn hash_of(hasher: &KeyHasher, key: &Key) -> u64 {
    hasher.hash(&key.counter, &key.who)
}

fn at(slot: u32) -> usize {
    slot as usize
}

#[cfg(test)]
mod tests;
