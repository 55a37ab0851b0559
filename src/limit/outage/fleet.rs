//! How many gateways share the counters. Each sends Redis a heartbeat every two seconds and learns
//! how many do; while Redis is away, a limit is divided by the number last seen, or by 1.
//!
//! One worker does this for the whole process, whichever is connected, and never on the path of a
//! request. A Redis user without the rights to it is logged; counting is not affected.

use std::hash::{BuildHasher, RandomState};
use std::num::NonZeroU32;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use tokio::time::{sleep, timeout};

use crate::limit::clock::millis;
use crate::limit::redis::{Connection, FleetSize, Heartbeat, Link, heartbeat};
use crate::lock::lock;

/// The time between two heartbeats.
const INTERVAL: Duration = Duration::from_secs(2);

/// The time between the first two: gateways that start together are all there by then.
const FIRST_INTERVAL: Duration = Duration::from_millis(500);

/// How long a gateway counts after its last heartbeat: four may get lost.
const COUNTS_FOR: Duration = Duration::from_secs(10);

/// The longest that a heartbeat may take. No request waits for it.
const PATIENCE: Duration = Duration::from_secs(1);

/// How versions of Redis say that a right is missing.
const NO_RIGHT: [&str; 3] = ["user executing the script", "ACL failure", "NOPERM"];

/// This process among the gateways that share the counters.
#[derive(Debug)]
pub(in crate::limit) struct Fleet {
    key_prefix: String,
    /// New with each start: one that restarts at once counts twice for a moment, and the shares
    /// are rather too small.
    id: String,
    instances: AtomicU32,
    next: Mutex<Instant>,
    is_leaving: AtomicBool,
    /// A missing right has been logged.
    is_denied: AtomicBool,
}

impl Fleet {
    /// Knows of this process alone.
    pub(in crate::limit) fn new(key_prefix: String) -> Self {
        Self {
            key_prefix,
            // Its keys are the system's randomness.
            id: format!("{:016x}", RandomState::new().hash_one(std::process::id())),
            instances: AtomicU32::new(1),
            next: Mutex::new(Instant::now()),
            is_leaving: AtomicBool::new(false),
            is_denied: AtomicBool::new(false),
        }
    }

    /// How many there were at the last heartbeat, this one included.
    pub(in crate::limit) fn instances(&self) -> NonZeroU32 {
        NonZeroU32::new(self.instances.load(Ordering::Relaxed)).unwrap_or(NonZeroU32::MIN)
    }

    /// Sends heartbeats for as long as this process serves, whenever no other worker has and there is
    /// a connection.
    pub(in crate::limit) async fn stay(&self, link: &Link<Connection>) {
        while !self.is_leaving.load(Ordering::Relaxed) {
            let connection = link.up().await;
            match self.pause() {
                Some(pause) => sleep(pause).await,
                None => self.beat(connection, Heartbeat::Alive).await,
            }
        }
    }

    /// Says, once for all workers, that this process ends, so that the others need not wait until
    /// they miss it.
    pub(in crate::limit) async fn leave(&self, connection: Connection, longest: Duration) {
        if !self.is_leaving.swap(true, Ordering::Relaxed) {
            let _ = timeout(longest, self.beat(connection, Heartbeat::Ends)).await;
        }
    }

    /// How long it is until the next heartbeat. `None`: it is time, and this worker's turn.
    fn pause(&self) -> Option<Duration> {
        let now = Instant::now();
        let mut next = lock(&self.next);
        if *next > now {
            return Some(*next - now);
        }
        *next = now + INTERVAL;
        None
    }

    async fn beat(&self, mut connection: Connection, what: Heartbeat) {
        let (prefix, id, lasts_ms) = (&self.key_prefix, &self.id, millis(COUNTS_FOR));
        let call = heartbeat(&mut connection, prefix, id, what, lasts_ms);
        // Without a reply the number stays as it was. If Redis is in trouble, requests notice.
        match timeout(PATIENCE, call).await {
            Ok(Ok(FleetSize::Count { instances, is_new })) => self.learn(instances, is_new),
            Ok(Ok(FleetSize::Refused(cause))) => self.warn(&cause),
            Ok(Err(_)) | Err(_) => return,
        }
        // The heartbeat may have overtaken the other worker's word that this process ends.
        if what == Heartbeat::Alive && self.is_leaving.load(Ordering::Relaxed) {
            let again = heartbeat(&mut connection, prefix, id, Heartbeat::Ends, lasts_ms);
            let _ = timeout(PATIENCE, again).await;
        }
    }

    /// A gateway that is new to Redis may be the first of many that Redis has forgotten: until all
    /// have come back, the number only grows.
    fn learn(&self, instances: u32, is_new: bool) {
        self.is_denied.store(false, Ordering::Relaxed);
        if is_new {
            self.instances.fetch_max(instances, Ordering::Relaxed);
            let mut next = lock(&self.next);
            *next = (*next).min(Instant::now() + FIRST_INTERVAL);
        } else {
            self.instances.store(instances, Ordering::Relaxed);
        }
    }

    /// Logs a missing right once. Requests meet everything else that Redis may refuse for, such as
    /// its memory.
    fn warn(&self, cause: &str) {
        let denied = NO_RIGHT.iter().any(|words| cause.contains(words));
        if denied && !self.is_denied.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                cause,
                "redis does not let gateways know of each other: the user needs +zadd +zcard +zrem \
                 +zremrangebyscore +pexpire"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redis_that_has_forgotten_all_gateways_does_not_make_one_the_only_one() {
        let fleet = Fleet::new("test".into());
        let learnt = |instances, is_new| {
            fleet.learn(instances, is_new);
            fleet.instances().get()
        };
        assert_eq!(learnt(4, true), 4);
        assert_eq!(learnt(1, true), 4, "it has been there before");
        assert_eq!(learnt(3, false), 3);
        assert_eq!(learnt(0, false), 1);
    }

    #[test]
    fn workers_take_turns() {
        let fleet = Fleet::new("test".into());
        assert_eq!(fleet.pause(), None);
        assert!(fleet.pause().is_some_and(|pause| pause <= INTERVAL));
    }
}
