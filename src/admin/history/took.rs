//! How long things took, as charts and lists have it.

use crate::metrics::HistogramTotals;

/// What half of some durations do not exceed, nine in ten, and 99 in a hundred, in milliseconds.
#[derive(Debug, Clone, Copy)]
pub(in crate::admin) struct Took {
    pub p50: Option<f32>,
    pub p90: Option<f32>,
    pub p99: Option<f32>,
}

impl Took {
    pub(in crate::admin) const NONE: Self = Self {
        p50: None,
        p90: None,
        p99: None,
    };

    pub(super) fn of(durations: &HistogramTotals) -> Self {
        let millis = |share| Millis::of(durations, share).shown();
        Self {
            p50: millis(0.5),
            p90: millis(0.9),
            p99: millis(0.99),
        }
    }
}

/// A duration in milliseconds; not a number if there was none.
#[derive(Debug, Clone, Copy)]
pub(super) struct Millis(f32);

impl Millis {
    pub(super) const NONE: Self = Self(f32::NAN);

    /// That which this share does not exceed.
    pub(super) fn of(durations: &HistogramTotals, share: f64) -> Self {
        let seconds = durations.quantile(share).map(|it| it.as_secs_f32());
        seconds.map_or(Self::NONE, |seconds| Self(seconds * 1000.0))
    }

    pub(super) fn shown(self) -> Option<f32> {
        self.0.is_finite().then(|| rounded(self.0))
    }
}

/// With three digits behind the point; of milliseconds that is a microsecond.
pub(super) fn rounded(value: f32) -> f32 {
    (value * 1000.0).round() / 1000.0
}
