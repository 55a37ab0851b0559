//! What could not be written down: lines of the access log, and spans of traces. Those who drop them count
//! it here, so that a successor can go on from it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::Metrics;
use super::movable::Movable;

/// The counters, which are shared with those who drop.
#[derive(Debug, Default)]
pub struct Dropped {
    /// Lines of the access log.
    pub lines: Arc<AtomicU64>,
    /// Spans of traces.
    pub spans: Arc<AtomicU64>,
}

/// The same as numbers.
#[derive(Debug, Clone, Default)]
pub struct DroppedTotals {
    /// Lines of the access log that could not be written.
    pub lines: u64,
    /// Spans of traces that could not be exported.
    pub spans: u64,
}

impl DroppedTotals {
    pub(super) fn add(&mut self, other: &Self) {
        self.lines += other.lines;
        self.spans += other.spans;
    }
}

impl Movable for DroppedTotals {
    fn each(&mut self, each: &mut dyn FnMut(&mut u64)) {
        each(&mut self.lines);
        each(&mut self.spans);
    }
}

impl Metrics {
    /// How much could not be written down, here and in processes before this one.
    pub fn read_dropped(&self) -> DroppedTotals {
        let mut dropped = self.before().dropped.clone();
        dropped.add(&DroppedTotals {
            lines: self.dropped.lines.load(Relaxed),
            spans: self.dropped.spans.load(Relaxed),
        });
        dropped
    }
}
