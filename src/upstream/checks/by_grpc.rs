//! A check by the health protocol of gRPC: one call over HTTP/2, which passes if the answer is SERVING. Each
//! has a connection of its own, as checks by HTTP have: so it finds out whether a client that comes now is
//! served, and between checks no service can send anything that would have to be read.
//! <https://github.com/grpc/grpc/blob/master/doc/health-checking.md>

use std::pin::pin;
use std::time::Duration;

use h2::client::{Builder, SendRequest};
use h2::{Error, Reason};
use http::{HeaderMap, Request, StatusCode, Version, header, response};
use hyper::body::Bytes;
use tokio::io::AsyncWriteExt;
use tokio::time::{Instant, timeout_at};

use crate::grpc::{self, Status};
use crate::protobuf::{Read, fields, put_bytes};
use crate::upstream::check_failure::{CheckFailure, GrpcFailure};
use crate::upstream::failure::Failure;
use crate::wire::buffers::Buffers;
use crate::wire::stream::Connection;

use super::stream::{Stream, Watch};
use super::target::{Target, USER_AGENT};

const METHOD: &str = "/grpc.health.v1.Health/Check";

/// What ALPN calls HTTP/2.
const HTTP2: &[u8] = b"h2";

/// The longest body that is read; one that says all has seven bytes.
const MAX_MESSAGE: usize = 4 * 1024;
/// So much of it may come before it is read, in bytes.
const WINDOW: u32 = 8 * 1024;
/// The longest head, in bytes.
const MOST_HEAD: u32 = 16 * 1024;

/// How long the goodbye may take: some services log a connection that ends without one.
const GOODBYE: Duration = Duration::from_millis(100);

/// What a service has answered.
struct Answer {
    head: response::Parts,
    /// All of it, or more than is read.
    body: Vec<u8>,
    trailers: Option<HeaderMap>,
}

/// Asks whether this service serves; with an empty name, whether the server as a whole does.
pub(super) async fn check(
    target: &Target,
    service: &str,
    connection: Connection,
    deadline: Instant,
    buffers: &Buffers,
) -> Result<(), CheckFailure> {
    let agreed = connection.agreed();
    if agreed.is_some_and(|agreed| agreed.protocol != Some(HTTP2)) {
        return Err(GrpcFailure::NoHttp2.into());
    }
    // Fails for a host that no URL can have, and the configuration takes none.
    let request = request(target, deadline).map_err(|_| Failure::Invalid)?;
    let mut message = Vec::new();
    if !service.is_empty() {
        put_bytes(&mut message, 1, service.as_bytes());
    }
    let watch = Watch::default();
    let mut stream = Stream::new(connection, buffers, &watch);
    if target.endpoint().tls.is_none() {
        let mut first = Vec::new();
        target.put_first(&mut first);
        // If that fails, so does reading.
        let _ = stream.write_all(&first).await;
    }
    match call(stream, request, grpc::framed(&message), deadline).await {
        Ok(answer) => verdict(target, &answer),
        Err(error) => {
            let (upstream, endpoint) = (&target.upstream.name, target.address.socket);
            tracing::debug!(%upstream, %endpoint, %error, "a check by gRPC has no answer");
            Err(watch.fault().unwrap_or_else(|| failure(&error)))
        }
    }
}

fn request(target: &Target, deadline: Instant) -> http::Result<Request<()>> {
    let (scheme, host) = (target.endpoint().url.scheme.as_str(), target.host());
    let left = deadline.saturating_duration_since(Instant::now());
    let mut request = Request::post(format!("{scheme}://{host}{METHOD}"))
        .version(Version::HTTP_2)
        .header(header::USER_AGENT, USER_AGENT)
        .header("grpc-timeout", format!("{}m", left.as_millis().max(1)))
        .body(())?;
    grpc::put_fields(request.headers_mut());
    Ok(request)
}

/// Sends the request and reads the answer.
async fn call(
    stream: Stream<'_>,
    request: Request<()>,
    message: Bytes,
    deadline: Instant,
) -> Result<Answer, Error> {
    let mut http2 = Builder::new();
    http2
        .enable_push(false)
        .initial_window_size(WINDOW)
        .max_header_list_size(MOST_HEAD);
    let (sender, mut connection) = http2.handshake(stream).await?;
    let mut exchange = pin!(exchange(sender, request, message));
    let answer = tokio::select! {
        biased;
        answer = &mut exchange => answer,
        _ = &mut connection => {
            // Some errors reach the exchange only so.
            drop(connection);
            return exchange.await;
        }
    };
    let until = deadline.min(Instant::now() + GOODBYE);
    let _ = timeout_at(until, connection).await;
    answer
}

async fn exchange(
    sender: SendRequest<Bytes>,
    request: Request<()>,
    message: Bytes,
) -> Result<Answer, Error> {
    let mut sender = sender.ready().await?;
    let (answer, mut body) = sender.send_request(request, false)?;
    body.send_data(message, true)?;
    let (head, mut pieces) = answer.await?.into_parts();
    let mut body = Vec::new();
    while let Some(piece) = pieces.data().await {
        body.extend_from_slice(&piece?);
        if body.len() > MAX_MESSAGE {
            let trailers = None;
            return Ok(Answer {
                head,
                body,
                trailers,
            });
        }
    }
    let trailers = pieces.trailers().await?;
    Ok(Answer {
        head,
        body,
        trailers,
    })
}

/// Why there is no answer.
fn failure(error: &Error) -> CheckFailure {
    match error.reason() {
        Some(Reason::HTTP_1_1_REQUIRED) if error.is_remote() => GrpcFailure::NoHttp2.into(),
        _ if error.is_remote() || error.is_io() => Failure::Reset.into(),
        _ => Failure::Invalid.into(),
    }
}

fn verdict(target: &Target, answer: &Answer) -> Result<(), CheckFailure> {
    let head = &answer.head;
    if head.status != StatusCode::OK {
        return Err(Failure::Status(head.status).into());
    }
    let status = Status::of(&head.headers, answer.trailers.as_ref());
    let failure = match status {
        _ if !grpc::is_grpc(&head.headers) => GrpcFailure::NotGrpc,
        _ if answer.body.len() > MAX_MESSAGE => GrpcFailure::TooLarge,
        None => GrpcFailure::NoStatus,
        Some(Status { code: 0, .. }) => {
            let message = grpc::only_message(&answer.body).ok_or(Failure::Invalid)?;
            return serving(message).map_err(CheckFailure::Grpc);
        }
        Some(status) => {
            let (upstream, endpoint) = (&target.upstream.name, target.address.socket);
            let (code, said) = (status.code, status.message);
            tracing::debug!(%upstream, %endpoint, code, said, "a service refuses a check by gRPC");
            GrpcFailure::Status(code)
        }
    };
    Err(failure.into())
}

/// What a `HealthCheckResponse` says.
fn serving(message: &[u8]) -> Result<(), GrpcFailure> {
    let numbers = fields(message).filter_map(|field| match field {
        (1, Read::Number(number)) => Some(number),
        _ => None,
    });
    match numbers.last() {
        Some(1) => Ok(()),
        Some(2) => Err(GrpcFailure::NotServing),
        Some(3) => Err(GrpcFailure::ServiceUnknown),
        _ => Err(GrpcFailure::Unknown),
    }
}
