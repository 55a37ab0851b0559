//! What all workers have counted together, as values; and as numbers for a process that goes on from
//! them, because a counter must not go back when one gateway hands over to the next.

use std::collections::BTreeMap;
use std::sync::{Arc, MutexGuard, PoisonError};

use super::Metrics;
use super::dropped::DroppedTotals;
use super::histogram::HistogramTotals;
use super::kinds::{
    ClientOutcome, HandshakeOutcome, PolicyOutcome, ReloadOutcome, RetryOutcome, StoreOutcome,
    TryOutcome,
};
use super::outcomes::OutcomeTotals;
use super::route::RouteCounts;
use super::rows::{Row, Total};

/// An endpoint, as metrics call it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct EndpointName {
    /// Its upstream.
    pub upstream: Arc<str>,
    /// An IP address and a port.
    pub address: Arc<str>,
}

/// What all workers count of an upstream.
#[derive(Debug, Clone, Default)]
pub struct UpstreamTotals {
    /// From the end of what endpoints were sent to their answers' heads.
    pub duration: HistogramTotals,
    /// Further tries.
    pub retries: OutcomeTotals<RetryOutcome>,
}

/// What is counted by no name, of one worker or of all.
#[derive(Debug, Clone, Default)]
pub struct WorkerTotals {
    /// By the place of the code.
    pub(super) refused: Vec<u64>,
    /// Requests that have ended.
    pub requests: u64,
    /// Requests that are being served.
    pub in_flight: u64,
    /// Connections of clients.
    pub clients: u64,
    /// Those of them that speak TLS.
    pub tls_clients: u64,
    /// Connections to services, without TLS.
    pub services: u64,
    /// The same with TLS.
    pub tls_services: u64,
    /// Handshakes of clients.
    pub handshakes: OutcomeTotals<HandshakeOutcome>,
    /// Calls to Redis.
    pub store_calls: OutcomeTotals<StoreOutcome>,
    /// How long those took that were answered.
    pub store_duration: HistogramTotals,
}

/// What the gateway has counted.
#[derive(Debug, Default)]
pub struct Totals {
    /// In the order of their names; `""` are requests without a route.
    pub routes: Vec<RouteCounts>,
    /// By name; `_other` are all that have no row of their own.
    pub clients: BTreeMap<Arc<str>, OutcomeTotals<ClientOutcome>>,
    /// By the name of the limit.
    pub policies: BTreeMap<Arc<str>, OutcomeTotals<PolicyOutcome>>,
    /// By name.
    pub upstreams: BTreeMap<Arc<str>, UpstreamTotals>,
    /// By upstream and address.
    pub endpoints: BTreeMap<EndpointName, OutcomeTotals<TryOutcome>>,
    /// Each worker's own.
    pub workers: Vec<WorkerTotals>,
    /// The same together.
    pub all: WorkerTotals,
    /// Why requests were refused, or ended without a whole answer: every word for it.
    pub refused: Vec<(&'static str, u64)>,
    /// Reloads, the start among them.
    pub reloads: OutcomeTotals<ReloadOutcome>,
    /// When the configuration in force was loaded, in milliseconds since 1970.
    pub last_reload_success_ms: u64,
    /// What could not be written down.
    pub dropped: DroppedTotals,
}

/// What was counted by no name before this process.
#[derive(Debug, Default)]
pub(super) struct Before {
    pub workers: WorkerTotals,
    pub reloads: OutcomeTotals<ReloadOutcome>,
    pub dropped: DroppedTotals,
    /// The process before this one counts the same things at the same places.
    pub is_alike: bool,
}

impl WorkerTotals {
    /// Adds another's.
    pub fn add(&mut self, other: &Self) {
        self.refused
            .resize(self.refused.len().max(other.refused.len()), 0);
        for (own, other) in self.refused.iter_mut().zip(&other.refused) {
            *own += other;
        }
        self.requests += other.requests;
        self.in_flight += other.in_flight;
        self.clients += other.clients;
        self.tls_clients += other.tls_clients;
        self.services += other.services;
        self.tls_services += other.tls_services;
        self.handshakes.add(&other.handshakes);
        self.store_calls.add(&other.store_calls);
        self.store_duration.add(&other.store_duration);
    }
}

impl Total for WorkerTotals {
    fn add(&mut self, other: &Self) {
        WorkerTotals::add(self, other);
    }
}

impl Total for UpstreamTotals {
    fn add(&mut self, other: &Self) {
        self.duration.add(&other.duration);
        self.retries.add(&other.retries);
    }
}

impl Metrics {
    /// Adds up what all workers have counted.
    pub fn read(&self) -> Totals {
        let workers: Vec<_> = self.workers.read().into_values().collect();
        let all = self.read_workers();
        Totals {
            routes: self
                .routes
                .take_all()
                .into_iter()
                .map(RouteCounts)
                .collect(),
            clients: self.clients.read(),
            policies: self.policies.read(),
            upstreams: self.upstreams.read(),
            endpoints: self.endpoints.read(),
            refused: self.refused(&all),
            workers,
            all,
            reloads: self.read_reloads(),
            last_reload_success_ms: self.reloads.last_success_ms.get(),
            dropped: self.read_dropped(),
        }
    }

    /// What is counted by no name, of all workers together: little work, however many routes there are.
    pub fn read_workers(&self) -> WorkerTotals {
        let mut all = self.before().workers.clone();
        for worker in self.workers.read().values() {
            all.add(worker);
        }
        all
    }

    /// Why requests were refused, or ended without a whole answer: every word for it, also those of
    /// which there were none.
    pub fn refused(&self, all: &WorkerTotals) -> Vec<(&'static str, u64)> {
        let counts = all.refused.iter().copied().chain(std::iter::repeat(0));
        self.codes.iter().copied().zip(counts).collect()
    }

    pub(super) fn read_reloads(&self) -> OutcomeTotals<ReloadOutcome> {
        let mut reloads = self.before().reloads.clone();
        self.reloads.outcomes.add_to(&mut reloads);
        reloads
    }

    pub(super) fn before(&self) -> MutexGuard<'_, Before> {
        self.before.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
