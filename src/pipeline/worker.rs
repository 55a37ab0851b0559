//! What a worker thread owns and its requests share. Nothing here is locked or seen by another
//! thread, save the snapshot that a reload swaps.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::{Notify, watch};

use crate::limit::Limiter;
use crate::logging::AccessLines;
use crate::metrics::WorkerMetrics;
use crate::metrics::recent::RecentOfWorker;
use crate::traces::Traces;
use crate::upstream::{Candidates, Pools};
use crate::wire::buffers::Buffers;

use super::clock::WallClock;
use super::lag::Lag;
use super::measured::Measured;
use super::room::Room;
use super::snapshot::Snapshot;
use super::unlisted::{Met, UnlistedProxies};

/// One worker's share of the gateway.
#[derive(Debug)]
pub struct Worker {
    /// Says whether there is a newer one by a number, which costs next to nothing.
    snapshots: RefCell<watch::Receiver<Arc<Snapshot>>>,
    current: RefCell<Rc<Current>>,
    pools: Pools,
    /// Counts what the gateway does.
    pub metrics: Rc<WorkerMetrics>,
    /// Counts requests.
    pub limiter: Limiter,
    /// Spare buffers.
    pub buffers: Buffers,
    /// Room for what is kept of requests' bodies.
    pub(super) room: Room,
    /// Where access lines gather.
    pub access_lines: AccessLines,
    /// Access lines are for a person at a terminal.
    pub pretty_access: bool,
    /// Requests of late, for the operator.
    pub recent: RecentOfWorker,
    /// Where spans go.
    pub traces: Arc<Traces>,
    /// The time of day, formatted.
    pub clock: WallClock,
    /// Whether it keeps up.
    pub(super) lag: Lag,
    /// Peers that should perhaps be trusted.
    pub(super) unlisted_proxies: Met,
    /// No connection goes on after the request that it is serving.
    pub draining: Cell<bool>,
    drain_begins: Notify,
    /// The code of what is cut, once all that is still in flight is.
    pub cut: Cell<Option<&'static str>>,
}

/// Where a worker reports what its requests come to.
#[derive(Debug)]
pub struct Reports {
    /// Numbers.
    pub metrics: WorkerMetrics,
    /// A line for each.
    pub access_lines: AccessLines,
    /// The lines are for a person at a terminal.
    pub pretty_access: bool,
    /// Those of late, for the operator.
    pub recent: RecentOfWorker,
    /// Spans.
    pub traces: Arc<Traces>,
}

/// A snapshot, and what this worker needs to send requests to each of its upstreams.
#[derive(Debug)]
pub struct Current {
    pub snapshot: Arc<Snapshot>,
    pub upstreams: Vec<Candidates>,
    /// What it counts by the names of the configuration.
    pub(super) measured: Measured,
}

impl Current {
    fn new(snapshot: Arc<Snapshot>, pools: &Pools) -> Self {
        Self {
            upstreams: pools.of(&snapshot.upstreams),
            measured: Measured::new(&snapshot),
            snapshot,
        }
    }
}

impl Worker {
    /// A worker's share, at its start.
    pub fn new(
        mut snapshots: watch::Receiver<Arc<Snapshot>>,
        limiter: Limiter,
        reports: Reports,
        unlisted_proxies: Arc<UnlistedProxies>,
    ) -> Self {
        let metrics = Rc::new(reports.metrics);
        let pools = Pools::new(Rc::clone(&metrics));
        let snapshot = Arc::clone(&snapshots.borrow_and_update());
        let current = Rc::new(Current::new(snapshot, &pools));
        Self {
            snapshots: RefCell::new(snapshots),
            current: RefCell::new(current),
            pools,
            metrics,
            limiter,
            buffers: Buffers::default(),
            room: Room::default(),
            access_lines: reports.access_lines,
            pretty_access: reports.pretty_access,
            recent: reports.recent,
            traces: reports.traces,
            clock: WallClock::default(),
            lag: Lag::default(),
            unlisted_proxies: Met::new(unlisted_proxies),
            draining: Cell::new(false),
            drain_begins: Notify::new(),
            cut: Cell::new(None),
        }
    }

    /// The snapshot by which a request that begins now is judged.
    pub fn current(&self) -> Rc<Current> {
        self.take_newest();
        Rc::clone(&self.current.borrow())
    }

    #[inline]
    fn take_newest(&self) {
        // An error says that the gateway is gone, which is ending: then the last one stands.
        if self.snapshots.borrow().has_changed().unwrap_or(false) {
            self.take_next();
        }
    }

    #[cold]
    fn take_next(&self) {
        let snapshot = Arc::clone(&self.snapshots.borrow_mut().borrow_and_update());
        let current = Current::new(snapshot, &self.pools);
        self.current.replace(Rc::new(current));
    }

    /// Closes the connections to services that only a client's connection from this address could use.
    pub fn client_left(&self, from: SocketAddr) {
        self.pools.client_left(from);
    }

    /// Begins the drain.
    pub fn drain(&self) {
        self.draining.set(true);
        self.drain_begins.notify_waiters();
    }

    /// Waits until the drain begins.
    pub async fn drain_begins(&self) {
        if !self.draining.get() {
            self.drain_begins.notified().await;
        }
    }

    /// Takes each new snapshot at once, as long as the worker runs, and calls `then`. Without it a
    /// worker that is not asked anything would keep the old one, and its connections to upstreams
    /// that are gone from the configuration.
    pub async fn follow_reloads(&self, then: impl Fn()) {
        let mut snapshots = self.snapshots.borrow().clone();
        while snapshots.changed().await.is_ok() {
            self.take_newest();
            then();
        }
    }

    /// Finds out whether the worker keeps up, as long as it runs. A task of its own: it is timed when
    /// it is polled.
    pub async fn watch_lag(&self) {
        self.lag.probes().await;
    }

    /// What has to be done besides serving, as long as the worker runs.
    pub async fn housekeeping(&self) {
        tokio::join!(
            self.pools.look_after(),
            self.access_lines.hand_over_in_time()
        );
    }
}
