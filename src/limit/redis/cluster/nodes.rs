//! What the operator is told of a cluster's nodes: one line when the first worker loses one, one
//! when all have it again, and now and then one about a node that answers with errors.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::super::CallError;
use super::super::url::HostPort;

/// How often the log says that a node answers with errors. Some calls may go well in between: one
/// that is refused needs no memory.
const TELL_EVERY: Duration = Duration::from_mins(1);

/// What the workers know of nodes that are in trouble.
#[derive(Debug, Default)]
pub(in crate::limit::redis) struct Nodes(Mutex<Troubled>);

#[derive(Debug, Default)]
struct Troubled {
    /// How many workers are without a node.
    lost: HashMap<HostPort, usize>,
    /// Those of which it has been told, and not yet that they are back. Outlives the workers'
    /// attempts, which begin anew when no node is left.
    told: HashSet<HostPort>,
    /// When it was last told that a node answers with errors.
    refusals: HashMap<HostPort, Instant>,
}

impl Nodes {
    /// A call was answered with an error.
    pub(super) fn refused(&self, node: &HostPort, cause: &CallError) {
        let now = Instant::now();
        let mut troubled = self.lock();
        let lately = |told: &mut Instant| now.duration_since(*told) < TELL_EVERY;
        troubled.refusals.retain(|_, told| lately(told));
        if !troubled.refusals.contains_key(node) {
            troubled.refusals.insert(node.clone(), now);
            tracing::warn!(%node, %cause, "a node of redis does not count");
        }
    }

    /// A worker has a connection to the node.
    pub(super) fn found(&self, node: &HostPort) {
        let mut troubled = self.lock();
        if !troubled.lost.contains_key(node) && troubled.told.remove(node) {
            tracing::info!(%node, "a node of redis answers again");
        }
    }

    fn lock(&self) -> MutexGuard<'_, Troubled> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One worker's loss of one node, for as long as it lasts.
#[derive(Debug)]
pub(super) struct Loss {
    nodes: Arc<Nodes>,
    node: HostPort,
}

impl Loss {
    /// Notes it, and tells if it is news.
    pub(super) fn begin(nodes: &Arc<Nodes>, node: &HostPort, cause: &CallError) -> Self {
        let mut troubled = nodes.lock();
        *troubled.lost.entry(node.clone()).or_default() += 1;
        if troubled.told.insert(node.clone()) {
            tracing::warn!(%node, %cause, "a node of redis does not answer; its callers are treated as without redis");
        }
        Self {
            nodes: Arc::clone(nodes),
            node: node.clone(),
        }
    }
}

impl Drop for Loss {
    fn drop(&mut self) {
        let mut troubled = self.nodes.lock();
        if let Some(workers) = troubled.lost.get_mut(&self.node) {
            *workers -= 1;
            if *workers == 0 {
                troubled.lost.remove(&self.node);
            }
        }
    }
}
