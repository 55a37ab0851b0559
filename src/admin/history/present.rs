//! What there is to say of the last ten seconds.

use crate::metrics::HistogramTotals;

use super::lately::Rate;
use super::points::Millis;

/// How long something took in the last ten seconds, in milliseconds.
#[derive(Debug, Clone, Copy)]
pub(in crate::admin) struct Took {
    pub p50: Option<f32>,
    pub p90: Option<f32>,
    pub p99: Option<f32>,
}

/// The last ten seconds of everything.
#[derive(Debug, Clone)]
pub(in crate::admin) struct Present {
    pub requests: Rate,
    pub refused_per_second: f64,
    pub took: Took,
    pub gateway_p99_ms: Option<f32>,
    pub service_p99_ms: Option<f32>,
    pub store_calls: Rate,
    pub store_p99_ms: Option<f32>,
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
