//! Histograms with few durations, such as those of one second: many of them are kept, so only the cells that
//! are not empty are.

use super::histogram::{CELLS, HistogramTotals};

/// The cells of a histogram that are not empty, and how many are in each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SparseHistogram(Box<[(u8, u32)]>);

const _: () = assert!(CELLS <= 256);

impl HistogramTotals {
    /// Keeps little of a histogram with few durations. What is beyond 2^32 in one cell is left out.
    pub fn sparse(&self) -> SparseHistogram {
        let cells = (0..).zip(&*self.cells);
        let full = cells.filter(|(_, count)| **count > 0);
        let most = u64::from(u32::MAX);
        let count = |count: u64| u32::try_from(count.min(most)).unwrap_or(u32::MAX);
        SparseHistogram(full.map(|(at, n)| (at, count(*n))).collect())
    }

    /// Adds what was kept so. The sum of all durations is not known then.
    pub fn add_sparse(&mut self, sparse: &SparseHistogram) {
        for (at, count) in &sparse.0 {
            self.cells[usize::from(*at)] += u64::from(*count);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::metrics::{Histogram, Row as _};

    #[test]
    fn what_is_kept_sparsely_has_the_same_quantiles() {
        let histogram = Histogram::default();
        for millis in [0, 1, 1, 2, 300, 90_000] {
            histogram.note(Duration::from_millis(millis));
        }
        let mut totals = HistogramTotals::default();
        histogram.add_to(&mut totals);
        let sparse = totals.sparse();
        assert_eq!(sparse.0.len(), 5);
        let mut twice = HistogramTotals::default();
        twice.add_sparse(&sparse);
        twice.add_sparse(&sparse);
        assert_eq!(twice.count(), 12);
        for share in [0.0, 0.5, 0.9, 1.0] {
            assert_eq!(twice.quantile(share), totals.quantile(share));
        }
        assert_eq!(HistogramTotals::default().sparse().0.len(), 0);
    }
}
