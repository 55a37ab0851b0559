//! What the operator is told of Redis: one line when the first worker is without it and one when the
//! last has it again, and one more if the reason becomes another. Readiness asks here, too.

use std::cell::Cell;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::fleet::Fleet;
use super::redis::CallError;
use super::{OnFailure, RedisSettings};

/// How the workers fare.
#[derive(Debug, Default)]
pub(super) struct Health(Mutex<Known>);

impl Health {
    /// Whether Redis answers every worker.
    pub(super) fn is_up(&self) -> bool {
        let known = self.known();
        known.answered && known.workers_without == 0
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How many workers are without Redis, and what has been said of it.
#[derive(Debug, Default)]
struct Known {
    workers_without: usize,
    answered: bool,
    /// What has been reported since Redis last answered everybody: a trouble of another kind
    /// (unreachable, then a wrong password) is news, one that comes back is not.
    told: Vec<Trouble>,
}

/// The kinds of causes that an operator does different things about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trouble {
    Gone,
    LockedOut,
    Refusing,
}

impl From<&CallError> for Trouble {
    fn from(cause: &CallError) -> Self {
        match cause {
            CallError::Unreachable(_)
            | CallError::Ended
            | CallError::Silent
            | CallError::Demoted
            | CallError::NoNode => Self::Gone,
            CallError::Credentials => Self::LockedOut,
            CallError::NoMaster | CallError::Refused(_) => Self::Refusing,
        }
    }
}

/// One worker's part in it; the worker's end is no news.
#[derive(Debug)]
pub(super) struct WorkerHealth<'a> {
    health: &'a Health,
    settings: &'a RedisSettings,
    fleet: &'a Fleet,
    without: Cell<bool>,
}

impl<'a> WorkerHealth<'a> {
    /// Of a worker that is about to connect.
    pub(super) fn new(health: &'a Health, settings: &'a RedisSettings, fleet: &'a Fleet) -> Self {
        Self {
            health,
            settings,
            fleet,
            without: Cell::new(false),
        }
    }

    /// It is without Redis.
    pub(super) fn lost(&self, cause: &CallError) {
        let mut health = self.health.known();
        health.workers_without += usize::from(!self.without.replace(true));
        let trouble = Trouble::from(cause);
        if health.told.contains(&trouble) {
            return;
        }
        health.told.push(trouble);
        let consequence = match self.settings.on_failure {
            OnFailure::Local => "counting in this process",
            OnFailure::Open => "admitting without counting",
            OnFailure::Closed => "refusing what would be counted",
        };
        let redis = &self.settings.target;
        let instances = self.fleet.instances();
        tracing::warn!(%redis, %cause, instances, "redis does not answer; {consequence}");
    }

    /// It has a connection.
    pub(super) fn healed(&self) {
        let mut health = self.health.known();
        health.workers_without -= usize::from(self.without.replace(false));
        let first = !std::mem::replace(&mut health.answered, true);
        if health.workers_without > 0 {
            return;
        }
        let redis = &self.settings.target;
        if !health.told.is_empty() {
            health.told.clear();
            tracing::info!(%redis, "redis answers again");
        } else if first {
            tracing::info!(%redis, "redis answers");
        }
    }
}

impl Drop for WorkerHealth<'_> {
    fn drop(&mut self) {
        self.health.known().workers_without -= usize::from(self.without.get());
    }
}
