//! Stage 5: the request goes to its upstream and the answer comes back, both streaming.
//!
//! A kept connection may have died unnoticed. What was not sent at all is sent again on a fresh
//! one; what may have been read already only if the request is safe to repeat (RFC 9110 section
//! 9.2.2) and still whole in memory.

mod answer;
mod exchange;
mod pass;
mod tunnel;
mod upload;

use std::rc::Rc;
use std::time::Instant;

use http::Method;

use crate::message::body::BodyLength;
use crate::message::forward::{Forwarding, put_request};
use crate::message::known::Known;
use crate::message::protocol::Version;
use crate::message::sink::Persistence;
use crate::route::Route;
use crate::upstream::{ConnectError, Link, Pool, Upstream};
use crate::wire::body::Coding;
use crate::wire::sink::Http1Sink;

use self::answer::{Answered, Keep};
use self::exchange::{Exchange, Failure, Shared};
use self::pass::Taken;
use self::tunnel::tunnel;
use super::aside;
use super::rate_limit::Permit;
use super::record::Record;
use super::rejection::Rejection;
use super::request::{After, Downstream, Request};
use super::resolve::put_target;

/// Sends the request on and streams the answer to the client. A rejection means that the client
/// has not been sent anything yet.
pub(super) async fn proxy<'r>(
    route: &Route,
    permit: &Permit<'r>,
    request: &Request<'r>,
    client: &mut Downstream<'_>,
    record: &Record<'r>,
) -> Result<After, Rejection> {
    let upstream: &'r Upstream = &record.current.snapshot.upstreams[route.upstream];
    record.note_upstream(upstream);
    // `config::later` refuses more than one.
    let (endpoint, pool) = (
        &upstream.endpoints[0],
        &*record.current.pools[route.upstream][0],
    );
    let mut exchange = Exchange {
        route,
        upstream,
        endpoint,
        pool,
        request,
        record,
        websocket: asks_for_websocket(request),
        coding: if request.body == BodyLength::Chunked {
            Coding::Chunked
        } else {
            Coding::Identity
        },
        body_is_read: body_is_read(request),
        uploaded: false,
    };
    let buffers = &record.worker.buffers;
    let mut out = buffers.take();
    put_head(&mut out, &exchange, permit);
    let sent = match exchange.pass(&Shared::begin(record.now())).gather(
        &mut client.body,
        client.reader.input,
        &mut out,
    ) {
        Ok(taken) => {
            exchange.uploaded = taken == Taken::Whole;
            send(&exchange, client, &mut out).await
        }
        Err(error) => Err(upload::refusal(&error)),
    };
    buffers.give(out);
    sent
}

/// Runs the exchange over a kept connection and, if that had died, over a fresh one.
async fn send(
    exchange: &Exchange<'_, '_>,
    client: &mut Downstream<'_>,
    out: &mut Vec<u8>,
) -> Result<After, Rejection> {
    let pool = exchange.pool;
    let repeatable = exchange.uploaded && exchange.request.head.method.is_idempotent();
    let mut kept = pool.take(!repeatable, exchange.record.now());
    loop {
        let mut link = match kept.take() {
            Some(link) => link,
            None => aside(connect(exchange, pool)).await?,
        };
        exchange
            .record
            .attempts
            .set(exchange.record.attempts.get() + 1);
        exchange
            .record
            .endpoint
            .replace(Some(Rc::clone(&link.address_text)));
        match exchange.run(&mut link, client, out).await {
            Ok(answered) if answered.switched => {
                let buffers = &exchange.record.worker.buffers;
                let idle = exchange.upstream.idle_timeout;
                aside(tunnel(&mut link, client, buffers, exchange.record, idle)).await;
                return Ok(After::Close);
            }
            Ok(answered) => {
                keep(link, &answered, pool, exchange);
                return Ok(exchange.record.after(answered.goes_on, &client.body));
            }
            Err(Failure::NothingSent) if link.reused => {}
            Err(Failure::NoAnswer) if link.reused && repeatable => {}
            Err(failure) => return fail(exchange, failure),
        }
    }
}

fn fail(exchange: &Exchange<'_, '_>, failure: Failure) -> Result<After, Rejection> {
    match failure {
        Failure::NothingSent | Failure::NoAnswer => Err(Rejection::UpstreamReset),
        Failure::Rejected(rejection) => Err(rejection),
        Failure::ClientGone => {
            exchange.record.code.set(Some("client_closed"));
            Ok(After::Cut)
        }
        Failure::Broken { code, after } => {
            exchange.record.code.set(Some(code));
            Ok(after)
        }
    }
}

async fn connect(exchange: &Exchange<'_, '_>, pool: &Pool) -> Result<Link, Rejection> {
    let connected = pool.connect(exchange.upstream).await;
    connected.map_err(|error| {
        exchange
            .record
            .attempts
            .set(exchange.record.attempts.get() + 1);
        if pool.should_log(Instant::now()) {
            let (upstream, request_id) =
                (&exchange.upstream.name, exchange.record.request_id.text());
            tracing::warn!(%upstream, %error, request_id, "an upstream cannot be reached");
        }
        match error {
            ConnectError::TimedOut(_) => Rejection::UpstreamTimeout,
            ConnectError::Resolve(_) | ConnectError::Refused { .. } => {
                Rejection::UpstreamUnreachable
            }
        }
    })
}

fn keep(mut link: Link, answered: &Answered, pool: &Pool, exchange: &Exchange<'_, '_>) {
    let longest = exchange.upstream.idle_timeout;
    link.max_idle_time = match answered.keep {
        Keep::No => return,
        Keep::Yes => longest,
        Keep::AtMost(time) => time.min(longest),
    };
    link.connection.rest(&exchange.record.worker.buffers);
    pool.give(link, exchange.upstream.max_idle, answered.at);
}

fn put_head(out: &mut Vec<u8>, exchange: &Exchange<'_, '_>, permit: &Permit<'_>) {
    let (request, route) = (exchange.request, exchange.route);
    let authority = exchange.endpoint.url.authority();
    let prefix = route.prefix.as_str();
    let to = Forwarding {
        names: &exchange.record.current.snapshot.access.names,
        peer: request.peer,
        trusted: request.trusted,
        // HTTP/1.0 may come without; HTTP/1.1 may not go without.
        host: if request.host.is_empty() {
            authority.as_bytes()
        } else {
            request.host
        },
        client: permit.caller().client().map(|client| client.name.as_str()),
        request_id: exchange.record.request_id.bytes(),
        prefix: (route.strip_prefix && prefix != "/").then_some(prefix),
        persistence: match exchange {
            Exchange {
                websocket: true, ..
            } => Persistence::WebSocket,
            Exchange {
                body_is_read: true, ..
            } => Persistence::Stays,
            _ => Persistence::Ends,
        },
        version: request.head.version,
    };
    let base = &exchange.endpoint.url.base_path;
    let path = request.path.as_ref();
    let path = path.expect("only a path has a route");
    let target = |out: &mut Vec<u8>| put_target(out, base, route, path, request.query());
    // Services are spoken to in HTTP/1.1, whatever the client speaks.
    put_request(
        &mut Http1Sink::new(out, Version::Http11),
        &request.head.method,
        target,
        &request.head.fields,
        request.body,
        &to,
    );
}

/// Whether the request wants to become a WebSocket (RFC 6455 section 4.1); upgrades to anything
/// else are ignored, as RFC 9110 section 7.8 allows.
fn asks_for_websocket(request: &Request<'_>) -> bool {
    let fields = &request.head.fields;
    fields.has(Known::Upgrade)
        && request.head.method == Method::GET
        && request.head.version.has_upgrade()
        && matches!(request.body, BodyLength::None | BodyLength::Fixed(0))
        && fields.has_item(Known::Upgrade, b"websocket")
        && fields.has_item(Known::Connection, b"upgrade")
        && fields.has(Known::SecWebSocketKey)
}

/// Whether the service can be relied upon to read the body before the next request. Where a body
/// means nothing to a method (RFC 9110 sections 9.3.1, 9.3.2, 9.3.5), or the method nothing to a
/// service, some leave it unread, and then take it for the next request: a client's own words,
/// with any identity it likes, answered in the place of somebody else's request.
fn body_is_read(request: &Request<'_>) -> bool {
    matches!(request.body, BodyLength::None | BodyLength::Fixed(0))
        || matches!(
            request.head.method,
            Method::POST | Method::PUT | Method::PATCH
        )
}
