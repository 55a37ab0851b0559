//! Redis killed, frozen, locked, out of memory, absent: no request waits longer than its deadline,
//! none is lost, the operator hears of it once, and it heals.

use std::future::poll_fn;
use std::net::TcpListener;
use std::pin::pin;
use std::task::Poll;
use std::time::{Duration, Instant};

use tokio::task::yield_now;
use tokio::time::timeout;
use tollgate::limit::{
    Algorithm, Clock, Lease, Limit, LimitStore, Limiter, ManualClock, OnFailure, Outcome, Policy,
    RedisSettings, Verdict,
};

use super::log::Log;
use super::store::{settings, single};
use super::{MINUTE, ask_one, client, decided, is_degraded, is_up, policy};
use crate::support::redis::Redis;

/// So many misses in a row open the breaker.
const MISSES_TO_OPEN: u32 = 5;

/// The longest that anything here may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// What no wait for Redis comes near, whose deadline is 25 ms, however busy the machine.
const FAR_TOO_LONG: Duration = Duration::from_secs(5);

fn store(settings: &RedisSettings) -> LimitStore {
    LimitStore::new(1000, Some(settings), Clock::system())
}

/// Settings as an operator has them who sets nothing but the URL.
fn defaults(redis: &Redis) -> RedisSettings {
    RedisSettings {
        deadline: Duration::from_millis(25),
        ..settings(redis)
    }
}

fn limit() -> Policy {
    policy("test", 10, MINUTE)
}

async fn ask(limiter: &Limiter) -> Outcome {
    ask_one(limiter, &limit(), &client("caller"), 1).await
}

/// Asks a limiter that must not wait for anything.
async fn ask_at_once(limiter: &Limiter) -> Outcome {
    match poll_once(ask(limiter)).await {
        Poll::Ready(outcome) => outcome,
        Poll::Pending => panic!("no request waits while the breaker is open"),
    }
}

/// Goes as far as it goes without waiting, and gives up.
pub(super) async fn poll_once<T>(call: impl Future<Output = T>) -> Poll<T> {
    let mut call = pin!(call);
    poll_fn(|context| Poll::Ready(call.as_mut().poll(context))).await
}

pub(super) async fn eventually(mut holds: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !holds().await {
        assert!(
            begun.elapsed() < PATIENCE,
            "it has not happened in {PATIENCE:?}"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Waits until requests are counted in Redis again. Asks for another client than tests count.
async fn healed(limiter: &Limiter) {
    let other = client("other");
    let counted = async || {
        let outcome = ask_one(limiter, &policy("test", 999_999, MINUTE), &other, 1).await;
        outcome
            .only()
            .is_some_and(|decision| !is_degraded(&decision))
    };
    eventually(counted).await;
}

#[tokio::test(flavor = "local")]
async fn a_gateway_starts_without_redis_and_heals() {
    let log = Log::capture();
    let mut redis = Redis::start();
    redis.kill();
    let store = store(&settings(&redis));
    let limiter = store.for_worker();
    assert!(!limiter.wait_ready(Duration::from_millis(100)).await);
    for left in (0..10).rev() {
        let decision = decided(&ask_at_once(&limiter).await);
        assert_eq!((decision.admitted, decision.remaining), (true, left));
        assert!(is_degraded(&decision));
    }
    assert!(
        !decided(&ask_at_once(&limiter).await).admitted,
        "this process enforces the limit"
    );

    redis.restart();
    healed(&limiter).await;
    assert!(
        !decided(&ask(&limiter).await).admitted,
        "Redis has counted these by now"
    );
    let lines = log.lines();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].contains("WARN") && lines[0].contains("counting in this process"));
    assert!(lines[1].contains("INFO") && lines[1].contains("redis answers again"));
}

/// A request that is counted here does not come on top of those that Redis admits, however it counts.
#[tokio::test(flavor = "local")]
async fn what_is_admitted_without_redis_is_counted_there_when_it_answers() {
    let requests = 10;
    let burst = requests.try_into().unwrap();
    for (algorithm, elsewhere, left) in [
        (Algorithm::FixedWindow, 0, 2),
        (Algorithm::SlidingWindow, 0, 2),
        (Algorithm::TokenBucket { burst }, 0, 2),
        // Others have meanwhile spent what was left, but for three.
        (Algorithm::FixedWindow, 4, 0),
    ] {
        let redis = Redis::start();
        let store = store(&settings(&redis));
        let limiter = store.for_worker();
        assert!(limiter.wait_ready(PATIENCE).await);
        let hourly = Limit::new(requests, MINUTE * 60).unwrap();
        let limit = Policy::new("test", hourly.counted_by(algorithm).unwrap());
        let caller = client("caller");
        let ask = async || decided(&ask_one(&limiter, &limit, &caller, 1).await);
        for _ in 0..3 {
            assert!(!is_degraded(&ask().await));
        }
        if elsewhere > 0 {
            let key = "tollgate:{client:caller}:test";
            let counter: String = redis.ask(&["GET", key]);
            let counter = counter.replacen('3', &(3 + elsewhere).to_string(), 1);
            let () = redis.ask(&["SET", key, &counter, "KEEPTTL"]);
        }
        let () = redis.ask(&["CONFIG", "SET", "min-replicas-to-write", "1"]);
        for _ in 0..MISSES_TO_OPEN {
            let decision = ask().await;
            assert!(decision.admitted && is_degraded(&decision));
        }
        let () = redis.ask(&["CONFIG", "SET", "min-replicas-to-write", "0"]);
        healed(&limiter).await;
        for left in (0..left).rev() {
            let decision = ask().await;
            assert_eq!((decision.admitted, decision.remaining), (true, left));
        }
        let refused = ask().await;
        assert!(!refused.admitted && !is_degraded(&refused), "{algorithm:?}");
    }
}

#[tokio::test(flavor = "local")]
async fn what_was_admitted_in_a_window_that_is_over_is_not_counted() {
    let redis = Redis::start();
    let hand = ManualClock::default();
    let store = LimitStore::new(1000, Some(&settings(&redis)), Clock::manual(&hand));
    let limiter = store.for_worker();
    assert!(limiter.wait_ready(PATIENCE).await);
    let () = redis.ask(&["CONFIG", "SET", "min-replicas-to-write", "1"]);
    for _ in 0..MISSES_TO_OPEN {
        assert!(is_degraded(&decided(&ask(&limiter).await)));
    }
    hand.advance(MINUTE);
    let () = redis.ask(&["CONFIG", "SET", "min-replicas-to-write", "0"]);
    healed(&limiter).await;
    assert_eq!(decided(&ask(&limiter).await).remaining, 9);
}

#[tokio::test(flavor = "local")]
async fn a_killed_redis_is_told_once_for_all_workers_and_heals() {
    let log = Log::capture();
    let mut redis = Redis::start();
    let store = store(&settings(&redis));
    let workers = [store.for_worker(), store.for_worker(), store.for_worker()];
    for worker in &workers {
        assert!(worker.wait_ready(PATIENCE).await);
    }
    redis.kill();
    eventually(async || !is_up(&workers[0]).await).await;
    for worker in &workers {
        // A worker may be about to learn of it, but never waits the ten seconds of the deadline.
        assert!(is_degraded(&decided(
            &timeout(FAR_TOO_LONG, ask(worker)).await.unwrap()
        )));
    }
    for worker in workers.iter().cycle().take(100) {
        assert!(is_degraded(&decided(&ask_at_once(worker).await)));
    }
    redis.restart();
    for worker in &workers {
        healed(worker).await;
    }
    let lines = log.lines();
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert!(lines[0].contains("redis answers"));
    assert!(lines[1].contains("redis does not answer; counting in this process"));
    assert!(lines[2].contains("redis answers again"));
}

#[tokio::test(flavor = "local")]
async fn without_redis_requests_are_counted_here_or_admitted_or_refused_as_configured() {
    let mut redis = Redis::start();
    redis.kill();
    let settings = |on_failure| RedisSettings {
        on_failure,
        ..settings(&redis)
    };
    let limiter = |on_failure| store(&settings(on_failure)).for_worker();
    assert!(is_degraded(&decided(
        &ask_at_once(&limiter(OnFailure::Local)).await
    )));
    let open = ask_at_once(&limiter(OnFailure::Open)).await;
    assert_eq!((open.verdict, open.only()), (Verdict::Admitted, None));
    let closed = ask_at_once(&limiter(OnFailure::Closed)).await;
    assert_eq!(
        (closed.verdict, closed.only()),
        (Verdict::Unavailable(0), None)
    );
}

#[tokio::test(flavor = "local")]
async fn a_frozen_redis_holds_up_a_few_requests_for_the_deadline_and_then_none() {
    let redis = Redis::start();
    let store = store(&defaults(&redis));
    let limiter = store.for_worker();
    assert!(limiter.wait_ready(PATIENCE).await);
    // On a busy machine a first connection may miss the deadline and be replaced.
    healed(&limiter).await;

    redis.pause();
    for n in 0..MISSES_TO_OPEN {
        assert!(is_up(&limiter).await, "after {n} misses");
        let begun = Instant::now();
        assert!(is_degraded(&decided(&ask(&limiter).await)));
        assert!(
            begun.elapsed() >= Duration::from_millis(25),
            "{n}: {:?}",
            begun.elapsed()
        );
        assert!(begun.elapsed() < FAR_TOO_LONG, "{n}: {:?}", begun.elapsed());
    }
    for _ in 0..100 {
        assert!(is_degraded(&decided(&ask_at_once(&limiter).await)));
    }
    assert!(!is_up(&limiter).await);
    redis.resume();
    healed(&limiter).await;
}

#[tokio::test(flavor = "local")]
async fn calls_given_up_do_not_shift_the_answers_of_others() {
    let caller = client("caller");
    let redis = Redis::start();
    let limiter = store(&settings(&redis)).for_worker();
    assert!(limiter.wait_ready(PATIENCE).await);
    let (given_up, kept) = (
        policy("given-up", 1_000_000, MINUTE),
        policy("kept", 1000, MINUTE),
    );
    for left in (900..1000).rev() {
        // The first is given up before it is sent, the second after the connection had its turn.
        assert!(
            poll_once(ask_one(&limiter, &given_up, &caller, 1))
                .await
                .is_pending()
        );
        {
            let mut sent = pin!(ask_one(&limiter, &given_up, &caller, 1));
            assert!(poll_once(sent.as_mut()).await.is_pending());
            yield_now().await;
        }
        let decision = decided(&ask_one(&limiter, &kept, &caller, 1).await);
        assert_eq!((decision.admitted, decision.remaining), (true, left));
    }
}

#[tokio::test(flavor = "local")]
async fn a_wrong_password_is_told_without_the_password_and_heals() {
    let log = Log::capture();
    let redis = Redis::start_with_password("right");
    let mut settings = settings(&redis);
    settings.target = single(&format!("redis://:hunter2@127.0.0.1:{}", redis.port()));
    let limiter = store(&settings).for_worker();
    assert!(!limiter.wait_ready(Duration::from_millis(200)).await);
    assert!(is_degraded(&decided(&ask_at_once(&limiter).await)));
    eventually(async || !log.lines().is_empty()).await;

    let () = redis.ask(&["CONFIG", "SET", "requirepass", "hunter2"]);
    healed(&limiter).await;
    let lines = log.lines();
    assert_eq!(lines.len(), 2, "{lines:?}");
    for part in [
        "redis does not let the gateway in; counting",
        "does not accept the user or the password: WRONGPASS",
    ] {
        assert!(lines[0].contains(part), "{lines:?}");
    }
    assert!(
        lines.iter().all(|line| !line.contains("hunter2")),
        "{lines:?}"
    );
}

#[tokio::test(flavor = "local")]
async fn a_redis_that_refuses_to_count_is_done_without_and_heals() {
    let set = |key: &'static str, value: &'static str| ["CONFIG", "SET", key, value];
    for (trouble, cure, told) in [
        (set("maxmemory", "1"), set("maxmemory", "0"), "OOM"),
        (
            set("min-replicas-to-write", "1"),
            set("min-replicas-to-write", "0"),
            "NOREPLICAS",
        ),
    ] {
        let log = Log::capture();
        let redis = Redis::start();
        let store = store(&settings(&redis));
        let limiter = store.for_worker();
        assert!(limiter.wait_ready(PATIENCE).await);
        let () = redis.ask(&trouble);
        for _ in 0..MISSES_TO_OPEN {
            assert!(is_degraded(&decided(&ask(&limiter).await)));
        }
        assert!(is_degraded(&decided(&ask_at_once(&limiter).await)));
        eventually(async || log.lines().len() > 1).await;
        let () = redis.ask(&cure);
        healed(&limiter).await;
        let lines = log.lines();
        assert_eq!(lines.len(), 3, "{lines:?}");
        assert!(lines[1].contains(told), "{lines:?}");
        assert!(lines[1].contains("redis refuses what"), "{lines:?}");
    }
}

#[tokio::test(flavor = "local")]
async fn misses_that_are_not_in_a_row_open_no_breaker() {
    let redis = Redis::start();
    let store = store(&settings(&redis));
    let limiter = store.for_worker();
    assert!(limiter.wait_ready(PATIENCE).await);
    for _ in 0..3 {
        let () = redis.ask(&["CONFIG", "SET", "min-replicas-to-write", "1"]);
        for _ in 0..MISSES_TO_OPEN - 1 {
            assert!(is_degraded(&decided(&ask(&limiter).await)));
        }
        let () = redis.ask(&["CONFIG", "SET", "min-replicas-to-write", "0"]);
        assert!(!is_degraded(&decided(&ask(&limiter).await)));
        assert!(is_up(&limiter).await);
    }
}

#[tokio::test(flavor = "local")]
async fn a_server_that_accepts_and_says_nothing_holds_up_no_request() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("redis://{}", silent.local_addr().unwrap());
    let settings = RedisSettings {
        target: single(&url),
        on_failure: OnFailure::Local,
        lease: Lease::Off,
        deadline: Duration::from_secs(10),
        key_prefix: "tollgate".into(),
    };
    let store = store(&settings);
    let limiter = store.for_worker();
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_millis(300) {
        assert!(is_degraded(&decided(&ask_at_once(&limiter).await)));
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert!(!is_up(&limiter).await);
}
