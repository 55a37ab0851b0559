//! The store in this process: fixed windows in shards behind plain mutexes. It decides when no
//! Redis is configured, and while Redis does not answer. It never fails and never waits for
//! anything but another decision in the same shard; the bound on its memory is `windows`' affair.

use std::hash::RandomState;
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::rings::Window;
use super::windows::{self, Windows};
use super::{Clock, Decision, Policy, Subject};

/// So many shards at most: workers meet on a lock only when they count the same few callers.
const MAX_SHARDS: usize = 256;

/// A shard holds at least this many, or an uneven spread would let some fill up long before others.
const MIN_PER_SHARD: usize = 1024;

/// Counters in this process, shared by its workers.
#[derive(Debug)]
pub struct MemoryStore {
    shards: Box<[Shard]>,
    hasher: RandomState,
    clock: Clock,
}

/// A shard on cache lines of its own, so that one worker's lock does not slow down another's.
#[derive(Debug)]
#[repr(align(128))]
struct Shard(Mutex<Windows>);

impl MemoryStore {
    /// Makes an empty store for at most `max_keys` counters.
    #[must_use]
    pub fn new(max_keys: usize, clock: Clock) -> Self {
        let wanted = (max_keys / MIN_PER_SHARD).clamp(1, MAX_SHARDS);
        let shards = 1 << wanted.ilog2();
        let shard = || Shard(Mutex::new(Windows::new(max_keys / shards)));
        Self {
            shards: std::iter::repeat_with(shard).take(shards).collect(),
            hasher: RandomState::new(),
            clock,
        }
    }

    /// Decides one request, and counts it if it is admitted.
    pub fn decide(&self, policy: &Policy, subject: &Subject, cost: NonZeroU32) -> Decision {
        let now_ms = self.clock.now_ms();
        let hash = windows::hash(&self.hasher, &policy.name, subject);
        let shard = self.shard(hash);
        // A panic elsewhere cannot leave a window half written that matters more than going on.
        let mut windows = shard.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = windows.find(hash, &policy.name, subject);
        if let Some(slot) = found
            && let Some(decision) = spend(&mut windows, slot, policy, cost, now_ms)
        {
            return decision;
        }
        begin(
            &mut windows,
            &self.hasher,
            found,
            policy,
            subject,
            cost,
            now_ms,
        )
    }

    /// How many counters it holds, those of windows that are over and not yet swept included.
    #[must_use]
    pub fn len(&self) -> usize {
        let count = |shard: &Shard| shard.0.lock().unwrap_or_else(PoisonError::into_inner).len();
        self.shards.iter().map(count).sum()
    }

    /// Whether nothing is counted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The table inside a shard goes by the hash's low and highest bits; the shard by others.
    fn shard(&self, hash: u64) -> &Shard {
        let middle = usize::try_from((hash >> 32) & 0xffff).expect("16 bits fit");
        &self.shards[middle % self.shards.len()]
    }
}

/// Decides within the window in `slot`, unless that is over.
fn spend(
    windows: &mut Windows,
    slot: u32,
    policy: &Policy,
    cost: NonZeroU32,
    now_ms: u64,
) -> Option<Decision> {
    let (limit, window_ms) = (policy.limit.requests(), policy.limit.window_ms());
    let window = windows.window_mut(slot);
    let mut left_ms = window
        .ends_ms
        .checked_sub(now_ms)
        .filter(|&left| left > 0)?;
    let spent = window.spent.saturating_add(u64::from(cost.get()));
    let admitted = spent <= limit;
    if admitted {
        window.spent = spent;
    }
    let remaining = limit.saturating_sub(window.spent);
    // A reload has made windows shorter: none may have longer to go than a whole one.
    if left_ms > window_ms {
        left_ms = window_ms;
        window.ends_ms = now_ms.saturating_add(window_ms);
        windows.requeue(slot, window_ms);
    }
    Some(Decision {
        admitted,
        remaining,
        reset: Duration::from_millis(left_ms),
        degraded: false,
    })
}

/// Begins a window, in the slot of one that is over if there is one. A request that costs more
/// than the whole limit is refused and begins nothing.
fn begin(
    windows: &mut Windows,
    hasher: &RandomState,
    over: Option<u32>,
    policy: &Policy,
    subject: &Subject,
    cost: NonZeroU32,
    now_ms: u64,
) -> Decision {
    let (limit, reset) = (policy.limit.requests(), policy.limit.window());
    let spent = u64::from(cost.get());
    let Some(remaining) = limit.checked_sub(spent) else {
        return Decision {
            admitted: false,
            remaining: limit,
            reset,
            degraded: false,
        };
    };
    let window_ms = policy.limit.window_ms();
    let window = Window {
        spent,
        ends_ms: now_ms.saturating_add(window_ms),
    };
    match over {
        Some(slot) => {
            *windows.window_mut(slot) = window;
            windows.requeue(slot, window_ms);
        }
        None => windows.insert(hasher, policy, subject, window, now_ms),
    }
    Decision {
        admitted: true,
        remaining,
        reset,
        degraded: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::ClientName;
    use crate::limit::{Limit, ManualClock};
    use std::net::{IpAddr, Ipv4Addr};

    const ONE: NonZeroU32 = NonZeroU32::MIN;

    fn store(max_keys: usize) -> (MemoryStore, ManualClock) {
        let hand = ManualClock::default();
        (MemoryStore::new(max_keys, Clock::manual(&hand)), hand)
    }

    fn policy(requests: u64, seconds: u64) -> Policy {
        let limit = Limit::new(requests, Duration::from_secs(seconds)).unwrap();
        Policy {
            name: "test".into(),
            limit,
        }
    }

    fn client(name: &str) -> Subject {
        Subject::Client(ClientName::parse(name).unwrap())
    }

    fn address(n: u32) -> Subject {
        Subject::Address(IpAddr::V4(Ipv4Addr::from_bits(n)))
    }

    /// How much `subject` has spent, as the store tells without counting: a request dearer than
    /// the limit is refused.
    fn spent(store: &MemoryStore, policy: &Policy, subject: &Subject) -> u64 {
        let decision = store.decide(policy, subject, NonZeroU32::MAX);
        assert!(!decision.admitted);
        policy.limit.requests() - decision.remaining
    }

    #[test]
    fn a_full_store_lets_finished_windows_go_first_then_the_oldest_address_and_clients_never() {
        let (store, hand) = store(4);
        let (short, long) = (policy(9, 1), policy(9, 60));
        store.decide(&long, &client("a"), ONE);
        store.decide(&long, &address(1), ONE);
        store.decide(&short, &address(2), ONE);
        store.decide(&long, &address(3), ONE);
        hand.advance(Duration::from_secs(1));

        store.decide(&long, &address(4), ONE);
        assert_eq!(
            spent(&store, &long, &address(1)),
            1,
            "older, but its window runs"
        );
        assert_eq!(store.len(), 4, "the finished window of address 2 made room");

        store.decide(&long, &address(5), ONE);
        assert_eq!(
            spent(&store, &long, &address(1)),
            0,
            "the oldest address went"
        );
        for (n, kept) in [(3, 1), (4, 1), (5, 1)] {
            assert_eq!(spent(&store, &long, &address(n)), kept);
        }
        for n in 6..100 {
            store.decide(&long, &address(n), ONE);
        }
        assert_eq!(spent(&store, &long, &client("a")), 1);
        assert_eq!(store.len(), 4);
    }

    #[test]
    fn a_window_begun_anew_is_the_youngest() {
        let (store, hand) = store(2);
        let policy = policy(9, 60);
        store.decide(&policy, &address(1), ONE);
        hand.advance(Duration::from_secs(1));
        store.decide(&policy, &address(2), ONE);
        hand.advance(Duration::from_secs(59));
        store.decide(&policy, &address(1), ONE);
        store.decide(&policy, &address(3), ONE);
        assert_eq!(spent(&store, &policy, &address(1)), 1);
        assert_eq!(spent(&store, &policy, &address(2)), 0);
    }

    #[test]
    fn clients_may_exceed_the_bound_and_addresses_keep_half_of_it() {
        let (store, _hand) = store(4);
        let policy = policy(9, 60);
        for n in 0..10 {
            store.decide(&policy, &client(&format!("client-{n}")), ONE);
        }
        for n in 0..10 {
            store.decide(&policy, &address(n), ONE);
        }
        for n in 0..10 {
            assert_eq!(spent(&store, &policy, &client(&format!("client-{n}"))), 1);
        }
        assert_eq!(spent(&store, &policy, &address(8)), 1);
        assert_eq!(spent(&store, &policy, &address(9)), 1);
        assert_eq!(store.len(), 12);
    }
}
