//! Who gets a port, who is noticed there, and that whoever can connect is accepted by somebody.

use std::net::TcpStream;
use std::sync::mpsc;

use super::*;

fn bind(addresses: &[SocketAddr], workers: usize) -> Result<Listeners, BindError> {
    claim(addresses, Vec::new())?.listen(workers)
}

fn addresses_of(listeners: &Listeners) -> Vec<SocketAddr> {
    let mut all: Vec<_> = listeners.all.iter().map(|l| l.on.bound).collect();
    all.dedup();
    all
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
    let error = bind(&addresses_of(&first), 1).unwrap_err();
    assert_eq!(error.address, addresses_of(&first)[0]);
    assert!(error.to_string().contains("taken"), "{error}");
    drop(first);
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
        let port = addresses_of(&running)[0].port();
        let error = claim(&[at(second, port)], Vec::new()).unwrap_err();
        assert!(error.to_string().contains("taken"), "{first}, {second}");
    }
    for (first, second) in [("127.0.0.1", "127.0.0.2"), ("127.0.0.1", "::1")] {
        let running = bind(&[at(first, 0)], 2).unwrap();
        bind(&[at(second, addresses_of(&running)[0].port())], 2).unwrap();
    }
    // Both kinds of all addresses on one port, as one instance may want it.
    let (_held, all) = held("::");
    bind(&[at("0.0.0.0", all.port()), all], 2).unwrap();
}

#[test]
fn nobody_can_connect_to_what_is_only_claimed() {
    let (_held, address) = held("127.0.0.1");
    let claimed = claim(&[address], Vec::new()).unwrap();
    let refused = TcpStream::connect(address).unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
    let _listeners = claimed.listen(2).unwrap();
    TcpStream::connect(address).unwrap();
}

#[test]
fn connections_are_spread_over_the_workers() {
    let listeners = bind(&["127.0.0.1:0".parse().unwrap()], 3).unwrap();
    let clients: Vec<_> = (0..99)
        .map(|_| TcpStream::connect(addresses_of(&listeners)[0]).unwrap())
        .collect();
    let accepted = |sockets: &Vec<Listener>| {
        let accepted = std::iter::repeat_with(|| sockets[0].socket.accept()).map_while(Result::ok);
        let small_answers_go_at_once = |(socket, _): (TcpStream, _)| {
            let unsent = SockRef::from(&socket).tcp_notsent_lowat().unwrap();
            socket.nodelay().unwrap() && unsent == 128 * 1024
        };
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
        let accepted = listeners
            .per_worker
            .iter()
            .find_map(|l| l[0].socket.accept().ok());
        let (_, peer) = accepted.unwrap_or_else(|| panic!("reset in round {round}"));
        assert_eq!(client.as_socket(), Some(peer));
    }
}

/// As a successor gets them.
fn inherit(listeners: &Listeners, of_systemd: bool) -> Vec<Inherited> {
    let sockets = listeners.all.iter();
    let inherited = sockets.map(|Listener { socket, on }| Inherited {
        socket: socket.try_clone().unwrap(),
        configured: on.configured,
        of_systemd,
    });
    inherited.collect()
}

#[test]
fn inherited_sockets_are_all_served_by_fewer_and_by_more_workers() {
    let port_0 = ["127.0.0.1:0".parse().unwrap()];
    let mut before = bind(&port_0, 2).unwrap();
    let address = addresses_of(&before)[0];
    // How many sockets there are then, and how many each worker has.
    for (workers, all, each) in [(3, 3, 1), (1, 3, 3), (4, 4, 1), (2, 4, 2)] {
        let clients: Vec<_> = (0..20)
            .map(|_| TcpStream::connect(address).unwrap())
            .collect();
        let claimed = claim(&port_0, inherit(&before, false)).unwrap();
        assert_eq!(claimed.inherited().collect::<Vec<_>>(), port_0);
        // What waits in its sockets is not lost with the one before.
        before = claimed.listen(workers).unwrap();
        assert_eq!((before.all.len(), addresses_of(&before)[0]), (all, address));
        assert!(before.per_worker.iter().all(|own| own.len() == each));
        let sockets = before.per_worker.iter().flatten();
        let accepted = sockets.map(|l| std::iter::from_fn(|| l.socket.accept().ok()).count());
        assert_eq!(accepted.sum::<usize>(), clients.len());
    }
}

#[test]
fn nothing_is_opened_beside_a_socket_of_systemd() {
    let systemd = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = systemd.local_addr().unwrap();
    let inherited = Inherited::from_systemd(systemd).unwrap();
    let claimed = claim(&[address], inherited.into_iter().collect()).unwrap();
    let listeners = claimed.listen(3).unwrap();
    assert_eq!(listeners.all.len(), 1);
    assert!(listeners.per_worker.iter().all(|own| own.len() == 1));
    let _client = TcpStream::connect(address).unwrap();
    let accepted = listeners.per_worker[2][0].socket.accept();
    assert!(accepted.unwrap().0.nodelay().unwrap());
    // It does not block.
    assert!(listeners.per_worker[0][0].socket.accept().is_err());
}
