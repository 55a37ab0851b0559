//! Exemplars: for each classic bucket of a route the last request in it whose trace is recorded, so that
//! one gets from a slow bucket to a trace of it. Behind a lock, which only such a request and a reader take.

use std::sync::Mutex;
use std::time::Duration;

use crate::lock::lock;

use super::histogram::CLASSIC_BOUNDS;

/// One for each bound, and one for all that is longer.
pub const BUCKETS: usize = CLASSIC_BOUNDS.len() + 1;

/// One request.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Exemplar {
    /// Its trace, as hexadecimal digits.
    pub trace_id: [u8; 32],
    /// How long it took.
    pub took: Duration,
    /// When it began, since 1970.
    pub begun: Duration,
}

/// One worker's.
#[derive(Debug, Default)]
pub(super) struct Exemplars(Mutex<ExemplarTotals>);

/// All workers'. Nothing is kept where no trace is recorded.
#[derive(Debug, Clone, Default)]
pub struct ExemplarTotals(Option<Box<[Option<Exemplar>; BUCKETS]>>);

impl Exemplars {
    pub(super) fn note(&self, exemplar: Exemplar) {
        lock(&self.0).note(exemplar);
    }

    pub(super) fn add_to(&self, totals: &mut ExemplarTotals) {
        totals.add(&lock(&self.0));
    }
}

impl ExemplarTotals {
    fn note(&mut self, exemplar: Exemplar) {
        let nanos = u64::try_from(exemplar.took.as_nanos()).unwrap_or(u64::MAX);
        let bucket = CLASSIC_BOUNDS.partition_point(|bound| *bound < nanos);
        let all = self.0.get_or_insert_with(|| Box::new([None; BUCKETS]));
        if all[bucket].is_none_or(|old| old.begun <= exemplar.begun) {
            all[bucket] = Some(exemplar);
        }
    }

    /// Adds another's: of each bucket the last one stays.
    pub(super) fn add(&mut self, other: &Self) {
        other.iter().flatten().for_each(|one| self.note(one));
    }

    /// That of each bucket, the shortest first; nothing if there is none at all.
    pub fn iter(&self) -> impl Iterator<Item = Option<Exemplar>> {
        self.0.iter().flat_map(|all| all.iter().copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_of_each_bucket_stays() {
        let one = |took: u64, begun: u64| Exemplar {
            trace_id: [b'a'; 32],
            took: Duration::from_micros(took),
            begun: Duration::from_secs(begun),
        };
        let (a, b) = (Exemplars::default(), Exemplars::default());
        assert_eq!(ExemplarTotals::default().iter().count(), 0);
        for (took, begun) in [(500, 1), (501, 2), (100, 3), (99, 2), (61_000_000, 4)] {
            a.note(one(took, begun));
        }
        b.note(one(1000, 9));
        let mut all = ExemplarTotals::default();
        a.add_to(&mut all);
        b.add_to(&mut all);
        let kept: Vec<_> = all.iter().collect();
        assert_eq!(kept.len(), BUCKETS);
        let there: Vec<_> = kept
            .iter()
            .enumerate()
            .filter_map(|(at, it)| Some((at, (*it)?)))
            .collect();
        assert_eq!(
            there,
            [
                (0, one(100, 3)),
                (1, one(1000, 9)),
                (16, one(61_000_000, 4))
            ]
        );
    }
}
