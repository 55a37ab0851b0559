//! Accepting connections, up to the configured number.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use rustix::io::Errno;
use socket2::{SockFilter, SockRef};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::spawn_local;

use crate::limit::network;
use crate::message::caller::{Entry, Peer, TlsPeer, canonical};
use crate::pipeline::{Worker, boxed_cold};
use crate::shortage::{in_words, is_shortage};
use crate::wire::stream::Connection;

use super::address::{ListenAddress, Serves};
use super::announced::client_of;
use super::connections::{ConnectionGuard, Connections};
use super::h1;
use super::inherited::Listening;
use super::room::Room;
use super::secured::{Secured, UnderWay, secure};
use super::shares::Share;

/// How long to wait when the process or the machine runs short of something, file descriptors mostly.
const RESOURCE_BACKOFF: Duration = Duration::from_millis(100);

/// How long a drain waits for connections that are being made: a round trip, and then some.
const HANDSHAKE: Duration = Duration::from_millis(10);

/// What every accepted connection is given.
#[derive(Debug, Clone)]
pub(super) struct Accepting {
    pub worker: Rc<Worker>,
    pub connections: Rc<Connections>,
    /// Shared by all workers.
    pub room: Arc<Room>,
    /// Handshakes of this worker.
    pub under_way: Rc<UnderWay>,
    /// What clients find here.
    pub serves: Serves,
    /// Trusted proxies announce the connections that they make here.
    pub announced: bool,
}

impl Accepting {
    /// The same for a socket that listens there, of the addresses of the configuration.
    pub(super) fn at(&self, on: &Listening, addresses: &[ListenAddress]) -> Self {
        let mut accepting = self.clone();
        let mut addresses = addresses.iter();
        if let Some(it) = addresses.find(|it| it.address == on.configured) {
            (accepting.serves, accepting.announced) = (it.serves, it.announced);
        }
        accepting
    }

    /// Accepts until `drain` is done, and then what has already arrived: closing a listening
    /// socket resets what waits in it. Not if another process has the socket, too: what waits is
    /// its to accept. A connection that finds no room waits here, and those behind it in the
    /// kernel's backlog.
    pub(super) async fn run(
        self,
        listener: TcpListener,
        on: &Listening,
        drain: impl Future<Output = ()>,
    ) {
        let mut drain = pin!(drain);
        let mut complained = false;
        loop {
            let accepted = tokio::select! {
                biased;
                () = &mut drain => break,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((socket, peer)) => {
                    complained = false;
                    self.serve(socket, canonical(peer)).await;
                }
                Err(error) if concerns_one_connection(&error) => {}
                Err(error) => {
                    if !complained {
                        let error = in_words(&error);
                        tracing::error!(error, "connections cannot be accepted; trying on");
                        complained = true;
                    }
                    tokio::time::sleep(RESOURCE_BACKOFF).await;
                }
            }
        }
        if !on.outlives_us() {
            self.run_dry(listener).await;
        }
    }

    /// Accepts what has already arrived, and closes. Asked of the kernel itself: the runtime may not
    /// have been told of it yet.
    async fn run_dry(&self, listener: TcpListener) {
        let Ok(listener) = listener.into_std() else {
            return;
        };
        // A connection that completes between the last accept and the close would be reset. So no
        // new ones are begun, and those that are begun get the time of a handshake. Clients whose
        // SYN is dropped send it again, and are refused then.
        if SockRef::from(&listener).attach_filter(&no_syn()).is_ok() {
            tokio::time::sleep(HANDSHAKE).await;
        }
        loop {
            match listener.accept() {
                Ok((socket, peer)) => {
                    if socket.set_nonblocking(true).is_ok()
                        && let Ok(socket) = TcpStream::from_std(socket)
                    {
                        self.serve(socket, canonical(peer)).await;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if concerns_one_connection(&error) => {}
                // Connections that end make room. The drain's timeout ends this in any case.
                Err(error) if is_shortage(&error) => tokio::time::sleep(RESOURCE_BACKOFF).await,
                Err(error) => {
                    tracing::error!(%error, "connections that wait to be accepted are reset");
                    break;
                }
            }
        }
    }

    async fn serve(&self, socket: TcpStream, peer: SocketAddr) {
        if self.announced && self.worker.current().snapshot.trusts(peer.ip()) {
            return self.serve_announced(socket, peer).await;
        }
        let Ok(share) = self.share(peer.ip()) else {
            return;
        };
        let place = self.room.place().await;
        let (this, guard) = (self.clone(), self.connections.begin());
        // The guard says when it has ended; that is what a drain waits for.
        spawn_local(async move {
            this.serve_client(Connection::new(socket), peer, &guard)
                .await;
            drop((guard, place, share));
        });
    }

    /// Serves a connection once the proxy has said whose it is.
    async fn serve_announced(&self, socket: TcpStream, proxy: SocketAddr) {
        let place = self.room.place().await;
        let (this, guard) = (self.clone(), self.connections.begin());
        spawn_local(async move {
            let (mut connection, worker) = (Connection::new(socket), &this.worker);
            let client = client_of(proxy, &mut connection, worker, &guard, &this.room).await;
            if let Some(client) = client
                && let Ok(share) = this.share(client.ip())
            {
                this.serve_client(connection, client, &guard).await;
                drop(share);
            }
            drop((guard, place));
        });
    }

    /// Serves a connection of which it is known whose it is.
    async fn serve_client(
        &self,
        connection: Connection,
        from: SocketAddr,
        guard: &ConnectionGuard,
    ) {
        let agreed;
        let (connection, entry) = match self.serves {
            Serves::Plain => (connection, Entry::Plain),
            Serves::RedirectToHttps => (connection, Entry::Redirecting),
            // Boxed: what a handshake needs is not held as long as the connection lasts.
            Serves::Tls => match boxed_cold(self.secure(connection, from, guard)).await {
                None => return,
                Some((connection, tls)) => {
                    agreed = tls;
                    (connection, Entry::Tls(&agreed))
                }
            },
        };
        h1::serve(connection, Peer::new(from, entry), &self.worker, guard).await;
    }

    /// Takes the handshake to its end. `None`: there is nothing to be served.
    async fn secure(
        &self,
        connection: Connection,
        from: SocketAddr,
        guard: &ConnectionGuard,
    ) -> Option<(Connection, Box<TlsPeer>)> {
        let worker = &*self.worker;
        match secure(connection, worker, guard, &self.under_way, &self.room).await {
            Secured::Yes(connection, tls) => Some((connection, tls)),
            Secured::NotTls(connection) => {
                let peer = Peer::new(from, Entry::Plain);
                h1::refuse_plain(connection, peer, worker, guard).await;
                None
            }
            Secured::No => None,
        }
    }

    /// Counts a connection of the address where their number is bounded.
    fn share(&self, address: IpAddr) -> Result<Option<Share>, TooMany> {
        let snapshot = &self.worker.current().snapshot;
        let Some(most) = snapshot.max_connections_per_ip else {
            return Ok(None);
        };
        // Those of a proxy are those of many clients.
        if snapshot.trusts(address) {
            return Ok(None);
        }
        let network = network(address, snapshot.limits.ipv6_prefix);
        let share = self.room.shares.take(network, most.get());
        share.map(Some).ok_or(TooMany)
    }
}

/// The address has as many connections as it may have.
struct TooMany;

/// A packet filter (classic BPF) that drops what asks for a new connection: of the TCP header's
/// flags, SYN is set and ACK is not.
fn no_syn() -> [SockFilter; 5] {
    const LOAD_BYTE: u16 = 0x30;
    const AND: u16 = 0x54;
    const JUMP_IF_EQUAL: u16 = 0x15;
    const RETURN: u16 = 0x06;
    const FLAGS: u32 = 13;
    const SYN: u32 = 0x02;
    const ACK: u32 = 0x10;
    [
        SockFilter::new(LOAD_BYTE, 0, 0, FLAGS),
        SockFilter::new(AND, 0, 0, SYN | ACK),
        SockFilter::new(JUMP_IF_EQUAL, 0, 1, SYN),
        SockFilter::new(RETURN, 0, 0, 0),
        SockFilter::new(RETURN, 0, 0, u32::MAX),
    ]
}

/// Whether the error is that of one connection, or of the network it came through, so that the
/// next may be fine: Linux hands such errors on instead of the connection (accept(2)).
fn concerns_one_connection(error: &io::Error) -> bool {
    matches!(
        Errno::from_io_error(error),
        Some(
            Errno::CONNABORTED
                | Errno::CONNRESET
                | Errno::HOSTDOWN
                | Errno::HOSTUNREACH
                | Errno::INTR
                | Errno::NETDOWN
                | Errno::NETUNREACH
                | Errno::NONET
                | Errno::NOPROTOOPT
                | Errno::NOSR
                | Errno::OPNOTSUPP
                | Errno::PROTO
                | Errno::PROTONOSUPPORT
                | Errno::SOCKTNOSUPPORT
                | Errno::TIMEDOUT
        )
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_of_one_connection_does_not_hold_up_the_next() {
        // The names that accept(2) lists, as Linux numbers them on all common machines.
        let (network, short) = (
            [
                71, 92, 93, 94, 95, 100, 101, 103, 104, 110, 112, 113, 64, 63, 4,
            ],
            [24, 23, 105, 12],
        );
        for errno in network {
            let error = io::Error::from_raw_os_error(errno);
            assert!(concerns_one_connection(&error), "{error}");
            assert!(!is_shortage(&error), "{error}");
        }
        for errno in short {
            let error = io::Error::from_raw_os_error(errno);
            assert!(
                is_shortage(&error) && !concerns_one_connection(&error),
                "{error}"
            );
        }
        // Whoever tried these again at once would do nothing else (a security module refuses all).
        for error in [
            Errno::PERM,
            Errno::ACCESS,
            Errno::BADF,
            Errno::INVAL,
            Errno::AGAIN,
        ] {
            let error = io::Error::from(error);
            assert!(
                !is_shortage(&error) && !concerns_one_connection(&error),
                "{error}"
            );
        }
    }
}
