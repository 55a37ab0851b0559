//! How the store of limits is, and what is left of a limit, for the admin port. Nothing here asks Redis: what
//! is left is what this process has counted, or what Redis has said when it was asked last.

use std::time::{Duration, Instant};

use super::OnFailure;

/// How the store of limits is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreLook {
    /// How many counters this process holds.
    pub counters: usize,
    /// How many it may hold.
    pub max_counters: usize,
    /// What there is to say of Redis, where that counts.
    pub redis: Option<RedisLook>,
}

/// How Redis is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedisLook {
    /// Since when some worker is without it; `None`: all have it, or have not connected yet.
    pub away_since: Option<Instant>,
    /// Why, as the last of them was told.
    pub why: Option<String>,
    /// How many workers are without it.
    pub workers_without: usize,
    /// What happens to requests meanwhile, where their limit says nothing else.
    pub on_failure: OnFailure,
    /// How many gateways share the counters, as far as is known.
    pub instances: u32,
    /// Of how many callers permits are held here.
    pub leases: u64,
}

/// What is left of a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// How many requests more are admitted now.
    pub left: u64,
    /// Until the window ends, or the bucket is full again.
    pub reset: Duration,
}
