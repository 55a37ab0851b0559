//! A service that answers requests in HTTP/1.1 and checks in gRPC, on one port, with a real HTTP/2 server;
//! and bodies of gRPC.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::{HeaderMap, Request, Response, Uri};
use http_body_util::BodyExt;
use http_body_util::combinators::BoxBody;
use hyper::body::{Bytes, Frame, Incoming};
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;

/// A message behind its length.
pub(crate) fn framed(message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).expect("a short message");
    [&[0], &length.to_be_bytes()[..], message].concat()
}

/// A body of data, if there is any, and trailers, if there are any.
pub(crate) fn body(data: Option<Vec<u8>>, trailers: Option<HeaderMap>) -> Body {
    let data = data.map(|data| Frame::data(data.into()));
    let trailers = trailers.map(Frame::trailers);
    BoxBody::new(Frames(data.into_iter().chain(trailers).collect()))
}

/// A body that is made here.
pub(crate) type Body = BoxBody<Bytes, Infallible>;

/// A body of these frames.
struct Frames(VecDeque<Frame<Bytes>>);

impl hyper::body::Body for Frames {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        std::task::Poll::Ready(self.0.pop_front().map(Ok))
    }
}

/// How checks are answered.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// With this number in a message.
    Says(u8),
    /// With this body, and a good status behind it.
    Body(Vec<u8>),
    /// With this status of gRPC in the head, and no message.
    Fails(u8),
    /// With this status behind a message.
    FailsLate(u8),
    /// With this status of HTTP.
    Http(u16),
    /// With a message of this media type.
    Type(&'static str),
    /// With a message that says that all is well, and no status behind it.
    NoStatus,
    /// By resetting the stream.
    Reset,
    /// Not at all.
    Silent,
}

/// One check, as it came.
#[derive(Clone)]
pub(crate) struct Check {
    pub uri: Uri,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// A service that runs until it is dropped.
pub(crate) struct GrpcService {
    address: SocketAddr,
    scheme: &'static str,
    state: Arc<Mutex<State>>,
    _stop: oneshot::Sender<()>,
}

struct State {
    reply: Reply,
    checks: Vec<Check>,
    requests: usize,
    connections: usize,
}

impl GrpcService {
    /// One in clear, which takes HTTP/2 by prior knowledge.
    pub(crate) fn start(reply: Reply) -> Self {
        Self::with(reply, None)
    }

    /// One through TLS, where ALPN decides.
    pub(crate) fn secure(reply: Reply, config: ServerConfig) -> Self {
        Self::with(reply, Some(TlsAcceptor::from(Arc::new(config))))
    }

    fn with(reply: Reply, tls: Option<TlsAcceptor>) -> Self {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        listener.set_nonblocking(true).expect("a socket");
        let address = listener.local_addr().expect("an address");
        let state = Arc::new(Mutex::new(State {
            reply,
            checks: Vec::new(),
            requests: 0,
            connections: 0,
        }));
        let (stop, stopped) = oneshot::channel();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread();
            let runtime = { runtime }.enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let listener = TcpListener::from_std(listener).expect("a listener");
                tokio::select! {
                    () = accept(listener, tls, shared) => {}
                    _ = stopped => {}
                }
            });
        });
        Self {
            address,
            scheme,
            state,
            _stop: stop,
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.address)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers checks in this way from now on.
    pub(crate) fn becomes(&self, reply: Reply) {
        lock(&self.state).reply = reply;
    }

    /// All checks so far.
    pub(crate) fn checks(&self) -> Vec<Check> {
        lock(&self.state).checks.clone()
    }

    /// How many requests there were so far.
    pub(crate) fn requests(&self) -> usize {
        lock(&self.state).requests
    }

    /// How many connections there were so far.
    pub(crate) fn connections(&self) -> usize {
        lock(&self.state).connections
    }
}

async fn accept(listener: TcpListener, tls: Option<TlsAcceptor>, state: Arc<Mutex<State>>) {
    while let Ok((socket, _)) = listener.accept().await {
        lock(&state).connections += 1;
        let (tls, state) = (tls.clone(), Arc::clone(&state));
        tokio::spawn(async move {
            // How it ends shows in what the gateway makes of it.
            let _ = serve(socket, tls, state).await;
        });
    }
}

async fn serve(
    socket: TcpStream,
    tls: Option<TlsAcceptor>,
    state: Arc<Mutex<State>>,
) -> io::Result<()> {
    let Some(tls) = tls else {
        // All requests of the tests are GET.
        let mut first = [0];
        socket.peek(&mut first).await?;
        return speak(TokioIo::new(socket), first == *b"P", state).await;
    };
    let stream = tls.accept(socket).await?;
    let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    speak(TokioIo::new(stream), is_http2, state).await
}

async fn speak<I>(io: I, is_http2: bool, state: Arc<Mutex<State>>) -> io::Result<()>
where
    I: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
{
    let ended = if is_http2 {
        let answer = service_fn(move |request| check(request, Arc::clone(&state)));
        let builder = http2::Builder::new(TokioExecutor::new());
        builder.serve_connection(io, answer).await
    } else {
        let answer = service_fn(move |_: Request<Incoming>| {
            lock(&state).requests += 1;
            std::future::ready(Ok::<_, Infallible>(Response::new(body(None, None))))
        });
        http1::Builder::new().serve_connection(io, answer).await
    };
    ended.map_err(io::Error::other)
}

async fn check(
    request: Request<Incoming>,
    state: Arc<Mutex<State>>,
) -> Result<Response<Body>, io::Error> {
    let (head, asked) = request.into_parts();
    let asked = asked.collect().await.map_err(io::Error::other)?;
    let reply = {
        let mut state = lock(&state);
        state.checks.push(Check {
            uri: head.uri,
            headers: head.headers,
            body: asked.to_bytes(),
        });
        state.reply.clone()
    };
    let says = |number| Some(framed(&[0x08, number]));
    let ok = Some(status(0));
    let answer = Response::builder().header("content-type", "application/grpc");
    let answer = match reply {
        Reply::Says(number) => answer.body(body(says(number), ok)),
        Reply::Body(bytes) => answer.body(body(Some(bytes), ok)),
        Reply::FailsLate(code) => answer.body(body(says(1), Some(status(code)))),
        Reply::NoStatus => answer.body(body(says(1), None)),
        Reply::Http(status) => answer.status(status).body(body(None, ok)),
        Reply::Type(media_type) => {
            let answer = Response::builder().header("content-type", media_type);
            answer.body(body(says(1), ok))
        }
        Reply::Fails(code) => {
            let mut answer = answer.body(body(None, None)).expect("an answer");
            answer.headers_mut().extend(status(code));
            Ok(answer)
        }
        Reply::Reset => return Err(io::ErrorKind::Other.into()),
        Reply::Silent => std::future::pending().await,
    };
    Ok(answer.expect("an answer"))
}

/// The fields that say how a call has ended.
fn status(code: u8) -> HeaderMap {
    let mut fields = HeaderMap::new();
    fields.insert("grpc-status", u16::from(code).into());
    if code != 0 {
        let message = "not%20now%0a".parse().expect("a value");
        fields.insert("grpc-message", message);
    }
    fields
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
