//! A client on a raw connection. It sends any bytes and reads answers strictly: whatever a
//! careful client would refuse fails the test.

use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use socket2::{Domain, SockRef, Socket, Type};

use super::message::{Broken, Fields, Framing, Head, Wire};
use super::request::Request;
use super::wait::{PATIENCE, eventually};

/// One connection to a gateway (or to whatever listens there).
pub(crate) struct Client {
    stream: TcpStream,
    wire: Wire,
}

/// A whole final answer, and the interim ones before it.
#[derive(Debug, Clone)]
pub(crate) struct Response {
    pub interim: Vec<(u16, Fields)>,
    pub status: u16,
    pub reason: String,
    pub fields: Fields,
    pub framing: Framing,
    pub body: Vec<u8>,
    pub trailers: Fields,
}

/// What became of a request, as its client sees it.
#[derive(Debug)]
pub(crate) enum Ending {
    Whole(Response),
    /// A head came, but not all of its body.
    Cut(Response, Broken),
    /// No final head came.
    Nothing(Broken),
}

impl Client {
    pub(crate) fn to(address: SocketAddr) -> Self {
        Self::try_to(address).expect("connect to the gateway")
    }

    /// Connects, or says that nothing listens there.
    pub(crate) fn try_to(address: SocketAddr) -> Option<Self> {
        Self::connected(IpAddr::V4(Ipv4Addr::LOCALHOST), address).ok()
    }

    /// Connects from a source address of choice; all of 127.0.0.0/8 is at hand.
    pub(crate) fn from(source: IpAddr, address: SocketAddr) -> Self {
        Self::connected(source, address).expect("connect to the gateway")
    }

    fn connected(source: IpAddr, address: SocketAddr) -> std::io::Result<Self> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        if source != Ipv4Addr::LOCALHOST {
            socket.bind(&SocketAddr::new(source, 0).into())?;
        }
        socket.connect_timeout(&address.into(), PATIENCE)?;
        socket.set_tcp_nodelay(true)?;
        let stream = TcpStream::from(socket);
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self {
            wire: Wire::new(stream.try_clone()?),
            stream,
        })
    }

    /// Sends bytes. A peer that has stopped reading is no error here: its answer tells more.
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        let _ = self.try_send(bytes);
        self
    }

    /// Sends bytes, and says whether they could be sent.
    pub(crate) fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> std::io::Result<()> {
        self.stream.write_all(bytes.as_ref())
    }

    /// The connection itself, for a second thread that writes while this one reads.
    pub(crate) fn writer(&self) -> TcpStream {
        self.stream.try_clone().expect("clone a socket")
    }

    /// Sets how long reads wait for the next byte.
    pub(crate) fn patience(&mut self, longest: Duration) -> &mut Self {
        self.wire.patience(longest);
        self
    }

    /// Says that nothing more will be sent, and goes on reading.
    pub(crate) fn half_close(&mut self) -> &mut Self {
        let _ = self.stream.shutdown(Shutdown::Write);
        self
    }

    /// Ends the connection with a reset.
    pub(crate) fn reset(self) {
        SockRef::from(&self.stream)
            .set_linger(Some(Duration::ZERO))
            .expect("SO_LINGER");
    }

    /// Limits what the kernel receives on the client's behalf. Not to less than a few segments of
    /// the loopback device: below that, the kernel's timers set the pace.
    pub(crate) fn small_window(&mut self) -> &mut Self {
        let socket = SockRef::from(&self.stream);
        socket.set_recv_buffer_size(256 * 1024).expect("SO_RCVBUF");
        self
    }

    /// Sends a request and reads the whole answer to it.
    pub(crate) fn ask(&mut self, request: &Request) -> Response {
        self.send(request.bytes());
        self.answer_to(request)
    }

    /// The same for one of many that ask at once: asks again where a worker lags ([`Response::is_of_lag`]).
    pub(crate) fn ask_among_many(&mut self, request: &Request) -> Response {
        eventually("a worker that does not lag", || {
            let response = self.ask(request);
            if !response.is_of_lag() {
                return Some(response);
            }
            let (from, to) = (self.stream.local_addr(), self.stream.peer_addr());
            *self = Self::from(from.expect("an address").ip(), to.expect("an address"));
            None
        })
    }

    /// Reads the whole answer to a request that was sent before.
    pub(crate) fn answer_to(&mut self, request: &Request) -> Response {
        whole(self.ending_of(request))
    }

    /// Reads a whole answer to a request that is not HEAD and not HTTP/1.0.
    pub(crate) fn answer(&mut self) -> Response {
        whole(self.ending())
    }

    /// Reads whatever comes as an answer to a request that was sent before.
    pub(crate) fn ending_of(&mut self, request: &Request) -> Ending {
        self.read(request.is_head(), request.is_http10())
    }

    /// Reads whatever comes as an answer to a request that is not HEAD and not HTTP/1.0.
    pub(crate) fn ending(&mut self) -> Ending {
        self.read(false, false)
    }

    /// Reads one answer's head, interim ones included, and leaves the rest on the wire.
    pub(crate) fn head(&mut self) -> Response {
        let response = self.read_head(false, false);
        response.unwrap_or_else(|why| panic!("no answer: {why}"))
    }

    /// Appends the next bytes of a body that is not chunked to `body`.
    pub(crate) fn take(&mut self, len: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        let read = self.wire.take(len, &mut bytes);
        read.unwrap_or_else(|why| panic!("{why} after {} of {len} bytes", bytes.len()));
        bytes
    }

    /// Waits for the next bytes of whatever comes, and takes what is there.
    pub(crate) fn some(&mut self) -> Result<Vec<u8>, Broken> {
        self.wire.wait()?;
        Ok(self.take(self.wire.unread().len()))
    }

    /// Fails unless the connection ends here, without another byte.
    pub(crate) fn is_closed(&mut self) {
        match self.some() {
            Err(Broken::Closed | Broken::Reset) => {}
            Err(why) => panic!("the connection stays open: {why}"),
            Ok(more) => panic!("instead of the end came {}", super::message::shown(&more)),
        }
    }

    fn read(&mut self, to_head: bool, to_http10: bool) -> Ending {
        let mut response = match self.read_head(to_head, to_http10) {
            Ok(response) => response,
            Err(why) => return Ending::Nothing(why),
        };
        match self.wire.body(response.framing, &mut response.body) {
            Ok(trailers) => {
                response.trailers = trailers;
                Ending::Whole(response)
            }
            Err(Broken::Malformed(what)) => panic!("malformed body: {what}; after {response:?}"),
            Err(why) => Ending::Cut(response, why),
        }
    }

    fn read_head(&mut self, to_head: bool, to_http10: bool) -> Result<Response, Broken> {
        let mut interim = Vec::new();
        loop {
            let head = self.wire.head().map_err(|why| match why {
                Broken::Malformed(what) => panic!("malformed answer: {what}"),
                other => other,
            })?;
            let response = judged(&head, to_head, to_http10, interim);
            if response.status / 100 != 1 || response.status == 101 {
                return Ok(response);
            }
            assert!(
                !to_http10,
                "an interim answer {} to an HTTP/1.0 client",
                response.status
            );
            interim = response.interim;
            interim.push((response.status, response.fields));
        }
    }
}

/// Checks an answer's head as a strict client would.
fn judged(head: &Head, to_head: bool, to_http10: bool, interim: Vec<(u16, Fields)>) -> Response {
    let mut parts = head.start.splitn(3, ' ');
    let mut part = || {
        parts
            .next()
            .unwrap_or_else(|| panic!("status line {:?}", head.start))
            .to_owned()
    };
    let (version, status, reason) = (part(), part(), part());
    assert!(
        matches!(version.as_str(), "HTTP/1.1" | "HTTP/1.0"),
        "status line {:?}",
        head.start
    );
    assert!(
        status.len() == 3 && status.bytes().all(|b| b.is_ascii_digit()),
        "{:?}",
        head.start
    );
    let status: u16 = status.parse().expect("three digits");

    let lengths = head.fields.all("content-length");
    let codings = head.fields.all("transfer-encoding");
    assert!(
        lengths.len() + codings.len() <= 1,
        "framed twice: {lengths:?} {codings:?}"
    );
    assert!(
        codings.is_empty() || !to_http10,
        "Transfer-Encoding to an HTTP/1.0 client"
    );
    if status / 100 == 1 || status == 204 {
        assert!(
            lengths.is_empty() && codings.is_empty(),
            "a {status} with framing fields"
        );
    }
    let framing = match (lengths.first(), codings.first()) {
        _ if to_head || status / 100 == 1 || matches!(status, 204 | 304) => Framing::None,
        (Some(length), _) => Framing::Length(length.parse().expect("a Content-Length of digits")),
        (_, Some(coding)) => {
            assert_eq!(*coding, "chunked", "an answer's transfer coding");
            Framing::Chunked
        }
        (None, None) => Framing::UntilClose,
    };
    let fields = head.fields.clone();
    let (body, trailers) = (Vec::new(), Fields::default());
    Response {
        interim,
        status,
        reason,
        fields,
        framing,
        body,
        trailers,
    }
}

fn whole(ending: Ending) -> Response {
    match ending {
        Ending::Whole(response) => response,
        Ending::Cut(response, why) => panic!(
            "the body ended early: {why} after {} bytes of {} {:?}",
            response.body.len(),
            response.status,
            response.fields
        ),
        Ending::Nothing(why) => panic!("no answer: {why}"),
    }
}

impl Response {
    /// The body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e} in {:?}", self.text()))
    }

    /// Fails unless the gateway itself refused the request with this status and code.
    pub(crate) fn is_refusal(&self, status: u16, code: &str) -> &Self {
        assert_eq!(self.status, status, "{:?} {}", self.fields, self.text());
        assert_eq!(self.json()["code"], code, "{}", self.text());
        self
    }

    /// Whether a worker refused the request before it counted it, for it lags: on a busy machine those do
    /// that many ask at once. Rests then, for who asks again without a rest keeps it from catching up.
    pub(crate) fn is_of_lag(&self) -> bool {
        if self.status != 503 {
            return false;
        }
        self.is_refusal(503, "overloaded");
        std::thread::sleep(Duration::from_millis(200));
        true
    }

    /// Fails unless the status is this one.
    pub(crate) fn is(&self, status: u16) -> &Self {
        assert_eq!(self.status, status, "{:?} {}", self.fields, self.text());
        self
    }

    /// Whether the answer announces that the connection ends with it.
    pub(crate) fn announces_close(&self) -> bool {
        self.fields
            .items("connection")
            .iter()
            .any(|item| item == "close")
    }
}
