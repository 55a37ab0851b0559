//! Permits of busy callers, taken from Redis several at a time and spent here, so that one call
//! serves many requests. They are counted in Redis when they are taken: whatever becomes of them,
//! all gateways together never admit more than the limit. What lies unused when the window ends has
//! been refused to somebody for nothing; hence none are taken for callers that are not busy, and
//! never more than a small part of what is left.
//!
//! For fixed windows alone: a permit lasts until its window ends, which is known when it is taken.
//! In the other algorithms what is spent comes back while time passes, and unused permits with it.

mod account;

use std::cell::RefCell;
use std::cmp::Reverse;
use std::num::NonZeroU32;
use std::time::Duration;

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use smallvec::SmallVec;

use self::account::Account;
use super::clock::millis;
use super::key::KeyHasher;
use super::redis::Answer;
use super::{Algorithm, Check, Decisions, Outcome, Policy, Subject};

/// So many callers a worker keeps account of at most; those beyond have every request ask. At 144
/// bytes each they fill a table of 2^14 places, 2.4 MiB, as far as such a table is filled.
const MOST: usize = (1 << 14) / 8 * 7;

/// How often a full table is searched for accounts of callers that are gone, at most.
const SWEEP_EVERY_MS: u64 = 1000;

/// Smaller limits are exact to the request, also when callers stop in the middle: they are used up
/// so soon that Redis would hardly be asked less.
const SMALLEST: u64 = 1024;

/// How long a caller has been gone whose permits are returned, at least. Somewhere else it may need
/// them.
const GONE_MS: u64 = 2000;

/// How many permits to ask for, for each check of a request. None at all: nothing is leased.
pub(super) type Permits = SmallVec<[u64; 2]>;

/// One worker's leases.
#[derive(Debug)]
pub(super) struct Leases {
    accounts: RefCell<Accounts>,
    hasher: KeyHasher,
    /// For how long a call that asks for permits may be under way.
    patience_ms: u64,
}

#[derive(Debug, Default)]
struct Accounts {
    table: HashTable<Account>,
    swept_ms: u64,
}

/// Permits to be returned.
#[derive(Debug)]
pub(super) struct Unused {
    pub policy: Policy,
    pub subject: Subject,
    pub permits: u64,
    /// How long their window has to go, at most.
    pub to_go_ms: u64,
}

impl Leases {
    /// Holds none. A call takes at most `deadline`.
    pub(super) fn new(deadline: Duration) -> Self {
        Self {
            accounts: RefCell::default(),
            hasher: KeyHasher::default(),
            patience_ms: millis(deadline),
        }
    }

    /// Admits a request on permits that are here already, if they cover all its limits.
    pub(super) fn spend(
        &self,
        checks: &[Check<'_>],
        cost: NonZeroU32,
        now_ms: u64,
    ) -> Option<Outcome> {
        let table = &mut self.accounts.borrow_mut().table;
        if table.is_empty() {
            return None;
        }
        let covers = |check: &Check<'_>| {
            let account = table.find(self.hash(check), |account| account.is_of(check));
            account.is_some_and(|account| account.covers(check, cost, now_ms))
        };
        if !checks.iter().all(covers) {
            return None;
        }
        let mut spend = |check: &Check<'_>| {
            let account = table.find_mut(self.hash(check), |account| account.is_of(check));
            account.map(|account| account.spend(cost, now_ms))
        };
        let decisions: Decisions = checks.iter().map(&mut spend).collect();
        Some(Outcome::of(true, decisions))
    }

    /// How many permits a request that has to ask Redis should ask for beside its own.
    pub(super) fn ask(&self, checks: &[Check<'_>], cost: NonZeroU32, now_ms: u64) -> Permits {
        if !checks.iter().all(is_leasable) {
            return Permits::new();
        }
        let accounts = &mut *self.accounts.borrow_mut();
        let ask = |check: &Check<'_>| {
            let account = accounts.account(self, check, now_ms)?;
            Some(account.ask(cost, now_ms, self.patience_ms))
        };
        // One limit without permits has every request ask, and those of the others are for nothing.
        checks
            .iter()
            .map(ask)
            .collect::<Option<_>>()
            .unwrap_or_default()
    }

    /// Takes the permits that Redis has granted. Those that it granted before are still there for
    /// this caller, and told of as well. `sent_ms` is when it was asked: reckoned from there, a
    /// window ends a little earlier here than it does there, never later.
    pub(super) fn take(&self, checks: &[Check<'_>], answer: Answer, sent_ms: u64) -> Outcome {
        let Answer {
            mut outcome,
            granted,
        } = answer;
        let table = &mut self.accounts.borrow_mut().table;
        if table.is_empty() {
            return outcome;
        }
        let decisions = outcome.decisions.iter_mut().zip(granted);
        for (check, (decision, granted)) in checks.iter().zip(decisions) {
            let account = table.find_mut(self.hash(check), |account| account.is_of(check));
            if let (Some(account), Some(decision)) = (account, decision) {
                account.take(check, decision, granted, sent_ms);
            }
        }
        outcome
    }

    /// Gives up all permits; the most are first.
    pub(super) fn give_up(&self, now_ms: u64) -> Vec<Unused> {
        let mut accounts = self.accounts.take();
        let all = accounts.table.iter_mut();
        let mut all: Vec<Unused> = all.filter_map(|account| account.give_up(now_ms)).collect();
        all.sort_unstable_by_key(|unused| Reverse(unused.permits));
        all
    }

    /// Gives up the permits of callers that are gone.
    pub(super) fn give_up_idle(&self, now_ms: u64) -> Vec<Unused> {
        let table = &mut self.accounts.borrow_mut().table;
        let idle = table
            .iter_mut()
            .filter(|account| account.is_gone(now_ms, GONE_MS));
        idle.filter_map(|account| account.give_up(now_ms)).collect()
    }

    fn hash(&self, check: &Check<'_>) -> u64 {
        self.hasher.of_check(check)
    }
}

impl Accounts {
    /// The account of a caller, a new one if need be. None if there are too many.
    fn account(&mut self, leases: &Leases, check: &Check<'_>, now_ms: u64) -> Option<&mut Account> {
        let has_room = self.has_room(now_ms);
        let rehash = |account: &Account| leases.hasher.hash(account.counter(), account.who());
        let is_same = |account: &Account| account.is_of(check);
        let account = match self.table.entry(leases.hash(check), is_same, rehash) {
            Entry::Occupied(account) => account.into_mut(),
            Entry::Vacant(_) if !has_room => return None,
            Entry::Vacant(place) => place.insert(Account::new(check, now_ms)).into_mut(),
        };
        if !account.is_under(check.policy.limit) {
            *account = Account::new(check, now_ms);
        }
        Some(account)
    }

    fn has_room(&mut self, now_ms: u64) -> bool {
        if self.table.len() >= MOST && now_ms.saturating_sub(self.swept_ms) >= SWEEP_EVERY_MS {
            self.swept_ms = now_ms;
            self.table.retain(|account| account.is_in_use(now_ms));
        }
        self.table.len() < MOST
    }
}

/// Only what has a window, and is not too small for it to be worth while.
pub(super) fn is_leasable(check: &Check<'_>) -> bool {
    let limit = check.policy.limit;
    limit.algorithm() == Algorithm::FixedWindow && limit.requests() >= SMALLEST
}

#[cfg(test)]
mod tests;
