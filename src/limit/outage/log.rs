//! What the log says of Redis: one line when the first worker is without it, one when the last
//! has it again, and one more if the reason becomes another.

use std::cell::Cell;
use std::sync::Mutex;
use std::time::Instant;

use super::Fleet;
use crate::limit::clock::millis;
use crate::limit::redis::CallError;
use crate::limit::{OnFailure, RedisSettings};
use crate::lock::lock;

/// How many workers are without Redis, and what has been logged of it.
#[derive(Debug, Default)]
pub(in crate::limit) struct OutageLog(Mutex<OutageState>);

#[derive(Debug, Default)]
struct OutageState {
    workers_without: usize,
    /// Since when some of them are.
    since: Option<Instant>,
    /// The last cause.
    why: Option<String>,
    answered: bool,
    /// What has been logged since Redis last answered everybody: a trouble of another kind
    /// (unreachable, then a wrong password) is news, one that comes back is not.
    logged: Vec<Trouble>,
}

impl OutageLog {
    /// How many workers are without Redis, since when some are, and why.
    pub(in crate::limit) fn outage(&self) -> (usize, Option<Instant>, Option<String>) {
        let known = lock(&self.0);
        (known.workers_without, known.since, known.why.clone())
    }
}

/// The kinds of causes that an operator does different things about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trouble {
    Gone,
    LockedOut,
    Refusing,
    Stranger,
}

impl From<&CallError> for Trouble {
    fn from(cause: &CallError) -> Self {
        match cause {
            CallError::Unreachable(_)
            | CallError::Speechless(_)
            | CallError::NoHandshake
            | CallError::Ended
            | CallError::Silent
            | CallError::Demoted
            | CallError::NoNode => Self::Gone,
            CallError::Credentials(_) => Self::LockedOut,
            CallError::NotRedis(_) => Self::Stranger,
            CallError::NoMaster | CallError::NotSingle(_) | CallError::Refused(_) => Self::Refusing,
        }
    }
}

/// One worker's part in it. A worker that ends is no news.
#[derive(Debug)]
pub(in crate::limit) struct WorkerLog<'a> {
    log: &'a OutageLog,
    settings: &'a RedisSettings,
    fleet: &'a Fleet,
    without: Cell<bool>,
}

impl<'a> WorkerLog<'a> {
    /// Of a worker that is about to connect.
    pub(in crate::limit) fn new(
        log: &'a OutageLog,
        settings: &'a RedisSettings,
        fleet: &'a Fleet,
    ) -> Self {
        Self {
            log,
            settings,
            fleet,
            without: Cell::new(false),
        }
    }

    /// It is without Redis.
    pub(in crate::limit) fn lost(&self, cause: &CallError) {
        let mut known = lock(&self.log.0);
        known.workers_without += usize::from(!self.without.replace(true));
        known.since.get_or_insert_with(Instant::now);
        known.why = Some(cause.to_string());
        let trouble = Trouble::from(cause);
        if known.logged.contains(&trouble) {
            return;
        }
        known.logged.push(trouble);
        let consequence = match self.settings.on_failure {
            OnFailure::Local => "counting in this process",
            OnFailure::Open => "admitting without counting",
            OnFailure::Closed => "refusing what would be counted",
        };
        let (redis, instances) = (&self.settings.target, self.fleet.instances());
        let what = match trouble {
            Trouble::Gone => "redis does not answer",
            Trouble::LockedOut => "redis does not let the gateway in",
            Trouble::Refusing => "redis refuses what the gateway needs",
            Trouble::Stranger => "what answers at the address of redis is not redis",
        };
        tracing::warn!(event = "redis_lost", %redis, %cause, instances, "{what}; {consequence}");
    }

    /// It has a connection.
    pub(in crate::limit) fn healed(&self) {
        let mut known = lock(&self.log.0);
        known.workers_without -= usize::from(self.without.replace(false));
        let first = !std::mem::replace(&mut known.answered, true);
        if known.workers_without > 0 {
            return;
        }
        known.why = None;
        let redis = &self.settings.target;
        let outage_ms = known.since.take().map(|since| millis(since.elapsed()));
        if !std::mem::take(&mut known.logged).is_empty() {
            tracing::info!(event = "redis_back", %redis, outage_ms, "redis answers again");
        } else if first {
            tracing::info!(%redis, "redis answers");
        }
    }
}

impl Drop for WorkerLog<'_> {
    fn drop(&mut self) {
        lock(&self.log.0).workers_without -= usize::from(self.without.get());
    }
}
