//! How a collector is asked to take a batch: OTLP over HTTP and over gRPC.

use std::sync::Arc;
use std::time::Duration;

use http::header::{CONTENT_TYPE, HOST, RETRY_AFTER, TE, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};

use super::connection::Connection;
use super::failure::Failure;
use crate::message::escapes::Decoded;
use crate::traces::otlp::{self, Partial};
use crate::traces::settings::{Collector, Protocol, TraceSettings};

/// The largest answer that is read; one that says all has a few hundred bytes.
const MOST: usize = 64 << 10;

const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
const GRPC_DETAILS: HeaderName = HeaderName::from_static("grpc-status-details-bin");

/// Asks one collector.
pub(super) struct Client {
    settings: Arc<TraceSettings>,
    connection: Option<Connection>,
}

impl Client {
    /// One that has no connection yet.
    pub(super) fn new(settings: Arc<TraceSettings>) -> Self {
        Self {
            settings,
            connection: None,
        }
    }

    /// Whether these are its settings.
    pub(super) fn is_for(&self, settings: &Arc<TraceSettings>) -> bool {
        Arc::ptr_eq(&self.settings, settings)
    }

    /// Sends a batch.
    pub(super) async fn send(&mut self, body: &Bytes) -> Result<Partial, Failure> {
        let collector = &self.settings.collector;
        // It may have died without a word: then once more on a new one.
        if let Some(mut kept) = self.connection.take().filter(Connection::is_open)
            && let Ok(answer) = kept.ask(request(collector, body)?).await
        {
            let read = read(collector, answer).await?;
            self.connection = Some(kept);
            return Ok(read);
        }
        let mut fresh = Connection::open(collector).await?;
        let answer = fresh.ask(request(collector, body)?).await?;
        let read = read(collector, answer).await?;
        self.connection = Some(fresh);
        Ok(read)
    }
}

fn request(to: &Collector, message: &Bytes) -> Result<Request<Full<Bytes>>, Failure> {
    let mut headers = to.headers.clone();
    let agent = HeaderValue::from_str(&format!("tollgate/{}", crate::VERSION));
    headers.insert(USER_AGENT, agent.map_err(|_| Failure::Answer)?);
    let (kind, body) = match to.protocol {
        Protocol::Http => ("application/x-protobuf", message.clone()),
        Protocol::Grpc => ("application/grpc", framed(message)),
    };
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    let path = to.path();
    let uri = match to.protocol {
        Protocol::Http => {
            let host = HeaderValue::from_str(&to.authority);
            headers.insert(HOST, host.map_err(|_| Failure::Answer)?);
            path
        }
        Protocol::Grpc => {
            headers.insert(TE, HeaderValue::from_static("trailers"));
            format!("{}://{}{path}", to.scheme.as_str(), to.authority)
        }
    };
    let mut request = Request::post(Uri::try_from(uri).map_err(|_| Failure::Answer)?)
        .body(Full::new(body))
        .map_err(|_| Failure::Answer)?;
    *request.headers_mut() = headers;
    Ok(request)
}

/// A message as gRPC has it: not compressed, behind its length.
fn framed(message: &Bytes) -> Bytes {
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
    let mut framed = Vec::with_capacity(message.len() + 5);
    framed.push(0);
    framed.extend_from_slice(&length.to_be_bytes());
    framed.extend_from_slice(message);
    framed.into()
}

async fn read(from: &Collector, answer: Response<Incoming>) -> Result<Partial, Failure> {
    let (head, body) = answer.into_parts();
    let body = Limited::new(body, MOST).collect().await;
    let body = body.map_err(|_| Failure::Answer)?;
    if !head.status.is_success() {
        return Err(Failure::Status {
            status: head.status,
            pause: pause(head.status, &head.headers),
        });
    }
    if from.protocol == Protocol::Http {
        return Ok(otlp::answer(&body.to_bytes()));
    }
    let trailers = body.trailers().cloned().unwrap_or_default();
    // An answer without a message has its status in the head.
    let said = if trailers.contains_key(GRPC_STATUS) {
        &trailers
    } else {
        &head.headers
    };
    match status(said) {
        0 => Ok(otlp::answer(body.to_bytes().get(5..).unwrap_or_default())),
        code => Err(Failure::Grpc {
            code,
            message: message(said),
            has_details: said.contains_key(GRPC_DETAILS),
        }),
    }
}

/// The status of a call; 2, "unknown", if there is none.
fn status(said: &HeaderMap) -> u8 {
    let status = said.get(GRPC_STATUS);
    let status = status.and_then(|value| value.to_str().ok()?.parse().ok());
    status.unwrap_or(2)
}

/// What goes with the status of a call, in which there are escapes.
fn message(said: &HeaderMap) -> String {
    let message = said.get(GRPC_MESSAGE).map(HeaderValue::as_bytes);
    let text = Decoded::once(message.unwrap_or_default().iter().copied()).bytes();
    let text: Vec<u8> = text.take(1000).collect();
    String::from_utf8_lossy(&text).chars().take(200).collect()
}

/// The seconds that a collector asks to be left alone.
fn pause(status: StatusCode, headers: &HeaderMap) -> Option<Duration> {
    let asks = matches!(
        status,
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE
    );
    let seconds = headers.get(RETRY_AFTER).filter(|_| asks)?;
    let seconds = seconds.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}
