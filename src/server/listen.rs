//! Listening sockets: one per worker and address, between which the kernel spreads connections.
//! Addresses are claimed at the start, and listened on once the workers are ready: a port that is taken
//! is said at once, and one that can be connected to is served. Sockets that were handed to this process
//! listen already, and are taken as they are.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use socket2::{Domain, Protocol, SockRef, Socket, Type};

use super::inherited::{Inherited, Listener, Listening, deal, set_for_accepted};
use crate::shortage::in_words;

/// How many connections may wait to be accepted; the kernel caps it at `net.core.somaxconn`.
const BACKLOG: i32 = 4096;

/// Addresses that are bound, and that nobody can connect to yet, save where sockets were inherited.
#[derive(Debug)]
pub struct Claimed(Vec<Claim>);

#[derive(Debug)]
struct Claim {
    address: SocketAddr,
    sockets: Sockets,
}

#[derive(Debug)]
enum Sockets {
    New {
        only_v6: bool,
        socket: Socket,
    },
    Inherited {
        sockets: Vec<TcpListener>,
        of_systemd: bool,
    },
}

/// The sockets of all workers.
#[derive(Debug)]
pub struct Listeners {
    /// One list a worker, at least one socket an address.
    pub per_worker: Vec<Vec<Listener>>,
    /// Every socket once, to be handed over.
    pub all: Vec<Listener>,
}

/// An address that cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {}", reason(.source))]
pub struct BindError {
    /// The address as configured.
    pub address: SocketAddr,
    source: io::Error,
}

fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            "the port is taken by another program (or another Tollgate)".into()
        }
        io::ErrorKind::AddrNotAvailable => "this machine has no such address".into(),
        io::ErrorKind::PermissionDenied => {
            "ports below 1024 need privileges (CAP_NET_BIND_SERVICE)".into()
        }
        _ => in_words(error),
    }
}

/// Binds every address, unless anybody listens there. Where sockets were inherited, they are taken;
/// those that are left over are closed.
///
/// # Errors
/// The first address that cannot be bound.
pub fn claim(
    addresses: &[SocketAddr],
    mut inherited: Vec<Inherited>,
) -> Result<Claimed, BindError> {
    let claims = addresses.iter().map(|&address| {
        let ours = inherited.extract_if(.., |socket| socket.configured == address);
        let ours: Vec<_> = ours.collect();
        let sockets = if ours.is_empty() {
            let only_v6 = leaves_ipv4_alone(address, addresses);
            let socket = open(address, only_v6, false);
            let socket = socket.map_err(|source| BindError { address, source })?;
            Sockets::New { only_v6, socket }
        } else {
            Sockets::Inherited {
                of_systemd: ours.iter().any(|socket| socket.of_systemd),
                sockets: ours.into_iter().map(|socket| socket.socket).collect(),
            }
        };
        Ok(Claim { address, sockets })
    });
    claims.collect::<Result<_, _>>().map(Claimed)
}

impl Claimed {
    /// The addresses for which there are inherited sockets.
    pub fn inherited(&self) -> impl Iterator<Item = SocketAddr> {
        let inherited = |claim: &&Claim| matches!(claim.sockets, Sockets::Inherited { .. });
        self.0.iter().filter(inherited).map(|claim| claim.address)
    }

    /// How many files [`Claimed::listen`] opens: sockets beside those that are there, and a copy of each.
    pub fn files_to_open(&self, workers: usize) -> usize {
        let of_one = |claim: &Claim| {
            let (there, all) = match &claim.sockets {
                Sockets::New { .. } => (1, workers),
                Sockets::Inherited {
                    sockets,
                    of_systemd: true,
                } => (sockets.len(), sockets.len()),
                Sockets::Inherited { sockets, .. } => (sockets.len(), workers.max(sockets.len())),
            };
            all + all.max(workers) - there
        };
        self.0.iter().map(of_one).sum()
    }

    /// Listens on every address, once for each worker.
    ///
    /// # Errors
    /// The first address that somebody else has begun to listen on since it was claimed.
    pub fn listen(self, workers: usize) -> Result<Listeners, BindError> {
        let mut listeners = Listeners {
            per_worker: Vec::new(),
            all: Vec::new(),
        };
        listeners.per_worker.resize_with(workers, Vec::new);
        for Claim { address, sockets } in self.0 {
            let listening = listeners.add(address, sockets, workers);
            listening.map_err(|source| BindError { address, source })?;
        }
        Ok(listeners)
    }
}

impl Listeners {
    fn add(&mut self, configured: SocketAddr, sockets: Sockets, workers: usize) -> io::Result<()> {
        let (bound, sockets, of_systemd) = match sockets {
            Sockets::New { only_v6, socket } => {
                let (bound, sockets) = listen(socket, only_v6, workers)?;
                let sockets = sockets.into_iter().map(TcpListener::from);
                (bound, sockets.collect(), false)
            }
            Sockets::Inherited {
                mut sockets,
                of_systemd,
            } => {
                let bound = sockets[0].local_addr()?;
                // One of ours beside those of systemd would have to be closed some day, and with it
                // what waits in it.
                if !of_systemd {
                    join(&mut sockets, bound, workers)?;
                }
                (bound, sockets, of_systemd)
            }
        };
        let on = Listening::new(configured, bound, of_systemd);
        let sockets = sockets.into_iter().map(|socket| Listener {
            socket,
            on: Arc::clone(&on),
        });
        let sockets: Vec<_> = sockets.collect();
        for socket in &sockets {
            self.all.push(socket.try_clone()?);
        }
        deal(sockets, &mut self.per_worker)
    }
}

/// Listens with more sockets beside inherited ones, until each worker has one. Where the system does not
/// let us, for those belong to another user, workers share sockets.
fn join(sockets: &mut Vec<TcpListener>, bound: SocketAddr, workers: usize) -> io::Result<()> {
    let only_v6 = bound.is_ipv6() && SockRef::from(&sockets[0]).only_v6()?;
    while sockets.len() < workers {
        let joined = open(bound, only_v6, true).and_then(|socket| {
            socket.listen(BACKLOG)?;
            Ok(socket.into())
        });
        match joined {
            Ok(socket) => sockets.push(socket),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => break,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Listens with a socket that has claimed its address, and with one for each other worker.
///
/// Sockets with `SO_REUSEPORT` would share the port with a second instance too, silently. So the
/// first one gets the option only when it listens: the kernel refuses it if anybody else listens
/// there, and refuses everybody who tries the same later. It stays and serves; a socket that only
/// tries and closes would reset whoever had connected meanwhile.
fn listen(claimed: Socket, only_v6: bool, workers: usize) -> io::Result<(SocketAddr, Vec<Socket>)> {
    claimed.listen(BACKLOG)?;
    claimed.set_reuse_port(true)?;
    let bound = claimed.local_addr()?.as_socket();
    let bound = bound.ok_or(io::ErrorKind::AddrNotAvailable)?;
    let mut sockets = vec![claimed];
    while sockets.len() < workers {
        let socket = open(bound, only_v6, true)?;
        socket.listen(BACKLOG)?;
        sockets.push(socket);
    }
    Ok((bound, sockets))
}

fn open(address: SocketAddr, only_v6: bool, shared: bool) -> io::Result<Socket> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    // Connections of an earlier run that still linger must not keep the port.
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(shared)?;
    if address.is_ipv6() {
        socket.set_only_v6(only_v6)?;
    }
    socket.set_nonblocking(true)?;
    set_for_accepted(&SockRef::from(&socket))?;
    socket.bind(&address.into())?;
    Ok(socket)
}

/// Whether another socket listens for IPv4 on the same port.
fn leaves_ipv4_alone(address: SocketAddr, all: &[SocketAddr]) -> bool {
    all.iter()
        .any(|other| other.is_ipv4() && other.port() == address.port())
}

#[cfg(test)]
mod tests;
