//! A connection to Redis, however it was come by.

use ::redis::aio::MultiplexedConnection;
use ::redis::{Cmd, Value};

use super::CallError;

/// A connection that many calls use at once; cheap to clone.
#[derive(Debug, Clone)]
pub(in crate::limit) struct Connection(MultiplexedConnection);

impl Connection {
    /// Uses a connection to one server.
    pub(super) fn new(connection: MultiplexedConnection) -> Self {
        Self(connection)
    }

    /// Makes a call. What the server answers with is returned even if it is an error.
    pub(super) async fn call(&mut self, command: &Cmd) -> Result<Value, CallError> {
        Ok(self.0.send_packed_command(command).await?)
    }
}
