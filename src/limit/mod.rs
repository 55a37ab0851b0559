//! Rate limits: how much a subject may ask for in a window, and the stores that count it. A
//! [`Limiter`] decides one request; it counts in this process or in Redis, and says what happens
//! while Redis does not answer.

mod algorithm;
mod cache;
mod clock;
mod decision;
mod headers;
mod key;
mod limiter;
mod look;
mod memory;
mod moved;
mod outage;
mod policy;
mod redis;
mod redis_limiter;
mod slot_hint;
mod state;
mod subject;
#[cfg(test)]
mod tests;

pub use clock::{Clock, ManualClock};
pub use decision::{Check, Decision, Decisions, Outcome, Source, Verdict};
pub use headers::{LimitHeaders, put_fields, retry_after};
pub use limiter::{LimitStore, Limiter};
pub use look::{Quota, RedisLook, StoreLook};
pub use memory::MemoryStore;
pub use moved::{Question, Questions};
pub use policy::{Algorithm, By, Limit, MAX_REQUESTS, MAX_WINDOW, Mode, OnFailure, Policy};
pub use redis::{
    InvalidRedisTarget, InvalidRedisUrl, Lease, RedisSettings, RedisTarget, RedisTopology,
    RedisUrl, SharedRedis, SharedRedisError,
};
pub use state::{StateError, StateFile};
pub use subject::{Subject, Who, network};
