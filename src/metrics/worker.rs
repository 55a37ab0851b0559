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
use super::row::{Row, Total, numbers};

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
        row.refused.0.get_or_init(zeros);
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
        let counters = self.row.refused.0.get();
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

numbers! {
    /// What one worker counts by no name.
    pub struct WorkerRow;

    /// What is counted by no name, of one worker or of all.
    pub struct WorkerTotals;

    {
        pub(super) refused: Refused,
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
}

numbers! {
    /// What one worker counts of an upstream.
    pub struct UpstreamRow;

    /// What all workers count of an upstream.
    pub struct UpstreamTotals;

    {
        /// From the end of what an endpoint was sent to its answer's head.
        pub duration: Histogram,
        /// Further tries.
        pub retries: Outcomes<RetryOutcome>,
    }
}

/// An endpoint, as metrics call it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct EndpointName {
    /// Its upstream.
    pub upstream: Arc<str>,
    /// An IP address and a port.
    pub address: Arc<str>,
}

/// Why requests were refused, by the place of the code.
#[derive(Debug, Default)]
pub(super) struct Refused(OnceLock<Box<[Counter]>>);

/// How many codes may be moved: more than there are.
const MAX_CODES: usize = 64;

impl Row for Refused {
    type Totals = Vec<u64>;

    fn add_to(&self, totals: &mut Vec<u64>) {
        let counters = self.0.get().into_iter().flatten();
        totals.add(&counters.map(Counter::get).collect());
    }

    fn each(totals: &mut Vec<u64>, each: &mut dyn FnMut(&mut u64)) {
        totals.resize(MAX_CODES.max(totals.len()), 0);
        totals.iter_mut().take(MAX_CODES).for_each(each);
    }
}

impl Total for Vec<u64> {
    fn add(&mut self, other: &Self) {
        self.resize(self.len().max(other.len()), 0);
        for (own, other) in self.iter_mut().zip(other) {
            *own += other;
        }
    }
}
