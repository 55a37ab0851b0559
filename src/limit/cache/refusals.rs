//! The reject cache: a refused caller mostly asks again at once, and until its window allows it Redis
//! could only repeat itself.

use std::cell::RefCell;
use std::num::NonZeroU32;
use std::time::Duration;

use super::table::Table;
use crate::limit::clock::millis;
use crate::limit::{Algorithm, Check, Decision, Decisions, Limit, Outcome, Source, Verdict};

/// So many refusals a worker remembers at most; beyond that Redis is asked. At 120 bytes each they
/// fill a table of 2^16 places, 7.9 MiB, as far as such a table is filled.
const MAX_REFUSALS: usize = (1 << 16) / 8 * 7;

/// How long a refusal is remembered that may be taken back.
const BRIEFLY_MS: u64 = 1000;

/// One worker's knowledge.
#[derive(Debug)]
pub(in crate::limit) struct Refusals(RefCell<Table<Refusal>>);

/// A request that Redis has refused. A cheaper one may still be admitted.
#[derive(Debug)]
struct Refusal {
    cost: NonZeroU32,
    remaining: u64,
    /// When the window ends.
    reset_ms: u64,
    /// When such a request is admitted.
    until_ms: u64,
    /// When Redis is asked again, though it may still refuse.
    ask_again_ms: u64,
}

impl Refusals {
    /// Knows of no refusal.
    pub(in crate::limit) fn new() -> Self {
        let matters = |refusal: &Refusal, now_ms| refusal.ask_again_ms > now_ms;
        Self(RefCell::new(Table::new(MAX_REFUSALS, matters)))
    }

    /// Refuses a request that is known to be over one of its limits.
    pub(in crate::limit) fn refuse(
        &self,
        checks: &[Check<'_>],
        cost: NonZeroU32,
        now_ms: u64,
    ) -> Option<Outcome> {
        let known = self.0.borrow();
        if known.is_empty() {
            return None;
        }
        let refused = |check: &Check<'_>| {
            let refusal = known.get(check)?;
            let holds = refusal.is_about(check.policy.limit, cost) && refusal.ask_again_ms > now_ms;
            holds.then(|| refusal.decision(now_ms))
        };
        let decisions: Decisions = checks.iter().map(refused).collect();
        // A limit in shadow mode is reported as well, but refuses nothing.
        let mut all = checks.iter().zip(&decisions);
        let is_refused = all.any(|(check, found)| check.policy.enforces() && found.is_some());
        is_refused.then_some(Outcome {
            verdict: Verdict::Refused,
            decisions,
        })
    }

    /// Remembers what Redis has refused or will refuse, because nothing is left of a fixed window, and
    /// forgets what it has said before. `sent_ms` is when it was asked: reckoned from there, a refusal
    /// ends a little earlier here than it does there, never later. `may_be_given_back`: what a check
    /// is refused for may have been given back before its window ends.
    pub(in crate::limit) fn learn(
        &self,
        checks: &[Check<'_>],
        cost: NonZeroU32,
        outcome: &Outcome,
        sent_ms: u64,
        may_be_given_back: impl Fn(&Check<'_>) -> bool,
    ) {
        let known = &mut *self.0.borrow_mut();
        for (check, decision) in checks.iter().zip(&outcome.decisions) {
            let Some(decision) = decision else {
                continue;
            };
            let limit = check.policy.limit;
            let (cost, wait) = if !decision.admitted {
                (cost, decision.retry_after)
            } else if decision.remaining == 0 && limit.algorithm() == Algorithm::FixedWindow {
                (NonZeroU32::MIN, decision.reset)
            } else {
                (cost, Duration::ZERO)
            };
            // What is dearer than the whole limit may be refused without anything spent.
            let fits_at_all = u64::from(cost.get()) <= limit.at_once();
            if !fits_at_all || wait.is_zero() {
                known.remove(check);
                continue;
            }
            let longest_ms = if may_be_given_back(check) {
                BRIEFLY_MS
            } else {
                u64::MAX
            };
            let after = |wait_ms: u64| sent_ms.saturating_add(wait_ms);
            let refusal = Refusal {
                cost,
                remaining: decision.remaining,
                reset_ms: after(millis(decision.reset)),
                until_ms: after(millis(wait)),
                ask_again_ms: after(millis(wait).min(longest_ms)),
            };
            known.put(check, refusal, sent_ms);
        }
    }
}

impl Refusal {
    /// Whether it says when a request of this cost is admitted. In a fixed window that is when it
    /// ends, for whatever costs as much or more; elsewhere a dearer one has to wait for longer.
    fn is_about(&self, limit: Limit, cost: NonZeroU32) -> bool {
        match limit.algorithm() {
            Algorithm::FixedWindow => self.cost <= cost,
            Algorithm::SlidingWindow | Algorithm::TokenBucket { .. } => self.cost == cost,
        }
    }

    fn decision(&self, now_ms: u64) -> Decision {
        let left = |until_ms: u64| Duration::from_millis(until_ms.saturating_sub(now_ms));
        Decision {
            admitted: false,
            remaining: self.remaining,
            reset: left(self.reset_ms),
            retry_after: left(self.until_ms),
            source: Source::Cache,
        }
    }
}

#[cfg(test)]
mod tests;
