//! One connection of an upstream, in the hands of a test's script: it reads requests strictly and
//! records them, and sends, stalls, closes or resets as the script says.

use std::io::Write;
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use socket2::SockRef;

use super::message::{Broken, Fields, Framing, Head, Wire, is_token};
use super::upstream::Records;

/// A request as the upstream saw it.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    /// The head's very bytes.
    pub raw: Vec<u8>,
    pub method: String,
    pub target: String,
    pub version: String,
    pub fields: Fields,
    pub framing: Framing,
    pub body: Vec<u8>,
    pub trailers: Fields,
    /// Whether the body was read to the end that its framing promised.
    pub whole: bool,
    /// Which of the upstream's connections it came on, counted from 0.
    pub connection: usize,
}

/// The gateway has left; a script hands this on with `?` and ends.
#[derive(Debug)]
pub(crate) struct Gone;

/// What a script holds: a connection that the gateway opened.
pub(crate) struct Peer {
    stream: TcpStream,
    wire: Wire,
    records: Arc<Records>,
    /// Which of the upstream's connections this is, counted from 0.
    pub nth: usize,
}

impl Peer {
    pub(crate) fn new(stream: TcpStream, nth: usize, records: Arc<Records>) -> Self {
        let _ = stream.set_nodelay(true);
        let mut wire = Wire::new(stream.try_clone().expect("clone a socket"));
        // A pooled connection may rest for as long as the test runs; the upstream's end cuts it.
        wire.patience(Duration::from_mins(10));
        Self {
            stream,
            wire,
            records,
            nth,
        }
    }

    /// Reads a whole request and records it, whole or not.
    pub(crate) fn request(&mut self) -> Result<Seen, Gone> {
        let seen = self.head()?;
        self.rest_of(seen)
    }

    /// Reads a request's head only. It is recorded once [`Peer::rest_of`] has read the rest.
    pub(crate) fn head(&mut self) -> Result<Seen, Gone> {
        match self.wire.head() {
            Ok(head) => Ok(self.judge(&head)),
            Err(Broken::Malformed(what)) => {
                self.records.complain(format!("malformed request: {what}"));
                Err(Gone)
            }
            Err(_) => Err(Gone),
        }
    }

    /// Reads the body of a request whose head was read before, and records the request.
    pub(crate) fn rest_of(&mut self, mut seen: Seen) -> Result<Seen, Gone> {
        let read = self.wire.body(seen.framing, &mut seen.body);
        if let Err(Broken::Malformed(what)) = &read {
            self.records
                .complain(format!("malformed body: {what} after {:?}", seen.target));
        }
        if let Ok(trailers) = read {
            seen.trailers = trailers;
            seen.whole = true;
        }
        self.records.push(seen.clone());
        if seen.whole { Ok(seen) } else { Err(Gone) }
    }

    /// Records a request whose body the script does not read.
    pub(crate) fn record(&self, seen: &Seen) {
        self.records.push(seen.clone());
    }

    /// Appends the next bytes of whatever comes.
    pub(crate) fn take(&mut self, len: usize, into: &mut Vec<u8>) -> Result<(), Gone> {
        self.wire.take(len, into).map_err(|_| Gone)
    }

    /// Waits for the next bytes of whatever comes, and takes what is there.
    pub(crate) fn some(&mut self) -> Result<Vec<u8>, Gone> {
        self.wire.wait().map_err(|_| Gone)?;
        let mut bytes = Vec::new();
        self.take(self.wire.unread().len(), &mut bytes)?;
        Ok(bytes)
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) -> Result<(), Gone> {
        self.stream.write_all(bytes.as_ref()).map_err(|_| Gone)
    }

    /// Sends as much as is taken until nothing has been for so long.
    pub(crate) fn send_for(&mut self, patience: Duration, bytes: &[u8]) {
        let _ = self.stream.set_write_timeout(Some(patience));
        let _ = self.stream.write_all(bytes);
    }

    /// Sends bytes so that each piece is a segment of its own.
    pub(crate) fn send_in_pieces(&mut self, bytes: &[u8], size: usize) -> Result<(), Gone> {
        for piece in bytes.chunks(size) {
            self.send(piece)?;
            std::thread::sleep(Duration::from_micros(200));
        }
        Ok(())
    }

    /// Answers 200 with a body, its length told, and the target in `X-Seen`.
    pub(crate) fn reply(&mut self, to: &Seen, body: &[u8]) -> Result<(), Gone> {
        let (target, len) = (&to.target, body.len());
        let head = format!("HTTP/1.1 200 OK\r\nX-Seen: {target}\r\nContent-Length: {len}\r\n\r\n");
        let body = if to.method == "HEAD" { &[] } else { body };
        self.send([head.as_bytes(), body].concat())
    }

    /// Blocks until the gateway closes its side.
    pub(crate) fn wait_closed(&mut self) {
        while self.wire.wait().is_ok() {
            let _ = self.wire.take(self.wire.unread().len(), &mut Vec::new());
        }
    }

    /// Says that nothing more will be sent.
    pub(crate) fn half_close(&mut self) {
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// Ends the connection with a reset.
    pub(crate) fn reset(&mut self) {
        let _ = SockRef::from(&self.stream).set_linger(Some(Duration::ZERO));
        self.records.forget(self.nth);
    }

    /// Closes so that nothing that was sent is lost to a reset, even if bytes come in unread.
    pub(crate) fn close(&mut self) {
        self.half_close();
        self.wire.patience(Duration::from_secs(1));
        self.wait_closed();
    }

    /// Checks a request as a strict origin would, and says how its body is framed.
    fn judge(&self, head: &Head) -> Seen {
        let mut complaints = Vec::new();
        let parts: Vec<&str> = head.start.split(' ').collect();
        let [method, target, version] = parts[..] else {
            self.records
                .complain(format!("request line {:?}", head.start));
            return seen(head, ["", "", ""], Framing::None, self.nth);
        };
        if !is_token(method.as_bytes()) || !target.starts_with('/') && target != "*" {
            complaints.push(format!("request line {:?}", head.start));
        }
        if target.bytes().any(|b| !matches!(b, 0x21..=0x7e)) {
            complaints.push(format!("target {target:?}"));
        }
        if version != "HTTP/1.1" {
            complaints.push(format!("version {version:?}"));
        }
        let hosts = head.fields.all("host");
        if hosts.len() != 1 {
            complaints.push(format!("Host fields {hosts:?}"));
        }
        let lengths = head.fields.all("content-length");
        let codings = head.fields.all("transfer-encoding");
        let framing = match (&lengths[..], &codings[..]) {
            ([], []) => Framing::None,
            ([], ["chunked"]) => Framing::Chunked,
            ([length], []) if length.bytes().all(|b| b.is_ascii_digit()) => {
                Framing::Length(length.parse().unwrap_or(0))
            }
            _ => {
                complaints.push(format!("framed by {lengths:?} and {codings:?}"));
                Framing::None
            }
        };
        for complaint in complaints {
            self.records.complain(complaint);
        }
        seen(head, [method, target, version], framing, self.nth)
    }
}

fn seen(head: &Head, start: [&str; 3], framing: Framing, connection: usize) -> Seen {
    let [method, target, version] = start.map(str::to_owned);
    Seen {
        raw: head.raw.clone(),
        method,
        target,
        version,
        fields: head.fields.clone(),
        framing,
        body: Vec::new(),
        trailers: Fields::default(),
        whole: false,
        connection,
    }
}
