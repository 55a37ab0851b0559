//! One check: a request of the gateway's own, on a connection of its own.

use tokio::time::Instant;

use crate::upstream::address::ConnectError;
use crate::upstream::connect::connect_to;
use crate::upstream::failure::Failure;
use crate::wire::buffers::Buffers;
use crate::wire::stream::Connection;

use super::by_http;
use super::target::Target;

/// Why a check has not passed.
#[derive(Debug)]
pub(super) enum Fault {
    /// The endpoint is to blame.
    Endpoint(Failure),
    /// This process or machine is, which says nothing about the endpoint.
    Ours(ConnectError),
}

/// Checks once.
pub(super) async fn ask(target: &Target, buffers: &Buffers) -> Result<(), Fault> {
    let begun = Instant::now();
    let connection = connect(target, begun, buffers).await?;
    let deadline = begun + target.rules.timeout;
    let checked = by_http::check(target, connection, deadline, buffers).await;
    checked.map_err(Fault::Endpoint)
}

async fn connect(target: &Target, begun: Instant, buffers: &Buffers) -> Result<Connection, Fault> {
    let patience = target.rules.timeout;
    let connected = connect_to(&target.address, patience).await;
    let socket = connected.map_err(|error| match error.failure() {
        Some(why) => Fault::Endpoint(why),
        None => Fault::Ours(error),
    })?;
    target.endpoint().state.check_connected(&target.address);
    let connection = Connection::new(socket);
    let Some(tls) = &target.endpoint().tls else {
        return Ok(connection);
    };
    let before = |out: &mut Vec<u8>| target.put_first(out);
    let time = (begun, patience);
    let handshake = tls.begin(connection, tls.tls.config(), time, before, buffers);
    handshake.await.map_err(|error| {
        let (upstream, endpoint) = (&target.upstream.name, target.address.socket);
        tracing::debug!(%upstream, %endpoint, %error, "a check could not begin TLS");
        Fault::Endpoint(Failure::Tls(error.fault()))
    })
}
