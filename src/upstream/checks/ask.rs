//! One check: a request of the gateway's own, on a connection of its own.

use std::sync::Arc;

use tokio::time::{Instant, timeout_at};

use crate::upstream::check_failure::GrpcFailure;
use crate::upstream::connect::connect_to;
use crate::upstream::failure::Failure;
use crate::upstream::rules::HealthCall;
use crate::wire::buffers::Buffers;
use crate::wire::stream::Connection;

use super::fault::Fault;
use super::target::Target;
use super::{by_grpc, by_http};

/// Checks once.
pub(super) async fn ask(target: &Target, buffers: &Buffers) -> Result<(), Fault> {
    let begun = Instant::now();
    let connection = connect(target, begun, buffers).await?;
    let deadline = begun + target.rules.timeout;
    match &target.rules.call {
        HealthCall::Http { path, statuses } => {
            let asked = (&**path, statuses);
            by_http::check(target, asked, connection, deadline, buffers).await
        }
        HealthCall::Grpc { service } => {
            let checked = by_grpc::check(target, service, connection, deadline, buffers);
            let checked = timeout_at(deadline, checked).await;
            checked.unwrap_or(Err(Failure::TimedOut.into()))?;
            Ok(())
        }
    }
}

async fn connect(target: &Target, begun: Instant, buffers: &Buffers) -> Result<Connection, Fault> {
    let patience = target.rules.timeout;
    let connected = connect_to(&target.address, patience).await;
    let socket = connected.map_err(|error| match error.failure() {
        Some(why) => why.into(),
        None => Fault::Ours(error),
    })?;
    target.endpoint().state.check_connected(&target.address);
    let connection = Connection::new(socket);
    let Some(tls) = &target.endpoint().tls else {
        return Ok(connection);
    };
    let (config, no_protocol) = match target.rules.call {
        HealthCall::Http { .. } => (Arc::clone(tls.tls.config()), None),
        HealthCall::Grpc { .. } => (tls.tls.speaking(&[b"h2"]), Some(GrpcFailure::NoHttp2)),
    };
    let before = |out: &mut Vec<u8>| target.put_first(out);
    let time = (begun, patience);
    let handshake = tls.begin(connection, &config, time, before, buffers);
    handshake.await.map_err(|error| {
        if let (Some(why), true) = (no_protocol, error.is_of_protocol()) {
            return why.into();
        }
        let (upstream, endpoint) = (&target.upstream.name, target.address.socket);
        tracing::debug!(%upstream, %endpoint, %error, "a check could not begin TLS");
        Failure::Tls(error.fault()).into()
    })
}
