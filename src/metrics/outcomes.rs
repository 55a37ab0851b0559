//! What has come of something, counted by a closed list of words.

use std::fmt;
use std::marker::PhantomData;

use crate::words::Word;

use super::cell::Counter;
use super::row::{Row, Total};

/// A word's place among all of its enum.
pub trait Outcome: Word + fmt::Debug {
    /// From 0 on.
    fn place(self) -> usize;
}

/// One worker's counts, one for each outcome.
pub struct Outcomes<O> {
    counts: Box<[Counter]>,
    of: PhantomData<fn(O)>,
}

impl<O: Outcome> Default for Outcomes<O> {
    fn default() -> Self {
        Self {
            counts: O::ALL.iter().map(|_| Counter::default()).collect(),
            of: PhantomData,
        }
    }
}

impl<O: Outcome> Outcomes<O> {
    /// Counts one. Called by the one thread that owns the row.
    #[inline]
    pub fn note(&self, outcome: O) {
        if let Some(count) = self.counts.get(outcome.place()) {
            count.increment();
        }
    }
}

impl<O: Outcome> Row for Outcomes<O> {
    type Totals = OutcomeTotals<O>;

    fn add_to(&self, totals: &mut Self::Totals) {
        for (total, count) in totals.counts.iter_mut().zip(&self.counts) {
            *total += count.get();
        }
    }

    fn each(totals: &mut Self::Totals, each: &mut dyn FnMut(&mut u64)) {
        totals.counts.iter_mut().for_each(each);
    }
}

impl<O: Outcome> fmt::Debug for Outcomes<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.counts).finish()
    }
}

/// All workers' counts.
pub struct OutcomeTotals<O> {
    counts: Vec<u64>,
    of: PhantomData<fn(O)>,
}

impl<O: Outcome> Default for OutcomeTotals<O> {
    fn default() -> Self {
        Self {
            counts: vec![0; O::ALL.len()],
            of: PhantomData,
        }
    }
}

impl<O> Clone for OutcomeTotals<O> {
    fn clone(&self) -> Self {
        Self {
            counts: self.counts.clone(),
            of: PhantomData,
        }
    }
}

impl<O: Outcome> fmt::Debug for OutcomeTotals<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.all()).finish()
    }
}

impl<O: Outcome> OutcomeTotals<O> {
    /// How many there are of one.
    pub fn of(&self, outcome: O) -> u64 {
        self.counts.get(outcome.place()).copied().unwrap_or(0)
    }

    /// All outcomes with their counts.
    pub fn all(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let words = O::ALL.iter().map(|(word, _)| *word);
        words.zip(self.counts.iter().copied())
    }

    /// How many there are of all.
    pub fn sum(&self) -> u64 {
        self.counts.iter().sum()
    }
}

impl<O: Outcome> Total for OutcomeTotals<O> {
    fn add(&mut self, other: &Self) {
        for (own, other) in self.counts.iter_mut().zip(&other.counts) {
            *own += other;
        }
    }
}

/// Declares enums with their words, by which something is counted.
macro_rules! outcomes {
    ($($(#[$about:meta])* pub enum $name:ident { $($body:tt)+ })+) => {$(
        $crate::words::words! { $(#[$about])* pub enum $name { $($body)+ } }

        impl Outcome for $name {
            #[inline]
            fn place(self) -> usize {
                self as usize
            }
        }
    )+};
}
pub(super) use outcomes;
