//! Leases by themselves, on a clock and with a Redis of the test's own.

use std::num::NonZeroU32;
use std::time::Duration;

use super::Leases;
use crate::limit::redis::{Permits, Reply};
use crate::limit::tests::{decision, outcome, policy};
use crate::limit::{Check, Decision, Lease, Policy, Subject};

/// A caller with a limit of 6,400 a minute, and the leases of its worker.
struct Busy {
    leases: Leases,
    policy: Policy,
    subject: Subject,
}

impl Busy {
    fn new() -> Self {
        Self {
            leases: Leases::new(Duration::from_millis(25), Lease::Auto),
            policy: policy(6_400, 60),
            subject: Subject::client("caller"),
        }
    }

    fn checks(&self) -> [Check<'_>; 1] {
        let (policy, subject) = (&self.policy, &self.subject);
        [Check { policy, subject }]
    }

    fn spend(&self, now_ms: u64) -> Option<Decision> {
        let outcome = self.leases.spend(&self.checks(), NonZeroU32::MIN, now_ms);
        outcome.and_then(|outcome| outcome.only())
    }

    /// How many permits it asks for.
    fn ask(&self, now_ms: u64) -> u64 {
        self.leases.wanted(&self.checks(), NonZeroU32::MIN, now_ms)[0]
    }

    /// Redis grants as many in a window that lasts for `reset_ms` more.
    fn take(&self, granted: u64, reset_ms: u64, sent_ms: u64) -> Decision {
        let reply = Reply {
            outcome: outcome(decision(true, 1_000, reset_ms)),
            granted: Permits::from_elem(granted, 1),
        };
        let outcome = self.leases.take(&self.checks(), reply, sent_ms);
        outcome.only().unwrap()
    }
}

#[test]
fn a_caller_is_given_what_it_has_spent_in_a_second() {
    let busy = Busy::new();
    assert_eq!(busy.ask(0), 0, "nothing is known of it yet");
    busy.take(0, 60_000, 0);
    assert_eq!(busy.ask(10), 1);
    assert_eq!(busy.take(1, 59_990, 10).remaining, 1_001);
    assert_eq!(busy.spend(20).unwrap().remaining, 1_000);
    assert_eq!(busy.spend(20), None, "there was one");
    assert_eq!(busy.ask(20), 3);
    assert_eq!(busy.ask(21), 0, "one call at a time asks for permits");
    assert_eq!(busy.ask(45), 5, "that one has taken too long");
    busy.take(0, 59_955, 45);
    // What was spent in the second before counts as well.
    assert_eq!(busy.ask(1_080), 5);
    // And then no more.
    assert_eq!(busy.ask(3_500), 0);
}

#[test]
fn no_more_is_asked_for_than_the_window_has_time_for_or_a_part_of_the_limit() {
    let busy = Busy::new();
    for _ in 0..150 {
        busy.ask(0);
    }
    busy.take(1, 60_000, 0);
    assert_eq!(busy.ask(25), 100, "a 64th of 6,400");
    busy.take(1, 100, 25);
    busy.spend(26).unwrap();
    busy.spend(26).unwrap();
    assert_eq!(busy.ask(50), 153 * 74 / 1_000, "the window has 74 ms to go");
}

#[test]
fn permits_end_with_their_window_as_reckoned_from_when_the_call_was_sent() {
    let busy = Busy::new();
    busy.ask(500);
    busy.take(10, 1_000, 500);
    // Less one, for clocks leave out what is less than a millisecond.
    assert_eq!(busy.spend(1_498).unwrap().reset, Duration::from_millis(1));
    assert_eq!(busy.spend(1_499), None);
    // Those of the next window do not bring them back.
    busy.ask(1_600);
    busy.take(1, 1_000, 1_600);
    assert!(busy.spend(1_700).is_some());
    assert_eq!(busy.spend(1_700), None);
}

#[test]
fn permits_of_a_window_that_is_gone_do_not_last_as_long_as_the_next() {
    let busy = Busy::new();
    busy.ask(0);
    busy.take(2, 1_000, 0);
    // Redis has been emptied.
    busy.ask(500);
    busy.take(2, 60_000, 500);
    assert!(busy.spend(998).is_some());
    assert_eq!(busy.spend(999), None);
}

#[test]
fn what_is_not_spent_is_given_up_with_its_window() {
    let busy = Busy::new();
    busy.ask(0);
    busy.take(7, 60_000, 0);
    busy.spend(1).unwrap();
    let unused = busy.leases.give_up_all(1);
    let [unused] = &unused[..] else {
        panic!("{unused:?}");
    };
    assert_eq!(
        (unused.permits, unused.subject.who()),
        (6, busy.subject.who())
    );
    assert_eq!(unused.policy.counter(), busy.policy.counter());
    assert_eq!(unused.to_go_ms, 59_998 + 1_000);
    assert_eq!(busy.spend(1), None, "they are given up");
    busy.ask(2);
    busy.take(7, 1_000, 2);
    assert!(
        busy.leases.give_up_all(1_001).is_empty(),
        "the window is over"
    );
}

#[test]
fn permits_of_a_caller_that_is_gone_are_given_up() {
    let busy = Busy::new();
    busy.ask(0);
    busy.take(7, 60_000, 0);
    busy.spend(900).unwrap();
    assert!(busy.leases.give_up_idle(2_999).is_empty());
    let unused = busy.leases.give_up_idle(3_000);
    assert_eq!(unused.len(), 1);
    assert_eq!(unused[0].permits, 6);
    assert_eq!(busy.spend(3_000), None);
}

#[test]
fn each_caller_has_its_own_however_many_there_are() {
    let busy = Busy::new();
    let caller = |n| Subject::client(format!("caller-{n}"));
    for round in 0..3 {
        for n in 0..1_000 {
            let (policy, subject) = (&busy.policy, &caller(n));
            let checks = [Check { policy, subject }];
            let permits = busy.leases.wanted(&checks, NonZeroU32::MIN, 0)[0];
            // Until the second asks for permits, and then has not been answered.
            assert_eq!(permits, u64::from(round == 1));
        }
    }
}
