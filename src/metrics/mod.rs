//! What the gateway counts, and costs next to nothing: each worker has numbers of its own, which only it
//! writes (`cell.rs`), in rows that it finds without a lock once it has met their names (`rows.rs`). A
//! reader adds them up: the admin port, never a worker. This module knows nothing of routes and clients
//! but their names.
//!
//! Some requests of late are kept as they were, too (`recent.rs`).

mod cell;
mod dropped;
mod exemplar;
pub mod filter;
mod histogram;
mod kinds;
mod outcomes;
pub mod recent;
mod route;
mod row;
mod rows;
mod sample;
mod sparse;
mod status;
mod totals;
mod transfer;
mod worker;

pub use cell::{Counter, Gauge};
pub use dropped::{Dropped, DroppedTotals};
pub use exemplar::{BUCKETS as EXEMPLARS_A_ROUTE, Exemplar};
pub use histogram::{CLASSIC_BOUNDS, Histogram, HistogramTotals, SCHEMA, ZERO_THRESHOLD};
pub use kinds::{
    ClientOutcome, HandshakeOutcome, PolicyOutcome, ReloadOutcome, RetryOutcome, StoreOutcome,
    TryOutcome,
};
pub use outcomes::{Outcome, OutcomeTotals, Outcomes};
pub use route::{ClientKind, RouteCounts, RouteRow, RouteTotals, Served};
pub use row::{Row, Total};
pub use sample::{RouteReading, UpstreamReading};
pub use sparse::SparseHistogram;
pub use totals::Totals;
pub use transfer::{Portion, since};
pub use worker::{
    EndpointName, UpstreamRow, UpstreamTotals, WorkerMetrics, WorkerRow, WorkerTotals,
};

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use crate::lock::lock;

use self::rows::Rows;
use self::totals::Before;

/// The name of all clients together that have no row of their own.
pub const OTHER_CLIENTS: &str = "_other";
/// How many clients have a row of their own.
pub const MOST_CLIENTS: usize = 200;

/// What the process counts.
#[derive(Debug)]
pub struct Metrics {
    /// Why requests are refused, or end without a whole answer: all the words for it.
    codes: &'static [&'static str],
    routes: Rows<Arc<str>, RouteRow>,
    clients: Rows<Arc<str>, Outcomes<ClientOutcome>>,
    policies: Rows<Arc<str>, Outcomes<PolicyOutcome>>,
    upstreams: Rows<Arc<str>, UpstreamRow>,
    endpoints: Rows<EndpointName, Outcomes<TryOutcome>>,
    workers: Rows<usize, WorkerRow>,
    next_worker: Mutex<usize>,
    reloads: Reloads,
    /// What could not be written down.
    pub dropped: Dropped,
    before: Mutex<Before>,
}

/// What is written by the thread of reloads alone.
#[derive(Debug, Default)]
struct Reloads {
    outcomes: Outcomes<ReloadOutcome>,
    /// When the configuration in force was loaded, in milliseconds since 1970.
    last_success_ms: Gauge,
}

/// The names of a configuration.
#[derive(Debug, Default)]
pub struct Names {
    /// Of routes, and `""` for what has none.
    pub routes: BTreeSet<Arc<str>>,
    /// Of those clients that have a row of their own, and of the others together.
    pub clients: BTreeSet<Arc<str>>,
    /// Of limits.
    pub policies: BTreeSet<Arc<str>>,
    /// Of upstreams.
    pub upstreams: BTreeSet<Arc<str>>,
    /// Of endpoints, as far as their addresses are known.
    pub endpoints: BTreeSet<EndpointName>,
    /// The same of the configuration before it.
    pub endpoints_before: BTreeSet<EndpointName>,
}

impl Metrics {
    /// Counts nothing yet; `codes` are all words for why a request is refused.
    pub fn new(codes: &'static [&'static str]) -> Self {
        Self {
            codes,
            routes: Rows::of_known(),
            clients: Rows::of_known(),
            policies: Rows::of_known(),
            upstreams: Rows::of_known(),
            endpoints: Rows::of_any(),
            workers: Rows::of_any(),
            next_worker: Mutex::default(),
            reloads: Reloads::default(),
            dropped: Dropped::default(),
            before: Mutex::default(),
        }
    }

    /// One more worker's access.
    pub fn worker(self: &Arc<Self>) -> WorkerMetrics {
        let mut next = lock(&self.next_worker);
        let number = *next;
        *next += 1;
        let row = self.workers.row(number, number);
        WorkerMetrics::new(Arc::clone(self), number, row)
    }

    /// Notes the names of a configuration that comes into force.
    pub fn keep(&self, names: Names) {
        self.routes.keep(names.routes);
        self.clients.keep(names.clients);
        self.policies.keep(names.policies);
        self.upstreams.keep(names.upstreams);
        self.endpoints
            .remove(&names.endpoints_before, &names.endpoints);
    }

    /// Notes what came of a reload, or of the start. Called by one thread at a time.
    pub fn note_reload(&self, outcome: ReloadOutcome, now_ms: u64) {
        self.reloads.outcomes.note(outcome);
        if outcome == ReloadOutcome::Ok {
            self.reloads.last_success_ms.set(now_ms);
        }
    }

    /// Notes that everything has been shown to whoever collects it: what the configuration does not have
    /// any more need not be shown again.
    pub fn shown(&self) {
        self.routes.shown();
        self.clients.shown();
        self.policies.shown();
        self.upstreams.shown();
        self.endpoints.shown();
    }
}
