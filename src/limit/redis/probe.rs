//! Asks one server for an answer, whatever it is: is it there, and is it open to us?

use ::redis::aio::MultiplexedConnection;
use ::redis::{Value, cmd};

use super::CallError;

/// A script that a server answers unless it is loading, cut off from its master or closed to us. Not
/// that of requests, which would need keys that are here.
const PROBE: &str = "return redis.call('TIME')";

/// Asks for nothing but an answer.
pub(super) async fn probe(mut connection: MultiplexedConnection) -> Result<Value, CallError> {
    let mut command = cmd("EVAL");
    command.arg(PROBE).arg(0);
    Ok(connection.send_packed_command(&command).await?)
}
