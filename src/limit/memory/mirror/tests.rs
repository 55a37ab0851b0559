//! An instance that has lost Redis goes on from what Redis has said, at its share.

use super::*;
use crate::limit::tests::{algorithms, bucket, cost, counted_by, decision, policy};
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
        let (policy, subject) = (&self.policy, &self.subject);
        Check { policy, subject }
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
        assert_eq!(instance.store.counters(), 0, "{algorithm:?}");
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
