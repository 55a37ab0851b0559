//! A request as it is passed on, whichever connection takes it.

use std::cell::Cell;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::Method;
use tokio::time::timeout_at;

use crate::message::body::BodyLength;
use crate::message::caller::caller_with_port;
use crate::message::fields::Fields;
use crate::message::forward::{Forwarding, UNKNOWN_HOST, put_request};
use crate::message::head::Oddity;
use crate::message::known_field::KnownField;
use crate::message::method::is_idempotent;
use crate::message::own_target::{OwnTarget, Renamed};
use crate::message::own_urls::OwnUrls;
use crate::message::protocol::Scheme;
use crate::message::sink::{HeadSink, Persistence, PutHead};
use crate::route::{Route, SentHost};
use crate::upstream::{
    AddressPool, Announcement, Balance, Candidate, Candidates, ConnectError, Endpoint, Link,
    Missed, TlsError, Try, Upstream,
};

use crate::wire::end::End;
use crate::wire::proxy_protocol::Addresses;

use super::super::hashed_by;
use super::super::rate_limit::Permit;
use super::super::record::Record;
use super::super::request::Request;
use super::error::{AttemptError, Cause, TimeOut};
use super::kept::Kept;

/// A request that is passed on.
pub(super) struct Forward<'f, 'r> {
    pub route: &'r Route,
    pub upstream: &'r Upstream,
    /// Its addresses, as this worker sees them.
    pub candidates: &'r Candidates,
    pub request: &'f Request<'r>,
    pub record: &'f Record<'r>,
    /// The client's name, if it is an identified one.
    client: Option<&'r str>,
    /// It may be sent twice and does no more than one.
    idempotent: bool,
    /// It asks to become a WebSocket.
    pub websocket: bool,
    /// What a connection to the service begins with, if it is to say whose it is.
    pub announced: Option<Rc<Announcement>>,
    /// From when on the route's time counts for all tries, and for the wait for a place: all of the request
    /// was at hand before the first, or has been sent to a service.
    pub counts_since: Cell<Option<Instant>>,
}

impl<'f, 'r> Forward<'f, 'r> {
    pub(super) fn new(
        route: &'r Route,
        place: usize,
        permit: &Permit<'r>,
        request: &'f Request<'r>,
        record: &'f Record<'r>,
        from: &mut End<'_>,
    ) -> Self {
        let candidates: &'r Candidates = &record.current.upstreams[place];
        let upstream = candidates.upstream();
        record.note_upstream(upstream);
        Self {
            route,
            upstream,
            candidates,
            request,
            record,
            client: permit.caller().client().map(|client| client.name.as_str()),
            idempotent: is_idempotent(&request.head.method),
            websocket: asks_for_websocket(request),
            announced: announced(upstream, request, record, from),
            counts_since: Cell::new(None),
        }
    }

    /// The hash of what the request is told apart by, where its upstream goes by that.
    pub(super) fn hash(&self) -> u64 {
        let Balance::Hash(by) = &self.upstream.rules.balance else {
            return 0;
        };
        let text = hashed_by::text(by, self.request, self.client);
        hashed_by::hash_of(text, self.request.address)
    }

    /// How much of the request's body is kept for another try.
    pub(super) fn keeps(&self) -> usize {
        match &self.upstream.rules.retry {
            Some(rules) if self.idempotent => match self.request.body {
                BodyLength::Fixed(length) if length > rules.body as u64 => 0,
                _ => rules.body,
            },
            _ => 0,
        }
    }

    /// Whether the upstream's rules allow a request to be tried again.
    pub(super) fn may_be_retried(&self) -> bool {
        self.upstream.rules.retry.is_some()
    }

    /// Whether the request can be sent again, and does no more than if it is sent once.
    pub(super) fn is_repeatable(&self, kept: &Kept<'_>) -> bool {
        self.idempotent && kept.has_all() && (kept.is_whole() || self.keeps() > 0)
    }

    /// Whether an endpoint can be relied upon to read the request's body before the next request, so that
    /// its connection may be used again, if any is. Where a body means nothing to a method (RFC 9110
    /// sections 9.3.1, 9.3.2, 9.3.5), or the method nothing to a service, some leave it unread, and then
    /// take it for the next request: a client's own words, with any identity it likes, answered in the
    /// place of somebody else's request. Of what POST, PUT and PATCH bring that is known once it has happened.
    pub(super) fn keeps_connection(&self, endpoint: &Endpoint) -> bool {
        let means_something =
            || matches!(*self.method(), Method::POST | Method::PUT | Method::PATCH);
        self.upstream.rules.max_idle > 0
            && (self.request.body.is_empty() || means_something() && !endpoint.leaves_bodies())
    }

    /// The endpoint that a try goes to.
    pub(super) fn endpoint(&self, current: &Try) -> &'r Endpoint {
        self.candidates.endpoint(current.candidate())
    }

    /// Connects. All tries together have the route's time, connecting included, from when all of the
    /// request is at hand.
    /// Addresses that fail meanwhile are `missed`.
    pub(super) async fn connect(
        &self,
        candidate: &Candidate,
        missed: &Missed,
    ) -> Result<Link, AttemptError> {
        let pool = self.candidates.pool(candidate);
        let (announced, buffers) = (self.announced.clone(), &self.record.worker.buffers);
        let connecting = pool.connect(&candidate.pool, self.upstream, announced, buffers, missed);
        let patience = self.route.timeout;
        let connected = match self.counts_since.get() {
            None => Ok(connecting.await),
            Some(since) => timeout_at((since + patience).into(), connecting).await,
        };
        match connected {
            Ok(connected) => connected.map_err(|error| self.unreachable(error)),
            Err(_) => Err(AttemptError::unconnected(
                Cause::TimedOut(TimeOut::All, patience),
                Duration::ZERO,
            )),
        }
    }

    /// Logs that no connection could be made.
    pub(super) fn unreachable(&self, error: ConnectError) -> AttemptError {
        self.log_unreachable(&error, error.is_ours());
        AttemptError::unconnected(Cause::Connect(error), Duration::ZERO)
    }

    /// Logs that the service refused TLS where its answer should have come, as TLS 1.3 lets it.
    pub(super) fn refused(&self, error: TlsError) -> Cause {
        self.log_unreachable(&error, false);
        Cause::Refused(error)
    }

    /// Once a second is enough, however many requests that concerns.
    fn log_unreachable(&self, error: &dyn fmt::Display, is_ours: bool) {
        if !self.candidates.unreachable_log.is_due(Instant::now()) {
            return;
        }
        let (upstream, request_id) = (&self.upstream.name, self.record.request_id.text());
        let trace_id = self.record.trace_id().map(tracing::field::display);
        if is_ours {
            tracing::error!(%upstream, %error, request_id, trace_id, "there is no room for another connection");
        } else {
            tracing::warn!(%upstream, %error, request_id, trace_id, "an upstream cannot be reached");
        }
    }

    /// The request's method.
    pub(super) fn method(&self) -> &'f Method {
        &self.request.head.method
    }

    /// Logs what is odd about an answer that was read all the same, once a minute.
    pub(super) fn log_odd(&self, odd: Option<Oddity>) {
        // The first endpoint keeps the time for the whole upstream.
        if let (Some(odd), Some(endpoint)) = (odd, self.upstream.endpoints.first())
            && endpoint.state.odd_log.is_due(Instant::now())
        {
            let (upstream, request_id) = (&self.upstream.name, self.record.request_id.text());
            let trace_id = self.record.trace_id().map(tracing::field::display);
            tracing::warn!(
                %upstream,
                why = odd.as_str(),
                request_id,
                trace_id,
                "an answer of a service is not as HTTP asks for; it was read all the same"
            );
        }
    }

    /// Notes that an attempt begins.
    pub(super) fn note_attempt(&self, pool: &AddressPool) {
        self.record.attempts.set(self.record.attempts.get() + 1);
        self.record.endpoint.replace(Some(Rc::clone(&pool.text)));
        self.record.try_goes_to(&pool.text);
        self.record.upstream_time.set(None);
    }

    /// The host that this endpoint is asked for, if it is not the one that the client has asked for.
    fn other_host<'h>(&'h self, endpoint: &'h Endpoint) -> Option<&'h [u8]> {
        match &self.route.host {
            SentHost::Preserve => None,
            SentHost::Endpoint => Some(endpoint.url.authority().as_bytes()),
            SentHost::Name(name) => Some(name.as_bytes()),
        }
    }

    /// What in an answer of this endpoint, with these fields, clients have to see otherwise.
    pub(super) fn own_urls<'h>(
        &'h self,
        endpoint: &'h Endpoint,
        fields: &Fields,
    ) -> Option<OwnUrls<'h>> {
        if !self.route.rewrites_redirects || !OwnUrls::are_in(fields) {
            return None;
        }
        let mapping = self.route.mapping(&endpoint.url.base_path);
        let paths = (!mapping.is_identity()).then_some(mapping);
        let public = match self.request.host {
            [] => UNKNOWN_HOST,
            host => host,
        };
        let other = self.other_host(endpoint);
        Some(OwnUrls {
            // With the same host and the same paths, what it calls its own is what clients call it.
            asked: other.or(paths.is_some().then_some(public)),
            paths,
            endpoints: &self.upstream.authorities,
            plain: endpoint.url.scheme == Scheme::Http,
            public: self.request.public_origin(),
        })
    }

    /// What names other resources as this endpoint calls them, where clients call them otherwise and they are
    /// this route's.
    fn renamed(&self, endpoint: &Endpoint) -> Renamed {
        let (request, fields) = (self.request, &self.request.head.fields);
        if !fields.has(KnownField::OtherResource) && !fields.has(KnownField::If) {
            return Renamed::default();
        }
        let paths = self.route.mapping(&endpoint.url.base_path);
        let other_host = self.other_host(endpoint);
        if paths.is_identity() && other_host.is_none() {
            return Renamed::default();
        }
        let own = OwnTarget {
            paths,
            public: [request.host, request.public_origin().1],
            service: (endpoint.url.scheme, other_host.unwrap_or(request.host)),
        };
        let routes = &self.record.current.snapshot.routes;
        Renamed::of(fields, &own, |path| {
            let found = routes.find(request.host, self.method(), path).route();
            found.is_some_and(|found| std::ptr::eq(Arc::as_ptr(found), self.route))
        })
    }

    /// The head that goes to this endpoint.
    pub(super) fn head_for<'h>(
        &'h self,
        endpoint: &'h Endpoint,
        keeps_connection: bool,
    ) -> ServiceHead<'h, 'r> {
        ServiceHead {
            forward: self,
            endpoint,
            keeps_connection,
        }
    }
}

/// The head of a request as an endpoint gets it.
pub(super) struct ServiceHead<'h, 'r> {
    forward: &'h Forward<'h, 'r>,
    endpoint: &'h Endpoint,
    keeps_connection: bool,
}

impl PutHead for ServiceHead<'_, '_> {
    fn put(&self, sink: &mut impl HeadSink) {
        let forward = self.forward;
        let (request, route) = (forward.request, forward.route);
        let prefix = route.prefix.as_str();
        let request_id = forward.record.request_id.bytes();
        let to = Forwarding {
            names: &forward.record.current.snapshot.access.names,
            peer: *request.peer,
            trusted: request.trusted,
            host: request.host,
            other_host: forward.other_host(self.endpoint),
            client: forward.client,
            request_id,
            prefix: (route.strip_prefix && prefix != "/").then_some(prefix),
            edit: request.edit(route.request_headers.as_deref(), request_id),
            persistence: if forward.websocket {
                Persistence::WebSocket
            } else if self.keeps_connection {
                Persistence::Stays
            } else {
                Persistence::Ends
            },
            version: request.head.version,
            renamed: forward.renamed(self.endpoint),
            trace: forward.record.forwarded_trace(),
        };
        put_request(
            sink,
            &request.head.method,
            |out| request.put_target(out, route.mapping(&self.endpoint.url.base_path)),
            &request.head.fields,
            request.body,
            &to,
        );
    }
}

/// Whose the connection is that the service gets the request on, where it asks for that.
fn announced(
    upstream: &Upstream,
    request: &Request<'_>,
    record: &Record<'_>,
    from: &mut End<'_>,
) -> Option<Rc<Announcement>> {
    let version = upstream.rules.proxy_protocol?;
    let snapshot = &record.current.snapshot;
    let source = caller_with_port(*request.peer, &request.head.fields, |hop| {
        snapshot.trusts(hop)
    });
    let destination = from.reached();
    Some(Rc::new(Announcement {
        version,
        addresses: Addresses {
            source,
            destination,
        },
    }))
}

/// Whether the request wants to become a WebSocket (RFC 6455 section 4.1); upgrades to anything
/// else are ignored, as RFC 9110 section 7.8 allows.
fn asks_for_websocket(request: &Request<'_>) -> bool {
    let fields = &request.head.fields;
    fields.has(KnownField::Upgrade)
        && request.head.method == Method::GET
        && request.head.version.has_upgrade()
        && request.body.is_empty()
        && fields.has_item(KnownField::Upgrade, b"websocket")
        && fields.has_item(KnownField::Connection, b"upgrade")
        && fields.has(KnownField::SecWebSocketKey)
}
