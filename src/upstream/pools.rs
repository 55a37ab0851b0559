//! All pools of one worker. They outlive reloads as the state of their endpoint does: an endpoint
//! that is in the new configuration too keeps its connections.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::metrics::WorkerMetrics;

use super::candidates::Candidates;
use super::pool::Pool;
use super::state::EndpointState;
use super::{Endpoint, Upstream};

/// How often idle connections are looked after.
const SWEEP: Duration = Duration::from_secs(1);

/// One worker's pools, by endpoint.
#[derive(Debug, Default)]
pub struct Pools {
    /// A pool holds the state that it is found by, so no other can come to be at its place.
    by_endpoint: RefCell<HashMap<*const EndpointState, Rc<Pool>>>,
    /// An upstream is told whose connections are made to it.
    announces: Cell<bool>,
    metrics: Rc<WorkerMetrics>,
}

impl Pools {
    /// None yet; what comes of tries is counted in `metrics`.
    pub fn new(metrics: Rc<WorkerMetrics>) -> Self {
        Self {
            metrics,
            ..Self::default()
        }
    }

    /// The candidates of these upstreams, in their order; pools of other endpoints are dropped.
    pub fn of(&self, upstreams: &[Arc<Upstream>]) -> Vec<Candidates> {
        let announces = |one: &Arc<Upstream>| one.rules.proxy_protocol.is_some();
        self.announces.set(upstreams.iter().any(announces));
        let old = self.by_endpoint.take();
        let mut pools = self.by_endpoint.borrow_mut();
        let mut of_endpoint = |upstream: &Arc<str>, endpoint: &Endpoint| {
            let key = Arc::as_ptr(&endpoint.state);
            let pool = pools.entry(key).or_insert_with(|| match old.get(&key) {
                Some(pool) => Rc::clone(pool),
                None => Rc::new(Pool::new(endpoint, upstream, &self.metrics)),
            });
            Rc::clone(pool)
        };
        let of_upstream = |upstream: &Arc<Upstream>| {
            let endpoints = upstream.endpoints.iter();
            let pools = endpoints.map(|endpoint| of_endpoint(&upstream.name, endpoint));
            let row = self.metrics.upstream(&upstream.name);
            Candidates::new(upstream, pools.collect(), row)
        };
        let candidates = upstreams.iter().map(of_upstream).collect();
        for (key, pool) in &old {
            if !pools.contains_key(key) {
                pool.close();
            }
        }
        candidates
    }

    /// Closes the idle connections that serve the client at this address alone.
    pub fn client_left(&self, from: SocketAddr) {
        if self.announces.get() {
            for pool in self.by_endpoint.borrow().values() {
                pool.client_left(from);
            }
        }
    }

    /// Drops dead and old connections and follows the addresses of names, as long as the worker
    /// runs.
    pub async fn look_after(&self) {
        let mut tick = tokio::time::interval(SWEEP);
        loop {
            tick.tick().await;
            let now = Instant::now();
            for pool in self.by_endpoint.borrow().values() {
                pool.sweep(now);
            }
        }
    }
}
