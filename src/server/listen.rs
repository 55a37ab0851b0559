//! Listening sockets: one per worker and address, between which the kernel spreads connections.

use std::io;
use std::net::{SocketAddr, TcpListener};

use socket2::{Domain, Protocol, Socket, Type};

/// How many connections may wait to be accepted; the kernel caps it at `net.core.somaxconn`.
const BACKLOG: i32 = 4096;

/// The sockets of all workers, and the addresses that they are bound to.
#[derive(Debug)]
pub struct Listeners {
    /// One list a worker, one socket an address.
    pub per_worker: Vec<Vec<TcpListener>>,
    /// With the ports that were chosen for port 0.
    pub addresses: Vec<SocketAddr>,
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
        _ => error.to_string(),
    }
}

/// Binds every address once for each worker.
pub fn bind(addresses: &[SocketAddr], workers: usize) -> Result<Listeners, BindError> {
    let mut listeners = Listeners {
        per_worker: Vec::new(),
        addresses: Vec::new(),
    };
    listeners.per_worker.resize_with(workers, Vec::new);
    for &address in addresses {
        let fail = |source| BindError { address, source };
        let only_v6 = addresses
            .iter()
            .any(|other| other.is_ipv4() && other.port() == address.port());
        if address.port() != 0 {
            // Sockets that share a port would share it with a second instance too, silently. One
            // that does not share says whether anybody is there.
            open(address, false, only_v6).map_err(fail)?;
        }
        let mut bound = address;
        for sockets in &mut listeners.per_worker {
            let socket = open(bound, true, only_v6).map_err(fail)?;
            bound = socket.local_addr().map_err(fail)?;
            sockets.push(socket);
        }
        listeners.addresses.push(bound);
    }
    Ok(listeners)
}

fn open(address: SocketAddr, shared: bool, only_v6: bool) -> io::Result<TcpListener> {
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
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_share_a_port_and_a_second_instance_does_not() {
        let any = ["127.0.0.1:0".parse().unwrap(), "[::1]:0".parse().unwrap()];
        let first = bind(&any, 3).unwrap();
        assert_eq!(
            first.per_worker.iter().map(Vec::len).collect::<Vec<_>>(),
            [2, 2, 2]
        );
        let error = bind(&first.addresses, 1).unwrap_err();
        assert_eq!(error.address, first.addresses[0]);
        assert!(error.to_string().contains("taken"), "{error}");
        drop(first.per_worker);
        bind(&first.addresses, 2).unwrap();
    }
}
