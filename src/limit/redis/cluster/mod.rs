//! A cluster, as one worker uses it: a connection to each master, and a map of which slots are
//! where. Calls follow redirections; nodes that redirect, or are lost, have the map read anew, off
//! the path of requests.
//!
//! Why not the client that the redis crate has: while it reads the map or connects to a node, all
//! calls to all nodes wait, so that one frozen node costs every request its deadline. Here a node's
//! trouble stays with its own slots.

mod node;
mod nodes;
mod slots;

pub(super) use nodes::Nodes;

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use ::redis::aio::MultiplexedConnection;
use ::redis::{Cmd, ServerErrorKind, Value, cmd};
use tokio::sync::Notify;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{sleep, timeout};

use self::node::{Common, Node};
use self::slots::{Elsewhere, Range, SLOTS, elsewhere, read_ranges, slot_of};
use super::CallError;
use super::dial::{Dialer, Driver, drive};
use super::seeds::{STEP, Seeds};
use super::url::HostPort;

/// So many redirections are followed at once. Two are usual while slots move; more come of nodes that
/// don't agree yet, or of keys on their way, and are followed after pauses that grow.
const HOPS_AT_ONCE: u32 = 3;
const SHORTEST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(32);

/// After so many, nodes redirect calls in a circle.
const MAX_HOPS: u32 = 64;

/// How long a new connection waits for its nodes before it serves with those that are there.
const SETTLE: Duration = Duration::from_millis(500);

/// How often the map of slots is read, at least and at most.
const READ_EVERY: Duration = Duration::from_mins(1);
const READ_PAUSE: Duration = Duration::from_millis(100);

/// One worker's connections to all nodes; cheap to clone.
#[derive(Clone)]
pub(in crate::limit) struct Cluster(Rc<Shared>);

struct Shared {
    common: Rc<Common>,
    slots: RefCell<Vec<Option<Rc<Node>>>>,
    nodes: RefCell<HashMap<HostPort, (Rc<Node>, AbortHandle)>>,
    /// One for each node. They end with this.
    keepers: RefCell<JoinSet<()>>,
}

impl Cluster {
    /// Reads the map of slots from one of `seeds`, and connects to all nodes; one at least has
    /// to answer. The driver ends when none does any more.
    pub(super) async fn connect(
        dialer: Dialer,
        seeds: &Seeds,
        deadline: Duration,
        nodes: Arc<Nodes>,
    ) -> Result<(Self, Driver), CallError> {
        let asked = seeds.ask(async |seed| {
            let (connection, mut driver) = dialer.open(seed).await?;
            drive(&mut driver, ranges(connection, seed)).await
        });
        let ranges = asked.await?;
        let shared = Rc::new(Shared {
            common: Rc::new(Common {
                dialer,
                deadline,
                stale: Notify::new(),
                nodes,
            }),
            slots: RefCell::new(vec![None; usize::from(SLOTS)]),
            nodes: RefCell::default(),
            keepers: RefCell::default(),
        });
        shared.follow(&ranges);
        let nodes: Vec<_> = shared.all_nodes();
        let settled = async {
            for node in &nodes {
                node.link.settled().await;
            }
        };
        // Those that take longer are waited for by their own calls only.
        let _ = timeout(SETTLE, settled).await;
        if !nodes.iter().any(|node| node.link.connection().is_some()) {
            return Err(CallError::NoNode);
        }
        let driver = Box::pin(keep_map(Rc::clone(&shared)));
        Ok((Self(shared), driver))
    }

    /// Makes a call on the node that has its keys, wherever they have gone.
    pub(super) async fn call(&self, command: &Cmd) -> Result<Value, CallError> {
        let common = &self.0.common;
        // The deadline is that of the whole call, which may have spent some of it at other nodes.
        let patience = common.deadline / 2;
        let slot = slot_of(command);
        let mut node = self.0.node_of(slot)?;
        let mut asking = false;
        let mut pause = SHORTEST_PAUSE;
        for hop in 0..MAX_HOPS {
            if hop >= HOPS_AT_ONCE {
                sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
            let answer = node.call(command, asking, patience).await?;
            match elsewhere(&answer, &node.address.host) {
                None => {
                    self.look_into(&answer, &node);
                    return Ok(answer);
                }
                Some(Elsewhere::Moved(address)) => {
                    node = self.0.moved(slot, address);
                    asking = false;
                }
                Some(Elsewhere::Ask(address)) => {
                    node = self.0.node(address);
                    asking = true;
                }
                Some(Elsewhere::Later) => sleep(pause).await,
            }
        }
        common.stale.notify_one();
        Err(CallError::NoNode)
    }

    /// An error is for the caller to read, but may say something about the node.
    fn look_into(&self, answer: &Value, node: &Node) {
        let Value::ServerError(error) = answer else {
            return;
        };
        match error.kind() {
            Some(ServerErrorKind::NoScript) => {}
            Some(
                ServerErrorKind::ClusterDown
                | ServerErrorKind::MasterDown
                | ServerErrorKind::ReadOnly
                | ServerErrorKind::BusyLoading,
            ) => self.0.common.stale.notify_one(),
            _ => {
                let cause = CallError::Refused(error.to_string());
                self.0.common.nodes.refused(&node.address, &cause);
            }
        }
    }
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.all_nodes()).finish()
    }
}

impl Shared {
    fn node_of(&self, slot: u16) -> Result<Rc<Node>, CallError> {
        let node = self.slots.borrow()[usize::from(slot)].clone();
        if node.is_none() {
            self.common.stale.notify_one();
        }
        node.ok_or(CallError::NoNode)
    }

    /// The node at an address, which is connected to if it is new.
    fn node(&self, address: HostPort) -> Rc<Node> {
        let mut nodes = self.nodes.borrow_mut();
        let (node, _) = nodes.entry(address.clone()).or_insert_with(|| {
            let node = Rc::new(Node::new(address));
            let keeper = node::keep(Rc::clone(&node), Rc::clone(&self.common));
            let keeper = self.keepers.borrow_mut().spawn_local(keeper);
            (node, keeper)
        });
        Rc::clone(node)
    }

    /// Notes where a slot has gone; others have most likely gone there, too.
    fn moved(&self, slot: u16, address: HostPort) -> Rc<Node> {
        let node = self.node(address);
        self.slots.borrow_mut()[usize::from(slot)] = Some(Rc::clone(&node));
        self.common.stale.notify_one();
        node
    }

    /// Takes over a map of slots, and drops nodes that have no slots and were not called.
    fn follow(&self, ranges: &[Range]) {
        let mut slots = vec![None; usize::from(SLOTS)];
        for range in ranges {
            let node = self.node(range.node.clone());
            node.used.set(true);
            for slot in range.first..=range.last {
                slots[usize::from(slot)] = Some(Rc::clone(&node));
            }
        }
        self.slots.replace(slots);
        self.nodes.borrow_mut().retain(|_, (node, keeper)| {
            let used = node.used.replace(false);
            if !used {
                keeper.abort();
            }
            used
        });
        while self.keepers.borrow_mut().try_join_next().is_some() {}
    }

    fn all_nodes(&self) -> Vec<Rc<Node>> {
        let nodes = self.nodes.borrow();
        nodes.values().map(|(node, _)| Rc::clone(node)).collect()
    }

    /// Reads the map of slots from any node that has one.
    async fn read_map(&self) {
        let mut nodes = self.all_nodes();
        fastrand::shuffle(&mut nodes);
        for node in nodes {
            let Some(connection) = node.link.connection() else {
                continue;
            };
            let asked = timeout(STEP, ranges(connection, &node.address)).await;
            if let Ok(Ok(ranges)) = asked {
                self.follow(&ranges);
                return;
            }
        }
    }
}

/// Reads the map of slots whenever it may be stale, for as long as there is a node to read it from.
async fn keep_map(shared: Rc<Shared>) {
    loop {
        let _ = timeout(READ_EVERY, shared.common.stale.notified()).await;
        shared.read_map().await;
        if !shared.all_nodes().iter().any(|node| node.link.has_hope()) {
            return;
        }
        sleep(READ_PAUSE).await;
    }
}

/// Reads the map of slots from a node.
async fn ranges(
    mut connection: MultiplexedConnection,
    node: &HostPort,
) -> Result<Vec<Range>, CallError> {
    let mut command = cmd("CLUSTER");
    command.arg("SLOTS");
    let answer = connection.send_packed_command(&command).await?;
    let answer = answer.extract_error()?;
    // A node that is in no cluster has no slots.
    read_ranges(&answer, &node.host)
        .filter(|ranges| !ranges.is_empty())
        .ok_or(CallError::NoNode)
}
