//! Readings for who looks each second, and keeps what it saw. They are of this process alone: what another
//! has passed on to it would look as if it had been counted in the second in which it came.

use std::sync::Arc;

use super::Metrics;
use super::histogram::HistogramTotals;
use super::kinds::{ClientOutcome, PolicyOutcome, TryOutcome};
use super::outcomes::OutcomeTotals;
use super::route::{RouteCounts, RouteRow, RouteTotals};
use super::row::Row;
use super::worker::{EndpointName, UpstreamRow, UpstreamTotals, WorkerTotals};

/// One worker's row, with its number.
type Numbered<R> = (usize, Arc<R>);

/// What workers have counted of a route.
#[derive(Debug, Clone, Copy)]
pub struct RouteReading<'r>(&'r [Numbered<RouteRow>]);

impl RouteReading<'_> {
    /// A number that is another one after each request: most routes rest most of the time.
    pub fn stamp(&self) -> u64 {
        let stamps = self.0.iter().map(|(_, row)| row.stamp());
        stamps.fold(0, u64::wrapping_add)
    }

    /// All of it.
    pub fn totals(&self) -> RouteTotals {
        sum(self.0)
    }
}

/// What workers have counted of an upstream.
#[derive(Debug, Clone, Copy)]
pub struct UpstreamReading<'r>(&'r [Numbered<UpstreamRow>]);

impl UpstreamReading<'_> {
    /// A number that is another one after each answer.
    pub fn stamp(&self) -> u64 {
        let stamps = self.0.iter().map(|(_, row)| row.duration.sum_ns());
        stamps.fold(0, u64::wrapping_add)
    }

    /// How long it took to the heads of its answers.
    pub fn duration(&self) -> HistogramTotals {
        sum::<_, UpstreamTotals>(self.0).duration
    }
}

impl WorkerTotals {
    /// Why requests were refused, or ended without a whole answer, in the order of [`Metrics::codes`].
    pub fn refused(&self) -> &[u64] {
        &self.refused
    }
}

impl Metrics {
    /// All words for why a request is refused, or ends without a whole answer.
    pub fn codes(&self) -> &'static [&'static str] {
        self.codes
    }

    /// When the configuration in force was loaded, in milliseconds since 1970; 0: not known.
    pub fn last_reload_success_ms(&self) -> u64 {
        self.reloads.last_success_ms.get()
    }

    /// What has been counted of a route, also before this process.
    pub fn route(&self, name: &str) -> Option<RouteCounts> {
        self.routes.take_one(name).map(RouteCounts)
    }

    /// The same of a client.
    pub fn client(&self, name: &str) -> Option<OutcomeTotals<ClientOutcome>> {
        self.clients.read_one(name)
    }

    /// The same of a limit.
    pub fn policy(&self, name: &str) -> Option<OutcomeTotals<PolicyOutcome>> {
        self.policies.read_one(name)
    }

    /// Shows each route of the configuration that a worker has met.
    pub fn visit_routes(&self, mut visit: impl FnMut(&Arc<str>, RouteReading<'_>)) {
        self.routes
            .visit(|name, rows| visit(name, RouteReading(rows)));
    }

    /// Shows each upstream of the configuration that a worker has met.
    pub fn visit_upstreams(&self, mut visit: impl FnMut(&Arc<str>, UpstreamReading<'_>)) {
        self.upstreams
            .visit(|name, rows| visit(name, UpstreamReading(rows)));
    }

    /// Shows each endpoint.
    pub fn visit_endpoints(&self, mut visit: impl FnMut(&EndpointName, OutcomeTotals<TryOutcome>)) {
        self.endpoints.visit(|name, rows| visit(name, sum(rows)));
    }

    /// Shows each client of the configuration that a worker has met.
    pub fn visit_clients(&self, mut visit: impl FnMut(&Arc<str>, OutcomeTotals<ClientOutcome>)) {
        self.clients.visit(|name, rows| visit(name, sum(rows)));
    }

    /// Shows each worker by its number.
    pub fn visit_workers(&self, mut visit: impl FnMut(usize, WorkerTotals)) {
        self.workers.visit(|number, rows| visit(*number, sum(rows)));
    }
}

fn sum<R: Row<Totals = T>, T: Default>(rows: &[Numbered<R>]) -> T {
    let mut totals = T::default();
    for (_, row) in rows {
        row.add_to(&mut totals);
    }
    totals
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::Duration;

    use super::*;
    use crate::metrics::{ClientKind, Names, Served};

    #[test]
    fn a_stamp_changes_with_each_request() {
        let metrics = Arc::new(Metrics::new(&["a"]));
        let name: Arc<str> = "/x".into();
        metrics.keep(Names {
            routes: BTreeSet::from([Arc::clone(&name)]),
            ..Names::default()
        });
        let workers = [metrics.worker(), metrics.worker()];
        let rows = workers.each_ref().map(|worker| worker.route(&name));
        let look = || {
            let mut seen = Vec::new();
            metrics.visit_routes(|name, route| {
                seen.push((name.to_string(), route.stamp(), route.totals().count()));
            });
            seen
        };
        assert_eq!(look(), [("/x".to_owned(), 0, 0)]);
        for (nth, row) in (1..).zip(&rows) {
            let before = look()[0].1;
            row.note(&Served {
                kind: ClientKind::Anonymous,
                status: 200,
                duration: Duration::from_micros(40),
                overhead: Duration::ZERO,
                request_bytes: 0,
                response_bytes: 0,
            });
            let seen = look();
            assert_ne!(seen[0].1, before);
            assert_eq!(seen[0].2, nth);
        }
        let mut numbers = Vec::new();
        metrics.visit_workers(|number, worker| numbers.push((number, worker.refused().len())));
        assert_eq!(numbers, [(0, 1), (1, 1)]);
    }
}
