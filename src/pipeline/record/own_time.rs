//! What the gateway itself takes of a request's time: all of it up to the head of the answer, but for that
//! in which a service is asked (its connection, what it is sent, the head of its answer, of all tries).
//! While the answer's body streams nobody can say who is waited for.

use std::cell::Cell;
use std::time::{Duration, Instant};

/// The gateway's own time of one request.
#[derive(Debug)]
pub(in crate::pipeline) struct OwnTime {
    spent: Cell<Duration>,
    /// Since when the request has been with the gateway; `None` while a service is asked, and once one
    /// has answered.
    since: Cell<Option<Instant>>,
}

impl OwnTime {
    pub(super) fn begin(begun: Instant) -> Self {
        Self {
            spent: Cell::default(),
            since: Cell::new(Some(begun)),
        }
    }

    /// Notes that a service is asked from now on.
    pub(super) fn pause(&self, now: Instant) {
        self.spent.set(self.up_to(now));
        self.since.set(None);
    }

    /// Notes that it is not asked any more, and what it said is not passed on.
    pub(super) fn go_on(&self, now: Instant) {
        self.since.set(Some(now));
    }

    /// How long it is at the end of the request.
    pub(super) fn up_to(&self, end: Instant) -> Duration {
        let last = self.since.get();
        let last = last.map_or(Duration::ZERO, |since| end.saturating_duration_since(since));
        self.spent.get() + last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_in_which_a_service_is_asked_is_not_ours() {
        let begun = Instant::now();
        let at = |millis| begun + Duration::from_millis(millis);
        let time = OwnTime::begin(begun);
        time.pause(at(3));
        time.go_on(at(100));
        assert_eq!(time.up_to(at(104)), Duration::from_millis(7));
        time.pause(at(105));
        assert_eq!(
            time.up_to(at(1000)),
            Duration::from_millis(8),
            "it has answered"
        );
    }
}
