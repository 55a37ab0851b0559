//! Rate limits: how much a subject may ask for in a window, and the stores that count it. A
//! [`Limiter`] decides one request; it counts in this process or in Redis, and says what happens
//! while Redis does not answer.

mod algorithm;
mod cache;
mod clock;
mod display;
#[cfg(test)]
mod doc_charts;
mod headers;
mod key;
mod limiter;
mod memory;
mod outage;
mod policy;
mod redis;
mod redis_limiter;
mod slot_hint;
mod state;
mod subject;
#[cfg(test)]
mod testing;

pub use clock::{Clock, ManualClock};
pub use headers::{LimitHeaders, put_fields, retry_after};
pub use limiter::{LimitStore, Limiter};
pub use memory::MemoryStore;
pub use policy::{Algorithm, By, InvalidLimit, Limit, MAX_REQUESTS, Mode, Policy};
pub use redis::{
    InvalidRedisTarget, InvalidRedisUrl, InvalidTls, RedisTarget, RedisTls, RedisTopology, RedisUrl,
};
pub use state::{StateError, StateFile};
pub use subject::{Subject, Who};

use std::time::Duration;

use clock::millis;
use smallvec::SmallVec;

/// One limit that a request is held to.
#[derive(Debug, Clone, Copy)]
pub struct Check<'c> {
    /// How much.
    pub policy: &'c Policy,
    /// For whom.
    pub subject: &'c Subject,
}

/// What the limits of one request say, in their order. Few requests have more than two.
pub type Decisions = SmallVec<[Option<Decision>; 2]>;

/// What limits say of one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Whether it may go on; it has been counted then.
    pub verdict: Verdict,
    /// What each limit says. `None`: Redis does not answer and the configuration says to admit, so
    /// there is nothing to report.
    pub decisions: Decisions,
}

/// Whether a request may go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It may.
    Admitted,
    /// It is over a limit.
    Refused,
    /// Redis does not answer and the configuration says to refuse.
    Unavailable,
}

impl Outcome {
    fn of(admitted: bool, decisions: Decisions) -> Self {
        let verdict = if admitted {
            Verdict::Admitted
        } else {
            Verdict::Refused
        };
        Self { verdict, decisions }
    }

    /// The decision of a request that is held to one limit.
    #[must_use]
    pub fn only(&self) -> Option<Decision> {
        match self.decisions[..] {
            [decision] => decision,
            _ => None,
        }
    }
}

/// What one limit says of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// Whether there is room for it. If no limit refuses it, it has been counted then.
    pub admitted: bool,
    /// What is left after this request.
    pub remaining: u64,
    /// Until the window ends, or the bucket is full again.
    pub reset: Duration,
    /// Until a request of this cost is admitted if nothing else is asked for; zero if this one is.
    pub retry_after: Duration,
    /// Who says so.
    pub source: Source,
}

/// Where a request was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// In this process: there is no Redis, or it does not answer.
    Memory,
    /// In Redis.
    Redis,
    /// Here, on permits that Redis had granted.
    Lease,
    /// Here, because Redis had refused.
    Cache,
}

/// What happens to requests while Redis does not answer.
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

/// Whether permits may be taken from Redis several at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Lease {
    /// For busy callers, where it can hardly be noticed.
    #[default]
    Auto,
    /// Each request asks.
    Off,
}

/// Where and how to reach Redis.
#[derive(Debug, Clone, PartialEq)]
pub struct RedisSettings {
    /// Where it is. Holds a password, which it does not show.
    pub target: RedisTarget,
    /// What happens to requests while it does not answer.
    pub on_failure: OnFailure,
    /// The longest that a request waits for Redis.
    pub deadline: Duration,
    /// Whether one call may serve several requests.
    pub lease: Lease,
    /// What the names of all keys begin with. Without braces, which mark what a cluster places
    /// keys by.
    pub key_prefix: String,
}
