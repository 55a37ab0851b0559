//! What was counted in each of the last ten seconds, of one route, upstream, client or worker: from this come
//! rates, shares of errors and percentiles of the present.

use std::collections::VecDeque;
use std::time::Duration;

use crate::metrics::{HistogramTotals, SparseHistogram};

/// How many seconds the present has.
pub(super) const SECONDS: u64 = 10;

/// Two counts that only grow: all, and those with an error.
pub(super) type Pair = [u64; 2];

/// Counts of the last seconds.
#[derive(Debug, Default)]
pub(super) struct Counted {
    before: Pair,
    seconds: VecDeque<(u64, [u32; 2])>,
}

impl Counted {
    /// Takes what has been counted by the end of this second, and says how many are new.
    pub(super) fn take(&mut self, second: u64, now: Pair) -> [u32; 2] {
        // What begins anew, because a reload took it away for a while, counts from zero.
        let began_anew = now[0] < self.before[0];
        let before = if began_anew { [0; 2] } else { self.before };
        self.before = now;
        let new = |at: usize| u32::try_from(now[at].saturating_sub(before[at])).unwrap_or(u32::MAX);
        let new = [new(0), new(1)];
        forget(&mut self.seconds, second);
        if new != [0; 2] {
            self.seconds.push_back((second, new));
        }
        new
    }

    /// How many have been counted in all.
    pub(super) fn total(&self) -> u64 {
        self.before[0]
    }

    /// How many there were in the ten seconds to the end of this one.
    pub(super) fn sum(&self, second: u64) -> Pair {
        let recent = lately(&self.seconds, second);
        recent.fold([0; 2], |[all, errors], more| {
            [all + u64::from(more[0]), errors + u64::from(more[1])]
        })
    }
}

/// Durations of the last seconds.
#[derive(Debug, Default)]
pub(super) struct Timed {
    before: HistogramTotals,
    seconds: VecDeque<(u64, SparseHistogram)>,
}

impl Timed {
    /// Takes what has been measured by the end of this second, and says what is new.
    pub(super) fn take(&mut self, second: u64, now: HistogramTotals) -> HistogramTotals {
        let new = now.since(&self.before);
        self.before = now;
        self.keep(second, &new);
        new
    }

    /// Keeps what was measured in this second.
    pub(super) fn keep(&mut self, second: u64, new: &HistogramTotals) {
        forget(&mut self.seconds, second);
        let sparse = new.sparse();
        if sparse != SparseHistogram::default() {
            self.seconds.push_back((second, sparse));
        }
    }

    /// What was measured in the ten seconds to the end of this one.
    pub(super) fn sum(&self, second: u64) -> HistogramTotals {
        let mut sum = HistogramTotals::default();
        lately(&self.seconds, second).for_each(|more| sum.add_sparse(more));
        sum
    }
}

fn forget<T>(seconds: &mut VecDeque<(u64, T)>, second: u64) {
    while let Some((at, _)) = seconds.front()
        && at + SECONDS <= second
    {
        seconds.pop_front();
    }
}

fn lately<T>(seconds: &VecDeque<(u64, T)>, second: u64) -> impl Iterator<Item = &T> {
    let recent = seconds.iter().filter(move |(at, _)| at + SECONDS > second);
    recent.map(|(_, value)| value)
}

/// How much there was of something in the last ten seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::admin) struct Rate {
    /// In all.
    pub count: u64,
    /// With an error.
    pub errors: u64,
    pub per_second: f64,
    /// The share of errors, if there was anything.
    pub error_ratio: Option<f64>,
}

impl Rate {
    #[expect(clippy::cast_precision_loss, reason = "a rate is an estimate")]
    pub(super) fn of([count, errors]: Pair, passed: Duration) -> Self {
        let seconds = passed.as_secs_f64();
        Self {
            count,
            errors,
            per_second: if seconds > 0.0 {
                count as f64 / seconds
            } else {
                0.0
            },
            error_ratio: (count > 0).then(|| errors as f64 / count as f64),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::metrics::Metrics;

    #[test]
    fn counts_are_those_of_ten_seconds() {
        let mut counted = Counted::default();
        assert_eq!(counted.take(1, [5, 1]), [5, 1]);
        assert_eq!(counted.take(2, [5, 1]), [0, 0]);
        assert_eq!(counted.take(4, [7, 1]), [2, 0]);
        assert_eq!(counted.sum(4), [7, 1]);
        assert_eq!(counted.sum(10), [7, 1]);
        assert_eq!(counted.sum(11), [2, 0]);
        assert_eq!(counted.take(20, [8, 1]), [1, 0]);
        assert_eq!(counted.sum(20), [1, 0]);
        assert_eq!(counted.total(), 8);
    }

    #[test]
    fn what_begins_anew_is_no_leap() {
        let mut counted = Counted::default();
        counted.take(1, [1000, 10]);
        assert_eq!(counted.take(2, [3, 0]), [3, 0]);
        assert_eq!(counted.take(3, [4, 1]), [1, 1]);
    }

    #[test]
    fn durations_are_those_of_ten_seconds() {
        let metrics = Arc::new(Metrics::new(&[]));
        let (worker, mut timed) = (metrics.worker(), Timed::default());
        for (second, millis) in [(1, 100), (2, 100), (9, 300)] {
            let took = Duration::from_millis(millis);
            worker.row.store_duration.note(took);
            let now = metrics.read_workers().store_duration;
            assert_eq!(timed.take(second, now).count(), 1);
        }
        assert_eq!(timed.sum(10).count(), 3);
        assert_eq!(timed.sum(12).count(), 1);
        let slow = timed.sum(12).quantile(0.5).unwrap().as_millis();
        assert!((273..=327).contains(&slow), "{slow}");
    }

    #[test]
    fn a_rate_is_by_the_time_that_passed() {
        let rate = Rate::of([30, 3], Duration::from_secs(15));
        assert_eq!((rate.per_second, rate.error_ratio), (2.0, Some(0.1)));
        let none = Rate::of([0, 0], Duration::ZERO);
        assert_eq!((none.per_second, none.error_ratio), (0.0, None));
    }
}
