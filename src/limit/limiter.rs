//! What the pipeline asks: may this subject, under this policy, do one more? Behind it stands the
//! store that the configuration names. Without Redis nothing here waits and nothing can fail.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use super::{Clock, MemoryStore, Outcome, Policy, RedisSettings, Subject};

/// Where requests are counted: made once, shared by all workers.
#[derive(Debug)]
pub struct LimitStore {
    memory: Arc<MemoryStore>,
}

impl LimitStore {
    /// Makes a store for at most `max_keys` counters in this process and, if there are settings
    /// for it, for counting in Redis. Nothing is connected yet.
    ///
    /// # Errors
    ///
    /// The URL of Redis is not one, or asks for what is not supported.
    pub fn new(
        max_keys: usize,
        _redis: Option<&RedisSettings>,
        clock: Clock,
    ) -> Result<Self, InvalidRedisUrl> {
        Ok(Self {
            memory: Arc::new(MemoryStore::new(max_keys, clock)),
        })
    }

    /// A worker's own access to the store. To be called within that worker's runtime, where it
    /// starts connecting to Redis.
    #[must_use]
    pub fn for_worker(&self) -> Limiter {
        Limiter {
            store: Store::Memory(Arc::clone(&self.memory)),
        }
    }
}

/// A worker's access to the store.
#[derive(Debug)]
pub struct Limiter {
    store: Store,
}

#[derive(Debug)]
enum Store {
    Memory(Arc<MemoryStore>),
}

impl Limiter {
    /// Decides one request, and counts it if it is admitted. All or nothing: a refused request
    /// spends nothing.
    #[expect(clippy::unused_async, reason = "Redis answers later")]
    pub async fn decide(&self, policy: &Policy, subject: &Subject, cost: NonZeroU32) -> Outcome {
        match &self.store {
            Store::Memory(memory) => Outcome::Decided(memory.decide(policy, subject, cost)),
        }
    }

    /// Waits until Redis has answered once, but not longer than `longest`; says whether it has.
    /// Without Redis there is nothing to wait for.
    #[expect(clippy::unused_async, reason = "Redis answers later")]
    pub async fn wait_ready(&self, _longest: Duration) -> bool {
        match &self.store {
            Store::Memory(_) => true,
        }
    }
}

/// Why a URL does not lead to Redis. Does not repeat the URL: it may hold a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRedisUrl {
    /// Not the URL of a Redis.
    #[error("Redis is reached by `redis://host:port`")]
    Malformed,
}
