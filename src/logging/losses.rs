//! What a log has lost: how many lines, since when and why, and when the operator's log says so: at once, then
//! once a minute at most, and when lines are written again.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::lock::lock;

/// How often a loss that goes on is logged, at most, and how long one counts as late.
const INTERVAL: Duration = Duration::from_mins(1);

/// The lines that a log has lost.
#[derive(Debug, Default)]
pub(super) struct Losses {
    lost: Arc<AtomicU64>,
    /// The last attempt to write failed.
    failing: AtomicBool,
    last: Mutex<Option<Loss>>,
    reported: Mutex<Reported>,
}

#[derive(Debug, Clone)]
struct Loss {
    /// When it began; losses within a minute are one.
    since: Instant,
    at: Instant,
    why: String,
}

/// What the operator's log has said.
#[derive(Debug, Default)]
struct Reported {
    /// Of how many lines.
    lost: u64,
    at: Option<Instant>,
    /// And not yet that lines are written again.
    is_open: bool,
}

/// What the operator's log is to say.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum News {
    /// So many lines are lost, and why.
    Lost(u64, String),
    /// Lines are written again; so many more were lost.
    Again(u64),
}

impl Losses {
    /// Counts lost lines there.
    pub(super) fn counted_in(lost: Arc<AtomicU64>) -> Self {
        Self {
            lost,
            ..Self::default()
        }
    }

    /// How many lines have been lost.
    pub(super) fn count(&self) -> u64 {
        self.lost.load(Relaxed)
    }

    /// Notes that lines could not be written; there may be none that is lost for good yet.
    pub(super) fn lose(&self, lines: &[u8], why: &str, now: Instant) {
        self.lose_count(line_count(lines), why, now);
    }

    /// The same for so many lines.
    pub(super) fn lose_count(&self, lines: u64, why: &str, now: Instant) {
        self.failing.store(true, Relaxed);
        if lines == 0 {
            return;
        }
        let mut last = lock(&self.last);
        let since = match &*last {
            Some(last) if now.saturating_duration_since(last.at) < INTERVAL => last.since,
            _ => now,
        };
        let why = why.to_owned();
        *last = Some(Loss {
            since,
            at: now,
            why,
        });
        self.lost.fetch_add(lines, Relaxed);
    }

    /// Notes that lines have been written.
    pub(super) fn written(&self) {
        // Not each time: others look at it.
        if self.failing.load(Relaxed) {
            self.failing.store(false, Relaxed);
        }
    }

    /// Since when lines have been lost, and why, if some were within the last minute.
    pub(super) fn of_late(&self, now: Instant) -> Option<(Instant, String)> {
        let last = lock(&self.last).clone()?;
        let is_late = now.saturating_duration_since(last.at) < INTERVAL;
        is_late.then_some((last.since, last.why))
    }

    /// What there is to tell the operator, if anything; at the `end` all that is left.
    pub(super) fn news(&self, end: bool, now: Instant) -> Option<News> {
        let mut reported = lock(&self.reported);
        let count = self.count();
        let more = count - reported.lost;
        let is_time = |at: Instant| now.saturating_duration_since(at) >= INTERVAL;
        if reported.is_open && !self.failing.load(Relaxed) {
            (reported.lost, reported.is_open) = (count, false);
            return Some(News::Again(more));
        }
        if more == 0 || !(end || reported.at.is_none_or(is_time)) {
            return None;
        }
        *reported = Reported {
            lost: count,
            at: Some(now),
            is_open: true,
        };
        let why = lock(&self.last).as_ref().map(|last| last.why.clone());
        Some(News::Lost(more, why.unwrap_or_default()))
    }
}

/// How many lines end in a text.
pub(super) fn line_count(text: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', text).count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loss_is_told_at_once_then_once_a_minute_and_when_it_is_over() {
        let (losses, start) = (Losses::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        let lost = |count| Some(News::Lost(count, "full".to_owned()));
        assert_eq!(losses.news(false, at(0)), None);
        losses.lose(b"a\nb\n", "full", at(0));
        assert_eq!(losses.news(false, at(1)), lost(2));
        for second in 2..60 {
            losses.lose(b"a\n", "full", at(second));
            assert_eq!(losses.news(false, at(second)), None, "{second}");
        }
        assert_eq!(losses.of_late(at(60)), Some((at(0), "full".to_owned())));
        assert_eq!(losses.news(false, at(61)), lost(58));
        losses.lose(b"a\n", "full", at(62));
        losses.written();
        assert_eq!(losses.news(false, at(63)), Some(News::Again(1)));
        assert_eq!(losses.news(false, at(64)), None);
        assert_eq!(losses.of_late(at(200)), None);
        // What comes and goes is told once a minute, too; at the end all is.
        losses.lose(b"a\n", "full", at(65));
        assert_eq!(losses.news(false, at(66)), None);
        assert_eq!(losses.news(true, at(67)), lost(1));
        assert_eq!(losses.count(), 62);
    }
}
