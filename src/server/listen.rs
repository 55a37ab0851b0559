//! Listening sockets: one per worker and address, between which the kernel spreads connections.
//! Addresses are claimed at the start, and listened on once the workers are ready: a port that is taken
//! is said at once, and one that can be connected to is served.

use std::io;
use std::net::{SocketAddr, TcpListener};

use socket2::{Domain, Protocol, Socket, Type};

/// How many connections may wait to be accepted; the kernel caps it at `net.core.somaxconn`.
const BACKLOG: i32 = 4096;

/// Addresses that are bound, and that nobody can connect to yet.
#[derive(Debug)]
pub struct Claimed(Vec<Claim>);

#[derive(Debug)]
struct Claim {
    address: SocketAddr,
    only_v6: bool,
    socket: Socket,
}

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

/// Binds every address, unless anybody listens there.
///
/// # Errors
/// The first address that cannot be bound.
pub fn claim(addresses: &[SocketAddr]) -> Result<Claimed, BindError> {
    let claims = addresses.iter().map(|&address| {
        let only_v6 = leaves_ipv4_alone(address, addresses);
        let socket = open(address, only_v6, false);
        let socket = socket.map_err(|source| BindError { address, source })?;
        Ok(Claim {
            address,
            only_v6,
            socket,
        })
    });
    claims.collect::<Result<_, _>>().map(Claimed)
}

impl Claimed {
    /// Listens on every address, once for each worker.
    ///
    /// # Errors
    /// The first address that somebody else has begun to listen on since it was claimed.
    pub fn listen(self, workers: usize) -> Result<Listeners, BindError> {
        let mut listeners = Listeners {
            per_worker: Vec::new(),
            addresses: Vec::new(),
        };
        listeners.per_worker.resize_with(workers, Vec::new);
        for Claim {
            address,
            only_v6,
            socket,
        } in self.0
        {
            let listening = listen(socket, only_v6, workers);
            let (bound, sockets) = listening.map_err(|source| BindError { address, source })?;
            listeners.addresses.push(bound);
            for (of_worker, socket) in listeners.per_worker.iter_mut().zip(sockets) {
                of_worker.push(socket.into());
            }
        }
        Ok(listeners)
    }
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
    // Small answers must not wait for the client's acknowledgement of earlier ones. Accepted
    // connections inherit it (Linux), which saves each a system call.
    socket.set_tcp_nodelay(true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

/// Whether another socket listens for IPv4 on the same port.
fn leaves_ipv4_alone(address: SocketAddr, all: &[SocketAddr]) -> bool {
    all.iter()
        .any(|other| other.is_ipv4() && other.port() == address.port())
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;
    use std::sync::mpsc;

    use super::*;

    fn bind(addresses: &[SocketAddr], workers: usize) -> Result<Listeners, BindError> {
        claim(addresses)?.listen(workers)
    }

    /// A port that nobody else is given as long as the socket lives; it never listens.
    fn held(ip: &str) -> (Socket, SocketAddr) {
        let socket = open(SocketAddr::new(ip.parse().unwrap(), 0), false, false).unwrap();
        let address = socket.local_addr().unwrap().as_socket().unwrap();
        (socket, address)
    }

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
        let (_held, address) = held("127.0.0.1");
        drop(bind(&[address], 2).unwrap());
        bind(&[address], 2).unwrap();
    }

    #[test]
    fn an_instance_is_noticed_wherever_the_addresses_overlap() {
        let at = |ip: &str, port| SocketAddr::new(ip.parse().unwrap(), port);
        let overlapping = [
            ("127.0.0.1", "0.0.0.0"),
            ("0.0.0.0", "127.0.0.1"),
            ("::1", "::"),
            ("::", "::1"),
            ("127.0.0.1", "::"),
            ("::", "127.0.0.1"),
            ("::", "0.0.0.0"),
            ("0.0.0.0", "::"),
        ];
        for (first, second) in overlapping {
            let running = bind(&[at(first, 0)], 2).unwrap();
            let port = running.addresses[0].port();
            let error = claim(&[at(second, port)]).unwrap_err();
            assert!(error.to_string().contains("taken"), "{first}, {second}");
        }
        for (first, second) in [("127.0.0.1", "127.0.0.2"), ("127.0.0.1", "::1")] {
            let running = bind(&[at(first, 0)], 2).unwrap();
            bind(&[at(second, running.addresses[0].port())], 2).unwrap();
        }
        // Both kinds of all addresses on one port, as one instance may want it.
        let (_held, all) = held("::");
        bind(&[at("0.0.0.0", all.port()), all], 2).unwrap();
    }

    #[test]
    fn nobody_can_connect_to_what_is_only_claimed() {
        let (_held, address) = held("127.0.0.1");
        let claimed = claim(&[address]).unwrap();
        let refused = TcpStream::connect(address).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        let _listeners = claimed.listen(2).unwrap();
        TcpStream::connect(address).unwrap();
    }

    #[test]
    fn connections_are_spread_over_the_workers() {
        let listeners = bind(&["127.0.0.1:0".parse().unwrap()], 3).unwrap();
        let clients: Vec<_> = (0..99)
            .map(|_| TcpStream::connect(listeners.addresses[0]).unwrap())
            .collect();
        let accepted = |sockets: &Vec<TcpListener>| {
            let accepted = std::iter::repeat_with(|| sockets[0].accept()).map_while(Result::ok);
            let small_answers_go_at_once = |(socket, _): (TcpStream, _)| socket.nodelay().unwrap();
            accepted
                .filter_map(|socket| small_answers_go_at_once(socket).then_some(()))
                .count()
        };
        let shares: Vec<_> = listeners.per_worker.iter().map(accepted).collect();
        assert_eq!(shares.iter().sum::<usize>(), clients.len());
        assert!(shares.iter().all(|share| *share > 5), "{shares:?}");
    }

    #[test]
    fn of_two_that_start_at_once_one_at_most_gets_the_port() {
        let (_held, address) = held("127.0.0.1");
        let (mut served, both) = (0, std::sync::Barrier::new(2));
        for _ in 0..300 {
            let start = || {
                both.wait();
                let started = bind(&[address], 2);
                both.wait();
                started.is_ok()
            };
            let (one, other) = std::thread::scope(|scope| {
                let other = scope.spawn(start);
                (start(), other.join().unwrap())
            });
            assert!(!(one && other), "the port was shared");
            served += usize::from(one || other);
        }
        // Now and then each sees the other listen, and both give up.
        assert!(served > 100, "{served}");
    }

    #[test]
    fn whoever_can_connect_is_accepted() {
        let (_held, address) = held("127.0.0.1");
        let (begin, begins) = mpsc::channel::<()>();
        let (say, said) = mpsc::channel();
        std::thread::spawn(move || {
            while begins.recv().is_ok() {
                let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
                // Not from the address that it connects to: a port can connect to itself.
                let source: SocketAddr = "127.0.0.9:0".parse().unwrap();
                socket.bind(&source.into()).unwrap();
                let mut trying = false;
                while socket.connect(&address.into()).is_err() {
                    if !trying {
                        say.send(None).unwrap();
                        trying = true;
                    }
                }
                say.send(Some(socket)).unwrap();
            }
        });
        // A connection that is reset has to be made within a few microseconds.
        for round in 0..2000 {
            begin.send(()).unwrap();
            said.recv().unwrap();
            let listeners = bind(&[address], 2).unwrap();
            let client = said.recv().unwrap().unwrap().local_addr().unwrap();
            let accepted = listeners.per_worker.iter().find_map(|l| l[0].accept().ok());
            let (_, peer) = accepted.unwrap_or_else(|| panic!("reset in round {round}"));
            assert_eq!(client.as_socket(), Some(peer));
        }
    }
}
