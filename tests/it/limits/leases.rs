//! Permits that a worker takes in advance: fewer calls, and never a request more than the limit.

use std::rc::Rc;
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tokio::runtime::LocalRuntime;
use tokio::task::JoinSet;
use tollgate::limit::{
    Algorithm, Check, Clock, Decision, Lease, Limit, LimitStore, Limiter, ManualClock, Policy,
    RedisSettings, Source,
};

use super::keys::calls;
use super::outage::eventually;
use super::store::settings;
use super::{MINUTE, ask_one, client, cost, decided, is_degraded, policy};
use crate::support::redis::Redis;

const LONG: Duration = Duration::from_secs(10);

/// Whether a request was admitted on permits.
fn is_leased(decision: &Decision) -> bool {
    decision.source == Source::Lease
}

/// Settings under which permits are taken.
fn leasing(redis: &Redis) -> RedisSettings {
    RedisSettings {
        lease: Lease::Auto,
        ..settings(redis)
    }
}

/// A worker of a gateway of its own, and a hand on its clock.
async fn worker(redis: &Redis) -> (Limiter, ManualClock) {
    let hand = ManualClock::default();
    let store = LimitStore::new(1000, Some(&leasing(redis)), Clock::manual(&hand));
    let limiter = store.for_worker();
    assert!(limiter.wait_ready(LONG).await);
    (limiter, hand)
}

/// What is spent of the counter of `caller`, as Redis has it.
fn spent(redis: &Redis, policy: &str) -> u64 {
    let key = format!("tollgate:{{client:caller}}:{policy}");
    let value: Option<String> = redis.ask(&["GET", &key]);
    value.map_or(0, |value| value.split(' ').next().unwrap().parse().unwrap())
}

/// Lets time pass, here and in Redis.
fn pass(redis: &Redis, hand: &ManualClock, time: Duration) {
    hand.advance(time);
    let key = "tollgate:{client:caller}:test";
    let value: String = redis.ask(&["GET", key]);
    let (spent, at) = value.rsplit_once(' ').unwrap();
    let at = at.parse::<u64>().unwrap() - u64::try_from(time.as_millis()).unwrap();
    let () = redis.ask(&["SET", key, &format!("{spent} {at}"), "KEEPTTL"]);
}

/// Lets a caller be busy, until there are many permits for it.
async fn busy(limiter: &Limiter, limit: &Policy) {
    let ask = async || decided(&ask_one(limiter, limit, &client("caller"), 1).await);
    for _ in 0..200 {
        assert!(ask().await.admitted);
    }
    while is_leased(&ask().await) {}
}

#[tokio::test(flavor = "local")]
async fn a_busy_caller_costs_few_calls_and_every_request_is_told_what_is_left() {
    let redis = Redis::start();
    let (limiter, _hand) = worker(&redis).await;
    let limit = policy("test", 1_000_000, MINUTE);
    let before = calls(&redis, "evalsha");
    for left in (1_000_000 - 5_000..1_000_000).rev() {
        let decision = decided(&ask_one(&limiter, &limit, &client("caller"), 1).await);
        assert_eq!((decision.admitted, decision.remaining), (true, left));
    }
    // Each time the caller has used up as much as it ever did in a second, it is given as much.
    let made = calls(&redis, "evalsha") - before;
    assert!((2..=20).contains(&made), "{made} calls for 5,000 requests");
}

#[tokio::test(flavor = "local")]
async fn what_is_small_or_slow_or_no_fixed_window_asks_each_time() {
    let redis = Redis::start();
    let (limiter, hand) = worker(&redis).await;
    let minute = |requests| Limit::new(requests, MINUTE).unwrap();
    let sliding = minute(10_000).counted_by(Algorithm::SlidingWindow).unwrap();
    let pause = LONG / 2;
    for (what, policy, pause) in [
        ("small", Policy::new("small", minute(1023)), Duration::ZERO),
        ("slow", Policy::new("slow", minute(10_000)), pause),
        ("sliding", Policy::new("sliding", sliding), Duration::ZERO),
    ] {
        let before = calls(&redis, "evalsha");
        for _ in 0..10 {
            let decision = decided(&ask_one(&limiter, &policy, &client("caller"), 1).await);
            assert!(decision.admitted && !is_leased(&decision), "{what}");
            hand.advance(pause);
        }
        assert_eq!(calls(&redis, "evalsha") - before, 10, "{what}");
    }
}

#[tokio::test(flavor = "local")]
async fn permits_are_spent_until_their_window_ends_and_then_no_more() {
    let redis = Redis::start();
    let (limiter, hand) = worker(&redis).await;
    let limit = policy("test", 10_000, MINUTE);
    let caller = client("caller");
    let ask = async |n| decided(&ask_one(&limiter, &limit, &caller, n).await);
    busy(&limiter, &limit).await;
    assert!(
        spent(&redis, "test") > 10_000 - ask(1).await.remaining,
        "some are left"
    );
    hand.advance(Duration::from_secs(59));
    let late = ask(1).await;
    assert!(
        is_leased(&late) && late.reset <= Duration::from_secs(1),
        "{late:?}"
    );
    hand.advance(Duration::from_secs(1));
    assert!(!is_leased(&ask(1).await), "the window is over here");
}

#[tokio::test(flavor = "local")]
async fn a_request_that_costs_more_than_there_are_permits_asks() {
    let redis = Redis::start();
    let (limiter, _hand) = worker(&redis).await;
    let limit = policy("test", 10_000, MINUTE);
    let caller = client("caller");
    busy(&limiter, &limit).await;
    let dear = decided(&ask_one(&limiter, &limit, &caller, 500).await);
    assert!(dear.admitted && !is_leased(&dear));
    let beyond = decided(&ask_one(&limiter, &limit, &caller, 10_000).await);
    assert!(!beyond.admitted && beyond.source == Source::Redis);
}

#[tokio::test(flavor = "local")]
async fn several_limits_are_leased_together_or_not_at_all() {
    let redis = Redis::start();
    let (limiter, _hand) = worker(&redis).await;
    let (large, other) = (
        policy("large", 10_000, MINUTE),
        policy("other", 5_000, MINUTE),
    );
    let small = policy("small", 100, MINUTE);
    let caller = client("caller");
    let check = |policy| Check {
        policy,
        subject: &caller,
    };
    let ask = async |checks: &[Check<'_>]| limiter.decide(checks, cost(1)).await;
    let before = calls(&redis, "evalsha");
    for left in (4_500..5_000).rev() {
        let outcome = ask(&[check(&large), check(&other)]).await;
        let remaining = outcome.decisions.iter().map(|one| one.unwrap().remaining);
        assert_eq!(remaining.collect::<Vec<_>>(), [left + 5_000, left]);
    }
    let made = calls(&redis, "evalsha") - before;
    assert!(made <= 50, "{made} calls for 500 requests");
    for left in (80..100).rev() {
        let outcome = ask(&[check(&large), check(&small)]).await;
        assert_eq!(outcome.decisions[1].unwrap().remaining, left);
        assert!(!is_leased(&outcome.decisions[1].unwrap()));
    }
}

#[tokio::test(flavor = "local")]
async fn a_limit_that_a_reload_has_changed_is_asked_for() {
    let redis = Redis::start();
    let (limiter, _hand) = worker(&redis).await;
    let caller = client("caller");
    let limit = policy("test", 10_000, MINUTE);
    busy(&limiter, &limit).await;
    let lowered = policy("test", 9_000, MINUTE);
    let asked = decided(&ask_one(&limiter, &lowered, &caller, 1).await);
    assert!(!is_leased(&asked) && asked.admitted && asked.remaining < 9_000);
}

#[tokio::test(flavor = "local")]
async fn permits_outlive_redis_and_those_of_a_drained_worker_go_back() {
    let mut redis = Redis::start();
    let (limiter, _hand) = worker(&redis).await;
    let limit = policy("test", 10_000, MINUTE);
    let caller = client("caller");
    let ask = async || decided(&ask_one(&limiter, &limit, &caller, 1).await);
    busy(&limiter, &limit).await;
    let admitted = 10_000 - ask().await.remaining;
    assert!(spent(&redis, "test") > admitted, "some permits are left");
    limiter.finish(LONG).await;
    assert_eq!(spent(&redis, "test"), admitted);
    // Everything begins anew.
    busy(&limiter, &limit).await;
    redis.kill();
    let decision = ask().await;
    assert!(is_leased(&decision), "{decision:?}");
    while !is_degraded(&ask().await) {}
}

#[tokio::test(flavor = "local")]
async fn permits_of_a_caller_that_is_gone_go_back_and_can_be_spent_elsewhere() {
    let redis = Redis::start();
    let (limiter, hand) = worker(&redis).await;
    let (other, _) = worker(&redis).await;
    let limit = policy("test", 10_000, MINUTE);
    busy(&limiter, &limit).await;
    let decision = decided(&ask_one(&limiter, &limit, &client("caller"), 1).await);
    let admitted = 10_000 - decision.remaining;
    // The other worker takes all that it can get, and is refused.
    let rest = u32::try_from(10_000 - spent(&redis, "test")).unwrap();
    assert!(decided(&ask_one(&other, &limit, &client("caller"), rest).await).admitted);
    assert!(!decided(&ask_one(&other, &limit, &client("caller"), 1).await).admitted);
    pass(&redis, &hand, Duration::from_secs(4));
    eventually(async || spent(&redis, "test") == admitted + u64::from(rest)).await;
    hand.advance(Duration::from_secs(1));
    assert!(!is_leased(&decided(
        &ask_one(&limiter, &limit, &client("caller"), 1).await
    )));
}

#[tokio::test(flavor = "local")]
async fn what_a_window_that_is_over_has_counted_is_not_returned_to_the_next() {
    let redis = Redis::start();
    let (limiter, hand) = worker(&redis).await;
    let limit = policy("test", 10_000, MINUTE);
    busy(&limiter, &limit).await;
    // The window is over in Redis, and another worker begins the next.
    let () = redis.ask(&["FLUSHALL"]);
    let (other, _) = worker(&redis).await;
    assert!(decided(&ask_one(&other, &limit, &client("caller"), 500).await).admitted);
    // By the first worker's clock it has half of its time to go.
    hand.advance(MINUTE / 2);
    limiter.finish(LONG).await;
    assert_eq!(spent(&redis, "test"), 500);
}

/// Whatever callers ask for and however the calls of several gateways interleave.
#[test]
fn all_workers_together_never_admit_more_and_nothing_is_lost() {
    let runtime = LocalRuntime::new().unwrap();
    let redis = Redis::start();
    let burst = (0..3_usize, 1..4_u32, 1..200_u32);
    let bursts = prop::collection::vec(burst, 1..12);
    TestRunner::new(Config {
        max_shrink_iters: 20,
        ..Config::with_cases(10)
    })
    .run(&(1_024..3_000_u64, bursts), |(most, bursts)| {
        let () = redis.ask(&["FLUSHALL"]);
        runtime.block_on(async {
            let mut workers = Vec::new();
            for _ in 0..3 {
                workers.push(Rc::new(worker(&redis).await.0));
            }
            let limit = policy("test", most, MINUTE);
            let mut tasks = JoinSet::new();
            for (worker, cost, times) in bursts {
                let (limiter, limit) = (Rc::clone(&workers[worker]), limit.clone());
                tasks.spawn_local(async move {
                    let mut admitted = 0;
                    for _ in 0..times {
                        let outcome = ask_one(&limiter, &limit, &client("caller"), cost).await;
                        admitted += u64::from(decided(&outcome).admitted) * u64::from(cost);
                    }
                    admitted
                });
            }
            let admitted: u64 = tasks.join_all().await.into_iter().sum();
            prop_assert!(admitted <= most, "{admitted} of {most}");
            prop_assert!(spent(&redis, "test") >= admitted);
            for worker in workers {
                worker.finish(LONG).await;
            }
            prop_assert_eq!(spent(&redis, "test"), admitted);
            Ok(())
        })
    })
    .unwrap();
}
