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
use std::sync::{Mutex, MutexGuard, PoisonError};

use self::shard::Shard;
use super::algorithm::Counter;
use super::key::{CounterName, Key, KeyHasher};
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
}

/// A shard on cache lines of its own, so that one worker's lock does not slow down another's.
#[derive(Debug)]
#[repr(align(128))]
struct Locked(Mutex<Shard>);

/// Where a counter is, or would be.
#[derive(Debug, Clone, Copy)]
struct Place {
    hash: u64,
    shard: usize,
}

impl MemoryStore {
    /// Makes an empty store for at most `max_keys` counters.
    #[must_use]
    pub fn new(max_keys: usize, clock: Clock) -> Self {
        let wanted = (max_keys / MIN_PER_SHARD).clamp(1, MAX_SHARDS);
        let shards = 1 << wanted.ilog2();
        let shard = || Locked(Mutex::new(Shard::new(max_keys / shards)));
        Self {
            shards: std::iter::repeat_with(shard).take(shards).collect(),
            hasher: KeyHasher::default(),
            clock,
        }
    }

    /// Decides one request under all its limits, and counts it if none refuses it.
    #[must_use]
    pub fn decide(&self, checks: &[Check<'_>], cost: NonZeroU32) -> Outcome {
        self.decide_share(checks, cost, NonZeroU32::MIN)
    }

    /// The time that it counts by.
    pub(super) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// How many counters it holds, those included that are over and not yet swept.
    #[must_use]
    pub fn len(&self) -> usize {
        let shards = 0..self.shards.len();
        shards.map(|shard| self.lock(shard).len()).sum()
    }

    /// Whether nothing is counted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn place_of(&self, check: &Check<'_>) -> Place {
        self.place(check.policy.counter(), check.subject)
    }

    /// The table inside a shard goes by the hash's low and highest bits; the shard by others.
    fn place(&self, counter: &CounterName, subject: &Subject) -> Place {
        let hash = self.hasher.hash(counter, subject.who());
        let middle = usize::try_from((hash >> 32) & 0xffff).expect("16 bits fit");
        Place {
            hash,
            shard: middle % self.shards.len(),
        }
    }

    fn lock(&self, shard: usize) -> MutexGuard<'_, Shard> {
        // A panic elsewhere cannot leave a counter half written that matters more than going on.
        let Locked(shard) = &self.shards[shard];
        shard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a counter, in its slot if it has one. A counter of nothing takes no room.
    fn keep(
        &self,
        shard: &mut Shard,
        place: Place,
        check: &Check<'_>,
        slot: Option<u32>,
        counter: Counter,
        now_ms: u64,
    ) {
        let limit = check.policy.limit;
        if counter.is_nothing(limit) {
            // A refused request begins no window.
            return;
        }
        let ends_ms = counter.ends_ms(limit);
        if let Some(slot) = slot {
            shard.update(slot, |entry| {
                entry.key.renew(check);
                entry.counter = counter;
                entry.ends_ms = ends_ms;
            });
            return;
        }
        let key = Key::of(check);
        let entry = Entry {
            key,
            counter,
            ends_ms,
        };
        let slot = shard.insert(&self.hasher, place.hash, entry, now_ms);
        check.subject.hint.note(place.hash, slot);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limit::testing::{bucket, cost, counted_by, policy};
    use crate::limit::{Algorithm, Decision, ManualClock, Policy};
    use std::net::{IpAddr, Ipv4Addr};
    use std::time::Duration;

    const ONE: NonZeroU32 = NonZeroU32::MIN;

    fn store(max_keys: usize) -> (MemoryStore, ManualClock) {
        let hand = ManualClock::default();
        (MemoryStore::new(max_keys, Clock::manual(&hand)), hand)
    }

    fn client(name: &str) -> Subject {
        Subject::client(name)
    }

    fn address(n: u32) -> Subject {
        Subject::address(IpAddr::V4(Ipv4Addr::from_bits(n)), 64)
    }

    fn decide(
        store: &MemoryStore,
        policy: &Policy,
        subject: &Subject,
        cost: NonZeroU32,
    ) -> Decision {
        let check = Check { policy, subject };
        store.decide(&[check], cost).only().unwrap()
    }

    /// How much `subject` has spent, as the store tells without counting: a request dearer than
    /// the limit is refused.
    fn spent(store: &MemoryStore, policy: &Policy, subject: &Subject) -> u64 {
        let decision = decide(store, policy, subject, NonZeroU32::MAX);
        assert!(!decision.admitted);
        policy.limit.requests() - decision.remaining
    }

    #[test]
    fn a_full_store_lets_finished_windows_go_first_then_the_oldest_address_and_clients_never() {
        let (store, hand) = store(4);
        let (short, long) = (policy(9, 1), policy(9, 60));
        decide(&store, &long, &client("a"), ONE);
        decide(&store, &long, &address(1), ONE);
        decide(&store, &short, &address(2), ONE);
        decide(&store, &long, &address(3), ONE);
        hand.advance(Duration::from_secs(1));

        decide(&store, &long, &address(4), ONE);
        assert_eq!(
            spent(&store, &long, &address(1)),
            1,
            "older, but its window runs"
        );
        assert_eq!(store.len(), 4, "the finished window of address 2 made room");

        decide(&store, &long, &address(5), ONE);
        assert_eq!(
            spent(&store, &long, &address(1)),
            0,
            "the oldest address went"
        );
        for (n, kept) in [(3, 1), (4, 1), (5, 1)] {
            assert_eq!(spent(&store, &long, &address(n)), kept);
        }
        for n in 6..100 {
            decide(&store, &long, &address(n), ONE);
        }
        assert_eq!(spent(&store, &long, &client("a")), 1);
        assert_eq!(store.len(), 4);
    }

    #[test]
    fn a_full_store_gives_up_what_ends_first_and_not_the_heaviest_bucket() {
        let (store, hand) = store(4);
        let bucket = counted_by(&policy(1, 60), bucket(60));
        decide(&store, &bucket, &address(1), cost(60));
        for n in 2..=4 {
            decide(&store, &bucket, &address(n), ONE);
        }
        hand.advance(Duration::from_mins(2));
        decide(&store, &bucket, &address(5), ONE);
        assert_eq!(decide(&store, &bucket, &address(1), ONE).remaining, 1);
        for n in 6..=8 {
            decide(&store, &bucket, &address(n), ONE);
        }
        assert_eq!(decide(&store, &bucket, &address(1), ONE).remaining, 0);
    }

    #[test]
    fn a_sliding_window_that_is_still_felt_outlives_a_fixed_one() {
        let (store, hand) = store(2);
        let (sliding, fixed) = (policy(9, 40), policy(9, 60));
        let sliding = counted_by(&sliding, Algorithm::SlidingWindow);
        decide(&store, &sliding, &address(1), ONE);
        decide(&store, &fixed, &address(2), ONE);
        hand.advance(Duration::from_secs(1));
        decide(&store, &fixed, &address(3), ONE);
        assert_eq!(decide(&store, &sliding, &address(1), ONE).remaining, 7);
    }

    #[test]
    fn a_window_begun_anew_is_the_youngest() {
        let (store, hand) = store(2);
        let policy = policy(9, 60);
        decide(&store, &policy, &address(1), ONE);
        hand.advance(Duration::from_secs(1));
        decide(&store, &policy, &address(2), ONE);
        hand.advance(Duration::from_secs(59));
        decide(&store, &policy, &address(1), ONE);
        decide(&store, &policy, &address(3), ONE);
        assert_eq!(spent(&store, &policy, &address(1)), 1);
        assert_eq!(spent(&store, &policy, &address(2)), 0);
    }

    #[test]
    fn clients_may_exceed_the_bound_and_addresses_keep_half_of_it() {
        let (store, hand) = store(4);
        let policy = policy(9, 60);
        for n in 0..10 {
            decide(&store, &policy, &client(&format!("client-{n}")), ONE);
        }
        for n in 0..10 {
            hand.advance(Duration::from_millis(1));
            decide(&store, &policy, &address(n), ONE);
        }
        for n in 0..10 {
            assert_eq!(spent(&store, &policy, &client(&format!("client-{n}"))), 1);
        }
        assert_eq!(spent(&store, &policy, &address(8)), 1);
        assert_eq!(spent(&store, &policy, &address(9)), 1);
        assert_eq!(store.len(), 12);
    }
}
