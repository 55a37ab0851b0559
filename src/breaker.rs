//! A circuit breaker: closed while what it guards answers, open after so many failures in a row. It
//! knows neither what is asked nor how long it stays open: its owner closes it, once a try has shown
//! that it may. Workers may share one, for it is one atomic word.
//!
//! Only attempts count that have begun since it was last closed: a late failure of an old connection
//! says nothing about the new one. Attempts that were under way together and fail are one failure: one
//! short pause, of what is asked or of the machine, fails all of them.

use std::sync::atomic::{AtomicU64, Ordering};

/// How many failures in a row stand for "open".
const OPEN: u32 = u32::MAX;

/// Whether something may be asked.
#[derive(Debug)]
pub struct Breaker {
    /// How often it was closed, in the upper half, and the failures since the last success.
    state: AtomicU64,
    opens_at: u32,
}

/// A call that the breaker has let through.
#[derive(Debug, Clone, Copy)]
pub struct Attempt {
    closing: u32,
    /// How many there were in a row when it began: if there are more when it fails, one was counted
    /// meanwhile.
    failures: u32,
}

impl Breaker {
    /// An open one, that opens again after `opens_at` failures in a row.
    pub fn open(opens_at: u32) -> Self {
        Self {
            state: AtomicU64::new(u64::from(OPEN)),
            opens_at,
        }
    }

    /// Begins an attempt. `None` while it is open.
    pub fn attempt(&self) -> Option<Attempt> {
        let (closing, failures) = split(self.state.load(Ordering::Relaxed));
        (failures != OPEN).then_some(Attempt { closing, failures })
    }

    /// An attempt was answered: failures before it were not in a row with those to come.
    pub fn succeeded(&self, attempt: Attempt) {
        // Most have nothing to change, and do not write to a line that all workers read.
        self.change(|closing, failures| {
            let counts = closing == attempt.closing && failures != OPEN && failures != 0;
            counts.then_some((closing, 0))
        });
    }

    /// An attempt has failed. Returns whether that opened the breaker.
    pub fn failed(&self, attempt: Attempt) -> bool {
        self.fail(attempt, |failures| {
            (failures <= attempt.failures).then_some(failures.saturating_add(1))
        })
    }

    /// An attempt has failed in a way of which one is enough. Returns whether that
    /// opened the breaker.
    pub fn failed_clearly(&self, attempt: Attempt) -> bool {
        self.fail(attempt, |_| Some(OPEN))
    }

    /// An attempt has failed, and counts by itself. It opens the breaker if `opens` says so of the
    /// failures in a row before it, for one with rules of its own. Returns whether that opened it.
    pub fn failed_if(&self, attempt: Attempt, opens: impl Fn(u32) -> bool) -> bool {
        let count = |failures: u32| failures.saturating_add(1).min(OPEN - 1);
        self.fail(attempt, |failures| {
            Some(if opens(failures) {
                OPEN
            } else {
                count(failures)
            })
        })
    }

    /// Whether it is closed, and was not closed again since this attempt began.
    pub fn is_current(&self, attempt: Attempt) -> bool {
        let (closing, failures) = split(self.state.load(Ordering::Relaxed));
        closing == attempt.closing && failures != OPEN
    }

    /// The failures in a row; `None` while it is open.
    pub fn failures(&self) -> Option<u32> {
        let (_, failures) = split(self.state.load(Ordering::Relaxed));
        (failures != OPEN).then_some(failures)
    }

    /// Closes it: what it guards has answered a try.
    pub fn close(&self) {
        self.change(|closing, _| Some((closing.wrapping_add(1), 0)));
    }

    /// Opens it, for whatever reason.
    pub fn trip(&self) {
        self.change(|closing, _| Some((closing, OPEN)));
    }

    fn fail(&self, attempt: Attempt, count: impl Fn(u32) -> Option<u32>) -> bool {
        let mut opened = false;
        self.change(|closing, failures| {
            opened = false;
            if closing != attempt.closing || failures == OPEN {
                return None;
            }
            let failures = count(failures)?;
            opened = failures >= self.opens_at;
            Some((closing, if opened { OPEN } else { failures }))
        });
        opened
    }

    fn change(&self, mut change: impl FnMut(u32, u32) -> Option<(u32, u32)>) {
        let changed = |state| {
            let (closing, failures) = split(state);
            change(closing, failures)
                .map(|(closing, failures)| u64::from(closing) << 32 | u64::from(failures))
        };
        // An error is a change that was not wanted.
        let _ = self
            .state
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, changed);
    }
}

fn split(state: u64) -> (u32, u32) {
    let half = |half: u64| u32::try_from(half).unwrap_or(OPEN);
    (half(state >> 32), half(state & u64::from(u32::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_in_a_row_open_it_and_others_do_not() {
        let breaker = Breaker::open(3);
        assert!(breaker.attempt().is_none(), "nothing has been tried yet");
        breaker.close();
        let attempt = || breaker.attempt().unwrap();
        let fails = || breaker.failed(attempt());
        for _ in 0..5 {
            assert!(!fails() && !fails());
            breaker.succeeded(attempt());
        }
        assert!(!fails() && !fails());
        let last = attempt();
        assert!(breaker.failed(last), "the third in a row");
        assert!(!breaker.failed(last), "it is open already");
        breaker.succeeded(last);
        assert!(breaker.attempt().is_none(), "only its owner closes it");
    }

    #[test]
    fn attempts_that_were_under_way_together_are_one_failure() {
        let breaker = Breaker::open(3);
        breaker.close();
        for opens in [false, false, true] {
            let together = [(); 9].map(|()| breaker.attempt().unwrap());
            assert_eq!(breaker.failed(together[0]), opens);
            assert!(together[1..].iter().all(|late| !breaker.failed(*late)));
        }
        assert!(breaker.attempt().is_none());
    }

    #[test]
    fn attempts_from_before_it_was_closed_do_not_count() {
        let breaker = Breaker::open(1);
        breaker.close();
        let old = breaker.attempt().unwrap();
        breaker.trip();
        breaker.close();
        assert!(!breaker.failed(old) && !breaker.failed_clearly(old));
        let new = breaker.attempt().unwrap();
        assert!(breaker.failed(new));
    }

    #[test]
    fn some_failures_need_no_second() {
        let breaker = Breaker::open(3);
        breaker.close();
        assert!(breaker.failed_clearly(breaker.attempt().unwrap()));
        assert!(breaker.attempt().is_none());
    }
}
