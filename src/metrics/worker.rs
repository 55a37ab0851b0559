//! One worker's access to what is counted.

use std::sync::{Arc, OnceLock};

use super::Metrics;
use super::cell::{Counter, Gauge};
use super::histogram::Histogram;
use super::kinds::{
    ClientOutcome, HandshakeOutcome, PolicyOutcome, RetryOutcome, StoreOutcome, TryOutcome,
};
use super::outcomes::Outcomes;
use super::route::RouteRow;
use super::rows::Row;
use super::totals::{EndpointName, UpstreamTotals, WorkerTotals};

/// One worker's numbers, and its access to the rows of names that it meets. Getting a row takes a lock:
/// it is done once for each name and configuration.
#[derive(Debug)]
pub struct WorkerMetrics {
    all: Arc<Metrics>,
    number: usize,
    /// What is counted by no name.
    pub row: Arc<WorkerRow>,
}

impl WorkerMetrics {
    pub(super) fn new(all: Arc<Metrics>, number: usize, row: Arc<WorkerRow>) -> Self {
        let zeros = || all.codes.iter().map(|_| Counter::default()).collect();
        row.refused.get_or_init(zeros);
        Self { all, number, row }
    }

    /// This worker's row of a route.
    pub fn route(&self, name: &Arc<str>) -> Arc<RouteRow> {
        self.all.routes.row(self.number, Arc::clone(name))
    }

    /// This worker's row of a client.
    pub fn client(&self, name: &str) -> Arc<Outcomes<ClientOutcome>> {
        self.all.clients.row(self.number, name.into())
    }

    /// This worker's row of a limit.
    pub fn policy(&self, name: &Arc<str>) -> Arc<Outcomes<PolicyOutcome>> {
        self.all.policies.row(self.number, Arc::clone(name))
    }

    /// This worker's row of an upstream.
    pub fn upstream(&self, name: &Arc<str>) -> Arc<UpstreamRow> {
        self.all.upstreams.row(self.number, Arc::clone(name))
    }

    /// This worker's row of an endpoint.
    pub fn endpoint(&self, upstream: &Arc<str>, address: &str) -> Arc<Outcomes<TryOutcome>> {
        let name = EndpointName {
            upstream: Arc::clone(upstream),
            address: address.into(),
        };
        self.all.endpoints.row(self.number, name)
    }

    /// Counts a request that was refused, or ended without a whole answer.
    pub fn note_refused(&self, code: &str) {
        let place = self.all.codes.iter().position(|it| *it == code);
        let counters = self.row.refused.get();
        if let (Some(place), Some(counters)) = (place, counters) {
            counters[place].increment();
        }
    }
}

/// Counts what nobody reads.
impl Default for WorkerMetrics {
    fn default() -> Self {
        Arc::new(Metrics::new(&[])).worker()
    }
}

/// What one worker counts by no name.
#[derive(Debug, Default)]
pub struct WorkerRow {
    /// By the place of the code.
    refused: OnceLock<Box<[Counter]>>,
    /// Requests that have ended.
    pub requests: Counter,
    /// Requests that are being served.
    pub in_flight: Gauge,
    /// Connections of clients.
    pub clients: Gauge,
    /// Those of them that speak TLS.
    pub tls_clients: Gauge,
    /// Connections to services, without TLS.
    pub services: Gauge,
    /// The same with TLS.
    pub tls_services: Gauge,
    /// Handshakes of clients.
    pub handshakes: Outcomes<HandshakeOutcome>,
    /// Calls to Redis.
    pub store_calls: Outcomes<StoreOutcome>,
    /// How long those took that were answered.
    pub store_duration: Histogram,
}

impl Row for WorkerRow {
    type Totals = WorkerTotals;

    fn add_to(&self, totals: &mut WorkerTotals) {
        let refused = self.refused.get().map_or(&[][..], |counters| counters);
        totals
            .refused
            .resize(refused.len().max(totals.refused.len()), 0);
        for (total, counter) in totals.refused.iter_mut().zip(refused) {
            *total += counter.get();
        }
        totals.requests += self.requests.get();
        totals.in_flight += self.in_flight.get();
        totals.clients += self.clients.get();
        totals.tls_clients += self.tls_clients.get();
        totals.services += self.services.get();
        totals.tls_services += self.tls_services.get();
        self.handshakes.add_to(&mut totals.handshakes);
        self.store_calls.add_to(&mut totals.store_calls);
        self.store_duration.add_to(&mut totals.store_duration);
    }
}

/// What one worker counts of an upstream.
#[derive(Debug, Default)]
pub struct UpstreamRow {
    /// From the end of what an endpoint was sent to its answer's head.
    pub duration: Histogram,
    /// Further tries.
    pub retries: Outcomes<RetryOutcome>,
}

impl Row for UpstreamRow {
    type Totals = UpstreamTotals;

    fn add_to(&self, totals: &mut UpstreamTotals) {
        self.duration.add_to(&mut totals.duration);
        self.retries.add_to(&mut totals.retries);
    }
}
