//! Permits of busy callers, taken from Redis several at a time and spent here, so that one call
//! serves many requests. They are counted in Redis when they are taken: whatever becomes of them,
//! all gateways together never admit more than the limit. What lies unused when the window ends has
//! been refused to somebody for nothing; hence none are taken for callers that are not busy, and
//! never more than a small part of what is left.
//!
//! For fixed windows alone: a permit lasts until its window ends, which is known when it is taken.
//! In the other algorithms what is spent comes back while time passes, and unused permits with it.

use std::cell::RefCell;
use std::hash::{BuildHasher, RandomState};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use hashbrown::HashTable;
use smallvec::SmallVec;

use super::clock::millis;
use super::redis::Answer;
use super::{Algorithm, Check, Decision, Decisions, Limit, Outcome, Policy, Subject};

/// So many callers a worker keeps account of at most; those beyond have every request ask. At 144
/// bytes each they fill a table of 2^14 places, 2.3 MiB, as far as such a table is filled.
const MOST: usize = (1 << 14) / 8 * 7;

/// How often a full table is searched for accounts of callers that are gone, at most.
const SWEEP_EVERY_MS: u64 = 1000;

/// What has been spent within this time is taken for what will be. Longer saves little: a caller
/// that makes a hundred requests in it already costs one call in a hundred.
const LOOK_BACK_MS: u64 = 1000;

/// `decide.lua` grants at most this part of what is left.
const PART: u64 = 64;

/// Smaller limits are exact to the request, also when callers stop in the middle: they are used up
/// so soon that Redis would hardly be asked less.
const SMALLEST: u64 = 1024;

/// Permits that end sooner are not returned: the next window has not counted them.
const WORTH_RETURNING_MS: u64 = 1000;

/// How many permits to ask for, for each check of a request. None at all: nothing is leased.
pub(super) type Permits = SmallVec<[u64; 2]>;

/// One worker's leases.
#[derive(Debug)]
pub(super) struct Leases {
    accounts: RefCell<Accounts>,
    hasher: RandomState,
    /// For how long a call that asks for permits may be under way.
    patience_ms: u64,
}

#[derive(Debug, Default)]
struct Accounts {
    table: HashTable<Account>,
    swept_ms: u64,
}

/// What a worker holds for one caller under one limit, and how busy that caller is.
#[derive(Debug)]
struct Account {
    counter: Arc<str>,
    subject: Subject,
    /// A reload may change it. Permits under the old one are given up then.
    limit: Limit,
    /// Counted in Redis, and not spent yet.
    permits: u64,
    /// When their window ends at the latest.
    ends_ms: u64,
    /// What was left beside them when Redis last answered.
    remaining: u64,
    /// A call is under way that asks for permits. Others that are sent meanwhile ask for none, or
    /// every request in flight would take as many.
    asking_until_ms: u64,
    meter: Meter,
}

/// How much has been spent lately.
#[derive(Debug)]
struct Meter {
    since_ms: u64,
    spent: u64,
    /// In the look-back before.
    before: u64,
}

/// Permits to be returned.
#[derive(Debug)]
pub(super) struct Unused {
    pub policy: Policy,
    pub subject: Subject,
    pub permits: u64,
}

impl Leases {
    /// Holds none. A call takes at most `deadline`.
    pub(super) fn new(deadline: Duration) -> Self {
        Self {
            accounts: RefCell::default(),
            hasher: RandomState::new(),
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
            account.meter.count(cost, now_ms);
            let permits = account.wanted(cost, now_ms);
            if permits > 0 {
                account.asking_until_ms = now_ms.saturating_add(self.patience_ms);
            }
            Some(permits)
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
                decision.remaining += account.permits;
            }
        }
        outcome
    }

    /// Gives up all permits, and tells those that are worth returning.
    pub(super) fn give_up(&self, now_ms: u64) -> Vec<Unused> {
        let accounts = self.accounts.take();
        let worth_it = |account: &Account| {
            account.permits > 0 && account.ends_ms > now_ms.saturating_add(WORTH_RETURNING_MS)
        };
        let all = accounts.table.into_iter().filter(worth_it);
        let unused = all.map(|account| Unused {
            // That of a fixed window is called as its counter is.
            policy: Policy::new(&*account.counter, account.limit),
            subject: account.subject,
            permits: account.permits,
        });
        unused.collect()
    }

    fn hash(&self, check: &Check<'_>) -> u64 {
        hash(&self.hasher, check.policy.counter(), check.subject)
    }
}

impl Accounts {
    /// The account of a caller, a new one if need be. None if there are too many.
    fn account(&mut self, leases: &Leases, check: &Check<'_>, now_ms: u64) -> Option<&mut Account> {
        let hash = leases.hash(check);
        // Looked for twice, for the borrow checker takes the first look to last.
        if self
            .table
            .find(hash, |account| account.is_of(check))
            .is_none()
        {
            if !self.has_room(now_ms) {
                return None;
            }
            let rehash =
                |account: &Account| self::hash(&leases.hasher, &account.counter, &account.subject);
            self.table
                .insert_unique(hash, Account::new(check, now_ms), rehash);
        }
        let account = self.table.find_mut(hash, |account| account.is_of(check))?;
        if account.limit != check.policy.limit {
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

impl Account {
    fn new(check: &Check<'_>, now_ms: u64) -> Self {
        Self {
            counter: Arc::clone(check.policy.counter()),
            subject: check.subject.clone(),
            limit: check.policy.limit,
            permits: 0,
            ends_ms: now_ms,
            remaining: 0,
            asking_until_ms: now_ms,
            meter: Meter {
                since_ms: now_ms,
                spent: 0,
                before: 0,
            },
        }
    }

    fn is_of(&self, check: &Check<'_>) -> bool {
        self.counter == *check.policy.counter() && self.subject == *check.subject
    }

    fn is_in_use(&self, now_ms: u64) -> bool {
        let has_permits = self.permits > 0 && self.ends_ms > now_ms;
        has_permits || now_ms.saturating_sub(self.meter.since_ms) < 2 * LOOK_BACK_MS
    }

    fn covers(&self, check: &Check<'_>, cost: NonZeroU32, now_ms: u64) -> bool {
        self.permits >= u64::from(cost.get())
            && self.ends_ms > now_ms
            && self.limit == check.policy.limit
    }

    fn spend(&mut self, cost: NonZeroU32, now_ms: u64) -> Decision {
        self.meter.count(cost, now_ms);
        self.permits -= u64::from(cost.get());
        Decision {
            admitted: true,
            remaining: self.remaining.saturating_add(self.permits),
            reset: Duration::from_millis(self.ends_ms.saturating_sub(now_ms)),
            retry_after: Duration::ZERO,
            degraded: false,
            cached: true,
        }
    }

    /// As many permits as the caller has lately spent beside this request, or will until the window
    /// ends.
    fn wanted(&self, cost: NonZeroU32, now_ms: u64) -> u64 {
        if self.asking_until_ms > now_ms {
            return 0;
        }
        let in_look_back = self.meter.in_look_back() - u64::from(cost.get());
        let left_ms = match self.ends_ms.saturating_sub(now_ms) {
            0 => LOOK_BACK_MS,
            left_ms => left_ms.min(LOOK_BACK_MS),
        };
        // Both are small: no more is spent in a second than fits in 53 bits by far.
        let wanted = in_look_back.saturating_mul(left_ms) / LOOK_BACK_MS;
        wanted.min(self.limit.requests() / PART)
    }

    fn take(&mut self, check: &Check<'_>, decision: &Decision, granted: u64, sent_ms: u64) {
        if self.limit != check.policy.limit {
            return;
        }
        let ends_ms = sent_ms.saturating_add(millis(decision.reset));
        if self.permits == 0 || self.ends_ms <= sent_ms {
            self.permits = 0;
            self.ends_ms = ends_ms;
        } else {
            // If this is another window already, as after Redis was emptied, then permits of the
            // old one must not last as long.
            self.ends_ms = self.ends_ms.min(ends_ms);
        }
        self.permits = self.permits.saturating_add(granted);
        self.remaining = decision.remaining;
        if granted > 0 {
            self.asking_until_ms = sent_ms;
        }
    }
}

impl Meter {
    fn count(&mut self, cost: NonZeroU32, now_ms: u64) {
        let passed = now_ms.saturating_sub(self.since_ms);
        if passed >= LOOK_BACK_MS {
            let just_now = passed < 2 * LOOK_BACK_MS;
            self.before = if just_now { self.spent } else { 0 };
            self.spent = 0;
            self.since_ms = now_ms;
        }
        self.spent = self.spent.saturating_add(cost.get().into());
    }

    fn in_look_back(&self) -> u64 {
        self.spent.max(self.before)
    }
}

/// Only what has a window, and is not too small for it to be worth while.
fn is_leasable(check: &Check<'_>) -> bool {
    let limit = check.policy.limit;
    limit.algorithm() == Algorithm::FixedWindow && limit.requests() >= SMALLEST
}

fn hash(hasher: &RandomState, counter: &Arc<str>, subject: &Subject) -> u64 {
    hasher.hash_one((&**counter, subject))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::ClientName;

    /// A caller with a limit of 6,400 a minute, and the leases of its worker.
    struct Busy {
        leases: Leases,
        policy: Policy,
        subject: Subject,
    }

    impl Busy {
        fn new() -> Self {
            let limit = Limit::new(6_400, Duration::from_mins(1)).unwrap();
            Self {
                leases: Leases::new(Duration::from_millis(25)),
                policy: Policy::new("test", limit),
                subject: Subject::Client(ClientName::parse("caller").unwrap()),
            }
        }

        fn checks(&self) -> [Check<'_>; 1] {
            [Check {
                policy: &self.policy,
                subject: &self.subject,
            }]
        }

        fn spend(&self, now_ms: u64) -> Option<Decision> {
            let outcome = self.leases.spend(&self.checks(), NonZeroU32::MIN, now_ms);
            outcome.and_then(|outcome| outcome.only())
        }

        /// How many permits it asks for.
        fn ask(&self, now_ms: u64) -> u64 {
            self.leases.ask(&self.checks(), NonZeroU32::MIN, now_ms)[0]
        }

        /// Redis grants as many in a window that lasts for `reset_ms` more.
        fn take(&self, granted: u64, reset_ms: u64, sent_ms: u64) -> Decision {
            let decision = Decision {
                admitted: true,
                remaining: 1_000,
                reset: Duration::from_millis(reset_ms),
                retry_after: Duration::ZERO,
                degraded: false,
                cached: false,
            };
            let answer = Answer {
                outcome: Outcome::of(true, std::iter::once(Some(decision)).collect()),
                granted: Permits::from_elem(granted, 1),
            };
            let outcome = self.leases.take(&self.checks(), answer, sent_ms);
            outcome.only().unwrap()
        }
    }

    #[test]
    fn a_caller_is_given_what_it_has_spent_in_a_second() {
        let busy = Busy::new();
        assert_eq!(busy.ask(0), 0, "nothing is known of it yet");
        busy.take(0, 60_000, 0);
        assert_eq!(busy.ask(10), 1);
        assert_eq!(busy.take(1, 59_990, 10).remaining, 1_001);
        assert_eq!(busy.spend(20).unwrap().remaining, 1_000);
        assert_eq!(busy.spend(20), None, "there was one");
        assert_eq!(busy.ask(20), 3);
        assert_eq!(busy.ask(21), 0, "one call at a time asks for permits");
        assert_eq!(busy.ask(45), 5, "that one has taken too long");
        busy.take(0, 59_955, 45);
        // What was spent in the second before counts as well.
        assert_eq!(busy.ask(1_080), 5);
        // And then no more.
        assert_eq!(busy.ask(3_500), 0);
    }

    #[test]
    fn no_more_is_asked_for_than_the_window_has_time_for_or_a_part_of_the_limit() {
        let busy = Busy::new();
        for _ in 0..150 {
            busy.ask(0);
        }
        busy.take(1, 60_000, 0);
        assert_eq!(busy.ask(25), 100, "a 64th of 6,400");
        busy.take(1, 100, 25);
        busy.spend(26).unwrap();
        busy.spend(26).unwrap();
        assert_eq!(busy.ask(50), 153 * 75 / 1_000, "the window has 75 ms to go");
    }

    #[test]
    fn permits_end_with_their_window_as_reckoned_from_when_the_call_was_sent() {
        let busy = Busy::new();
        busy.ask(500);
        busy.take(10, 1_000, 500);
        assert_eq!(busy.spend(1_499).unwrap().reset, Duration::from_millis(1));
        assert_eq!(busy.spend(1_500), None);
        // Those of the next window do not bring them back.
        busy.ask(1_600);
        busy.take(1, 1_000, 1_600);
        assert!(busy.spend(1_700).is_some());
        assert_eq!(busy.spend(1_700), None);
    }

    #[test]
    fn permits_of_a_window_that_is_gone_do_not_last_as_long_as_the_next() {
        let busy = Busy::new();
        busy.ask(0);
        busy.take(2, 1_000, 0);
        // Redis has been emptied.
        busy.ask(500);
        busy.take(2, 60_000, 500);
        assert!(busy.spend(999).is_some());
        assert_eq!(busy.spend(1_000), None);
    }

    #[test]
    fn what_is_worth_it_is_returned() {
        let busy = Busy::new();
        busy.ask(0);
        busy.take(7, 60_000, 0);
        busy.spend(1).unwrap();
        let unused = busy.leases.give_up(1);
        let [unused] = &unused[..] else {
            panic!("{unused:?}");
        };
        assert_eq!((unused.permits, &unused.subject), (6, &busy.subject));
        assert_eq!(unused.policy.counter(), busy.policy.counter());
        assert_eq!(busy.spend(1), None, "they are given up");
        busy.ask(2);
        busy.take(7, 1_000, 2);
        assert!(
            busy.leases.give_up(2).is_empty(),
            "the window is nearly over"
        );
    }

    #[test]
    fn accounts_have_a_size_and_a_bound() {
        assert_eq!(size_of::<Account>(), 144);
        let busy = Busy::new();
        let mut accounts = Accounts::default();
        for n in 0..MOST as u64 {
            let account = Account::new(&busy.checks()[0], 5_000);
            accounts.table.insert_unique(n, account, |_| n);
        }
        assert!(!accounts.has_room(6_999), "all callers were here lately");
        assert!(!accounts.has_room(7_000), "not searched again so soon");
        assert!(accounts.has_room(8_000));
    }
}
