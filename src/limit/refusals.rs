//! What a worker knows to be over its limit, so that Redis can rest: a refused caller mostly asks
//! again at once, and until its window allows it Redis could only repeat itself.

use std::cell::RefCell;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use hashbrown::HashTable;

use super::clock::millis;
use super::key::{CounterName, KeyHasher};
use super::{Algorithm, Check, Decision, Limit, Outcome, Subject, Verdict};

/// So many refusals a worker remembers at most; beyond that Redis is asked. At 128 bytes each they
/// fill a table of 2^16 places, 8.5 MiB, as far as such a table is filled.
const MOST: usize = (1 << 16) / 8 * 7;

/// How long a refusal is remembered that may be taken back, in milliseconds.
const BRIEFLY: u64 = 1000;

/// How often a full table is searched for refusals that are over, at most, in milliseconds.
const SWEEP_EVERY: u64 = 1000;

/// One worker's knowledge.
#[derive(Debug)]
pub(super) struct Refusals {
    known: RefCell<Known>,
    hasher: KeyHasher,
}

#[derive(Debug, Default)]
struct Known {
    table: HashTable<Refusal>,
    swept_ms: u64,
}

/// A request that Redis has refused. A cheaper one may still be admitted.
#[derive(Debug)]
struct Refusal {
    counter: CounterName,
    subject: Subject,
    /// A reload may have changed it, and then Redis may think otherwise.
    limit: Limit,
    cost: NonZeroU32,
    remaining: u64,
    reset_ms: u64,
    until_ms: u64,
    /// After that Redis is asked again, though it may not be over yet.
    asked_ms: u64,
}

impl Refusals {
    /// Knows of none.
    pub(super) fn new() -> Self {
        Self {
            known: RefCell::default(),
            hasher: KeyHasher::default(),
        }
    }

    /// Refuses a request that is known to be over one of its limits.
    pub(super) fn refuse(
        &self,
        checks: &[Check<'_>],
        cost: NonZeroU32,
        now_ms: u64,
    ) -> Option<Outcome> {
        let known = self.known.borrow();
        if known.table.is_empty() {
            return None;
        }
        let refused = |check: &Check<'_>| {
            let refusal = known.table.find(self.hash(check), |one| one.is_of(check))?;
            let holds = refusal.limit == check.policy.limit
                && refusal.says_of(cost)
                && refusal.asked_ms > now_ms;
            holds.then(|| refusal.decision(now_ms))
        };
        let decisions: super::Decisions = checks.iter().map(refused).collect();
        // What only tells that it would refuse is told of as well, but is no reason.
        let mut all = checks.iter().zip(&decisions);
        let is_refused = all.any(|(check, found)| check.policy.enforces() && found.is_some());
        is_refused.then_some(Outcome {
            verdict: Verdict::Refused,
            decisions,
        })
    }

    /// Remembers what Redis has refused or will refuse, for nothing is left of a fixed window, and
    /// forgets what it has said before. `sent_ms` is when it was asked: reckoned from there,
    /// a refusal ends a little earlier here than it does there, never later. What a `brief` check is
    /// refused for may have been given back before its window ends.
    pub(super) fn learn(
        &self,
        checks: &[Check<'_>],
        cost: NonZeroU32,
        outcome: &Outcome,
        sent_ms: u64,
        brief: impl Fn(&Check<'_>) -> bool,
    ) {
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
            if fits_at_all && !wait.is_zero() {
                let known_for = if brief(check) {
                    millis(wait).min(BRIEFLY)
                } else {
                    millis(wait)
                };
                self.remember(check, cost, decision, [millis(wait), known_for], sent_ms);
            } else {
                self.forget(check);
            }
        }
    }

    fn forget(&self, check: &Check<'_>) {
        let mut known = self.known.borrow_mut();
        if known.table.is_empty() {
            return;
        }
        let hash = self.hash(check);
        if let Ok(entry) = known.table.find_entry(hash, |one| one.is_of(check)) {
            entry.remove();
        }
    }

    fn remember(
        &self,
        check: &Check<'_>,
        cost: NonZeroU32,
        decision: &Decision,
        [wait_ms, known_for_ms]: [u64; 2],
        sent_ms: u64,
    ) {
        let refusal = Refusal {
            counter: Arc::clone(check.policy.counter()),
            subject: check.subject.clone(),
            limit: check.policy.limit,
            cost,
            remaining: decision.remaining,
            reset_ms: sent_ms.saturating_add(millis(decision.reset)),
            until_ms: sent_ms.saturating_add(wait_ms),
            asked_ms: sent_ms.saturating_add(known_for_ms),
        };
        let mut known = self.known.borrow_mut();
        let hash = self.hash(check);
        if let Some(old) = known.table.find_mut(hash, |one| one.is_of(check)) {
            *old = refusal;
        } else if known.has_room(sent_ms) {
            let rehash = |one: &Refusal| self.hasher.hash(&one.counter, one.subject.who());
            known.table.insert_unique(hash, refusal, rehash);
        }
    }

    fn hash(&self, check: &Check<'_>) -> u64 {
        self.hasher.of_check(check)
    }
}

impl Known {
    fn has_room(&mut self, now_ms: u64) -> bool {
        if self.table.len() >= MOST && now_ms.saturating_sub(self.swept_ms) >= SWEEP_EVERY {
            self.swept_ms = now_ms;
            self.table.retain(|refusal| refusal.asked_ms > now_ms);
        }
        self.table.len() < MOST
    }
}

impl Refusal {
    fn is_of(&self, check: &Check<'_>) -> bool {
        self.counter == *check.policy.counter() && self.subject.who() == check.subject.who()
    }

    /// Whether it says when a request of this cost is admitted. In a fixed window that is when it
    /// ends, for whatever costs as much or more; elsewhere a dearer one has to wait for longer.
    fn says_of(&self, cost: NonZeroU32) -> bool {
        match self.limit.algorithm() {
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
            degraded: false,
            cached: true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limit::Policy;

    fn never(_: &Check<'_>) -> bool {
        false
    }

    fn cost(n: u32) -> NonZeroU32 {
        NonZeroU32::new(n).unwrap()
    }

    #[test]
    fn a_refusal_holds_for_what_costs_as_much_until_it_is_over_or_the_limit_has_changed() {
        let refusals = Refusals::new();
        let policy = |requests| {
            Policy::new(
                "test",
                Limit::new(requests, Duration::from_mins(1)).unwrap(),
            )
        };
        let subject = Subject::client("caller");
        let limit = policy(10);
        let checks = [Check {
            policy: &limit,
            subject: &subject,
        }];
        let refused = Decision {
            admitted: false,
            remaining: 2,
            reset: Duration::from_secs(40),
            retry_after: Duration::from_secs(30),
            degraded: false,
            cached: false,
        };
        let outcome = Outcome::of(false, std::iter::once(Some(refused)).collect());
        assert_eq!(refusals.refuse(&checks, cost(3), 5_000), None);
        refusals.learn(&checks, cost(3), &outcome, 5_000, never);

        assert_eq!(refusals.refuse(&checks, cost(2), 15_000), None, "cheaper");
        let again = refusals.refuse(&checks, cost(4), 15_000).unwrap();
        let decision = again.only().unwrap();
        assert_eq!(again.verdict, Verdict::Refused);
        assert!(decision.cached);
        assert_eq!(decision.retry_after, Duration::from_secs(20));
        assert_eq!(decision.reset, Duration::from_secs(30));

        refusals.learn(&checks, cost(4), &outcome, 5_000, |_| true);
        let again = refusals.refuse(&checks, cost(4), 5_999).unwrap();
        let wait = again.only().unwrap().retry_after;
        assert_eq!(wait, Duration::from_millis(29_001));
        assert_eq!(
            refusals.refuse(&checks, cost(4), 6_000),
            None,
            "asked again"
        );
        refusals.learn(&checks, cost(4), &outcome, 5_000, never);

        let raised = policy(11);
        let changed = [Check {
            policy: &raised,
            subject: &subject,
        }];
        assert_eq!(
            refusals.refuse(&changed, cost(4), 15_000),
            None,
            "another limit"
        );
        assert_eq!(refusals.refuse(&checks, cost(4), 35_000), None, "over");
    }

    #[test]
    fn what_redis_says_later_replaces_what_it_has_said_before() {
        let refusals = Refusals::new();
        let policy = |requests, seconds| {
            Policy::new(
                "test",
                Limit::new(requests, Duration::from_secs(seconds)).unwrap(),
            )
        };
        let subject = Subject::client("caller");
        let (long, short) = (policy(20, 90), policy(7, 40));
        let said = |reset| {
            let decision = Decision {
                admitted: false,
                remaining: 0,
                reset: Duration::from_secs(reset),
                retry_after: Duration::from_secs(reset),
                degraded: false,
                cached: false,
            };
            Outcome::of(false, std::iter::once(Some(decision)).collect())
        };
        let checks = |policy| {
            [Check {
                policy,
                subject: &subject,
            }]
        };
        refusals.learn(&checks(&long), cost(1), &said(90), 0, never);
        assert!(refusals.refuse(&checks(&long), cost(1), 0).is_some());
        // Dearer than a whole limit that a reload has made shorter: the window ends sooner now.
        refusals.learn(&checks(&short), cost(8), &said(40), 0, never);
        assert_eq!(refusals.refuse(&checks(&long), cost(1), 0), None);
    }

    #[test]
    fn a_refusal_is_as_large_as_its_bound_says() {
        assert_eq!(size_of::<Refusal>(), 128);
    }

    #[test]
    fn what_is_remembered_has_a_bound() {
        let mut known = Known::default();
        assert!(known.has_room(0));
        let limit = Limit::new(1, Duration::from_secs(1)).unwrap();
        for n in 0..MOST as u64 {
            let refusal = Refusal {
                counter: Arc::new("test".into()),
                subject: Subject::route("/"),
                limit,
                cost: cost(1),
                remaining: 0,
                reset_ms: 5000,
                until_ms: 5000,
                asked_ms: 5000,
            };
            known.table.insert_unique(n, refusal, |_| n);
        }
        assert!(!known.has_room(4999), "none is over yet");
        assert!(!known.has_room(5000), "not searched again so soon");
        assert!(known.has_room(6000));
    }
}
