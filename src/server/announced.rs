//! Connections that a trusted proxy announces: in front of all that the client sends stands a PROXY
//! protocol header, which says where the client's connection comes from. One that is malformed, or does
//! not come within `server.header_timeout`, ends the connection without an answer.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::task::Poll;
use std::time::Instant;

use crate::pipeline::Worker;
use crate::wire::alarm::Alarm;
use crate::wire::proxy_protocol::{self, Addresses, Header, NoHeader};
use crate::wire::stream::Connection;

use super::connections::ConnectionGuard;
use super::room::Room;

/// Reads the header; the client's address, or the proxy's where it speaks for itself.
pub(super) async fn client_of(
    proxy: SocketAddr,
    connection: &mut Connection,
    worker: &Worker,
    guard: &ConnectionGuard,
    room: &Room,
) -> Option<SocketAddr> {
    guard.set_idle(Some(Instant::now()));
    let header = read(connection, worker, guard).await;
    guard.set_idle(None);
    match header {
        Ok(Some(header)) => {
            connection.input_mut().consume(header.length);
            let Some(addresses) = header.addresses else {
                return Some(proxy);
            };
            let Addresses {
                source,
                destination,
            } = addresses;
            connection.announce(destination);
            Some(source)
        }
        Ok(None) => None,
        Err(why) => {
            if room.malformed_headers.is_due(Instant::now()) {
                let (why, proxy) = (why.to_string(), proxy.ip());
                tracing::warn!(
                    %proxy,
                    why,
                    "a trusted proxy sent no good PROXY protocol header, so its connection is closed: `listen` says that it must"
                );
            }
            None
        }
    }
}

/// `None`: nothing more came, or not in time.
async fn read(
    connection: &mut Connection,
    worker: &Worker,
    guard: &ConnectionGuard,
) -> Result<Option<Header>, NoHeader> {
    let due = Instant::now() + worker.current().snapshot.header_timeout;
    let (mut alarm, buffers) = (Alarm::default(), &worker.buffers);
    loop {
        let header = proxy_protocol::read(connection.input().bytes())?;
        if header.is_some() {
            return Ok(header);
        }
        let more = poll_fn(|cx| {
            if let Poll::Ready(read) = connection.poll_fill(cx, buffers) {
                return Poll::Ready(read.is_ok_and(|n| n > 0));
            }
            if guard.gives_way(cx) || guard.drain_began().is_some() && connection.input().is_empty()
            {
                return Poll::Ready(false);
            }
            alarm.poll_due(cx, due).map(|()| false)
        });
        if !more.await {
            return Ok(None);
        }
    }
}
