//! What is counted of each route.

use std::sync::Arc;
use std::time::Duration;

use super::cell::{Counter, Gauge};
use super::exemplar::{Exemplar, ExemplarTotals, Exemplars};
use super::histogram::{Histogram, HistogramTotals};
use super::row::{Row, Total, numbers};
use super::rows::Taken;
use super::status::{STATUSES, is_error, slot, status};
use crate::words::{Word, words};

words! {
    /// Who has called.
    pub enum ClientKind {
        /// Nobody knows: the request could not be read, or was refused before its key was looked at.
        Unknown = "unknown",
        /// Without a key.
        Anonymous = "anonymous",
        /// With a good one.
        Identified = "identified",
        /// With one that is not good.
        Invalid = "invalid",
    }
}

const KINDS: usize = ClientKind::ALL.len();

numbers! {
    /// One worker's numbers of a route.
    pub struct RouteRow;

    /// All workers' numbers of a route, at one time.
    pub struct RouteTotals;

    {
        requests: Requests,
        /// From heads of requests to the ends of their answers.
        pub duration: Histogram,
        /// What of it the gateway took.
        pub overhead: Histogram,
        /// Bytes of requests' bodies.
        request_bytes: Counter,
        /// Bytes of answers' bodies.
        response_bytes: Counter,
    }

    beside {
        exemplars: Exemplars,
        /// Requests that are being served.
        pub in_flight: Gauge,
    }
}

/// Requests that have ended, by who has called and the status.
#[derive(Debug)]
struct Requests([[Counter; STATUSES]; KINDS]);

/// What there is to count of a request that has ended.
#[derive(Debug, Clone, Copy)]
pub struct Served {
    /// Who has called.
    pub kind: ClientKind,
    /// The status that was sent.
    pub status: u16,
    /// From its head to its end.
    pub duration: Duration,
    /// What of it the gateway took.
    pub overhead: Duration,
    /// Of its body.
    pub request_bytes: u64,
    /// Of the answer's body.
    pub response_bytes: u64,
}

impl Default for Requests {
    fn default() -> Self {
        Self(std::array::from_fn(|_| {
            std::array::from_fn(|_| Counter::default())
        }))
    }
}

impl RouteRow {
    /// A number that is another one after each request.
    pub(super) fn stamp(&self) -> u64 {
        self.duration.sum_ns()
    }

    /// Counts a request. Called by the one thread that owns the row.
    pub fn note(&self, served: &Served) {
        self.requests.0[served.kind as usize][slot(served.status)].increment();
        self.duration.note(served.duration);
        self.overhead.note(served.overhead);
        self.request_bytes.add(served.request_bytes);
        self.response_bytes.add(served.response_bytes);
    }

    fn errors(&self) -> u64 {
        let by_kind = self.requests.0.iter();
        let errors = by_kind.flat_map(errors);
        errors.map(Counter::get).sum()
    }

    /// Keeps a request whose trace is recorded as an example of those that took as long.
    pub fn note_exemplar(&self, exemplar: Exemplar) {
        self.exemplars.note(exemplar);
    }
}

/// All workers' numbers of a route, each added up when it is asked for: those of thousands of routes at once
/// would be tens of megabytes.
#[derive(Debug)]
pub struct RouteCounts(pub(super) Taken<Arc<str>, RouteRow>);

impl RouteCounts {
    /// The route's name.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Requests that have ended.
    pub fn requests(&self) -> RequestTotals {
        let mut all = self
            .before()
            .map_or_else(Default::default, |it| it.requests.clone());
        self.0.rows().for_each(|row| row.requests.add_to(&mut all));
        all
    }

    /// How many of them were answered with 500 or more.
    pub fn errors(&self) -> u64 {
        self.sum(RouteTotals::errors, RouteRow::errors)
    }

    /// From heads of requests to the ends of their answers.
    pub fn duration(&self) -> HistogramTotals {
        self.histogram(|it| &it.duration, |row| &row.duration)
    }

    /// What of it the gateway took.
    pub fn overhead(&self) -> HistogramTotals {
        self.histogram(|it| &it.overhead, |row| &row.overhead)
    }

    /// Of [`RouteCounts::duration`].
    pub fn exemplars(&self) -> ExemplarTotals {
        let mut all = ExemplarTotals::default();
        self.0.rows().for_each(|row| row.exemplars.add_to(&mut all));
        all
    }

    /// Requests that are being served.
    pub fn in_flight(&self) -> u64 {
        self.sum(|_| 0, |row| row.in_flight.get())
    }

    /// Of bodies of requests.
    pub fn request_bytes(&self) -> u64 {
        self.sum(|it| it.request_bytes, |row| row.request_bytes.get())
    }

    /// Of bodies of answers.
    pub fn response_bytes(&self) -> u64 {
        self.sum(|it| it.response_bytes, |row| row.response_bytes.get())
    }

    fn histogram(
        &self,
        before: impl Fn(&RouteTotals) -> &HistogramTotals,
        of: impl Fn(&RouteRow) -> &Histogram,
    ) -> HistogramTotals {
        let mut all = self
            .before()
            .map_or_else(Default::default, |it| before(it).clone());
        self.0.rows().for_each(|row| of(row).add_to(&mut all));
        all
    }

    fn sum(&self, before: impl Fn(&RouteTotals) -> u64, of: impl Fn(&RouteRow) -> u64) -> u64 {
        let before = self.before().map_or(0, before);
        // A worker's gauge is never below zero, nor is their sum.
        self.0.rows().map(of).fold(before, u64::wrapping_add)
    }

    fn before(&self) -> Option<&RouteTotals> {
        self.0.before.as_deref()
    }
}

/// How many requests have ended, by who has called and the status.
#[derive(Debug, Clone)]
pub struct RequestTotals([[u64; STATUSES]; KINDS]);

impl Default for RequestTotals {
    fn default() -> Self {
        Self([[0; STATUSES]; KINDS])
    }
}

impl RequestTotals {
    /// Each with who has called and the status; `None` is any other status. Those of which there were none
    /// are left out.
    pub fn iter(&self) -> impl Iterator<Item = (ClientKind, Option<u16>, u64)> {
        let kinds = ClientKind::ALL.iter().zip(&self.0);
        let all = kinds.flat_map(|((_, kind), by_status)| {
            let others = (0..STATUSES).filter(|slot| status(*slot).is_none());
            let others = others.map(|slot| by_status[slot]).sum();
            let counts = by_status.iter().enumerate();
            let named = counts.filter_map(|(slot, count)| Some((Some(status(slot)?), *count)));
            let all = named.chain([(None, others)]);
            all.map(|(status, count)| (*kind, status, count))
        });
        all.filter(|(_, _, count)| *count > 0)
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.0.iter().flatten().sum()
    }
}

impl RouteTotals {
    /// How many requests have ended.
    pub fn count(&self) -> u64 {
        self.requests.count()
    }

    /// How many of them were answered with 500 or more.
    pub fn errors(&self) -> u64 {
        let by_kind = self.requests.0.iter();
        by_kind.flat_map(errors).sum()
    }
}

impl Row for Requests {
    type Totals = RequestTotals;

    fn add_to(&self, totals: &mut RequestTotals) {
        let counts = totals.0.iter_mut().flatten();
        for (total, count) in counts.zip(self.0.iter().flatten()) {
            *total += count.get();
        }
    }

    fn each(totals: &mut RequestTotals, each: &mut dyn FnMut(&mut u64)) {
        totals.0.iter_mut().flatten().for_each(each);
    }
}

impl Total for RequestTotals {
    fn add(&mut self, other: &Self) {
        let own = self.0.iter_mut().flatten();
        for (own, other) in own.zip(other.0.iter().flatten()) {
            *own += other;
        }
    }
}

/// Those of all statuses that are 500 or more.
fn errors<T>(by_status: &[T; STATUSES]) -> impl Iterator<Item = &T> {
    let all = by_status.iter().enumerate();
    all.filter(|(slot, _)| is_error(*slot))
        .map(|(_, count)| count)
}
