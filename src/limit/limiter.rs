//! What the pipeline asks: may these subjects, under these policies, do one more? Behind it stands the
//! store that the configuration names. Without Redis nothing here waits and nothing can fail.

use std::num::NonZeroU32;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use crate::metrics::WorkerRow;

use super::moved::{Moved, Questions};
use super::redis_limiter::{RedisLimiter, RedisStore};
use super::{Check, Clock, MemoryStore, Outcome, Quota, RedisSettings, StoreLook};

/// Where requests are counted: made once, shared by all workers.
#[derive(Debug)]
pub struct LimitStore {
    memory: Arc<MemoryStore>,
    pub(super) moved: Arc<Moved>,
    redis: Option<Arc<RedisStore>>,
    max_keys: usize,
}

impl LimitStore {
    /// Makes a store for at most `max_keys` counters in this process and, if there are settings
    /// for it, for counting in Redis. Nothing is connected yet.
    pub fn new(max_keys: usize, redis: Option<&RedisSettings>, clock: Clock) -> Self {
        let memory = Arc::new(MemoryStore::new(max_keys, clock));
        let redis = redis.map(|settings| RedisStore::new(settings.clone(), Arc::clone(&memory)));
        Self {
            moved: Arc::new(Moved::new(Arc::clone(&memory))),
            memory,
            redis: redis.map(Arc::new),
            max_keys,
        }
    }

    /// Ends counting in this process; nothing is decided here from now on. What Redis counts needs no
    /// such care, and is asked as before.
    pub fn move_out(&self) -> Questions {
        self.moved.move_out(self.redis.is_none())
    }

    /// Decides what a process asks whose counters this one has taken over. `None`: it makes no sense.
    /// May wait, if the counters have moved on.
    pub fn answer(&self, question: &[u8]) -> Option<Vec<u8>> {
        self.moved.answer(question)
    }

    /// How it is.
    pub fn look(&self) -> StoreLook {
        StoreLook {
            counters: self.memory.counters(),
            max_counters: self.max_keys,
            redis: self.redis.as_ref().map(|redis| redis.look()),
        }
    }

    /// What is left of a limit for somebody; `None`: this process does not know. Counts nothing, and does
    /// not ask Redis.
    pub fn quota(&self, check: &Check<'_>) -> Option<Quota> {
        let counted = self.memory.judge(check);
        // What nobody has asked for here may be used up where Redis, or another process, counts.
        let is_known = counted.is_some() || (self.redis.is_none() && !self.memory.is_moved());
        let (left, reset_ms) = counted.map_or((check.policy.limit.at_once(), 0), |counted| {
            (counted.remaining, counted.reset_ms)
        });
        is_known.then(|| Quota {
            left,
            reset: Duration::from_millis(reset_ms),
        })
    }

    /// What is counted in this process: everything, or what Redis was not there for.
    pub(super) fn memory(&self) -> &MemoryStore {
        &self.memory
    }

    /// A worker's own access to the store. To be called within that worker's runtime, a
    /// `LocalRuntime`, where it starts connecting to Redis.
    pub fn for_worker(&self) -> Limiter {
        self.counted_in(&Arc::default())
    }

    /// The same, with calls to Redis counted in `row`.
    pub fn counted_in(&self, row: &Arc<WorkerRow>) -> Limiter {
        let redis = self.redis.as_ref();
        Limiter {
            memory: Arc::clone(&self.memory),
            moved: Arc::clone(&self.moved),
            redis: redis.map(|redis| RedisLimiter::start(Arc::clone(redis), Arc::clone(row))),
        }
    }
}

/// A worker's access to the store.
#[derive(Debug)]
pub struct Limiter {
    memory: Arc<MemoryStore>,
    moved: Arc<Moved>,
    /// With the tasks that keep it connected.
    redis: Option<(Rc<RedisLimiter>, JoinSet<()>)>,
}

impl Limiter {
    /// Decides one request under all its limits, and counts it if none refuses it. All or nothing:
    /// a refused request spends nothing. May be dropped before it has an answer; the request may
    /// then be counted.
    pub async fn decide(&self, checks: &[Check<'_>], cost: NonZeroU32) -> Outcome {
        match &self.redis {
            None => match self.memory.decide_unless_moved(checks, cost) {
                Some(outcome) => outcome,
                None => Box::pin(self.moved.decide(checks, cost)).await,
            },
            // Boxed, for a call is large, and every request's future would be larger by
            // that, with or without Redis.
            Some((redis, _)) => Box::pin(redis.decide(checks, cost)).await,
        }
    }

    /// Whether it is Redis that should decide.
    pub fn asks_redis(&self) -> bool {
        self.redis.is_some()
    }

    /// Waits until Redis has answered, but not longer than `longest`; says whether it has. Without
    /// Redis there is nothing to wait for.
    pub async fn wait_ready(&self, longest: Duration) -> bool {
        match &self.redis {
            None => true,
            Some((redis, _)) => redis.wait_ready(longest).await,
        }
    }

    /// Returns to Redis what has been taken from it and not been used, as far as that takes no
    /// longer than `longest`. To be called when no more requests come.
    pub async fn finish(&self, longest: Duration) {
        if let Some((redis, _)) = &self.redis {
            redis.finish(longest).await;
        }
    }

    /// Tells the other gateways that this process ends, once for all its workers: without Redis
    /// their shares of the limits grow. Waits for Redis no longer than a request does.
    pub async fn leave(&self) {
        if let Some((redis, _)) = &self.redis {
            redis.leave().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;
    use crate::limit::tests::{policies, policy};
    use crate::limit::{ManualClock, Subject};

    fn store(hand: &ManualClock) -> LimitStore {
        LimitStore::new(2048, None, Clock::manual(hand))
    }

    #[test]
    fn what_is_left_follows_what_was_counted_and_looking_counts_nothing() {
        let hand = ManualClock::default();
        let (store, window) = (store(&hand), Duration::from_mins(1));
        let [fixed, sliding, _] = policies(10, 60);
        for policy in [&fixed, &sliding] {
            let subject = &Subject::client("one");
            let check = Check { policy, subject };
            let quota = || {
                let quota = store.quota(&check).unwrap();
                (quota.left, quota.reset.as_secs())
            };
            assert_eq!(quota(), (10, 0), "nothing is counted");
            let three = NonZeroU32::new(3).unwrap();
            let _ = store.memory.decide(&[check], three);
            assert_eq!(quota(), (7, 60));
            hand.advance(window / 2);
            assert_eq!(quota(), (7, 30), "looking has counted nothing");
            hand.advance(window * 2);
            assert_eq!(quota(), (10, 0), "the window is over");
        }
        let look = store.look();
        assert_eq!((look.max_counters, look.redis), (2048, None));
        assert!((1..=2).contains(&look.counters), "{}", look.counters);
    }

    #[test]
    fn counters_that_have_moved_are_not_known_here() {
        let store = store(&ManualClock::default());
        let (policy, subject) = (&policy(10, 60), &Subject::client("one"));
        let check = Check { policy, subject };
        let _questions = store.move_out();
        assert_eq!(store.quota(&check), None);
    }
}
