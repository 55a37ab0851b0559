//! The two stores, made alike: a test counts in either, and lets time pass without waiting.

use std::time::Duration;

use tollgate::limit::{
    Check, Clock, Decision, Lease, LimitStore, Limiter, ManualClock, OnFailure, Outcome, Policy,
    RedisSettings, RedisTarget, RedisTopology, RedisUrl, Subject,
};

use super::{ask_one, cost, decided, is_degraded};
use crate::support::redis::Redis;

/// So long that a busy machine does not matter to tests that are not about deadlines.
const NO_HURRY: Duration = Duration::from_secs(10);

/// Where the gateways that share counters are.
pub(super) const INSTANCES: &str = "tollgate:{instances}";

/// A limiter, and a hand on its clock.
pub(super) struct Store {
    limiter: Limiter,
    time: Time,
}

enum Time {
    Memory(ManualClock),
    Redis(Redis, ManualClock),
}

impl Store {
    /// Counts in this process.
    pub(super) fn memory() -> Self {
        let hand = ManualClock::default();
        let store = LimitStore::new(1000, None, Clock::manual(&hand));
        Self {
            limiter: store.for_worker(),
            time: Time::Memory(hand),
        }
    }

    /// Counts in a Redis of its own.
    pub(super) async fn redis() -> Self {
        let redis = Redis::start();
        let hand = ManualClock::default();
        let store = LimitStore::new(1000, Some(&settings(&redis)), Clock::manual(&hand));
        let limiter = store.for_worker();
        assert!(limiter.wait_ready(NO_HURRY).await);
        Self {
            limiter,
            time: Time::Redis(redis, hand),
        }
    }

    /// Asks for `n` at once.
    pub(super) async fn ask(&self, policy: &Policy, subject: &Subject, n: u32) -> Decision {
        let decision = decided(&ask_one(&self.limiter, policy, subject, n).await);
        let has_redis = matches!(self.time, Time::Redis(..));
        assert_ne!(is_degraded(&decision), has_redis);
        decision
    }

    /// Asks for `n` under several limits at once.
    pub(super) async fn ask_all(&self, checks: &[Check<'_>], n: u32) -> Outcome {
        self.limiter.decide(checks, cost(n)).await
    }

    /// Lets time pass: moves the clock, or brings the end of everything that Redis holds closer.
    pub(super) fn pass(&self, time: Duration) {
        match &self.time {
            Time::Memory(hand) => hand.advance(time),
            Time::Redis(redis, hand) => {
                hand.advance(time);
                let passed = i64::try_from(time.as_millis()).unwrap();
                // Who is alive is about other times.
                let counters = redis.keys().into_iter();
                for key in counters.filter(|key| key != INSTANCES) {
                    let value: String = redis.ask(&["GET", &key]);
                    let mut numbers: Vec<i64> = value
                        .split(' ')
                        .map(|number| number.parse().unwrap())
                        .collect();
                    // The moment, which is the last of a counter's numbers.
                    *numbers.last_mut().unwrap() -= passed;
                    let numbers: Vec<_> = numbers.iter().map(ToString::to_string).collect();
                    let () = redis.ask(&["SET", &key, &numbers.join(" "), "KEEPTTL"]);
                    let left: i64 = redis.ask(&["PTTL", &key]);
                    // A TTL that is not above zero deletes the key.
                    let () = redis.ask(&["PEXPIRE", &key, &(left - passed).to_string()]);
                }
            }
        }
    }

    /// Forgets everything that Redis holds.
    pub(super) fn clear(&self) {
        if let Time::Redis(redis, hand) = &self.time {
            // Longer than anything is remembered here.
            hand.advance(Duration::from_hours(24));
            let () = redis.ask(&["FLUSHALL"]);
        }
    }

    /// How long a test that counts in this store may take by the clock of the store, at most.
    pub(super) fn grace(&self) -> Duration {
        match &self.time {
            Time::Memory(_) => Duration::ZERO,
            Time::Redis(..) => NO_HURRY,
        }
    }
}

/// One server, by its URL.
pub(super) fn single(url: &str) -> RedisTarget {
    let url = RedisUrl::parse(url).unwrap();
    RedisTarget::new(&[url], RedisTopology::Single, None).unwrap()
}

/// Settings that count in `redis` and are in no hurry.
pub(super) fn settings(redis: &Redis) -> RedisSettings {
    RedisSettings {
        target: single(&redis.url()),
        on_failure: OnFailure::Local,
        lease: Lease::Off,
        deadline: NO_HURRY,
        key_prefix: "tollgate".into(),
    }
}

/// One worker's limiter on a store of its own.
pub(super) fn limiter(settings: &RedisSettings) -> Limiter {
    LimitStore::new(1000, Some(settings), Clock::system()).for_worker()
}
