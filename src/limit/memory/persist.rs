//! Counters going out of the store and coming back, for the state file. Requests go on meanwhile:
//! no lock is held for longer than a few counters take to be copied.

use super::MemoryStore;
use super::shard::Entry;
use crate::limit::Subject;

/// How many slots are looked at under one lock. Some 20 µs: no longer than a few decisions.
const SLOTS_PER_LOCK: u32 = 128;

/// How far a copy has come.
#[derive(Debug, Default)]
pub(in crate::limit) struct Copied {
    shard: usize,
    slot: u32,
}

impl MemoryStore {
    /// Shows the next few counters; says whether there may be more. What is counted meanwhile may
    /// be shown or not. A counter that is given up and begun again meanwhile may be shown twice.
    pub(in crate::limit) fn show_some(
        &self,
        copied: &mut Copied,
        show: impl FnMut(&Entry),
    ) -> bool {
        if copied.shard >= self.shards.len() {
            return false;
        }
        let slots = copied.slot..copied.slot.saturating_add(SLOTS_PER_LOCK);
        copied.slot = slots.end;
        if !self.lock(copied.shard).show(slots, show) {
            *copied = Copied {
                shard: copied.shard + 1,
                slot: 0,
            };
        }
        true
    }

    /// Takes in a counter from before a restart, unless it is over.
    pub(in crate::limit) fn restore(&self, entry: Entry) {
        let now_ms = self.clock.now_ms();
        if entry.ends_ms <= now_ms {
            return;
        }
        let subject = Subject::from(entry.key.who.clone());
        let place = self.place(&entry.key.counter, &subject);
        let mut shard = self.lock(place.shard);
        match shard.find(place.hash, &entry.key.counter, &subject) {
            // It was shown twice; the larger one is the later one.
            Some(slot) => {
                let order = |entry: &Entry| (entry.ends_ms, entry.counter.spent);
                if order(&entry) > order(shard.entry(slot)) {
                    shard.update(slot, |old| *old = entry);
                }
            }
            None => {
                shard.insert(&self.hasher, place.hash, entry, now_ms);
            }
        }
    }
}
