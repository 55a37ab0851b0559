//! How many gateways share the counters: each tells Redis every now and then that it is alive, and is
//! told how many there are. While Redis is away, a limit is divided by the number last seen.
//!
//! One worker does this for the whole process, whichever is connected, and never on the path of a
//! request. If Redis does not let it, the log says so and counting is none the worse; a number that
//! was never heard of is 1.

use std::hash::{BuildHasher, RandomState};
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::time::{sleep, timeout};

use crate::limit::clock::millis;
use crate::limit::redis::{Connection, FleetSize, Heartbeat, Link, heartbeat};

/// How often a gateway says that it is alive.
const INTERVAL: Duration = Duration::from_secs(2);

/// After the first time it does so sooner.
const FIRST_INTERVAL: Duration = Duration::from_millis(500);

/// How long it counts if it says so no more: four heartbeats may get lost.
const COUNTS_FOR: Duration = Duration::from_secs(10);

/// The longest that a heartbeat may take. Nobody waits for it.
const PATIENCE: Duration = Duration::from_secs(1);

/// How versions of Redis say that a right is missing.
const NO_RIGHT: [&str; 3] = ["user executing the script", "ACL failure", "NOPERM"];

/// This process among its like.
#[derive(Debug)]
pub(in crate::limit) struct Fleet {
    key_prefix: String,
    /// New with each start: one that restarts at once counts twice for a moment, and the shares
    /// are rather too small.
    id: String,
    instances: AtomicU32,
    next: Mutex<Instant>,
    /// It is about to end, and has said so or is about to.
    is_leaving: AtomicBool,
    /// The log has said that Redis does not let it.
    denied: AtomicBool,
}

impl Fleet {
    /// Knows of nobody else yet.
    pub(in crate::limit) fn new(key_prefix: String) -> Self {
        Self {
            key_prefix,
            // Its keys are the system's randomness.
            id: format!("{:016x}", RandomState::new().hash_one(std::process::id())),
            instances: AtomicU32::new(1),
            next: Mutex::new(Instant::now()),
            is_leaving: AtomicBool::new(false),
            denied: AtomicBool::new(false),
        }
    }

    /// How many there were when Redis last told, this one included.
    pub(in crate::limit) fn instances(&self) -> NonZeroU32 {
        NonZeroU32::new(self.instances.load(Ordering::Relaxed)).unwrap_or(NonZeroU32::MIN)
    }

    /// Says that this process is alive, for as long as it is, whenever no other worker has and there is
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

    /// How long nothing is to be said yet. `None`: it is time, and this worker's turn.
    fn pause(&self) -> Option<Duration> {
        let now = Instant::now();
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        if *next > now {
            return Some(*next - now);
        }
        *next = now + INTERVAL;
        None
    }

    async fn beat(&self, mut connection: Connection, what: Heartbeat) {
        let (prefix, id) = (&self.key_prefix, &self.id);
        let call = heartbeat(&mut connection, prefix, id, what, millis(COUNTS_FOR));
        // Without an answer the number stays as it was. If Redis is in trouble, requests notice.
        let Ok(Ok(size)) = timeout(PATIENCE, call).await else {
            return;
        };
        match size {
            FleetSize::Count { instances, is_new } => {
                self.denied.store(false, Ordering::Relaxed);
                self.learn(instances, is_new);
            }
            FleetSize::Refused(cause) => self.warn(&cause),
        }
        // The other worker that has said so may have been overtaken by this one.
        if what == Heartbeat::Alive && self.is_leaving.load(Ordering::Relaxed) {
            let (prefix, id) = (&self.key_prefix, &self.id);
            let again = heartbeat(
                &mut connection,
                prefix,
                id,
                Heartbeat::Ends,
                millis(COUNTS_FOR),
            );
            let _ = timeout(PATIENCE, again).await;
        }
    }

    /// Whoever is new to Redis may be the first of many that Redis has forgotten: until they have
    /// all come back, the number only grows.
    fn learn(&self, instances: u32, is_new: bool) {
        if is_new {
            self.instances.fetch_max(instances, Ordering::Relaxed);
            // Others that start together with this one are not there yet.
            let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
            *next = (*next).min(Instant::now() + FIRST_INTERVAL);
        } else {
            self.instances.store(instances, Ordering::Relaxed);
        }
    }

    /// A right that is missing is logged once. Everything else that Redis may refuse for, such as
    /// its memory, requests meet too.
    fn warn(&self, cause: &str) {
        let denied = NO_RIGHT.iter().any(|words| cause.contains(words));
        if denied && !self.denied.swap(true, Ordering::Relaxed) {
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
    fn a_redis_that_has_forgotten_everybody_does_not_make_one_the_only_one() {
        let fleet = Fleet::new("test".into());
        assert_eq!(fleet.instances().get(), 1);
        fleet.learn(4, true);
        assert_eq!(fleet.instances().get(), 4);
        fleet.learn(1, true);
        assert_eq!(fleet.instances().get(), 4, "it has been there before");
        fleet.learn(3, false);
        assert_eq!(fleet.instances().get(), 3);
        fleet.learn(0, false);
        assert_eq!(fleet.instances().get(), 1);
    }

    #[test]
    fn workers_take_turns() {
        let fleet = Fleet::new("test".into());
        assert_eq!(fleet.pause(), None);
        assert!(fleet.pause().is_some_and(|pause| pause <= INTERVAL));
    }
}
