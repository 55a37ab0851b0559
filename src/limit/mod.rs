//! Rate limits: how much a subject may ask for in a window, and the stores that count it. A
//! [`Limiter`] decides one request; it counts in this process or in Redis, and says what happens
//! while Redis does not answer.

mod clock;
mod failure;
mod headers;
mod limiter;
mod memory;
mod policy;
mod redis;
mod rings;
mod subject;
mod windows;

pub use clock::{Clock, ManualClock};
pub use headers::{LimitHeaders, put_fields, retry_after};
pub use limiter::{LimitStore, Limiter};
pub use memory::MemoryStore;
pub use policy::{InvalidLimit, Limit, Policy};
pub use redis::{InvalidRedisUrl, check_redis_url};
pub use subject::{Subject, subject_address};

use std::time::Duration;

/// What becomes of one request, as far as limits go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was counted, or refused.
    Decided(Decision),
    /// Redis does not answer and the configuration says to admit: there is nothing to report.
    Uncounted,
    /// Redis does not answer and the configuration says to refuse.
    Unavailable,
}

/// What a store says of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// Whether the request may go on; it has been counted then.
    pub admitted: bool,
    /// What is left in the window after this request.
    pub remaining: u64,
    /// Until the window ends.
    pub reset: Duration,
    /// Redis did not answer, so this process counted by itself.
    pub degraded: bool,
}

/// What becomes of requests while Redis does not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnFailure {
    /// Count in this process.
    #[default]
    Local,
    /// Admit without counting.
    Open,
    /// Refuse with 503.
    Closed,
}

/// Where and how to reach Redis. The URL is a secret: it may hold a password.
#[derive(Debug, Clone)]
pub struct RedisSettings {
    /// `redis://[user:password@]host[:port][/database]`.
    pub url: secrecy::SecretString,
    /// What becomes of requests while it does not answer.
    pub on_failure: OnFailure,
    /// The longest that a request waits for Redis.
    pub deadline: Duration,
    /// What the names of all keys begin with. Without braces, which mark what a cluster places
    /// keys by.
    pub key_prefix: String,
}
