//! The store in this process: counters in shards behind plain mutexes. It decides when no Redis is
//! configured, and while Redis does not answer. It never fails, and never waits for anything but
//! another decision in the same shard. Each shard bounds its memory.

mod decide;
mod expiry;
mod mirror;
mod persist;
mod shard;

pub(super) use persist::Copied;
pub(super) use shard::Entry;

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard};

use crate::lock::lock;

use self::shard::Shard;
use super::algorithm::{Counter, Judgement, judge};
use super::key::{Key, KeyHasher};
use super::policy::CounterName;
use super::{Check, Clock, Outcome, Subject};

/// So many shards at most: workers meet on a lock only when they count the same few callers.
const MAX_SHARDS: usize = 256;

/// A shard holds at least this many, or an uneven spread would let some fill up long before others.
const MIN_PER_SHARD: usize = 1024;

/// Counters in this process, shared by its workers.
#[derive(Debug)]
pub struct MemoryStore {
    shards: Box<[Locked]>,
    hasher: KeyHasher,
    clock: Clock,
    /// Another process has the counters now. Changes while all shards are locked, and is read under
    /// the lock of one: a decision is made before the counters go, or not at all.
    moved: AtomicBool,
}

/// A shard on cache lines of its own, so that one worker's lock does not slow down another's.
#[derive(Debug)]
#[repr(align(128))]
struct Locked(Mutex<Shard>);

/// The slot of a counter, or the hash of its key if it has none.
type Slot = Result<u32, u64>;

/// Where a counter is, or would be.
#[derive(Debug, Clone, Copy)]
struct Place {
    hash: u64,
    shard: usize,
}

impl MemoryStore {
    /// Makes an empty store for at most `max_keys` counters.
    pub fn new(max_keys: usize, clock: Clock) -> Self {
        let wanted = (max_keys / MIN_PER_SHARD).clamp(1, MAX_SHARDS);
        let shards = 1 << wanted.ilog2();
        let shard = || Locked(Mutex::new(Shard::new(max_keys / shards)));
        Self {
            shards: std::iter::repeat_with(shard).take(shards).collect(),
            hasher: KeyHasher::default(),
            clock,
            moved: AtomicBool::new(false),
        }
    }

    /// Ends or resumes counting here. No counter changes between the end and the return.
    pub(super) fn set_moved(&self, moved: bool) {
        let all: Vec<_> = (0..self.shards.len()).map(|n| self.lock(n)).collect();
        self.moved.store(moved, Ordering::Relaxed);
        drop(all);
    }

    /// Whether counting here has ended.
    pub(super) fn is_moved(&self) -> bool {
        self.moved.load(Ordering::Relaxed)
    }

    /// What a request that costs nothing would be told; `None`: nothing has been counted that still matters,
    /// or it is counted elsewhere.
    pub(super) fn judge(&self, check: &Check<'_>) -> Option<Judgement> {
        let now_ms = self.clock.now_ms();
        let (shard, slot) = self.locked(check);
        let entry = shard.entry(slot.ok()?);
        (entry.ends_ms > now_ms).then(|| judge(check.policy.limit, Some(entry.counter), 0, now_ms))
    }

    /// Decides one request under all its limits, and counts it if none refuses it.
    pub fn decide(&self, checks: &[Check<'_>], cost: NonZeroU32) -> Outcome {
        self.decide_share(checks, cost, NonZeroU32::MIN)
    }

    /// The time that it counts by.
    pub(super) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// How many counters it holds, those included that are over and not yet swept.
    pub fn counters(&self) -> usize {
        let shards = 0..self.shards.len();
        shards.map(|shard| self.lock(shard).len()).sum()
    }

    fn place_of(&self, check: &Check<'_>) -> Place {
        self.place(check.policy.counter(), check.subject)
    }

    fn place(&self, counter: &CounterName, subject: &Subject) -> Place {
        let hash = self.hasher.hash(counter, subject.who());
        let shard = self.shard_of(hash);
        Place { hash, shard }
    }

    /// The table inside a shard goes by the hash's low and highest bits; the shard by others.
    fn shard_of(&self, hash: u64) -> usize {
        let middle = usize::try_from((hash >> 32) & 0xffff).expect("16 bits fit");
        middle % self.shards.len()
    }

    /// Locks the shard that has a check's counter, or would have it. Where the subject's hint is right,
    /// its name is neither read nor hashed.
    fn locked(&self, check: &Check<'_>) -> (MutexGuard<'_, Shard>, Slot) {
        let (counter, subject) = (check.policy.counter(), check.subject);
        if let Some((hash, slot)) = subject.hint.get() {
            let shard = self.lock(self.shard_of(hash));
            if shard.holds(slot, counter, subject) {
                return (shard, Ok(slot));
            }
        }
        let Place { hash, shard } = self.place_of(check);
        let shard = self.lock(shard);
        let slot = shard.find(hash, counter, subject).ok_or(hash);
        (shard, slot)
    }

    fn lock(&self, shard: usize) -> MutexGuard<'_, Shard> {
        lock(&self.shards[shard].0)
    }

    /// Keeps a counter, in its slot if it has one. A counter of nothing takes no room.
    fn keep(
        &self,
        shard: &mut Shard,
        check: &Check<'_>,
        slot: Slot,
        counter: Counter,
        now_ms: u64,
    ) {
        let limit = check.policy.limit;
        if counter.is_nothing(limit) {
            // A refused request begins no window.
            return;
        }
        let ends_ms = counter.ends_ms(limit);
        match slot {
            Ok(slot) => shard.update(slot, |entry| {
                entry.key.renew(check);
                entry.counter = counter;
                entry.ends_ms = ends_ms;
            }),
            Err(hash) => {
                let entry = Entry {
                    key: Key::of(check),
                    counter,
                    ends_ms,
                };
                let slot = shard.insert(&self.hasher, hash, entry, now_ms);
                check.subject.hint.note(hash, slot);
            }
        }
    }
}

#[cfg(test)]
mod tests;
