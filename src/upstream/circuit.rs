//! The circuit breaker of one address of an endpoint, shared by all workers and kept over reloads.
//!
//! Closed, everything passes. It opens after so many failures in a row, if nothing has succeeded for
//! 250 ms either: a service that sheds one request in ten has three failures in a row all the time.
//! An answer is a success once it begins; those that break off after that are a row of their own.
//! Open, nothing passes but one probe after each cool-down: a lease, which ends with its try.
//! Only tries count that have begun since the last change. Nothing here is locked but the words for
//! the log.

mod standing;

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering, Ordering::Relaxed, fence};
use std::time::{Duration, Instant};

use crate::breaker::{Attempt, Breaker};
use crate::lock::lock;

use super::failure::Failure;
use super::moment::{millis, whole_millis};
use super::rules::BreakerRules;

/// How long nothing may have succeeded before failures in a row open a circuit.
const QUIET: Duration = Duration::from_millis(250);
/// The longest cool-down that failed probes lead to.
const LONGEST_COOL_DOWN: Duration = Duration::from_mins(2);
/// The pause between two probes while no endpoint of the upstream can be used.
const COOL_DOWN_OF_ALL: Duration = Duration::from_secs(5);
/// How long tries may fail before an address whose checks fail, too, is taken to serve no more; and how
/// often one try finds out whether it does again.
const TRIAL: Duration = Duration::from_secs(1);
/// How exactly the moment of the last success is noted.
const GRAIN: Duration = Duration::from_millis(25);
/// Probes are told apart by number, also those that hold their lease until the same millisecond.
const NUMBER_BITS: u32 = 16;
const NUMBER: u64 = (1 << NUMBER_BITS) - 1;

/// A circuit.
#[derive(Debug)]
pub(super) struct Circuit {
    breaker: Breaker,
    /// When a try last succeeded, about.
    succeeded: AtomicU64,
    /// When the first try failed after that.
    failing_since: AtomicU64,
    /// When the last try began that was to find out whether it serves again.
    trial: AtomicU64,
    /// When it opened, or the last probe ended.
    waits_since: AtomicU64,
    /// How long it waits before a probe, in milliseconds.
    cool_down: AtomicU64,
    /// Until when the probe that is under way holds it, or 0: there is none; then, in the last
    /// [`NUMBER_BITS`], the number of that probe, or of the last one.
    lease: AtomicU64,
    /// When a probe last gave way to others, for its client kept it waiting.
    gave_way: AtomicU64,
    /// Since when answers have broken off in a row, with none between that ended whole, and in the last
    /// [`NUMBER_BITS`] how many; 0: none has.
    broken_off: AtomicU64,
    /// When and why it opened.
    opened: Mutex<Option<(Instant, Failure)>>,
}

/// How a circuit stands, for another process: how long ago it last succeeded, has failed since, opened, and
/// began to wait, each in milliseconds and one more, or 0 if it has not; its cool-down in milliseconds; and why
/// it opened, as [`Failure::number`] has it.
pub type Standing = [u64; 6];

/// Which failures are looked at in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Row {
    /// Those of tries, until one is answered.
    Tries,
    /// Those of answers, each of which has begun well, until one ends whole.
    Answers,
}

/// What lets a try through.
#[derive(Debug, Clone, Copy)]
pub(super) enum Ticket {
    /// The circuit was closed.
    Closed(Attempt),
    /// It is a probe with this lease, the one that counts as long as the circuit has the same.
    Probe(u64),
    /// Nobody asks what becomes of it: the breaker is off.
    Unguarded,
}

impl Default for Circuit {
    fn default() -> Self {
        // It opens when the rules say so, which a reload may change.
        let breaker = Breaker::open(u32::MAX);
        breaker.close();
        Self {
            breaker,
            succeeded: AtomicU64::new(0),
            failing_since: AtomicU64::new(0),
            trial: AtomicU64::new(0),
            waits_since: AtomicU64::new(0),
            cool_down: AtomicU64::new(0),
            lease: AtomicU64::new(0),
            gave_way: AtomicU64::new(0),
            broken_off: AtomicU64::new(0),
            opened: Mutex::default(),
        }
    }
}

impl Circuit {
    /// A ticket for a try, unless it is open.
    #[inline]
    pub(super) fn enter(&self) -> Option<Ticket> {
        self.breaker.attempt().map(Ticket::Closed)
    }

    /// Whether it is open.
    pub(super) fn is_open(&self) -> bool {
        self.breaker.attempt().is_none()
    }

    /// When and why it opened, if it is open.
    pub(super) fn opened(&self) -> Option<(Instant, Failure)> {
        self.is_open().then(|| *lock(&self.opened)).flatten()
    }

    /// Whether a probe is under way.
    pub(super) fn is_probed(&self, now: Instant) -> bool {
        self.lease.load(Relaxed) >> NUMBER_BITS > millis(now)
    }

    /// Whether tries succeed: one has, and they have not been failing for a second since.
    pub(super) fn serves(&self, now: Instant) -> bool {
        let failing = self.failing_since.load(Relaxed);
        self.has_served() && (self.is_before_success(failing) || !has_passed(failing, now))
    }

    /// Whether one try is due that finds out whether it serves again, as it has before.
    pub(super) fn is_trial_due(&self, now: Instant) -> bool {
        self.has_served() && has_passed(self.trial.load(Relaxed), now)
    }

    /// Begins that try, unless another has.
    pub(super) fn begin_trial(&self, now: Instant) -> bool {
        let last = self.trial.load(Relaxed);
        let begin = || {
            self.trial
                .compare_exchange(last, millis(now), Relaxed, Relaxed)
        };
        self.has_served() && has_passed(last, now) && begin().is_ok()
    }

    fn has_served(&self) -> bool {
        self.succeeded.load(Relaxed) != 0
    }

    /// Whether a try has succeeded since a failure, as exactly as that is noted.
    fn is_before_success(&self, failure: u64) -> bool {
        failure <= self.succeeded.load(Relaxed) + whole_millis(GRAIN)
    }

    fn note_failure(&self, why: Failure, now: Instant) {
        let is_first = self.is_before_success(self.failing_since.load(Relaxed));
        // A client that leaves may have had reasons of its own.
        if is_first && why != Failure::Impatient {
            self.failing_since.store(millis(now), Relaxed);
        }
    }

    /// How long until a probe is due. With `all_open` nothing else of the upstream can be used.
    pub(super) fn until_probe(&self, all_open: bool, now: Instant) -> Duration {
        let now = millis(now);
        let mut cool_down = self.cool_down.load(Relaxed);
        if all_open {
            cool_down = cool_down.min(whole_millis(COOL_DOWN_OF_ALL));
        }
        let due = self.waits_since.load(Relaxed).saturating_add(cool_down);
        let due = due.max(self.lease.load(Relaxed) >> NUMBER_BITS);
        Duration::from_millis(due.saturating_sub(now))
    }

    /// How long until it is worth asking again while nothing else of the upstream can be used. A probe
    /// that is under way will have ended long before its lease, as a rule.
    pub(super) fn until_next_chance(&self, now: Instant) -> Duration {
        self.until_probe(true, now).min(COOL_DOWN_OF_ALL)
    }

    /// Takes the lease of a probe that is due and will have ended in `time`.
    pub(super) fn probe(&self, all_open: bool, time: Duration, now: Instant) -> Option<Ticket> {
        // What was noted when it opened is seen: see `failed`.
        fence(Ordering::Acquire);
        let held = self.lease.load(Relaxed);
        if !self.until_probe(all_open, now).is_zero() {
            return None;
        }
        let until = millis(now) + whole_millis(time);
        let lease = until << NUMBER_BITS | held.wrapping_add(1) & NUMBER;
        self.lease
            .compare_exchange(held, lease, Relaxed, Relaxed)
            .is_ok()
            .then_some(Ticket::Probe(lease))
    }

    /// Ends a probe without a verdict: the next may begin at once.
    pub(super) fn free(&self, lease: u64) {
        let none = lease & NUMBER;
        let _ = self.lease.compare_exchange(lease, none, Relaxed, Relaxed);
    }

    /// Whether this probe holds the lease.
    pub(super) fn is_held_by(&self, lease: u64) -> bool {
        self.lease.load(Relaxed) == lease
    }

    /// Ends a probe that waits for its client.
    pub(super) fn give_way(&self, lease: u64, now: Instant) {
        if self.is_held_by(lease) {
            self.gave_way.store(millis(now), Relaxed);
            self.free(lease);
        }
    }

    /// Whether a probe has given way after that moment.
    pub(super) fn gave_way_after(&self, at: Instant) -> bool {
        self.gave_way.load(Relaxed) > millis(at)
    }

    /// Ends whatever lease there is: what becomes of its probe counts no longer.
    fn end_lease(&self) {
        self.lease.fetch_and(NUMBER, Relaxed);
    }

    /// Notes that a try has succeeded; says how long the circuit was open, and why, if that closes it.
    #[inline]
    pub(super) fn succeeded(&self, ticket: Ticket, now: Instant) -> Option<(Duration, Failure)> {
        match ticket {
            Ticket::Closed(attempt) => {
                self.breaker.succeeded(attempt);
                self.note_success(now);
                None
            }
            Ticket::Probe(lease) if self.is_held_by(lease) => self.close(now),
            // Another has begun, or the circuit has closed meanwhile, and perhaps opened again.
            Ticket::Probe(_) => None,
            Ticket::Unguarded => {
                self.note_success(now);
                // It was open when the breaker was turned off.
                self.close(now)
            }
        }
    }

    #[inline]
    fn note_success(&self, now: Instant) {
        let now = millis(now);
        // Not each time: workers share the cache line.
        let then = self.succeeded.load(Relaxed);
        if then == 0 || then + whole_millis(GRAIN) < now {
            self.succeeded.store(now, Relaxed);
        }
    }

    /// Notes that a try has failed though no failure opens the circuit, for that is off.
    pub(super) fn failed_unguarded(&self, why: Failure, now: Instant) {
        self.note_failure(why, now);
    }

    /// Closes it. Says how long it was open, and why.
    pub(super) fn close(&self, now: Instant) -> Option<(Duration, Failure)> {
        if !self.is_open() {
            return None;
        }
        let opened = lock(&self.opened).take();
        self.succeeded.store(millis(now), Relaxed);
        self.end_lease();
        self.ended_whole();
        self.breaker.close();
        opened.map(|(at, why)| (now.saturating_duration_since(at), why))
    }

    /// Notes that an answer has ended whole.
    #[inline]
    pub(super) fn ended_whole(&self) {
        // Most have nothing to change.
        if self.broken_off.load(Relaxed) != 0 {
            self.broken_off.store(0, Relaxed);
        }
    }

    /// Notes that an answer has broken off; says whether enough have for long enough. Each began as a
    /// success, so when one last succeeded says nothing.
    fn breaks_off(&self, rules: &BreakerRules, now: Instant) -> bool {
        let now = millis(now);
        let more = |row: u64| match row & NUMBER {
            0 => now << NUMBER_BITS | 1,
            NUMBER => row,
            _ => row + 1,
        };
        let before = self
            .broken_off
            .fetch_update(Relaxed, Relaxed, |row| Some(more(row)));
        let row = more(before.unwrap_or_else(|row| row));
        let since = row >> NUMBER_BITS;
        row & NUMBER >= u64::from(rules.failures) && since + whole_millis(QUIET) <= now
    }

    /// Notes that a try has failed, or its answer; says whether that opened the circuit. `may_open` is
    /// asked where that is all that is left to ask.
    pub(super) fn failed(
        &self,
        ticket: Ticket,
        (why, row): (Failure, Row),
        rules: &BreakerRules,
        now: Instant,
        may_open: impl Fn() -> bool,
    ) -> bool {
        let Ticket::Closed(attempt) = ticket else {
            return false;
        };
        if !self.breaker.is_current(attempt) {
            return false;
        }
        self.note_failure(why, now);
        let quiet = match self.succeeded.load(Relaxed) {
            0 => true,
            at => at + whole_millis(QUIET) <= millis(now),
        };
        let breaks_off = row == Row::Answers && self.breaks_off(rules, now);
        self.breaker.failed_if(attempt, |failures| {
            let enough = failures.saturating_add(1) >= rules.failures;
            let opens = (breaks_off || enough && (quiet || why.is_clear())) && may_open();
            if opens {
                // Before it is open, for whoever sees that may be its probe. Callers hold the lock of the
                // upstream, so nobody else notes anything else.
                self.cool_down.store(whole_millis(rules.cool_down), Relaxed);
                self.waits_since.store(millis(now), Relaxed);
                self.end_lease();
                self.ended_whole();
                *lock(&self.opened) = Some((now, why));
                fence(Ordering::Release);
            }
            opens
        })
    }

    /// Notes that the probe has failed. The next waits for longer while another endpoint serves.
    pub(super) fn probe_failed(&self, lease: u64, another_serves: bool, now: Instant) {
        if !self.is_held_by(lease) {
            // It took longer than its lease; another has begun.
            return;
        }
        let longest = whole_millis(LONGEST_COOL_DOWN);
        let cool_down = self.cool_down.load(Relaxed);
        if another_serves && cool_down < longest {
            let longer = cool_down.saturating_mul(2).min(longest);
            self.cool_down.store(longer, Relaxed);
        }
        self.waits_since.store(millis(now), Relaxed);
        self.free(lease);
    }
}

/// Whether a second has passed since a moment.
fn has_passed(since: u64, now: Instant) -> bool {
    since + whole_millis(TRIAL) <= millis(now)
}

#[cfg(test)]
mod tests;
