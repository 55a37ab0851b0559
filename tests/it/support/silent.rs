//! An address where connecting is neither accepted nor refused: a listener whose queue is full, so
//! that the kernel drops what else comes.

use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use socket2::{Domain, Socket, Type};

/// Silent until it is dropped.
pub(crate) struct Silent {
    address: SocketAddr,
    _listener: Socket,
    _waiting: Vec<TcpStream>,
}

impl Silent {
    pub(crate) fn on(address: SocketAddr) -> Self {
        let domain = Domain::for_address(address);
        let listener = Socket::new(domain, Type::STREAM, None).expect("socket");
        listener.bind(&address.into()).expect("bind");
        listener.listen(0).expect("listen");
        let address = listener.local_addr().expect("an address");
        let address = address.as_socket().expect("of a socket");
        let mut waiting = Vec::new();
        while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(200)) {
            waiting.push(stream);
            assert!(waiting.len() < 64, "the queue never fills");
        }
        Self {
            address,
            _listener: listener,
            _waiting: waiting,
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}
