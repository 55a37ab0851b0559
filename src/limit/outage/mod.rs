//! Redis is not there: requests are counted in this process, admitted or refused, as each limit is
//! configured. What is counted here goes on from what Redis has said, is this
//! gateway's share of the limit, and is counted in Redis when it answers again.

mod fleet;
mod log;
mod uncounted;

pub(super) use fleet::Fleet;
pub(super) use log::{OutageLog, WorkerLog};
pub(super) use uncounted::Uncounted;

use std::num::NonZeroU32;
use std::sync::Arc;

use smallvec::SmallVec;

use super::{Check, Decisions, MemoryStore, OnFailure, Outcome, RedisSettings, Verdict};

/// What decides while Redis does not.
#[derive(Debug)]
pub(super) struct Fallback {
    pub memory: Arc<MemoryStore>,
    /// For limits that say nothing else.
    on_failure: OnFailure,
    /// Among how many gateways the limits are shared.
    pub fleet: Fleet,
}

impl Fallback {
    /// Counts in `memory`, where the settings say so.
    pub(super) fn new(settings: &RedisSettings, memory: Arc<MemoryStore>) -> Self {
        Self {
            memory,
            on_failure: settings.on_failure,
            fleet: Fleet::new(settings.key_prefix.clone()),
        }
    }

    /// Decides as each limit says for this case.
    pub(super) fn decide(&self, checks: &[Check<'_>], cost: NonZeroU32) -> Outcome {
        let closed = |check: &Check<'_>| {
            check.policy.enforces() && self.on_failure(check) == OnFailure::Closed
        };
        let mut decisions = Decisions::from_elem(None, checks.len());
        if let Some(place) = checks.iter().position(closed) {
            return Outcome {
                verdict: Verdict::Unavailable(place),
                decisions,
            };
        }
        let is_local = |place: &usize| self.on_failure(&checks[*place]) == OnFailure::Local;
        let places: SmallVec<[usize; 2]> = (0..checks.len()).filter(is_local).collect();
        let counted: SmallVec<[Check<'_>; 2]> = places.iter().map(|&place| checks[place]).collect();
        let instances = self.fleet.instances();
        let outcome = self.memory.decide_share(&counted, cost, instances);
        for (place, decision) in places.into_iter().zip(outcome.decisions) {
            decisions[place] = decision;
        }
        Outcome {
            verdict: outcome.verdict,
            decisions,
        }
    }

    /// Mirrors what Redis has said when asked at `sent_ms`, where this process is to go on from it.
    pub(super) fn mirror(&self, checks: &[Check<'_>], outcome: &Outcome, sent_ms: u64) {
        for (check, decision) in checks.iter().zip(&outcome.decisions) {
            if let Some(decision) = decision
                && self.on_failure(check) == OnFailure::Local
            {
                self.memory.mirror(check, decision, sent_ms);
            }
        }
    }

    fn on_failure(&self, check: &Check<'_>) -> OnFailure {
        check.policy.on_failure.unwrap_or(self.on_failure)
    }
}
