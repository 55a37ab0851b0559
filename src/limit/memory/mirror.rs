//! Mirrors Redis' counters, so that this process continues from them should Redis be lost. A request
//! pays for it with one more look into a table that is otherwise idle.

use super::MemoryStore;
use crate::limit::algorithm::{Counter, judge};
use crate::limit::clock::millis;
use crate::limit::{Algorithm, Check, Decision, Limit};

/// Two windows that end so close together are the same one: calls take differently long.
const SAME_WITHIN_MS: u64 = 100;

impl MemoryStore {
    /// Takes over what Redis has decided under one limit when asked at `sent_ms`: what all instances
    /// have spent. Ends a little earlier here than there, never later.
    pub(in crate::limit) fn mirror(&self, check: &Check<'_>, decision: &Decision, sent_ms: u64) {
        let limit = check.policy.limit;
        let told = counter_of(limit, decision, sent_ms);
        let place = self.place_of(check);
        let mut shard = self.lock(place.shard);
        let slot = shard.find(place.hash, check.policy.counter(), check.subject);
        let known = slot.map(|slot| shard.entry(slot));
        let known = known.filter(|entry| entry.ends_ms > sent_ms);
        let known = known.map(|entry| judge(limit, Some(entry.counter), 0, sent_ms));
        let counter = match known {
            Some(known) if known.counter.at_ms.abs_diff(told.at_ms) <= SAME_WITHIN_MS => {
                if is_more(limit, known.remaining, decision.remaining) {
                    known.counter
                } else {
                    let at_ms = known.counter.at_ms;
                    Counter { at_ms, ..told }
                }
            }
            _ => told,
        };
        self.keep(&mut shard, place, check, slot, counter, sent_ms);
    }
}

/// Whether what is known here is more than Redis has told, by what either leaves. Answers on several
/// connections overtake each other, and what was counted here while Redis was away was most likely
/// spent elsewhere, too. In a sliding window what was before fades, and less may be newer.
fn is_more(limit: Limit, known_left: u64, told_left: u64) -> bool {
    limit.algorithm() != Algorithm::SlidingWindow && known_left < told_left
}

/// The counter that led to a decision, as nearly as the decision tells: where it tells less, the
/// counter is rather too high.
fn counter_of(limit: Limit, decision: &Decision, sent_ms: u64) -> Counter {
    let spent = limit.at_once().saturating_sub(decision.remaining);
    let reset_ms = millis(decision.reset);
    let ends_ms = sent_ms.saturating_add(reset_ms);
    let (spent, before, at_ms) = match limit.algorithm() {
        Algorithm::FixedWindow => (spent, 0, ends_ms),
        // What is felt of the window before is taken for spent in this one, and does not fade.
        Algorithm::SlidingWindow => (spent, 0, ends_ms.saturating_sub(limit.window_ms())),
        Algorithm::TokenBucket { .. } => {
            let (per_ms, token) = limit.rate();
            let units = spent.saturating_mul(token);
            (units.min(reset_ms.saturating_mul(per_ms)), token, sent_ms)
        }
    };
    Counter {
        spent,
        before,
        at_ms,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limit::testing::{algorithms, bucket, cost, counted_by, decision, policy};
    use crate::limit::{Clock, ManualClock, Policy, Subject};
    use proptest::prelude::*;
    use std::num::NonZeroU32;
    use std::time::Duration;

    const ONE: NonZeroU32 = NonZeroU32::MIN;
    const WINDOW_MS: u64 = 60_000;

    /// One instance of a fleet, an hour after its start.
    struct Instance {
        store: MemoryStore,
        hand: ManualClock,
        policy: Policy,
        subject: Subject,
    }

    impl Instance {
        fn new(requests: u64, algorithm: Algorithm) -> Self {
            let hand = ManualClock::default();
            hand.advance(Duration::from_hours(1));
            Self {
                store: MemoryStore::new(10, Clock::manual(&hand)),
                hand,
                policy: counted_by(&policy(requests, WINDOW_MS / 1000), algorithm),
                subject: Subject::client("caller"),
            }
        }

        fn check(&self) -> Check<'_> {
            Check {
                policy: &self.policy,
                subject: &self.subject,
            }
        }

        fn mirror(&self, remaining: u64, reset_ms: u64) {
            let now_ms = self.store.clock.now_ms();
            let decision = decision(true, remaining, reset_ms);
            self.store.mirror(&self.check(), &decision, now_ms);
        }

        fn ask(&self, instances: u32) -> Decision {
            let outcome = self
                .store
                .decide_share(&[self.check()], ONE, cost(instances));
            outcome.only().unwrap()
        }

        /// How many it admits at once, as one of so many.
        fn admits(&self, instances: u32) -> u64 {
            let mut admitted = 0;
            while self.ask(instances).admitted {
                admitted += 1;
            }
            admitted
        }

        fn pass(&self, ms: u64) {
            self.hand.advance(Duration::from_millis(ms));
        }
    }

    #[test]
    fn an_instance_admits_its_share_and_at_least_one() {
        for algorithm in algorithms(100) {
            let admits = |instances| Instance::new(100, algorithm).admits(instances);
            let shares = [1, 2, 3, 7, 100, 1000].map(admits);
            assert_eq!(shares, [100, 50, 33, 14, 1, 1], "{algorithm:?}");
        }
    }

    #[test]
    fn what_is_left_is_told_of_the_share() {
        for algorithm in algorithms(100) {
            let instance = Instance::new(100, algorithm);
            let left: Vec<_> = (0..4).map(|_| instance.ask(30).remaining).collect();
            assert_eq!(left, [2, 1, 0, 0], "{algorithm:?}");
        }
    }

    #[test]
    fn a_share_admits_a_request_that_costs_more_than_it_if_the_limit_would() {
        for algorithm in algorithms(20) {
            let instance = Instance::new(20, algorithm);
            let ask = |n| {
                let checks = [instance.check()];
                let outcome = instance.store.decide_share(&checks, cost(n), cost(5));
                outcome.only().unwrap().admitted
            };
            assert!(!ask(21), "the limit is 20");
            assert!(ask(5) && !ask(5) && !ask(1), "{algorithm:?}");
        }
    }

    #[test]
    fn a_window_goes_on_and_ends_as_redis_has_told() {
        let instance = Instance::new(100, Algorithm::FixedWindow);
        instance.mirror(40, 5000);
        assert_eq!(instance.admits(2), 20);
        assert_eq!(instance.ask(2).retry_after, Duration::from_secs(5));
        instance.pass(5000);
        assert_eq!(instance.admits(2), 50);
    }

    #[test]
    fn a_sliding_window_goes_on_as_if_all_had_been_spent_in_it() {
        let instance = Instance::new(100, Algorithm::SlidingWindow);
        instance.mirror(40, 20_000);
        assert_eq!(instance.admits(2), 20);
        // Half of what is now the window before has faded.
        instance.pass(20_000 + WINDOW_MS / 2);
        assert_eq!(instance.admits(2), 25);
    }

    #[test]
    fn a_bucket_goes_on_being_filled_at_its_share_of_the_rate() {
        let instance = Instance::new(60, bucket(10));
        instance.mirror(0, 9_500);
        assert_eq!(instance.admits(2), 0, "half a token is there");
        instance.pass(3_500);
        assert_eq!(instance.admits(2), 2, "four, for two instances");
        instance.pass(60_000);
        assert_eq!(instance.admits(2), 5);
    }

    #[test]
    fn late_answers_and_jitter_lower_nothing_and_a_window_begun_anew_does() {
        let instance = Instance::new(10, Algorithm::FixedWindow);
        instance.mirror(4, 30_000);
        instance.mirror(5, 30_003);
        assert_eq!(instance.ask(1).remaining, 3);
        instance.mirror(9, 59_000);
        assert_eq!(instance.ask(1).remaining, 8, "Redis came back empty");
    }

    #[test]
    fn nothing_spent_takes_no_room() {
        for algorithm in algorithms(10) {
            let instance = Instance::new(10, algorithm);
            instance.mirror(10, 0);
            assert!(instance.store.is_empty(), "{algorithm:?}");
        }
    }

    proptest! {
        #[test]
        fn all_together_admit_what_is_left_and_never_more(
            most in 1..200_u64, spent in 0..200_u64, instances in 1..20_u32, which in 0..3_usize
        ) {
            let algorithm = algorithms(most)[which];
            let left = most.saturating_sub(spent);
            let admitted: u64 = (0..instances).map(|_| {
                let instance = Instance::new(most, algorithm);
                instance.mirror(left, WINDOW_MS);
                instance.admits(instances)
            }).sum();
            let instances = u64::from(instances);
            if instances <= most {
                prop_assert!(admitted <= left, "{admitted} of {left}");
                prop_assert!(admitted + instances > left, "{admitted} of {left}");
            } else {
                let each = u64::from(left == most);
                prop_assert_eq!(admitted, each * instances);
            }
        }
    }
}
