//! The store as a whole: what a full one gives up, and what it never does.

use super::*;
use crate::limit::tests::{bucket, cost, counted_by, policy};
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

fn decide(store: &MemoryStore, policy: &Policy, subject: &Subject, cost: NonZeroU32) -> Decision {
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
    assert_eq!(
        store.counters(),
        4,
        "the finished window of address 2 made room"
    );

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
    assert_eq!(store.counters(), 4);
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
    assert_eq!(store.counters(), 12);
}

#[test]
fn a_hint_about_another_counter_or_store_is_not_believed() {
    let [(one, _), (other, _)] = [store(4), store(4)];
    let caller = client("a");
    let short = policy(9, 1);
    let long = Policy::new("long", policy(9, 60).limit);
    for spent in 0..3 {
        for (store, policy) in [(&one, &short), (&one, &long), (&other, &long)] {
            assert_eq!(decide(store, policy, &caller, ONE).remaining, 8 - spent);
        }
    }
    assert_eq!((one.counters(), other.counters()), (2, 1));
}
