//! One node of a cluster, as one worker sees it: a connection of its own, and a breaker that opens
//! after a few calls without an answer in time, so that a node that is down or frozen costs the
//! callers of its slots no waiting, and those of other slots nothing.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use ::redis::aio::MultiplexedConnection;
use ::redis::{Cmd, Pipeline, Value, cmd};
use tokio::sync::Notify;
use tokio::time::timeout;

use super::super::dial::{Driver, drive};
use super::super::url::Endpoint;
use super::super::{CallError, Pauses};
use super::Common;
use super::nodes::Loss;

/// So many calls in a row without an answer open the breaker.
const MISSES_TO_OPEN: u32 = 5;

/// The longest that a new connection may take, name look-up and login included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// A script that any node answers that is not loading, cut off from its master or closed to us. Not
/// that of requests, for which keys would be needed that are here.
const PROOF: &str = "return redis.call('TIME')";

/// A node, and the connection to it while there is one.
#[derive(Debug)]
pub(super) struct Node {
    pub endpoint: Endpoint,
    /// Whether a call has come here since the map of slots was last read.
    pub used: Cell<bool>,
    connection: RefCell<Option<MultiplexedConnection>>,
    /// The first connection is being made: there is something to wait for.
    is_coming: Cell<bool>,
    /// Counts connections, so that a late miss on an old one is not held against the new one.
    generation: Cell<u64>,
    misses: Cell<u32>,
    changed: Notify,
}

impl Node {
    /// One that [`keep`] is about to connect to.
    pub(super) fn new(endpoint: Endpoint) -> Self {
        Self {
            endpoint,
            used: Cell::new(true),
            connection: RefCell::default(),
            is_coming: Cell::new(true),
            generation: Cell::default(),
            misses: Cell::default(),
            changed: Notify::new(),
        }
    }

    /// The connection, if it is there at once.
    pub(super) fn connection(&self) -> Option<MultiplexedConnection> {
        self.connection.borrow().clone()
    }

    /// Whether there is a connection, or may be soon.
    pub(super) fn has_hope(&self) -> bool {
        self.is_coming.get() || self.connection.borrow().is_some()
    }

    /// Waits until the first attempt to connect has come to something.
    pub(super) async fn settled(&self) {
        while self.is_coming.get() {
            self.changed.notified().await;
        }
    }

    /// Makes a call here, `asking` for a slot that is on its way. Waits for the first connection,
    /// for a node that is new in the cluster is not down; never for a later one. A call that is
    /// dropped after `patience` without an answer was a miss.
    pub(super) async fn call(
        &self,
        command: &Cmd,
        asking: bool,
        patience: Duration,
    ) -> Result<Value, CallError> {
        self.used.set(true);
        self.settled().await;
        let mut connection = self.connection().ok_or(CallError::Ended)?;
        let pending = Pending {
            node: self,
            generation: self.generation.get(),
            begun: Instant::now(),
            patience,
        };
        let answer = if asking {
            // In one go, for it holds for the next call on the connection, whosever that is.
            let mut both = Pipeline::with_capacity(2);
            both.add_command(cmd("ASKING")).add_command(command.clone());
            let answers = connection.send_packed_commands(&both, 0, 2).await;
            answers.map(|answers| answers.into_iter().nth(1).unwrap_or(Value::Nil))
        } else {
            connection.send_packed_command(command).await
        };
        pending.end();
        Ok(answer?)
    }

    fn take_up(&self, connection: MultiplexedConnection) {
        self.generation.set(self.generation.get().wrapping_add(1));
        self.misses.set(0);
        self.connection.replace(Some(connection));
        self.is_coming.set(false);
        self.changed.notify_waiters();
    }

    fn give_up(&self) {
        self.connection.take();
        self.is_coming.set(false);
        self.changed.notify_waiters();
    }

    fn miss(&self, generation: u64) {
        if generation != self.generation.get() {
            return;
        }
        self.misses.set(self.misses.get().saturating_add(1));
        if self.misses.get() >= MISSES_TO_OPEN {
            self.give_up();
        }
    }

    /// Connects, and asks as a request would.
    async fn open(&self, common: &Common) -> Result<(MultiplexedConnection, Driver), CallError> {
        let opened = timeout(CONNECT_TIMEOUT, common.dialer.open(&self.endpoint)).await;
        let (mut connection, mut driver) = opened.unwrap_or(Err(CallError::Silent))?;
        let mut command = cmd("EVAL");
        command.arg(PROOF).arg(0);
        let asked = drive(&mut driver, async {
            Ok(connection.send_packed_command(&command).await?)
        });
        let answer = timeout(common.deadline, asked).await;
        answer.unwrap_or(Err(CallError::Silent))?.extract_error()?;
        Ok((connection, driver))
    }
}

/// A call under way, which may be dropped at any time: by whoever waits no longer, or because the
/// client has gone, which says nothing of the node.
struct Pending<'n> {
    node: &'n Node,
    generation: u64,
    begun: Instant,
    patience: Duration,
}

impl Pending<'_> {
    /// There was an answer, or an end of the connection, which the keeper sees.
    fn end(mut self) {
        self.patience = Duration::MAX;
        if self.generation == self.node.generation.get() {
            self.node.misses.set(0);
        }
    }
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        if self.begun.elapsed() >= self.patience {
            self.node.miss(self.generation);
        }
    }
}

/// Keeps a node connected, and asks for a new map of slots each time it is not.
pub(super) async fn keep(node: Rc<Node>, common: Rc<Common>) {
    let mut pauses = Pauses::default();
    let mut loss = None;
    loop {
        let begun = Instant::now();
        let cause = match node.open(&common).await {
            Ok((connection, driver)) => {
                node.take_up(connection);
                loss = None;
                common.nodes.found(&node.endpoint);
                serve(&node, driver).await
            }
            Err(cause) => cause,
        };
        node.give_up();
        if loss.is_none() {
            loss = Some(Loss::begin(&common.nodes, &node.endpoint, &cause));
        }
        common.stale.notify_one();
        pauses.wait(begun.elapsed()).await;
    }
}

/// Drives the connection until it or the breaker ends it.
async fn serve(node: &Node, mut driver: Driver) -> CallError {
    let given_up = async {
        while node.connection.borrow().is_some() {
            node.changed.notified().await;
        }
    };
    tokio::select! {
        biased;
        () = given_up => CallError::Silent,
        () = &mut driver => CallError::Ended,
    }
}
