//! All pools of one worker. They outlive reloads: an endpoint that stands in the new snapshot too
//! keeps its connections.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use super::pool::Pool;
use super::{EndpointUrl, Upstream};

/// How often resting connections are looked after.
const SWEEP: Duration = Duration::from_secs(1);

/// One worker's pools, by endpoint.
#[derive(Debug, Default)]
pub struct Pools {
    by_endpoint: RefCell<HashMap<EndpointUrl, Rc<Pool>>>,
}

impl Pools {
    /// The pools of these upstreams, in their order; pools of other endpoints are dropped.
    #[must_use]
    pub fn of(&self, upstreams: &[Arc<Upstream>]) -> Vec<Rc<Pool>> {
        let mut old = self.by_endpoint.take();
        let mut kept = self.by_endpoint.borrow_mut();
        let pools = upstreams.iter().map(|upstream| {
            let endpoint = &upstream.endpoint;
            let pool = kept.entry(endpoint.clone()).or_insert_with(|| {
                old.remove(endpoint)
                    .unwrap_or_else(|| Rc::new(Pool::new(endpoint)))
            });
            Rc::clone(pool)
        });
        pools.collect()
    }

    /// Drops dead and old connections and resolves names again, as long as the worker runs.
    pub async fn look_after(&self) {
        let mut tick = tokio::time::interval(SWEEP);
        // A name server that does not answer must not keep the rest from being done.
        let mut lookups = JoinSet::new();
        loop {
            tick.tick().await;
            for pool in self.by_endpoint.borrow().values() {
                pool.sweep();
                if pool.needs_addresses() {
                    lookups.spawn_local(Rc::clone(pool).refresh_addresses());
                }
            }
            while lookups.try_join_next().is_some() {}
        }
    }
}
