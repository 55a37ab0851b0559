//! How much of the time to the head of an answer services took: connections, requests and heads of all
//! tries. The rest is the gateway's own. Times are nanoseconds since the request began.

use std::cell::Cell;
use std::time::{Duration, Instant};

/// The time that services took for one request.
#[derive(Debug)]
pub(in crate::pipeline) struct ServiceTime {
    taken: Cell<u64>,
    /// Since when one is asked, if one is.
    asked: Cell<u64>,
    /// When the head of its answer was passed on, if it was.
    answered: Cell<u64>,
}

/// A time that has not come.
const NEVER: u64 = u64::MAX;

impl ServiceTime {
    pub(super) fn new() -> Self {
        Self {
            taken: Cell::new(0),
            asked: Cell::new(NEVER),
            answered: Cell::new(NEVER),
        }
    }

    /// Notes that a service is asked.
    pub(super) fn begins(&self, since_begun: Duration) {
        self.asked.set(nanos(since_begun));
    }

    /// Notes that it is not asked any more.
    pub(super) fn ends(&self, now: impl FnOnce() -> Instant, begun: Instant) {
        let asked = self.asked.replace(NEVER);
        if asked != NEVER {
            let now = nanos(now().saturating_duration_since(begun));
            self.taken.set(self.taken.get() + now.saturating_sub(asked));
        }
    }

    /// Notes that its answer is passed on.
    pub(super) fn is_answered(&self, since_begun: Duration) {
        self.answered.set(nanos(since_begun));
    }

    /// What the gateway took itself of a request that took so long; only the time to the head of the
    /// answer counts, if that came from a service.
    pub(super) fn overhead(&self, took: Duration) -> Duration {
        let to_head = match self.answered.get() {
            NEVER => nanos(took),
            answered => answered,
        };
        Duration::from_nanos(to_head.saturating_sub(self.taken.get()))
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(NEVER - 1)
}
