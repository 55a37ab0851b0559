//! Log lines that would come with every connection or request: one in some seconds is enough.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::lock::lock;

/// When a line was last logged that is due once in so many seconds.
#[derive(Debug, Default)]
pub(crate) struct Seldom<const SECONDS: u64>(Mutex<Option<Instant>>);

impl<const SECONDS: u64> Seldom<SECONDS> {
    /// Whether the line is due; if so, it is taken to be logged.
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        let mut logged = lock(&self.0);
        let interval = Duration::from_secs(SECONDS);
        let due = logged.is_none_or(|then| now.saturating_duration_since(then) >= interval);
        if due {
            *logged = Some(now);
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_due_once_in_its_interval() {
        let (line, now) = (Seldom::<10>::default(), Instant::now());
        let due = [0, 1, 9, 10, 11, 20].map(|at| line.is_due(now + Duration::from_secs(at)));
        assert_eq!(due, [true, false, false, true, false, true]);
    }
}
