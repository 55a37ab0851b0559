//! Where Redis is, and how it is used: `[limits.redis]`, compiled.

use std::time::Duration;

use super::target::RedisTarget;
use crate::limit::policy::OnFailure;
use crate::words::words;

words! {
    /// Whether permits may be taken from Redis several at a time.
    #[derive(Default)]
    pub enum Lease {
        /// For busy callers, where it can hardly be noticed.
        #[default]
        Auto = "auto",
        /// Each request asks.
        Off = "off",
    }
}

/// Where and how to reach Redis.
#[derive(Debug, Clone)]
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
