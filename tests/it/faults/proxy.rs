//! What stands between gateway and Redis, and breaks: it may say nothing, or cut a connection in
//! the middle of an answer.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use socket2::SockRef;

/// Passes bytes on, one connection to Redis for each from a gateway. Ends with the test's process.
pub(super) struct Proxy {
    address: SocketAddr,
    mode: Arc<AtomicU8>,
}

/// Passes everything on.
const FAITHFUL: u8 = 0;
/// Takes connections and what is said on them, and answers nothing.
const SILENT: u8 = 1;
/// The next answer is cut in its middle; then faithful.
const CUTTING: u8 = 2;

impl Proxy {
    /// One that leads to a port of this machine.
    pub(super) fn to(port: u16) -> Self {
        Self::of((Ipv4Addr::LOCALHOST, 0), port, FAITHFUL)
    }

    /// One that says nothing until it is told to.
    pub(super) fn silent_to(port: u16) -> Self {
        Self::of((Ipv4Addr::LOCALHOST, 0), port, SILENT)
    }

    /// One that is at this address.
    pub(super) fn at(at: (Ipv4Addr, u16), port: u16) -> Self {
        Self::of(at, port, FAITHFUL)
    }

    fn of(at: (Ipv4Addr, u16), port: u16, mode: u8) -> Self {
        let listener = TcpListener::bind(at).expect("a port");
        let address = listener.local_addr().expect("the address of a socket");
        let mode = Arc::new(AtomicU8::new(mode));
        let of_connections = Arc::clone(&mode);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let mode = Arc::clone(&of_connections);
                std::thread::spawn(move || relay(&stream, port, &mode));
            }
        });
        Self { address, mode }
    }

    pub(super) fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    /// From now on it takes connections, and answers nothing on any.
    pub(super) fn says_nothing(&self) {
        self.mode.store(SILENT, Ordering::SeqCst);
    }

    /// From now on it passes everything on. What was swallowed is lost, and so is a connection on
    /// which it was.
    pub(super) fn speaks(&self) {
        self.mode.store(FAITHFUL, Ordering::SeqCst);
    }

    /// Sends half of the next answer, and then a reset.
    pub(super) fn cuts(&self) {
        self.mode.store(CUTTING, Ordering::SeqCst);
    }

    /// Whether it has done so.
    pub(super) fn has_cut(&self) -> bool {
        self.mode.load(Ordering::SeqCst) == FAITHFUL
    }
}

/// Passes on what both sides say until one has nothing more to say.
fn relay(gateway: &TcpStream, port: u16, mode: &AtomicU8) {
    let Ok(redis) = TcpStream::connect(("127.0.0.1", port)) else {
        return;
    };
    for stream in [gateway, &redis] {
        let _ = stream.set_nodelay(true);
    }
    std::thread::scope(|scope| {
        scope.spawn(|| {
            pass_answers(&redis, gateway, mode);
            // Wakes the other direction; what is sent to the gateway is up to the end of `gateway`.
            let _ = gateway.shutdown(Shutdown::Read);
        });
        pass_calls(gateway, &redis, mode);
        let _ = redis.shutdown(Shutdown::Both);
    });
}

fn pass_calls(mut gateway: &TcpStream, mut redis: &TcpStream, mode: &AtomicU8) {
    let mut buffer = [0; 16 * 1024];
    let mut swallowed = false;
    while let Some(bytes) = read(&mut gateway, &mut buffer) {
        swallowed |= mode.load(Ordering::SeqCst) == SILENT;
        if swallowed {
            // What would come next makes no sense without it.
            while mode.load(Ordering::SeqCst) == SILENT {
                std::thread::sleep(Duration::from_millis(5));
            }
            return;
        }
        if redis.write_all(bytes).is_err() {
            return;
        }
    }
}

fn pass_answers(mut redis: &TcpStream, mut gateway: &TcpStream, mode: &AtomicU8) {
    let mut buffer = [0; 16 * 1024];
    while let Some(bytes) = read(&mut redis, &mut buffer) {
        let cut = mode.compare_exchange(CUTTING, FAITHFUL, Ordering::SeqCst, Ordering::SeqCst);
        if cut.is_ok() {
            let _ = gateway.write_all(&bytes[..bytes.len() / 2]);
            let _ = SockRef::from(gateway).set_linger(Some(Duration::ZERO));
            return;
        }
        if gateway.write_all(bytes).is_err() {
            return;
        }
    }
}

fn read<'b>(stream: &mut impl Read, buffer: &'b mut [u8]) -> Option<&'b [u8]> {
    match stream.read(buffer) {
        Ok(0) | Err(_) => None,
        Ok(len) => Some(&buffer[..len]),
    }
}
