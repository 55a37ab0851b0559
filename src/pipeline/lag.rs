//! Whether a worker keeps up: how long what is ready to run waits for its turn. A probe takes its
//! place at the end of the queue and is timed until it is its turn, while there are requests; a
//! worker at rest is not woken.
//!
//! A worker that lags by more than 50 ms for 100 ms refuses new requests with 503 `overloaded`, before
//! anything else is done for them, until it has caught up. Time in which it did nothing at all, stopped
//! by a signal or by the machine, is not counted: what waits then is done in a moment.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use crate::seldom::Seldom;

/// How often there is a probe.
const INTERVAL: Duration = Duration::from_millis(25);
/// A worker that lags by more than this is behind.
const BEHIND: Duration = Duration::from_millis(50);
/// A worker that is behind for this long is overloaded.
const OVERLOADED: Duration = Duration::from_millis(100);
/// Between two requests of a busy worker lies less than this, so what is beyond it was a pause.
const LONGEST_STEP: Duration = Duration::from_millis(10);
/// For how long clients are not blamed for slowness after the worker was behind.
const BLAMELESS: Duration = Duration::from_secs(1);

/// What one worker knows of its lag.
#[derive(Debug)]
pub(super) struct Lag {
    /// When the next probe may begin.
    next: Cell<Instant>,
    /// When the probe that is under way began.
    probe: Cell<Option<Instant>>,
    /// How long it has been under way, without pauses.
    waited: Cell<Duration>,
    /// For how long the worker has been behind, without pauses, if it is.
    behind: Cell<Option<Duration>>,
    /// Up to when time has been counted.
    seen: Cell<Instant>,
    /// When it was last found to be behind, be it for a pause.
    last_behind: Cell<Option<Instant>>,
    waker: RefCell<Option<Waker>>,
    log: Seldom<10>,
}

impl Default for Lag {
    fn default() -> Self {
        let now = Instant::now();
        Self {
            next: Cell::new(now),
            probe: Cell::default(),
            waited: Cell::default(),
            behind: Cell::default(),
            seen: Cell::new(now),
            last_behind: Cell::default(),
            waker: RefCell::default(),
            log: Seldom::default(),
        }
    }
}

impl Lag {
    /// Notes that a request begins; whether it has to be refused, for the worker is overloaded.
    pub(super) fn refuses(&self, now: Instant) -> bool {
        if now < self.next.get() {
            return false;
        }
        self.look(now);
        let refuses = self.behind.get().is_some_and(|time| time >= OVERLOADED);
        if refuses && self.log.is_due(now) {
            tracing::warn!(
                "a worker lags by more than 50 ms: new requests get 503 (`overloaded`) until it has caught up"
            );
        }
        refuses
    }

    /// Begins a probe unless there is one, and counts the time that has passed.
    pub(super) fn look(&self, now: Instant) {
        if self.probe.get().is_some() {
            return self.count(now);
        }
        if self.behind.get().is_some() {
            self.count(now);
            // It was at rest meanwhile.
            if now.saturating_duration_since(self.next.get()) > INTERVAL {
                self.behind.set(None);
            }
        }
        self.seen.set(now);
        self.waited.set(Duration::ZERO);
        self.probe.set(Some(now));
        if let Some(waker) = &*self.waker.borrow() {
            waker.wake_by_ref();
        }
    }

    /// Whether the worker was behind just now: what seems slow may have waited for it.
    pub(super) fn was_behind(&self, now: Instant) -> bool {
        let last = self.last_behind.get();
        last.is_some_and(|then| now.saturating_duration_since(then) < BLAMELESS)
    }

    /// Takes the probes' turns, as long as the worker runs.
    pub(super) async fn probes(&self) {
        poll_fn(|cx: &mut Context<'_>| {
            self.waker.replace(Some(cx.waker().clone()));
            if self.probe.get().is_some() {
                self.end_probe(Instant::now());
            }
            Poll::<()>::Pending
        })
        .await;
    }

    fn end_probe(&self, now: Instant) {
        self.count(now);
        let Some(begun) = self.probe.take() else {
            return;
        };
        if now.saturating_duration_since(begun) > BEHIND {
            self.last_behind.set(Some(now));
        }
        if self.waited.get() > BEHIND {
            // The next one at once.
            self.next.set(now);
        } else {
            self.behind.set(None);
            self.next.set(now + INTERVAL);
        }
    }

    fn count(&self, now: Instant) {
        let step = now.saturating_duration_since(self.seen.replace(now));
        let step = step.min(LONGEST_STEP);
        let waited = self.waited.get() + step;
        self.waited.set(waited);
        self.behind.set(match self.behind.get() {
            Some(behind) => Some(behind + step),
            None => waited.checked_sub(BEHIND).filter(|over| !over.is_zero()),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A worker that begins a request every millisecond, whose queue is so long that what is ready
    /// waits for `lag`; when in 500 ms it refuses, in milliseconds.
    fn refused(lag: u64) -> Vec<u64> {
        let (monitor, start) = (Lag::default(), Instant::now());
        let mut begun = None;
        let mut refused = Vec::new();
        for ms in 1..=500 {
            let now = start + Duration::from_millis(ms);
            if monitor.refuses(now) {
                refused.push(ms);
            }
            match (monitor.probe.get(), begun) {
                (Some(_), None) => begun = Some(ms),
                (Some(_), Some(since)) if ms >= since + lag => {
                    monitor.end_probe(now);
                    begun = None;
                }
                _ => {}
            }
        }
        refused
    }

    #[test]
    fn a_worker_that_keeps_up_refuses_nothing() {
        assert!(refused(1).is_empty());
        assert!(refused(45).is_empty());
    }

    #[test]
    fn a_worker_that_lags_refuses_after_a_while_and_for_as_long_as_it_does() {
        for lag in [60, 120, 1000] {
            let refused = refused(lag);
            assert!((145..170).contains(&refused[0]), "{lag}: {refused:?}");
            let all: Vec<_> = (refused[0]..=500).collect();
            assert_eq!(refused, all, "{lag}");
        }
    }

    #[test]
    fn it_serves_again_once_it_has_caught_up() {
        let (monitor, start) = (Lag::default(), Instant::now());
        let at = |ms| start + Duration::from_millis(ms);
        let refused: Vec<_> = (1..400).map(|ms| monitor.refuses(at(ms))).collect();
        assert!(refused[398]);
        monitor.end_probe(at(400));
        assert!(monitor.was_behind(at(401)) && !monitor.was_behind(at(1401)));
        assert!(monitor.refuses(at(401)), "the next probe is under way");
        monitor.end_probe(at(402));
        assert!(!monitor.refuses(at(403)));
    }

    #[test]
    fn a_pause_is_no_overload() {
        let (monitor, start) = (Lag::default(), Instant::now());
        let at = |ms| start + Duration::from_millis(ms);
        // Stopped for ten seconds with a probe under way, again and again.
        for pause in 0..10 {
            for ms in 0..20 {
                assert!(!monitor.refuses(at(pause * 10_000 + ms)));
            }
            if monitor.probe.get().is_some() {
                monitor.end_probe(at(pause * 10_000 + 9_999));
            }
        }
    }

    #[test]
    fn what_was_is_forgotten_at_rest() {
        let (monitor, start) = (Lag::default(), Instant::now());
        let at = |ms| start + Duration::from_millis(ms);
        assert!((1..400).any(|ms| monitor.refuses(at(ms))));
        monitor.end_probe(at(400));
        assert!(!monitor.refuses(at(2_000)));
    }
}
