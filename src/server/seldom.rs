//! Log lines that would come with every connection: they come once in ten seconds.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

const LOG_INTERVAL: Duration = Duration::from_secs(10);

/// When a line was last logged.
#[derive(Debug, Default)]
pub(super) struct Seldom(Mutex<Option<Instant>>);

impl Seldom {
    /// Whether the line is due; if so, it is taken to be logged.
    pub(super) fn is_due(&self) -> bool {
        let mut logged = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let due = logged.is_none_or(|then| then.elapsed() >= LOG_INTERVAL);
        if due {
            *logged = Some(Instant::now());
        }
        due
    }
}
