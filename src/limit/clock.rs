//! The time that windows in this process are reckoned by: monotonic, so that a corrected wall
//! clock neither ends a window early nor keeps one open, and settable, so that tests need not wait.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// What the machine's clock begins with: enough that what was counted before a restart, however
/// long ago, has a time. No window lasts as long.
const BEGINS_MS: u64 = 1 << 53;

/// A monotonic clock with millisecond ticks, Redis' own grain. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Clock(Source);

#[derive(Debug, Clone)]
enum Source {
    System { start: Instant },
    Manual(ManualClock),
}

impl Clock {
    /// The machine's monotonic clock.
    pub fn system() -> Self {
        Self(Source::System {
            start: Instant::now(),
        })
    }

    /// A clock that stands still until `hand` moves it.
    pub fn manual(hand: &ManualClock) -> Self {
        Self(Source::Manual(hand.clone()))
    }

    /// Milliseconds since some moment before the clock was made.
    pub(super) fn now_ms(&self) -> u64 {
        match &self.0 {
            Source::System { start } => BEGINS_MS.saturating_add(millis(start.elapsed())),
            Source::Manual(hand) => hand.now_ms.load(Ordering::Relaxed),
        }
    }
}

/// The hand of a clock that only moves when told to. Clones move the same hand.
#[derive(Debug, Clone, Default)]
pub struct ManualClock {
    now_ms: Arc<AtomicU64>,
}

impl ManualClock {
    /// Moves the hand forward by whole milliseconds.
    pub fn advance(&self, by: Duration) {
        self.now_ms.fetch_add(millis(by), Ordering::Relaxed);
    }
}

/// Whole milliseconds of `duration`; what does not fit is half a billion years away.
pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
