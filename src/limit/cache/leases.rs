//! Permits of busy callers, taken from Redis several at a time and spent here, so that one call
//! serves many requests. Redis counts them when they are taken. So all gateways together never admit
//! more than the limit, even if a gateway crashes. Permits that nobody has spent when the window ends
//! were refused to other workers for nothing; hence none are taken for callers that are not busy, and
//! never more than a small part of what is left.
//!
//! For fixed windows alone: a permit lasts until its window ends, which is known when it is taken.
//! In the other algorithms what is spent comes back while time passes, and unused permits with it.

use std::cell::RefCell;
use std::cmp::Reverse;
use std::num::NonZeroU32;
use std::time::Duration;

use super::account::Account;
use super::table::{Row, Table};
use crate::limit::clock::millis;
use crate::limit::redis::{Permits, Reply};
use crate::limit::{Algorithm, Check, Decisions, Lease, Outcome, Policy, Subject};

/// So many callers a worker has accounts of at most. At 136 bytes each they fill a table of 2^14
/// places, 2.3 MiB, as far as such a table is filled.
const MAX_ACCOUNTS: usize = (1 << 14) / 8 * 7;

/// Smaller limits are exact to the request, also when callers stop in the middle: they are used up
/// so soon that Redis would hardly be asked less.
const SMALLEST: u64 = 1024;

/// How long a caller has been gone whose permits are returned, at least. Somewhere else it may need
/// them.
const GONE_MS: u64 = 2000;

/// One worker's leases.
#[derive(Debug)]
pub(in crate::limit) struct Leases {
    accounts: RefCell<Table<Account>>,
    /// Else each request asks.
    are_on: bool,
    /// For how long a call that asks for permits may be under way.
    longest_call_ms: u64,
}

/// Permits to be returned.
#[derive(Debug)]
pub(in crate::limit) struct Unused {
    pub policy: Policy,
    pub subject: Subject,
    pub permits: u64,
    /// How long their window has to go, at most.
    pub to_go_ms: u64,
}

impl Leases {
    /// Holds no permits. A call takes at most `deadline`.
    pub(in crate::limit) fn new(deadline: Duration, lease: Lease) -> Self {
        Self {
            are_on: lease == Lease::Auto,
            accounts: RefCell::new(Table::new(MAX_ACCOUNTS, Account::is_in_use)),
            longest_call_ms: millis(deadline),
        }
    }

    /// Admits a request on permits that are here already, if they cover all its limits.
    pub(in crate::limit) fn spend(
        &self,
        checks: &[Check<'_>],
        cost: NonZeroU32,
        now_ms: u64,
    ) -> Option<Outcome> {
        let accounts = &mut *self.accounts.borrow_mut();
        if accounts.is_empty() {
            return None;
        }
        let covers = |check: &Check<'_>| {
            let account = accounts.get(check);
            account.is_some_and(|account| account.covers(cost, now_ms))
        };
        if !checks.iter().all(covers) {
            return None;
        }
        let spend = |check: &Check<'_>| Some(accounts.get_mut(check)?.spend(cost, now_ms));
        let decisions: Decisions = checks.iter().map(spend).collect();
        Some(Outcome::of(true, decisions))
    }

    /// How many permits a request that has to ask Redis asks for beside its own.
    pub(in crate::limit) fn wanted(
        &self,
        checks: &[Check<'_>],
        cost: NonZeroU32,
        now_ms: u64,
    ) -> Permits {
        if !checks.iter().all(|check| self.may_lease(check)) {
            return Permits::new();
        }
        let accounts = &mut *self.accounts.borrow_mut();
        let wanted = |check: &Check<'_>| {
            if accounts.get(check).is_none() {
                accounts.put(check, Account::new(now_ms), now_ms);
            }
            let account = accounts.get_mut(check)?;
            Some(account.wanted(check.policy.limit, cost, now_ms, self.longest_call_ms))
        };
        // One limit without permits has every request ask, and those of the others are for nothing.
        let wanted: Option<Permits> = checks.iter().map(wanted).collect();
        wanted.unwrap_or_default()
    }

    /// Takes the permits that Redis has granted. Those that it granted before are still there for
    /// this caller, and are reported as well. `sent_ms` is when Redis was asked: reckoned from there,
    /// a window ends a little earlier here than it does there, never later.
    pub(in crate::limit) fn take(
        &self,
        checks: &[Check<'_>],
        reply: Reply,
        sent_ms: u64,
    ) -> Outcome {
        let Reply {
            mut outcome,
            granted,
        } = reply;
        let accounts = &mut *self.accounts.borrow_mut();
        if accounts.is_empty() {
            return outcome;
        }
        let decisions = outcome.decisions.iter_mut().zip(granted);
        for (check, (decision, granted)) in checks.iter().zip(decisions) {
            if let (Some(account), Some(decision)) = (accounts.get_mut(check), decision) {
                account.take(decision, granted, sent_ms);
            }
        }
        outcome
    }

    /// Gives up all permits; the most are first.
    pub(in crate::limit) fn give_up_all(&self, now_ms: u64) -> Vec<Unused> {
        let mut all = self.give_up(|_| true, now_ms);
        all.sort_unstable_by_key(|unused| Reverse(unused.permits));
        all
    }

    /// Gives up the permits of callers that are gone.
    pub(in crate::limit) fn give_up_idle(&self, now_ms: u64) -> Vec<Unused> {
        self.give_up(|account| account.is_gone(now_ms, GONE_MS), now_ms)
    }

    /// Of how many callers there are permits.
    pub(in crate::limit) fn held(&self, now_ms: u64) -> u64 {
        let mut accounts = self.accounts.borrow_mut();
        let held = accounts
            .rows()
            .filter(|row| row.value.covers(NonZeroU32::MIN, now_ms));
        held.count() as u64
    }

    /// Only what has a window, and is large enough for it to be worth while.
    pub(in crate::limit) fn may_lease(&self, check: &Check<'_>) -> bool {
        let limit = check.policy.limit;
        let is_fixed = limit.algorithm() == Algorithm::FixedWindow;
        self.are_on && is_fixed && limit.requests() >= SMALLEST
    }

    fn give_up(&self, wanted: impl Fn(&Account) -> bool, now_ms: u64) -> Vec<Unused> {
        let mut accounts = self.accounts.borrow_mut();
        let rows = accounts.rows().filter(|row| wanted(&row.value));
        let unused = |row: &mut Row<Account>| {
            let (permits, to_go_ms) = row.value.give_up(row.limit, now_ms)?;
            Some(Unused {
                policy: row.policy(),
                subject: row.subject(),
                permits,
                to_go_ms,
            })
        };
        rows.filter_map(unused).collect()
    }
}

#[cfg(test)]
mod tests;
