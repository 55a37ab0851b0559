//! Moments as numbers, so that workers can share them in atomics.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

/// From when moments are counted. The first of them may have been
/// taken a while before it is counted, or in the process before this one.
static BEGINNING: LazyLock<Instant> = LazyLock::new(|| {
    let now = Instant::now();
    now.checked_sub(Duration::from_mins(5)).unwrap_or(now)
});

/// Milliseconds since the beginning. Never 0, so that 0 can stand for "not".
pub(super) fn millis(at: Instant) -> u64 {
    let since = at.saturating_duration_since(*BEGINNING);
    1 + whole_millis(since)
}

/// A duration in milliseconds.
pub(super) fn whole_millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX / 2)
}
