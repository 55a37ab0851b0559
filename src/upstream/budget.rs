//! How many retries an upstream gets, in the whole process: so many for a hundred requests of the
//! last ten seconds, and beside them a few in each second.
//!
//! Why a budget, when the tries of a request are bounded? If all requests fail, two more tries for
//! each make three times the load, just when the service can bear it least. With 20 % it is 1.2
//! times, and while failures are rare each of them is retried.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::rules::RetryRules;

/// For how many seconds a request entitles to its part of a retry.
const SECONDS: usize = 10;

/// What was asked and retried, second by second.
#[derive(Debug, Default)]
pub(super) struct Budget {
    requests: Seconds,
    /// Those that the requests paid for.
    retries: Seconds,
    /// Those of this second that nothing was paid for.
    free: AtomicU64,
}

/// Counts of the last seconds: each a second and a count, both 32 bits, at the second's place.
#[derive(Debug, Default)]
struct Seconds([AtomicU64; SECONDS]);

impl Budget {
    /// Notes requests that began in this second.
    pub(super) fn deposit(&self, second: u32, requests: u32) {
        self.requests.add(second, requests);
    }

    /// Takes a retry from the budget, if there is one.
    pub(super) fn withdraw(&self, rules: &RetryRules, second: u32) -> bool {
        let counts = |slot: u64| {
            let (then, count) = split(slot);
            let count = if then == second { count } else { 0 };
            (count < rules.per_second).then(|| packed(second, count + 1))
        };
        if self.free.fetch_update(Relaxed, Relaxed, counts).is_ok() {
            return true;
        }
        let part = self.requests.sum(second) * u64::from(rules.percent) / 100;
        // Ten seconds touch eleven of the clock: the free retries of the eleventh are paid for.
        let paid_for = part.saturating_sub(u64::from(rules.per_second));
        let allowed = self.retries.sum(second) < paid_for;
        if allowed {
            self.retries.add(second, 1);
        }
        allowed
    }
}

impl Seconds {
    fn add(&self, second: u32, count: u32) {
        let added = |slot| {
            let (then, sum) = split(slot);
            let sum = if then == second { sum } else { 0 };
            // A worker that had nothing to do for long tells late of what it had done before.
            (then <= second).then(|| packed(second, sum.saturating_add(count)))
        };
        let slot = &self.0[second as usize % SECONDS];
        let _ = slot.fetch_update(Relaxed, Relaxed, added);
    }

    fn sum(&self, second: u32) -> u64 {
        let slots = self.0.iter().map(|slot| split(slot.load(Relaxed)));
        let young = slots.filter(|(then, _)| (second.wrapping_sub(*then) as usize) < SECONDS);
        young.map(|(_, count)| u64::from(count)).sum()
    }
}

fn packed(second: u32, count: u32) -> u64 {
    u64::from(second) << 32 | u64::from(count)
}

#[expect(clippy::cast_possible_truncation, reason = "each half on its own")]
fn split(slot: u64) -> (u32, u32) {
    ((slot >> 32) as u32, slot as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn withdraw(budget: &Budget, second: u32, times: u32) -> usize {
        let rules = RetryRules::default();
        (0..times)
            .filter(|_| budget.withdraw(&rules, second))
            .count()
    }

    #[test]
    fn ten_in_a_second_need_no_requests() {
        let budget = Budget::default();
        for second in 100..120 {
            assert_eq!(withdraw(&budget, second, 50), 10);
        }
    }

    #[test]
    fn requests_pay_for_a_fifth() {
        let budget = Budget::default();
        budget.deposit(100, 1000);
        assert_eq!(withdraw(&budget, 100, 1000), 200);
        assert_eq!(withdraw(&budget, 100, 1000), 0);
        budget.deposit(101, 1000);
        assert_eq!(withdraw(&budget, 101, 1000), 210);
    }

    #[test]
    fn requests_pay_for_ten_seconds() {
        let budget = Budget::default();
        budget.deposit(100, 1000);
        assert_eq!(withdraw(&budget, 109, 1000), 200);
        let budget = Budget::default();
        budget.deposit(100, 1000);
        assert_eq!(withdraw(&budget, 110, 1000), 10);
    }

    #[test]
    fn what_is_told_late_takes_the_place_of_nothing() {
        let budget = Budget::default();
        budget.deposit(110, 1000);
        budget.deposit(100, 10);
        assert_eq!(withdraw(&budget, 110, 1000), 200);
    }

    /// All fail, and are retried as often as they may, for a minute.
    #[test]
    fn a_storm_adds_a_fifth() {
        let budget = Budget::default();
        let mut retried = 0;
        for second in 100..160 {
            budget.deposit(second, 500);
            retried += withdraw(&budget, second, 1000);
        }
        assert!(retried <= 60 * (100 + 10), "{retried}");
        assert!(retried >= 59 * (100 + 10), "{retried}");
    }

    /// The same from half a second to half a second: it touches 61 seconds of the clock.
    #[test]
    fn a_storm_that_begins_within_a_second_adds_no_more() {
        let budget = Budget::default();
        let mut retried = 0;
        for half in 201..321 {
            budget.deposit(half / 2, 250);
            retried += withdraw(&budget, half / 2, 500);
        }
        assert!(retried <= 60 * (100 + 10), "{retried}");
        assert!(retried >= 59 * (100 + 10), "{retried}");
    }
}
