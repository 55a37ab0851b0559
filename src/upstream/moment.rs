//! Moments as numbers, so that workers can share them in atomics.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

/// From when moments are counted; something before the first of them.
static BEGINNING: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Milliseconds since the process first asked. Never 0, so that 0 can stand for "not".
#[must_use]
pub(super) fn millis(at: Instant) -> u64 {
    let since = at.saturating_duration_since(*BEGINNING);
    1 + whole_millis(since)
}

/// A duration in milliseconds.
#[must_use]
pub(super) fn whole_millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX / 2)
}
