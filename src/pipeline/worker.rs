//! What a worker thread owns and its requests share. Nothing here is locked or seen by another
//! thread, save the snapshot that a reload swaps.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use arc_swap::ArcSwap;
use arc_swap::cache::Cache;

use crate::limit::Limiter;
use crate::logging::AccessLines;
use crate::upstream::{Pool, Pools};
use crate::wire::buffers::Buffers;

use super::clock::WallClock;
use super::snapshot::Snapshot;

/// One worker's share of the gateway.
#[derive(Debug)]
pub struct Worker {
    /// Notices a swap by comparing pointers, which costs next to nothing.
    newest: RefCell<Cache<Arc<ArcSwap<Snapshot>>, Arc<Snapshot>>>,
    current: RefCell<Rc<Current>>,
    pools: Pools,
    /// Counts requests.
    pub limiter: Limiter,
    /// Spare buffers.
    pub buffers: Buffers,
    /// Where access lines gather.
    pub access_lines: AccessLines,
    /// Access lines are for a person at a terminal.
    pub pretty_access: bool,
    /// The time of day, formatted.
    pub clock: WallClock,
    /// No connection goes on after the request that it is serving.
    pub draining: Cell<bool>,
    /// The drain is over: what is still in flight is cut.
    pub cut: Cell<bool>,
}

/// A snapshot, and this worker's pool for each of its upstreams.
#[derive(Debug)]
pub struct Current {
    pub snapshot: Arc<Snapshot>,
    pub pools: Vec<Rc<Pool>>,
}

impl Worker {
    /// A worker's share, at its start.
    #[must_use]
    pub fn new(
        snapshots: Arc<ArcSwap<Snapshot>>,
        limiter: Limiter,
        access_lines: AccessLines,
        pretty_access: bool,
    ) -> Self {
        let pools = Pools::default();
        let snapshot = snapshots.load_full();
        let current = Rc::new(Current {
            pools: pools.of(&snapshot.upstreams),
            snapshot,
        });
        Self {
            newest: RefCell::new(Cache::new(snapshots)),
            current: RefCell::new(current),
            pools,
            limiter,
            buffers: Buffers::default(),
            access_lines,
            pretty_access,
            clock: WallClock::default(),
            draining: Cell::new(false),
            cut: Cell::new(false),
        }
    }

    /// The snapshot by which a request that begins now is judged.
    #[must_use]
    pub fn current(&self) -> Rc<Current> {
        let mut newest = self.newest.borrow_mut();
        let newest = newest.load();
        if !Arc::ptr_eq(newest, &self.current.borrow().snapshot) {
            let snapshot = Arc::clone(newest);
            let pools = self.pools.of(&snapshot.upstreams);
            self.current.replace(Rc::new(Current { snapshot, pools }));
        }
        Rc::clone(&self.current.borrow())
    }

    /// What has to be done besides serving, as long as the worker runs.
    pub async fn housekeeping(&self) {
        tokio::join!(
            self.pools.look_after(),
            self.access_lines.hand_over_in_time()
        );
    }
}
