//! Redis as it is run: behind TLS, behind Sentinels, as a cluster. Servers go, slots move; no
//! request is lost, none waits long, and afterwards the count is exact again.

mod cluster;
mod sentinel;
mod socket;
mod tls;

use std::time::{Duration, Instant};

use tollgate::limit::{
    Clock, Lease, LimitStore, Limiter, OnFailure, RedisSettings, RedisTarget, RedisUrl, Subject,
    Verdict,
};

use super::{MINUTE, ask_one, decided, is_degraded, policy};

/// The longest that anything here may take on a busy machine. Sentinels that found no majority
/// vote again after six seconds, and may have to several times.
const PATIENCE: Duration = Duration::from_secs(40);

/// A deadline that no healthy server misses, however busy the machine.
const DEADLINE: Duration = Duration::from_millis(500);

fn urls(urls: &[String]) -> Vec<RedisUrl> {
    urls.iter()
        .map(|url| RedisUrl::parse(url).unwrap())
        .collect()
}

fn settings(target: RedisTarget) -> RedisSettings {
    RedisSettings {
        target,
        on_failure: OnFailure::Local,
        lease: Lease::Off,
        deadline: DEADLINE,
        key_prefix: "tollgate".into(),
    }
}

fn store(target: RedisTarget) -> LimitStore {
    LimitStore::new(1000, Some(&settings(target)), Clock::system())
}

/// Asks for one of 1000; says what is left, or nothing if Redis did not count.
async fn left(limiter: &Limiter, subject: &Subject) -> Option<u64> {
    let outcome = ask_one(limiter, &policy("test", 1000, MINUTE * 60), subject, 1).await;
    let decision = decided(&outcome);
    // Without Redis the gateway counts 1000 by itself, and may be asked more often than that.
    if is_degraded(&decision) {
        return None;
    }
    assert_eq!(outcome.verdict, Verdict::Admitted);
    Some(decision.remaining)
}

async fn eventually(holds: impl Fn() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < PATIENCE, "it has not happened");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Asks until Redis counts again.
async fn healed(limiter: &Limiter, subject: &Subject) -> u64 {
    let begun = Instant::now();
    loop {
        if let Some(left) = left(limiter, subject).await {
            return left;
        }
        assert!(begun.elapsed() < PATIENCE, "it has not healed");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
