//! What all workers have counted together, as values; and as numbers for a process that goes on from
//! them, because a counter must not go back when one gateway hands over to the next.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::lock::lock;

use super::Metrics;
use super::dropped::DroppedTotals;
use super::kinds::{ClientOutcome, PolicyOutcome, ReloadOutcome, TryOutcome};
use super::outcomes::OutcomeTotals;
use super::route::RouteCounts;
use super::row::{Row, Total};
use super::worker::{EndpointName, UpstreamTotals, WorkerTotals};

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
        let mut all = lock(&self.before).workers.clone();
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
        let mut reloads = lock(&self.before).reloads.clone();
        self.reloads.outcomes.add_to(&mut reloads);
        reloads
    }
}
