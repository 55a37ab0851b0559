//! What the log says of a cluster's nodes: one line when the first worker loses one, one when all
//! have it again, and at most one a minute about a node that replies with errors.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::super::CallError;
use super::super::url::HostPort;
use crate::limit::clock::millis;
use crate::lock::lock;

/// How often the log says that a node replies with errors. Some calls may go well in between: one
/// that is refused needs no memory.
const LOG_INTERVAL: Duration = Duration::from_mins(1);

/// What the workers know of nodes that are in trouble.
#[derive(Debug, Default)]
pub(in crate::limit::redis) struct Nodes(Mutex<Troubled>);

#[derive(Debug, Default)]
struct Troubled {
    /// How many workers are without a node.
    lost: HashMap<HostPort, usize>,
    /// Nodes whose loss has been logged, with its time, and not yet their return. Outlives the workers' attempts,
    /// which begin anew when no node is left.
    logged: HashMap<HostPort, Instant>,
    /// When errors of a node were last logged.
    refusals: HashMap<HostPort, Instant>,
}

impl Nodes {
    /// A call was answered with an error.
    pub(super) fn refused(&self, node: &HostPort, cause: &CallError) {
        let now = Instant::now();
        let mut troubled = lock(&self.0);
        let lately = |logged: &Instant| now.duration_since(*logged) < LOG_INTERVAL;
        if !troubled.refusals.get(node).is_some_and(lately) {
            troubled.refusals.retain(|_, logged| lately(logged));
            troubled.refusals.insert(node.clone(), now);
            tracing::warn!(%node, %cause, "a node of redis does not count");
        }
    }

    /// A worker has a connection to the node.
    pub(super) fn found(&self, node: &HostPort) {
        let mut troubled = lock(&self.0);
        if !troubled.lost.contains_key(node)
            && let Some(since) = troubled.logged.remove(node)
        {
            let outage_ms = millis(since.elapsed());
            tracing::info!(event = "redis_back", %node, outage_ms, "a node of redis answers again");
        }
    }
}

/// One worker's loss of one node, for as long as it lasts.
#[derive(Debug)]
pub(super) struct Loss {
    nodes: Arc<Nodes>,
    node: HostPort,
}

impl Loss {
    /// Notes it, and logs it if no other worker has.
    pub(super) fn begin(nodes: &Arc<Nodes>, node: &HostPort, cause: &CallError) -> Self {
        let mut troubled = lock(&nodes.0);
        *troubled.lost.entry(node.clone()).or_default() += 1;
        if let Entry::Vacant(logged) = troubled.logged.entry(node.clone()) {
            logged.insert(Instant::now());
            tracing::warn!(event = "redis_lost", %node, %cause, "a node of redis does not answer; its callers are treated as without redis");
        }
        Self {
            nodes: Arc::clone(nodes),
            node: node.clone(),
        }
    }
}

impl Drop for Loss {
    fn drop(&mut self) {
        let lost = &mut lock(&self.nodes.0).lost;
        if let Some(workers) = lost.get_mut(&self.node) {
            *workers -= 1;
        }
        lost.retain(|_, workers| *workers > 0);
    }
}
