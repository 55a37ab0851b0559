//! How much an address has to do: requests in flight of all workers, a penalty for failures, which
//! wears off, and how long its answers take on average.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use super::moment::millis;

/// After this time half of a penalty has worn off.
const HALF_LIFE_MS: f32 = 1000.0;
/// The largest penalty, in requests.
const WORST: f32 = 100_000.0;
/// A penalty below this is none.
const NOTHING: f32 = 0.01;
/// The part of a new answer in the average.
const SHARE: f32 = 0.1;

/// The load of one address.
#[derive(Debug, Default)]
pub(super) struct Load {
    in_flight: AtomicU32,
    /// As so many requests it counts beside those in flight: an `f32` and the millisecond at which it
    /// was so, both 32 bits. An endpoint that fails fast, or that clients leave, must not look idle.
    penalty: AtomicU64,
    /// How long it takes to an answer's head on average, in microseconds; 0: not known.
    average: AtomicU32,
}

impl Load {
    /// Notes that a request begins.
    #[inline]
    pub(super) fn begin(&self) {
        self.in_flight.fetch_add(1, Relaxed);
    }

    /// Notes that one has ended.
    #[inline]
    pub(super) fn end(&self) {
        self.in_flight.fetch_sub(1, Relaxed);
    }

    /// The requests in flight.
    #[inline]
    pub(super) fn in_flight(&self) -> u32 {
        self.in_flight.load(Relaxed)
    }

    /// What there is to do, in requests.
    #[inline]
    #[expect(clippy::cast_precision_loss, reason = "a load is an estimate")]
    pub(super) fn get(&self, now: Instant) -> f32 {
        let in_flight = self.in_flight() as f32;
        match self.penalty.load(Relaxed) {
            0 => in_flight,
            penalty => in_flight + worn(penalty, low_millis(now)),
        }
    }

    /// Notes a failure.
    pub(super) fn penalise(&self, now: Instant) {
        let now = low_millis(now);
        let add = |penalty| Some(packed((worn(penalty, now) + 1.0).min(WORST), now));
        let _ = self.penalty.fetch_update(Relaxed, Relaxed, add);
    }

    /// Notes how long an answer's head took. Workers may overwrite each other: it is an average.
    #[inline]
    pub(super) fn note_time(&self, took: Duration) {
        let took = u32::try_from(took.as_micros()).unwrap_or(u32::MAX).max(1);
        let average = match self.average.load(Relaxed) {
            0 => took,
            #[expect(
                clippy::cast_precision_loss,
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "an average of positive numbers"
            )]
            average => (average as f32 + SHARE * (took as f32 - average as f32)) as u32,
        };
        self.average.store(average.max(1), Relaxed);
    }

    /// How long it takes to an answer's head on average, if that is known.
    pub(super) fn average(&self) -> Option<Duration> {
        match self.average.load(Relaxed) {
            0 => None,
            average => Some(Duration::from_micros(average.into())),
        }
    }
}

/// A moment's last 32 bits, enough for 49 days: a penalty that is older is met by chance only.
#[expect(clippy::cast_possible_truncation, reason = "that is what it is for")]
fn low_millis(at: Instant) -> u32 {
    millis(at) as u32
}

fn packed(penalty: f32, at: u32) -> u64 {
    u64::from(penalty.to_bits()) << 32 | u64::from(at)
}

/// What is left of a penalty.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "halves of a number; times are short"
)]
fn worn(penalty: u64, now: u32) -> f32 {
    let at = penalty as u32;
    // Another worker's clock may have been looked at a little earlier.
    let since = now.wrapping_sub(at);
    let since = if since > u32::MAX / 2 { 0 } else { since };
    let left = f32::from_bits((penalty >> 32) as u32) * (-(since as f32) / HALF_LIFE_MS).exp2();
    if left < NOTHING { 0.0 } else { left }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn requests_in_flight_are_the_load() {
        let (load, now) = (Load::default(), Instant::now());
        load.begin();
        load.begin();
        load.end();
        assert!((load.get(now) - 1.0).abs() < 0.001);
    }

    #[test]
    fn a_penalty_wears_off() {
        let (load, now) = (Load::default(), Instant::now());
        for _ in 0..8 {
            load.penalise(now);
        }
        for (seconds, expected) in [(0, 8.0), (1, 4.0), (3, 1.0), (20, 0.0)] {
            let left = load.get(now + seconds * SECOND);
            assert!((left - expected).abs() < 0.01, "{left} after {seconds} s");
        }
        let behind = now.checked_sub(SECOND / 2).unwrap_or(now);
        assert!((load.get(behind) - 8.0).abs() < 0.01, "a clock behind");
    }

    #[test]
    fn the_average_follows_slowly() {
        let load = Load::default();
        assert_eq!(load.average(), None);
        load.note_time(SECOND);
        assert_eq!(load.average(), Some(SECOND));
        load.note_time(2 * SECOND);
        let average = load.average().unwrap();
        assert!(average > SECOND && average < SECOND * 6 / 5, "{average:?}");
    }
}
