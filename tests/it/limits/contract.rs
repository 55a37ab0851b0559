//! The rules of a fixed window, held by both stores.

use std::num::NonZeroU64;
use std::time::Duration;

use tollgate::limit::{Algorithm, Decision, Limit, Policy};

use super::store::Store;
use super::{MINUTE, address, client, policy};

/// Asserts a decision; `reset` may be late by as much as the test may have taken.
fn assert_decision(store: &Store, seen: Decision, admitted: bool, remaining: u64, reset: Duration) {
    assert_eq!((seen.admitted, seen.remaining), (admitted, remaining));
    let earliest = reset.saturating_sub(store.grace());
    assert!(
        seen.reset <= reset && seen.reset >= earliest,
        "{:?}, not {reset:?}",
        seen.reset
    );
}

async fn a_limit_admits_so_many_and_no_more(store: Store) {
    let (limit, caller) = (policy("test", 3, MINUTE), client("caller"));
    for left in [2, 1, 0] {
        assert_decision(
            &store,
            store.ask(&limit, &caller, 1).await,
            true,
            left,
            MINUTE,
        );
    }
    for _ in 0..3 {
        assert_decision(
            &store,
            store.ask(&limit, &caller, 1).await,
            false,
            0,
            MINUTE,
        );
    }
}

async fn a_window_starts_with_its_first_request(store: Store) {
    let (limit, caller) = (policy("test", 1, MINUTE), client("caller"));
    store.pass(Duration::from_secs(59));
    assert_decision(&store, store.ask(&limit, &caller, 1).await, true, 0, MINUTE);
    store.pass(Duration::from_secs(30));
    let left = Duration::from_secs(30);
    assert_decision(&store, store.ask(&limit, &caller, 1).await, false, 0, left);
    store.pass(left);
    store.pass(Duration::from_secs(17));
    assert_decision(&store, store.ask(&limit, &caller, 1).await, true, 0, MINUTE);
}

async fn a_refused_request_spends_nothing(store: Store) {
    let (limit, caller) = (policy("test", 10, MINUTE), client("caller"));
    assert_decision(&store, store.ask(&limit, &caller, 7).await, true, 3, MINUTE);
    assert_decision(
        &store,
        store.ask(&limit, &caller, 4).await,
        false,
        3,
        MINUTE,
    );
    assert_decision(
        &store,
        store.ask(&limit, &caller, u32::MAX).await,
        false,
        3,
        MINUTE,
    );
    assert_decision(&store, store.ask(&limit, &caller, 3).await, true, 0, MINUTE);
}

async fn a_request_dearer_than_the_limit_starts_no_window(store: Store) {
    let (limit, caller) = (policy("test", 10, MINUTE), client("caller"));
    assert_decision(
        &store,
        store.ask(&limit, &caller, 11).await,
        false,
        10,
        MINUTE,
    );
    store.pass(Duration::from_secs(30));
    assert_decision(
        &store,
        store.ask(&limit, &caller, 10).await,
        true,
        0,
        MINUTE,
    );
}

async fn callers_and_policies_are_counted_apart(store: Store) {
    let (one, other) = (policy("one", 1, MINUTE), policy("other", 1, MINUTE));
    let callers = [
        client("203.0.113.7"),
        address("203.0.113.7"),
        address("203.0.113.8"),
        address("2001:db8::"),
    ];
    for limit in [&one, &other] {
        for caller in &callers {
            assert!(store.ask(limit, caller, 1).await.admitted);
            assert!(!store.ask(limit, caller, 1).await.admitted);
        }
    }
}

async fn a_changed_limit_holds_for_the_running_window(store: Store) {
    let caller = client("caller");
    let limit = |requests| policy("test", requests, MINUTE);
    assert_decision(
        &store,
        store.ask(&limit(5), &caller, 5).await,
        true,
        0,
        MINUTE,
    );
    assert_decision(
        &store,
        store.ask(&limit(8), &caller, 1).await,
        true,
        2,
        MINUTE,
    );
    assert_decision(
        &store,
        store.ask(&limit(2), &caller, 1).await,
        false,
        0,
        MINUTE,
    );
    assert_decision(
        &store,
        store.ask(&limit(7), &caller, 1).await,
        true,
        0,
        MINUTE,
    );
}

async fn a_shorter_window_cuts_the_running_one(store: Store) {
    let caller = client("caller");
    let (hour, minute) = (Duration::from_hours(1), MINUTE);
    assert!(
        store
            .ask(&policy("test", 1, hour), &caller, 1)
            .await
            .admitted
    );
    let short = policy("test", 1, minute);
    assert_decision(
        &store,
        store.ask(&short, &caller, 1).await,
        false,
        0,
        minute,
    );
    store.pass(minute);
    assert_decision(&store, store.ask(&short, &caller, 1).await, true, 0, minute);
}

async fn a_longer_window_is_the_next_one(store: Store) {
    let caller = client("caller");
    let long = policy("test", 1, Duration::from_hours(1));
    assert!(
        store
            .ask(&policy("test", 1, MINUTE), &caller, 1)
            .await
            .admitted
    );
    assert_decision(&store, store.ask(&long, &caller, 1).await, false, 0, MINUTE);
    store.pass(MINUTE);
    assert_decision(
        &store,
        store.ask(&long, &caller, 1).await,
        true,
        0,
        Duration::from_hours(1),
    );
}

async fn a_bucket_keeps_what_is_spent_when_its_rate_changes(store: Store) {
    let caller = client("caller");
    let bucket = |requests| {
        let limit = Limit::new(requests, MINUTE).unwrap();
        let burst = NonZeroU64::new(requests).unwrap();
        let limit = limit.counted_by(Algorithm::TokenBucket { burst });
        Policy::new("test", limit.unwrap())
    };
    assert!(store.ask(&bucket(101), &caller, 101).await.admitted);
    // One is missing beyond the new bucket, and one more is asked for.
    let lowered = store.ask(&bucket(100), &caller, 1).await;
    assert_eq!((lowered.admitted, lowered.remaining), (false, 0));
    assert!(lowered.retry_after <= 2 * MINUTE / 100, "{lowered:?}");
    store.pass(2 * MINUTE / 100);
    assert!(store.ask(&bucket(100), &caller, 1).await.admitted);
    let raised = store.ask(&bucket(200), &caller, 100).await;
    assert!(raised.admitted && raised.remaining <= 1, "{raised:?}");
}

async fn the_largest_limit_is_counted_exactly(store: Store) {
    let caller = client("caller");
    let most = 999_999_999_999_999;
    let limit = policy("test", most, Duration::from_hours(366 * 24));
    let spent = u64::from(u32::MAX);
    assert_eq!(
        store.ask(&limit, &caller, u32::MAX).await.remaining,
        most - spent
    );
    assert_eq!(
        store.ask(&limit, &caller, 1).await.remaining,
        most - spent - 1
    );
    assert_eq!(
        store.ask(&limit, &caller, u32::MAX).await.remaining,
        most - 2 * spent - 1
    );
}

/// Makes each rule a test of both stores.
macro_rules! both_stores {
    ($($rule:ident)*) => {
        mod memory {
            $(#[tokio::test(flavor = "local")]
            async fn $rule() {
                super::$rule(super::Store::memory()).await;
            })*
        }
        mod redis {
            $(#[tokio::test(flavor = "local")]
            async fn $rule() {
                super::$rule(super::Store::redis().await).await;
            })*
        }
    };
}

both_stores! {
    a_limit_admits_so_many_and_no_more
    a_window_starts_with_its_first_request
    a_refused_request_spends_nothing
    a_request_dearer_than_the_limit_starts_no_window
    callers_and_policies_are_counted_apart
    a_changed_limit_holds_for_the_running_window
    a_shorter_window_cuts_the_running_one
    a_longer_window_is_the_next_one
    a_bucket_keeps_what_is_spent_when_its_rate_changes
    the_largest_limit_is_counted_exactly
}
