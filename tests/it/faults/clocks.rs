//! Gateways whose clocks differ. Windows go by Redis' clock, so this changes nothing.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::num::NonZeroU32;
use std::time::Duration;

use tollgate::limit::{
    Algorithm, Check, Clock, Lease, Limit, LimitStore, Limiter, ManualClock, OnFailure, Policy,
    RedisSettings, RedisTarget, RedisTopology, RedisUrl, Source, Subject,
};

use crate::support::redis::Redis;

const APART: Duration = Duration::from_secs(30);

/// How much is admitted in a minute.
const LIMIT: u64 = 100;

/// A gateway, as far as limits go: its clock, and one worker.
struct Instance {
    hand: ManualClock,
    limiter: Limiter,
    _store: LimitStore,
}

impl Instance {
    async fn at(redis: &Redis, time: Duration) -> Self {
        let url = RedisUrl::parse(&redis.url()).unwrap();
        let settings = RedisSettings {
            target: RedisTarget::new(&[url], RedisTopology::Single, None).unwrap(),
            on_failure: OnFailure::Local,
            // This is not about being late.
            deadline: Duration::from_secs(10),
            key_prefix: "tollgate".into(),
            lease: Lease::Off,
        };
        let hand = ManualClock::default();
        hand.advance(time);
        let store = LimitStore::new(1000, Some(&settings), Clock::manual(&hand));
        let limiter = store.for_worker();
        assert!(limiter.wait_ready(settings.deadline).await);
        Self {
            hand,
            limiter,
            _store: store,
        }
    }

    /// Whether a request is admitted, and how long the window has still to go.
    async fn ask(&self, policy: &Policy) -> (bool, Duration) {
        let subject = Subject::client("caller");
        let check = Check {
            policy,
            subject: &subject,
        };
        let outcome = self.limiter.decide(&[check], NonZeroU32::MIN).await;
        let decision = outcome.only().unwrap();
        assert_ne!(decision.source, Source::Memory);
        (decision.admitted, decision.reset)
    }
}

fn bucket() -> Algorithm {
    let burst = LIMIT.try_into().unwrap();
    Algorithm::TokenBucket { burst }
}

fn policies() -> [Policy; 3] {
    // An hour: a token comes back in 36 s, which no test lasts.
    let limit = Limit::new(LIMIT, Duration::from_hours(1)).unwrap();
    [Algorithm::FixedWindow, Algorithm::SlidingWindow, bucket()]
        .map(|algorithm| Policy::new("test", limit.counted_by(algorithm).unwrap()))
}

/// Bound: the limit, for each algorithm, and both tell the same end of the window.
#[tokio::test(flavor = "local")]
async fn gateway_clocks_30_s_apart() {
    let redis = Redis::start();
    let behind = Instance::at(&redis, APART).await;
    let ahead = Instance::at(&redis, APART * 2).await;
    for policy in policies() {
        let mut admitted = 0;
        for _ in 0..LIMIT {
            let (one, ends) = behind.ask(&policy).await;
            let (other, ends_too) = ahead.ask(&policy).await;
            admitted += u64::from(one) + u64::from(other);
            // Asked one after the other; a bucket is full later by what was taken in between.
            let is_window = policy.limit.algorithm() != bucket();
            let apart = ends.abs_diff(ends_too);
            assert!(!is_window || apart < APART / 3, "{ends:?} {ends_too:?}");
            // The rest of the time passes alike.
            behind.hand.advance(Duration::from_millis(1));
            ahead.hand.advance(Duration::from_millis(1));
        }
        assert_eq!(admitted, LIMIT, "{policy:?}");
    }
}

/// Bound: the limit, for each algorithm: what jumps may ask again too early, and is refused again.
#[tokio::test(flavor = "local")]
async fn a_clock_that_jumps_by_30_s() {
    let redis = Redis::start();
    let (steady, jumps) = (
        Instance::at(&redis, APART).await,
        Instance::at(&redis, APART).await,
    );
    for policy in policies() {
        let mut admitted = 0;
        for nth in 0..LIMIT {
            if nth % 10 == 0 {
                jumps.hand.advance(APART);
            }
            admitted += u64::from(steady.ask(&policy).await.0);
            admitted += u64::from(jumps.ask(&policy).await.0);
        }
        assert_eq!(admitted, LIMIT, "{policy:?}");
    }
}
