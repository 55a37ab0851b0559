//! What could not be written down: lines of the access log, and spans of traces. Those who drop them count
//! it here, so that a successor can go on from it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::lock::lock;

use super::Metrics;
use super::row::{Row, Total, numbers};

numbers! {
    /// The counters, which are shared with those who drop.
    pub struct Dropped;

    /// The same as numbers.
    pub struct DroppedTotals;

    {
        /// Lines of the access log that could not be written.
        pub lines: Arc<AtomicU64>,
        /// Spans of traces that could not be exported.
        pub spans: Arc<AtomicU64>,
    }
}

impl Row for Arc<AtomicU64> {
    type Totals = u64;

    fn add_to(&self, totals: &mut u64) {
        totals.add(&self.load(Relaxed));
    }

    fn each(totals: &mut u64, each: &mut dyn FnMut(&mut u64)) {
        each(totals);
    }
}

impl Metrics {
    /// How much could not be written down, here and in processes before this one.
    pub fn read_dropped(&self) -> DroppedTotals {
        let mut dropped = lock(&self.before).dropped.clone();
        self.dropped.add_to(&mut dropped);
        dropped
    }
}
