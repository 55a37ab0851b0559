//! How many requests a service bears at once, found out from the time that its answers take: the
//! gradient limit of Netflix' concurrency-limits (`Gradient2Limit`, <https://github.com/Netflix/concurrency-limits>).
//! A short-term average of the times is compared with a long-term one. If it is longer by more than a
//! tolerance, requests queue up in the service, and the limit shrinks in proportion; otherwise it
//! grows by the queue that is allowed, the square root of the limit. Only a part of each step is made.
//! Requests are never held back to measure the service at rest: that would refuse them while nothing
//! is wrong.
//!
//! Other than there:
//!
//! - The long-term average learns only while less than half of the limit is in use, while times
//!   become shorter, and where a smaller limit has not made them shorter: then it is the service that
//!   is slower, for everybody. Otherwise a lasting overload would become the measure of itself, and the
//!   limit would grow without end.
//! - A few milliseconds more are nothing: fast services would be blamed for the scheduler's turns.
//! - Times do not tell of requests that were never answered. Their share shrinks the limit.

use std::time::{Duration, Instant};

/// The limit is never smaller.
const FLOOR: f64 = 20.0;
/// Where it begins. A gateway that starts under load does not refuse what the service bears easily;
/// one that bears less is found out within a few answers.
const START: f64 = 100.0;
/// How many times the long-term average an answer may take.
const TOLERANCE: f64 = 1.5;
/// How much more than that, in seconds.
const SLACK: f64 = 0.005;
/// The part of a step down that is made,
const SHRINKS: f64 = 0.2;
/// and of a step up: a load that rises must not be refused because the limit follows slowly.
const GROWS: f64 = 0.5;
/// A step down goes to this part of the limit at most.
const STEEPEST: f64 = 0.5;
/// So many answers make a short-term average, at least,
const ANSWERS: f64 = 10.0;
/// and this part of the limit: a few slow ones among many say little.
const OF_LIMIT: f64 = 0.25;
/// The time in which the long-term average learns, in seconds.
const LONG_TERM: f64 = 10.0;
/// If the limit has shrunk to this part and times have not become much shorter, that does not help.
const IN_VAIN: f64 = 0.7;
/// How much more the share of requests without an answer counts than its size.
const WITHOUT_ANSWER: f64 = 2.0;

/// The limit, and what it follows from.
#[derive(Debug)]
pub(super) struct Gradient {
    limit: f64,
    /// The long-term average in seconds, once there is one.
    usual: Option<f64>,
    /// The limit and the short-term average at which it began to shrink, if it does.
    shrinks_from: Option<(f64, f64)>,
    window: Window,
}

/// What came since the limit was last looked at.
#[derive(Debug)]
struct Window {
    since: Instant,
    answers: u32,
    /// Of the answers' times, in seconds.
    sum: f64,
    /// How many were not answered in time.
    late: u32,
    /// The most requests in flight.
    most: usize,
}

impl Gradient {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            limit: START,
            usual: None,
            shrinks_from: None,
            window: Window::new(now),
        }
    }

    /// How many requests there may be.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a limit is positive, and no more than twice what was in flight"
    )]
    pub(super) fn limit(&self) -> usize {
        self.limit as usize
    }

    /// Notes how long the service took, or that it did not answer in time, with so many requests in
    /// flight.
    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
    pub(super) fn note(&mut self, took: Option<Duration>, in_flight: usize, now: Instant) {
        let window = &mut self.window;
        match took {
            Some(took) => {
                window.answers += 1;
                window.sum += took.as_secs_f64();
            }
            None => window.late += 1,
        }
        window.most = window.most.max(in_flight);
        let count = f64::from(window.answers + window.late);
        if count < ANSWERS.max(self.limit * OF_LIMIT) {
            return;
        }
        let window = std::mem::replace(window, Window::new(now));
        let late = f64::from(window.late) / count;
        let is_used = window.most as f64 * 2.0 >= self.limit;
        let average = (window.answers > 0).then(|| window.sum / f64::from(window.answers));
        if let Some(average) = average
            && late == 0.0
        {
            let lasted = now.saturating_duration_since(window.since);
            self.learn(average, is_used, lasted.as_secs_f64());
        }
        // It grows only while it is used, so that it stays near to what it was found out with.
        if is_used {
            self.step(average, late);
        }
    }

    fn step(&mut self, average: Option<f64>, late: f64) {
        let tolerated = self.usual.map(|usual| usual * TOLERANCE + SLACK);
        let gradient = match (tolerated, average) {
            (Some(tolerated), Some(average)) => (tolerated / average).min(1.0),
            _ => 1.0,
        };
        let gradient = gradient.min(1.0 - WITHOUT_ANSWER * late).max(STEEPEST);
        if gradient >= 1.0 {
            self.shrinks_from = None;
        } else if let (None, Some(average)) = (self.shrinks_from, average) {
            self.shrinks_from = Some((self.limit, average));
        }
        let next = self.limit * gradient + self.limit.sqrt();
        let part = if gradient < 1.0 { SHRINKS } else { GROWS };
        self.limit += part * (next - self.limit);
        self.limit = self.limit.max(FLOOR);
    }

    fn learn(&mut self, average: f64, is_used: bool, seconds: f64) {
        let Some(usual) = &mut self.usual else {
            self.usual = Some(average);
            return;
        };
        let is_in_vain = self.shrinks_from.is_some_and(|(limit, then)| {
            let left = self.limit / limit;
            left < IN_VAIN && average > then * left.sqrt()
        });
        if !is_used || average < *usual || is_in_vain {
            *usual += (average - *usual) * seconds / (seconds + LONG_TERM);
        }
    }
}

impl Window {
    fn new(now: Instant) -> Self {
        Self {
            since: now,
            answers: 0,
            sum: 0.0,
            late: 0,
            most: 0,
        }
    }
}

#[cfg(test)]
mod tests;
