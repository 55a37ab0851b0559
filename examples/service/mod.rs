//! What the two sample services share: a plain HTTP/1.1 server on loopback and the endpoints that
//! both have, an echo, a slow answer and a stream of events. They know nothing of the gateway in
//! front of them, only what any service behind a proxy knows: `X-Forwarded-Prefix`.

mod events;

use std::convert::Infallible;
use std::error::Error;
use std::net::Ipv4Addr;
use std::time::Duration;

use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, LOCATION};
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::runtime::LocalRuntime;
use tokio::signal::unix::{SignalKind, signal};

pub(crate) use events::events;

/// An answer of a sample service.
pub(crate) type Answer = Response<UnsyncBoxBody<Bytes, Infallible>>;

const CREATE_LIMIT: usize = 64 * 1024;
const ECHO_SHOWN: usize = 1024;
const SLOWEST: Duration = Duration::from_secs(10);
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(2);

/// Serves `answer` on 127.0.0.1 until Ctrl-C or SIGTERM. The port is the first argument, else the
/// environment's `PORT`, else `default_port`.
pub(crate) fn run<A>(name: &str, default_port: u16, answer: A) -> Result<(), Box<dyn Error>>
where
    A: AsyncFn(Request<Incoming>) -> Answer + Clone + 'static,
{
    let port = match std::env::args()
        .nth(1)
        .or_else(|| std::env::var("PORT").ok())
    {
        Some(text) => text
            .parse()
            .map_err(|_| format!("`{text}` is not a port"))?,
        None => default_port,
    };
    LocalRuntime::new()?.block_on(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
            .await
            .map_err(|error| format!("{name} cannot listen on port {port}: {error}"))?;
        println!("{name}: listening on http://{}", listener.local_addr()?);
        serve(listener, answer).await
    })
}

async fn serve<A>(listener: TcpListener, answer: A) -> Result<(), Box<dyn Error>>
where
    A: AsyncFn(Request<Incoming>) -> Answer + Clone + 'static,
{
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let open = GracefulShutdown::new();
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => accepted?.0,
            _ = interrupt.recv() => break,
            _ = terminate.recv() => break,
        };
        let answer = answer.clone();
        let service = service_fn(move |request| {
            let answer = answer.clone();
            async move { Ok::<_, Infallible>(answer(request).await) }
        });
        let connection = open.watch(
            hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .serve_connection(TokioIo::new(stream), service),
        );
        // A connection that fails is its client's affair.
        tokio::task::spawn_local(async move { drop(connection.await) });
    }
    drop(listener);
    // An event stream may be longer than anybody who pressed Ctrl-C wants to wait.
    drop(tokio::time::timeout(SHUTDOWN_TIMEOUT, open.shutdown()).await);
    Ok(())
}

/// Answers with a JSON value.
pub(crate) fn json(status: StatusCode, value: &impl Serialize) -> Answer {
    let mut text = serde_json::to_vec_pretty(value).expect("plain data serialises");
    text.push(b'\n');
    let mut answer = Response::new(Full::from(text).boxed_unsync());
    *answer.status_mut() = status;
    let json = "application/json".parse().expect("a valid field value");
    answer.headers_mut().insert(CONTENT_TYPE, json);
    answer
}

/// Answers with an error, in JSON too.
pub(crate) fn refuse(status: StatusCode, error: &str) -> Answer {
    json(status, &json!({ "error": error }))
}

/// Answers that the path exists, but only for the methods in `allowed`.
pub(crate) fn method_not_allowed(allowed: &'static str) -> Answer {
    let mut answer = refuse(StatusCode::METHOD_NOT_ALLOWED, "method not allowed");
    let allowed = allowed.parse().expect("a valid field value");
    answer.headers_mut().insert(ALLOW, allowed);
    answer
}

/// Answers that `value` was created as `/id`, seen from the client: a proxy that stripped a prefix
/// from the path says so in `X-Forwarded-Prefix`.
pub(crate) fn created(prefix: &str, id: u64, value: &impl Serialize) -> Answer {
    let mut answer = json(StatusCode::CREATED, value);
    if let Ok(location) = format!("{prefix}/{id}").parse() {
        answer.headers_mut().insert(LOCATION, location);
    }
    answer
}

/// What a proxy says it has stripped from the path, or nothing.
pub(crate) fn forwarded_prefix(headers: &HeaderMap) -> String {
    let prefix = headers.get("x-forwarded-prefix");
    let prefix = prefix.and_then(|value| value.to_str().ok()).unwrap_or("");
    prefix.trim_end_matches('/').to_owned()
}

/// Reads a small JSON body; what is wrong with it comes back as the answer.
pub(crate) async fn read_json<T: DeserializeOwned>(body: Incoming) -> Result<T, Answer> {
    let body = Limited::new(body, CREATE_LIMIT)
        .collect()
        .await
        .map_err(|error| {
            refuse(
                StatusCode::PAYLOAD_TOO_LARGE,
                &format!("the body could not be read: {error}"),
            )
        })?;
    serde_json::from_slice(&body.to_bytes()).map_err(|error| {
        refuse(
            StatusCode::UNPROCESSABLE_ENTITY,
            &format!("not what is expected: {error}"),
        )
    })
}

/// `/slow?ms=1500`: answers after that time, ten seconds at most.
pub(crate) async fn slow(query: Option<&str>) -> Answer {
    let wanted = query
        .into_iter()
        .flat_map(|query| query.split('&'))
        .find_map(|pair| pair.strip_prefix("ms="));
    let Ok(wanted) = wanted.unwrap_or("1500").parse() else {
        return refuse(StatusCode::BAD_REQUEST, "`ms` is a number of milliseconds");
    };
    let wait = Duration::from_millis(wanted).min(SLOWEST);
    tokio::time::sleep(wait).await;
    json(StatusCode::OK, &json!({ "waited_ms": wait.as_millis() }))
}

/// `/echo`: the request as this service saw it. The body is counted whole and its beginning shown.
pub(crate) async fn echo(request: Request<Incoming>) -> Answer {
    let (head, mut body) = request.into_parts();
    let (mut length, mut shown) = (0, Vec::new());
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else {
            return refuse(StatusCode::BAD_REQUEST, "the body ended early");
        };
        if let Some(piece) = frame.data_ref() {
            length += piece.len();
            let room = ECHO_SHOWN - shown.len();
            shown.extend_from_slice(&piece[..piece.len().min(room)]);
        }
    }
    let headers: Vec<Value> = head
        .headers
        .iter()
        .map(|(name, value)| {
            json!(format!(
                "{name}: {}",
                String::from_utf8_lossy(value.as_bytes())
            ))
        })
        .collect();
    let mut answer = json(
        StatusCode::OK,
        &json!({
            "method": head.method.as_str(),
            "target": head.uri.to_string(),
            "headers": headers,
            "body": { "length": length, "text": String::from_utf8_lossy(&shown) },
        }),
    );
    let no_store = "no-store".parse().expect("a valid field value");
    answer.headers_mut().insert(CACHE_CONTROL, no_store);
    answer
}
