//! One node of a cluster, as one worker sees it: a link of its own, so that a node that is down or
//! frozen costs the callers of its slots no waiting, and those of other slots nothing.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ::redis::aio::MultiplexedConnection;
use ::redis::{Cmd, Pipeline, Value, cmd};
use tokio::sync::Notify;

use super::super::CallError;
use super::super::deadline::in_time;
use super::super::dial::{CONNECT_TIMEOUT, Dialer, Driver, drive, probe};
use super::super::link::Link;
use super::super::url::HostPort;
use super::nodes::{Loss, Nodes};
use crate::breaker::Attempt;

/// What calls and the keepers of nodes share.
pub(super) struct Common {
    pub dialer: Dialer,
    pub deadline: Duration,
    /// The map of slots is to be read anew.
    pub stale: Notify,
    pub nodes: Arc<Nodes>,
}

/// A node, and the link to it.
#[derive(Debug)]
pub(super) struct Node {
    pub address: HostPort,
    /// Whether a call has come here since the map of slots was last read.
    pub used: Cell<bool>,
    pub link: Link<MultiplexedConnection>,
}

impl Node {
    /// One that [`keep`] is about to connect to.
    pub(super) fn new(address: HostPort) -> Self {
        Self {
            address,
            used: Cell::new(true),
            link: Link::new(),
        }
    }

    /// Makes a call here, `asking` for a slot that is on its way. Waits for the first connection,
    /// for a node that is new in the cluster is not down; never for a later one. A call that is
    /// dropped after `patience` without an answer is a failure of the node.
    pub(super) async fn call(
        &self,
        command: &Cmd,
        asking: bool,
        patience: Duration,
    ) -> Result<Value, CallError> {
        self.used.set(true);
        self.link.settled().await;
        let (mut connection, attempt) = self.link.begin().await.ok_or(CallError::Ended)?;
        let pending = Pending {
            node: self,
            attempt,
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

    /// Connects, and asks as a request would.
    async fn open(&self, common: &Common) -> Result<(MultiplexedConnection, Driver), CallError> {
        let opened = in_time(CONNECT_TIMEOUT, common.dialer.open(&self.address));
        let (connection, mut driver) = opened.await?;
        let asked = drive(&mut driver, probe(connection.clone()));
        in_time(common.deadline, asked).await?.extract_error()?;
        Ok((connection, driver))
    }
}

/// A call under way, which may be dropped at any time: because its time is over, or because the
/// client has gone, which says nothing of the node.
struct Pending<'n> {
    node: &'n Node,
    attempt: Attempt,
    begun: Instant,
    patience: Duration,
}

impl Pending<'_> {
    /// There was an answer, or an end of the connection, which the keeper sees.
    fn end(mut self) {
        self.patience = Duration::MAX;
        self.node.link.answered(self.attempt);
    }
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        if self.begun.elapsed() >= self.patience {
            self.node.link.failed(self.attempt, CallError::Silent);
        }
    }
}

/// Keeps a node connected, and asks for a new map of slots each time it is not.
pub(super) async fn keep(node: Rc<Node>, common: Rc<Common>) {
    let loss = RefCell::new(None);
    let report = |is_up: Result<(), &CallError>| match is_up {
        Ok(()) => {
            loss.take();
            common.nodes.found(&node.address);
        }
        Err(cause) => {
            let mut loss = loss.borrow_mut();
            loss.get_or_insert_with(|| Loss::begin(&common.nodes, &node.address, cause));
            common.stale.notify_one();
        }
    };
    node.link
        .keep(
            async || node.open(&common).await,
            async |connection| probe(connection).await.map(drop),
            report,
        )
        .await;
}
