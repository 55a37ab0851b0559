//! A collector of traces: takes OTLP over HTTP or gRPC, decodes it with the official messages, and answers
//! as a test wants.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use http::{HeaderMap, HeaderValue};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
pub(crate) use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use rustls::ServerConfig;
use socket2::Socket;
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;

use super::grpc;
use super::upstream::bound;
use super::wait::eventually;

/// A collector that runs until it is dropped.
pub(crate) struct Collector {
    address: SocketAddr,
    speaks: Speaks,
    tls: Option<Arc<ServerConfig>>,
    state: Arc<Mutex<State>>,
    running: Mutex<Option<(oneshot::Sender<()>, JoinHandle<()>)>>,
    /// Holds the port while nothing listens.
    _port: Socket,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Speaks {
    Http,
    Grpc,
}

/// How the next request is answered; all others are taken.
#[derive(Clone, Copy)]
pub(crate) enum Reply {
    /// With this status, and perhaps a pause in seconds.
    Status(u16, Option<u64>),
    /// With this status of gRPC.
    Grpc(u8),
    /// With this status of gRPC, and these details.
    Detailed(u8, &'static str),
    /// So many spans are not taken.
    Rejects(i64),
}

#[derive(Default)]
struct State {
    /// When each request came, also of those that were not taken.
    times: Vec<Instant>,
    requests: Vec<Asked>,
    replies: VecDeque<Reply>,
}

/// One request.
#[derive(Clone)]
pub(crate) struct Asked {
    pub path: String,
    pub headers: HeaderMap,
    /// What stands in it before it is decoded.
    pub bytes: Bytes,
    pub message: ExportTraceServiceRequest,
}

impl Collector {
    /// One that takes OTLP/HTTP.
    pub(crate) fn http() -> Self {
        Self::start(Speaks::Http, None)
    }

    /// One that takes OTLP/gRPC.
    pub(crate) fn grpc() -> Self {
        Self::start(Speaks::Grpc, None)
    }

    /// The same through TLS.
    pub(crate) fn secure(grpc: bool, config: ServerConfig) -> Self {
        let speaks = if grpc { Speaks::Grpc } else { Speaks::Http };
        Self::start(speaks, Some(Arc::new(config)))
    }

    fn start(speaks: Speaks, tls: Option<Arc<ServerConfig>>) -> Self {
        let port = bound((Ipv4Addr::LOCALHOST, 0).into());
        let address = port.local_addr().ok().and_then(|it| it.as_socket());
        let collector = Self {
            address: address.expect("the address of a socket"),
            speaks,
            tls,
            state: Arc::default(),
            running: Mutex::default(),
            _port: port,
        };
        collector.come_up();
        collector
    }

    /// Begins to listen.
    pub(crate) fn come_up(&self) {
        let socket = bound(self.address);
        socket.listen(64).expect("listen");
        let listener = TcpListener::from(socket);
        listener.set_nonblocking(true).expect("a socket");
        let (stop, stopped) = oneshot::channel();
        let (state, tls, speaks) = (Arc::clone(&self.state), self.tls.clone(), self.speaks);
        let work = move || {
            let runtime = tokio::runtime::Builder::new_current_thread();
            let runtime = { runtime }.enable_all().build().expect("a runtime");
            runtime.block_on(async {
                tokio::select! {
                    () = accept(listener, speaks, tls, state) => {}
                    _ = stopped => {}
                }
            });
        };
        let thread = std::thread::spawn(work);
        *lock(&self.running) = Some((stop, thread));
    }

    /// Stops listening, and cuts all connections.
    pub(crate) fn go_down(&self) {
        if let Some((stop, thread)) = lock(&self.running).take() {
            drop(stop);
            thread.join().expect("the collector's thread");
        }
    }

    /// What the next requests get.
    pub(crate) fn replies(&self, replies: &[Reply]) {
        lock(&self.state).replies.extend(replies.iter().copied());
    }

    /// When each request came.
    pub(crate) fn times(&self) -> Vec<Instant> {
        lock(&self.state).times.clone()
    }

    /// Waits until there were so many requests.
    pub(crate) fn wait_for_requests(&self, count: usize) {
        eventually("requests to the collector", || {
            (self.times().len() >= count).then_some(())
        });
    }

    /// The configuration that sends it all spans.
    pub(crate) fn config(&self) -> String {
        self.sampling(1.0)
    }

    /// The configuration that sends it this share of them.
    pub(crate) fn sampling(&self, sample: f64) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        let (protocol, address) = match self.speaks {
            Speaks::Http => ("http", self.address),
            Speaks::Grpc => ("grpc", self.address),
        };
        format!(
            "[traces]\nendpoint = \"{scheme}://{address}\"\nprotocol = \"{protocol}\"\nsample = {sample:?}\n"
        )
    }

    /// All requests so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        lock(&self.state).requests.clone()
    }

    /// All spans so far.
    pub(crate) fn spans(&self) -> Vec<Span> {
        let asked = self.asked().into_iter();
        let resources = asked.flat_map(|asked| asked.message.resource_spans);
        let scopes = resources.flat_map(|resource| resource.scope_spans);
        scopes.flat_map(|scope| scope.spans).collect()
    }

    /// Begins anew.
    pub(crate) fn forget(&self) {
        *lock(&self.state) = State::default();
    }

    /// Waits until there are so many spans, and returns them.
    pub(crate) fn wait_for(&self, spans: usize) -> Vec<Span> {
        eventually(&format!("{spans} spans"), || {
            let all = self.spans();
            (all.len() >= spans).then_some(all)
        })
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        if let Some((stop, thread)) = lock(&self.running).take() {
            drop(stop);
            let _ = thread.join();
        }
    }
}

async fn accept(
    listener: TcpListener,
    speaks: Speaks,
    tls: Option<Arc<ServerConfig>>,
    state: Arc<Mutex<State>>,
) {
    let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            return;
        };
        let (tls, state) = (tls.clone(), Arc::clone(&state));
        tokio::spawn(async move {
            match tls {
                None => serve(stream, speaks, state).await,
                Some(tls) => {
                    if let Ok(stream) = TlsAcceptor::from(tls).accept(stream).await {
                        serve(stream, speaks, state).await;
                    }
                }
            }
        });
    }
}

async fn serve<S>(stream: S, speaks: Speaks, state: Arc<Mutex<State>>)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let io = TokioIo::new(stream);
    let answer = service_fn(move |request| answer(request, speaks, Arc::clone(&state)));
    let _ = match speaks {
        Speaks::Http => http1::Builder::new().serve_connection(io, answer).await,
        Speaks::Grpc => {
            let builder = http2::Builder::new(TokioExecutor::new());
            builder.serve_connection(io, answer).await
        }
    };
}

async fn answer(
    request: Request<Incoming>,
    speaks: Speaks,
    state: Arc<Mutex<State>>,
) -> Result<Response<grpc::Body>, hyper::Error> {
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let bytes = match speaks {
        Speaks::Http => body,
        Speaks::Grpc => {
            let length = u32::from_be_bytes([body[1], body[2], body[3], body[4]]);
            assert_eq!((body[0], length as usize), (0, body.len() - 5), "a frame");
            body.slice(5..)
        }
    };
    let message = ExportTraceServiceRequest::decode(&*bytes).expect("a message of OTLP");
    let reply = {
        let mut state = lock(&state);
        state.times.push(Instant::now());
        let reply = state.replies.pop_front();
        if matches!(reply, None | Some(Reply::Rejects(_))) {
            state.requests.push(Asked {
                path: head.uri.path().to_owned(),
                headers: head.headers,
                bytes,
                message,
            });
        }
        reply
    };
    let mut said = ExportTraceServiceResponse::default();
    let (mut status, mut grpc, mut details, mut pause) = (200, 0, None, None);
    match reply {
        None => {}
        Some(Reply::Status(other, asks)) => (status, pause) = (other, asks),
        Some(Reply::Grpc(code)) => grpc = code,
        Some(Reply::Detailed(code, said)) => (grpc, details) = (code, Some(said)),
        Some(Reply::Rejects(rejected_spans)) => {
            said.partial_success = Some(ExportTracePartialSuccess {
                rejected_spans,
                error_message: "too old".to_owned(),
            });
        }
    }
    let mut response = Response::builder().status(status);
    if let Some(pause) = pause {
        response = response.header("retry-after", pause);
    }
    let body = match speaks {
        Speaks::Http => Full::new(said.encode_to_vec().into()).boxed(),
        Speaks::Grpc => {
            response = response.header("content-type", "application/grpc");
            grpc_body(&said, grpc, details)
        }
    };
    Ok(response.body(body).expect("a response"))
}

/// A message, if all is well, and the trailers that say whether it is.
fn grpc_body(
    said: &ExportTraceServiceResponse,
    status: u8,
    details: Option<&'static str>,
) -> grpc::Body {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from(u16::from(status)));
    trailers.insert("grpc-message", HeaderValue::from_static("not%20now"));
    if let Some(details) = details {
        let details = HeaderValue::from_static(details);
        trailers.insert("grpc-status-details-bin", details);
    }
    let data = (status == 0).then(|| grpc::framed(&said.encode_to_vec()));
    grpc::body(data, Some(trailers))
}

/// What a span, or a resource, says under this name, as text.
pub(crate) fn said(attributes: &[KeyValue], name: &str) -> Option<String> {
    let mut named = attributes.iter().filter(|it| it.key == name);
    let found = named.next()?;
    assert!(named.next().is_none(), "{name} is there twice");
    match found.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => Some(text.clone()),
        Value::IntValue(number) => Some(number.to_string()),
        other => panic!("{name} is {other:?}"),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
