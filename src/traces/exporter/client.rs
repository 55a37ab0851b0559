//! How a collector is asked to take a batch: OTLP over HTTP and over gRPC.

use std::sync::Arc;
use std::time::Duration;

use http::header::{CONTENT_TYPE, HOST, RETRY_AFTER, USER_AGENT};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};

use super::connection::Connection;
use super::failure::Failure;
use super::retry_info;
use crate::grpc;
use crate::traces::otlp::{self, Partial};
use crate::traces::settings::{Collector, Protocol, TraceSettings};

/// The largest answer that is read; one that says all has a few hundred bytes.
const MAX_ANSWER: usize = 64 << 10;

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
    let path = to.path();
    let (uri, body) = match to.protocol {
        Protocol::Http => {
            let kind = HeaderValue::from_static("application/x-protobuf");
            headers.insert(CONTENT_TYPE, kind);
            let host = HeaderValue::from_str(&to.authority);
            headers.insert(HOST, host.map_err(|_| Failure::Answer)?);
            (path, message.clone())
        }
        Protocol::Grpc => {
            grpc::put_fields(&mut headers);
            let uri = format!("{}://{}{path}", to.scheme.as_str(), to.authority);
            (uri, grpc::framed(message))
        }
    };
    let mut request = Request::post(Uri::try_from(uri).map_err(|_| Failure::Answer)?)
        .body(Full::new(body))
        .map_err(|_| Failure::Answer)?;
    *request.headers_mut() = headers;
    Ok(request)
}

async fn read(from: &Collector, answer: Response<Incoming>) -> Result<Partial, Failure> {
    let (head, body) = answer.into_parts();
    let body = Limited::new(body, MAX_ANSWER).collect().await;
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
    match grpc::Status::of(&head.headers, body.trailers()) {
        Some(grpc::Status { code: 0, .. }) => {
            let body = body.to_bytes();
            Ok(otlp::answer(grpc::only_message(&body).unwrap_or_default()))
        }
        Some(status) => Err(Failure::Grpc {
            code: status.code,
            message: status.message,
            pause: status
                .details
                .and_then(|details| retry_info::pause(details.as_bytes())),
        }),
        None => Err(Failure::Answer),
    }
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
