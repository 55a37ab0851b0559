//! A connection to Redis, however it was come by.

use ::redis::aio::MultiplexedConnection;
use ::redis::{Cmd, Value};

use super::super::Check;
use super::CallError;
use super::cluster::Cluster;
use super::dial::probe;

/// A connection that many calls use at once; cheap to clone.
#[derive(Debug, Clone)]
pub(in crate::limit) enum Connection {
    /// To one server.
    Server(MultiplexedConnection),
    /// To all nodes of a cluster.
    Cluster(Cluster),
}

impl Connection {
    /// Whether keys live on several servers, so that a call can only be about keys of one place.
    pub(in crate::limit) fn is_cluster(&self) -> bool {
        matches!(self, Self::Cluster(_))
    }

    /// Whether limits of a request are decided in several calls, one for each subject.
    pub(in crate::limit) fn is_split(&self, checks: &[Check<'_>]) -> bool {
        let elsewhere = |check: &Check<'_>| check.subject.who() != checks[0].subject.who();
        self.is_cluster() && checks.iter().any(elsewhere)
    }

    /// Asks one server for nothing. The nodes of a cluster are asked each by itself.
    pub(in crate::limit) async fn probe(self) -> Result<(), CallError> {
        match self {
            Self::Server(connection) => probe(connection).await.map(drop),
            Self::Cluster(_) => Ok(()),
        }
    }

    /// Makes a call: a script with its keys. What the server answers with is returned even if it is
    /// an error.
    pub(super) async fn call(&mut self, command: &Cmd) -> Result<Value, CallError> {
        match self {
            Self::Server(connection) => Ok(connection.send_packed_command(command).await?),
            // Boxed, for it is large, and a call to one server would be larger by that.
            Self::Cluster(cluster) => Box::pin(cluster.call(command)).await,
        }
    }
}
