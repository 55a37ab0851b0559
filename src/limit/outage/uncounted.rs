//! What a worker has admitted without Redis. It is counted there as soon as there is a connection again:
//! else a caller had it on top of what Redis admits in the same window.
//!
//! A request whose call was only late is none of these, for Redis counts it most likely.

use std::cell::RefCell;
use std::num::NonZeroU32;

use crate::limit::cache::Table;
use crate::limit::clock::millis;
use crate::limit::{Check, Outcome, Policy, Subject, Verdict};

/// Of so many counters at most; what else was admitted is on top. At 120 bytes each they fill a table of
/// 2^16 places, 7.9 MiB, as far as such a table is filled.
const MAX_COUNTERS: usize = (1 << 16) / 8 * 7;

/// What one worker has admitted.
#[derive(Debug)]
pub(in crate::limit) struct Uncounted(RefCell<Table<Admitted>>);

/// What was admitted in a window.
#[derive(Debug)]
struct Admitted {
    spent: u64,
    ends_ms: u64,
}

impl Uncounted {
    /// Nothing has been admitted.
    pub(in crate::limit) fn new() -> Self {
        let matters = |admitted: &Admitted, now_ms| admitted.ends_ms > now_ms;
        Self(RefCell::new(Table::new(MAX_COUNTERS, matters)))
    }

    /// Notes what was decided without Redis.
    pub(in crate::limit) fn note(
        &self,
        checks: &[Check<'_>],
        cost: NonZeroU32,
        outcome: &Outcome,
        now_ms: u64,
    ) {
        if outcome.verdict != Verdict::Admitted {
            return;
        }
        let all = &mut *self.0.borrow_mut();
        for (check, decision) in checks.iter().zip(&outcome.decisions) {
            // One of a limit in shadow mode may not be admitted.
            if let Some(decision) = decision.filter(|decision| decision.admitted) {
                let before = all.get(check).filter(|before| before.ends_ms > now_ms);
                let before = before.map_or(0, |before| before.spent);
                let admitted = Admitted {
                    spent: before.saturating_add(cost.get().into()),
                    ends_ms: now_ms.saturating_add(millis(decision.reset)),
                };
                all.put(check, admitted, now_ms);
            }
        }
    }

    /// What was admitted in windows that are not over.
    pub(in crate::limit) fn list(&self, now_ms: u64) -> Vec<(Policy, Subject, u64)> {
        let mut all = self.0.borrow_mut();
        let running = all.rows().filter(|row| row.value.ends_ms > now_ms);
        let listed = running.map(|row| (row.policy(), row.subject(), row.value.spent));
        listed.filter(|(.., spent)| *spent > 0).collect()
    }

    /// So much has been counted meanwhile.
    pub(in crate::limit) fn counted(&self, check: &Check<'_>, spent: u64) {
        if let Some(admitted) = self.0.borrow_mut().get_mut(check) {
            admitted.spent = admitted.spent.saturating_sub(spent);
        }
    }
}
