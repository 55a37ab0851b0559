//! An upstream of our own on raw sockets: it records every request to the byte and answers by a
//! script. What the gateway sends it must be well formed; a complaint fails the test at its end.
//!
//! Its port is held by a second socket that never listens, so that it can go down and come back
//! without another process taking the port meanwhile.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use socket2::{Domain, SockRef, Socket, Type};

use super::peer::{Gone, Peer, Seen};
use super::wait::PATIENCE;

type Script = dyn Fn(&mut Peer) -> Result<(), Gone> + Send + Sync;

/// What an upstream has seen, shared with its connections.
#[derive(Default)]
pub(crate) struct Records {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    seen: Vec<Seen>,
    complaints: Vec<String>,
    connections: usize,
    open: HashMap<usize, TcpStream>,
}

/// An upstream that runs until it is dropped.
pub(crate) struct Upstream {
    address: SocketAddr,
    script: Arc<Script>,
    records: Arc<Records>,
    listening: Mutex<Option<TcpListener>>,
    /// Holds the port while nothing listens.
    _port: Socket,
}

impl Upstream {
    /// Starts an upstream that runs `script` for each connection. When the script ends, the
    /// connection is closed gently.
    pub(crate) fn start(
        script: impl Fn(&mut Peer) -> Result<(), Gone> + Send + Sync + 'static,
    ) -> Self {
        let upstream = Self::down(script);
        upstream.come_up();
        upstream
    }

    /// Like [`Upstream::start`], but nothing listens yet: connections are refused.
    pub(crate) fn down(
        script: impl Fn(&mut Peer) -> Result<(), Gone> + Send + Sync + 'static,
    ) -> Self {
        Self::down_at((Ipv4Addr::LOCALHOST, 0).into(), Arc::new(script))
    }

    fn down_at(address: SocketAddr, script: Arc<Script>) -> Self {
        let port = bound(address);
        let address = port
            .local_addr()
            .ok()
            .and_then(|address| address.as_socket());
        Self {
            address: address.expect("the address of a socket"),
            script,
            records: Arc::default(),
            listening: Mutex::default(),
            _port: port,
        }
    }

    /// An upstream that answers every request with 200 and the request's own body.
    pub(crate) fn echo() -> Self {
        Self::start(echo)
    }

    /// The same on another address, at a port that the system picks.
    pub(crate) fn echo_on(ip: impl Into<IpAddr>) -> Self {
        Self::echo_at((ip.into(), 0).into())
    }

    /// The same at a port of the test's choice.
    pub(crate) fn echo_at(address: SocketAddr) -> Self {
        let upstream = Self::down_at(address, Arc::new(echo));
        upstream.come_up();
        upstream
    }

    /// An upstream that answers every request with these bytes and keeps the connection.
    pub(crate) fn answering(answer: impl Into<Vec<u8>>) -> Self {
        let answer = answer.into();
        Self::start(move |peer| {
            loop {
                peer.request()?;
                peer.send(&answer)?;
            }
        })
    }

    /// An upstream that answers every request with these bytes and then closes.
    pub(crate) fn answering_once(answer: impl Into<Vec<u8>>) -> Self {
        let answer = answer.into();
        Self::start(move |peer| {
            peer.request()?;
            peer.send(&answer)
        })
    }

    pub(crate) fn come_up(&self) {
        let socket = bound(self.address);
        socket.listen(256).expect("listen");
        let listener = TcpListener::from(socket);
        let accepting = listener.try_clone().expect("clone a listener");
        *lock(&self.listening) = Some(listener);
        let (script, records) = (Arc::clone(&self.script), Arc::clone(&self.records));
        std::thread::spawn(move || accept(&accepting, &script, &records));
    }

    /// Stops listening and cuts all connections.
    pub(crate) fn go_down(&self) {
        if let Some(listener) = lock(&self.listening).take() {
            // Wakes the accepting thread, which ends and drops the last handle.
            let _ = SockRef::from(&listener).shutdown(Shutdown::Both);
        }
        self.cut_all();
    }

    /// Cuts all connections, and goes on listening.
    pub(crate) fn cut_all(&self) {
        for (_, stream) in lock(&self.records.state).open.drain() {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Everything seen so far, handed over once.
    pub(crate) fn take(&self) -> Vec<Seen> {
        std::mem::take(&mut lock(&self.records.state).seen)
    }

    /// The one request that was seen since the last look; it must have come whole.
    pub(crate) fn only(&self) -> Seen {
        let mut seen = self.take();
        let lines: Vec<_> = seen
            .iter()
            .map(|s| (&s.method, &s.target, s.whole))
            .collect();
        assert!(
            lines.len() == 1 && lines[0].2,
            "the upstream saw {lines:?}, not one whole request"
        );
        seen.remove(0)
    }

    /// Waits until a request is recorded that `fits`, and returns it.
    pub(crate) fn wait_for(&self, what: &str, fits: impl Fn(&Seen) -> bool) -> Seen {
        self.wait(what, |state| {
            state.seen.iter().find(|seen| fits(seen)).cloned()
        })
    }

    /// How many connections were opened so far.
    pub(crate) fn connections(&self) -> usize {
        lock(&self.records.state).connections
    }

    /// Waits until that many connections were opened.
    pub(crate) fn wait_for_connections(&self, at_least: usize) {
        self.wait("a connection", |state| {
            (state.connections >= at_least).then_some(())
        });
    }

    /// Waits until all but `rest` connections are closed.
    pub(crate) fn wait_for_open(&self, rest: usize) {
        self.wait("connections to close", |state| {
            (state.open.len() <= rest).then_some(())
        });
    }

    fn wait<T>(&self, what: &str, ask: impl Fn(&State) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        let mut state = lock(&self.records.state);
        loop {
            if let Some(answer) = ask(&state) {
                return answer;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            let seen: Vec<_> = state.seen.iter().map(|s| (&s.target, s.whole)).collect();
            assert!(
                !left.is_zero(),
                "the upstream waited in vain for {what}; it saw {seen:?}"
            );
            let woken = self.records.changed.wait_timeout(state, left);
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.go_down();
        let complaints = std::mem::take(&mut lock(&self.records.state).complaints);
        if !std::thread::panicking() {
            assert!(
                complaints.is_empty(),
                "the upstream was sent: {complaints:#?}"
            );
        } else if !complaints.is_empty() {
            eprintln!("the upstream was sent: {complaints:#?}");
        }
    }
}

impl Records {
    pub(crate) fn push(&self, seen: Seen) {
        lock(&self.state).seen.push(seen);
        self.changed.notify_all();
    }

    pub(crate) fn complain(&self, complaint: String) {
        lock(&self.state).complaints.push(complaint);
    }

    /// Drops the upstream's own handle of a connection, so that its owner alone closes it.
    pub(crate) fn forget(&self, nth: usize) {
        lock(&self.state).open.remove(&nth);
        self.changed.notify_all();
    }
}

fn accept(listener: &TcpListener, script: &Arc<Script>, records: &Arc<Records>) {
    while let Ok((stream, _)) = listener.accept() {
        let nth = {
            let mut state = lock(&records.state);
            let nth = state.connections;
            state.connections += 1;
            state
                .open
                .insert(nth, stream.try_clone().expect("clone a socket"));
            nth
        };
        records.changed.notify_all();
        let (script, records) = (Arc::clone(script), Arc::clone(records));
        std::thread::spawn(move || {
            let mut peer = Peer::new(stream, nth, Arc::clone(&records));
            if script(&mut peer).is_ok() {
                peer.close();
            }
            records.forget(nth);
        });
    }
}

fn echo(peer: &mut Peer) -> Result<(), Gone> {
    loop {
        let request = peer.request()?;
        let body = request.body.clone();
        peer.reply(&request, &body)?;
    }
}

/// A socket on a port of a loopback address, shared with others that ask for the same.
pub(super) fn bound(address: SocketAddr) -> Socket {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None).expect("socket");
    socket.set_reuse_port(true).expect("SO_REUSEPORT");
    socket.set_reuse_address(true).expect("SO_REUSEADDR");
    socket.bind(&address.into()).expect("bind a loopback port");
    socket
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
