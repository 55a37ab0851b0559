//! What the spans of a request say: one of the request as its client sees it, and one of each try to have
//! it answered by a service. Names and meanings are those of OpenTelemetry's semantic conventions for HTTP,
//! as far as they are stable; what they have no name for begins with `tollgate.`.
//!
//! They are made when the request has ended, and only if its trace is recorded.

use std::borrow::Cow;
use std::time::{Duration, Instant};

use http::{Method, StatusCode};
use smallvec::SmallVec;

use crate::message::caller::put_address;
use crate::message::host;
use crate::message::known_field::KnownField;
use crate::message::own_keys;
use crate::metrics::Exemplar;
use crate::traces::{Kind, Span};

use super::super::codes::CLIENT_CLOSED;
use super::super::identify::Caller;
use super::super::request::{Identity, Request};
use super::Record;
use super::trace::{Noted, NotedTry, Trace};

/// What the conventions have for a method that is in no standard: any word might come.
const OTHER: &str = "_OTHER";

impl<'r> Record<'r> {
    /// Hands over the spans of the request, which took so long, if its trace is recorded.
    pub(super) fn hand_over_spans(&self, took: Duration) {
        if self.is_sampled()
            && let Some((trace, noted)) = self.take_noted()
            && let Some(request) = self.request
        {
            self.put_spans(trace, &noted, request, took);
        }
    }

    #[cold]
    #[inline(never)]
    fn put_spans(
        &self,
        trace: &Trace<'r>,
        noted: &Noted<'r>,
        request: &Request<'r>,
        took: Duration,
    ) {
        let begun = self.worker.clock.since_epoch(self.begun);
        // All of them go by one look at the wall clock, which may be set meanwhile.
        let at = |moment: Instant| {
            let later = moment.saturating_duration_since(self.begun).min(took);
            nanoseconds(begun.saturating_add(later))
        };
        let state = self.trace_state(trace);
        let blank = || Span {
            trace_id: trace.id,
            id: noted.id,
            parent: noted.parent,
            is_remote: noted.parent.is_some(),
            flags: trace.flags,
            state: &state,
            name: method_of(request).into(),
            kind: Kind::Server,
            start: nanoseconds(begun),
            end: at(self.begun + took),
            attributes: SmallVec::new(),
            failed: false,
        };
        let mut out = Vec::with_capacity(1024 * (1 + noted.tries.len()));
        let mut whole = blank();
        self.describe(&mut whole, request);
        whole.put(&mut out);
        for (nth, noted_try) in noted.tries.iter().enumerate() {
            let mut span = blank();
            span.id = noted_try.id;
            span.parent = Some(noted.id);
            span.is_remote = false;
            span.kind = Kind::Client;
            span.start = at(noted_try.begun);
            span.end = at(noted_try.ended.unwrap_or(self.begun + took));
            self.describe_try(&mut span, request, noted_try, nth);
            span.put(&mut out);
        }
        self.worker.traces.record(1 + noted.tries.len(), &out);
        self.row.note_exemplar(Exemplar {
            trace_id: trace.id.digits(),
            took,
            begun,
        });
    }

    /// Says what was asked for and what came of it.
    fn describe<'s>(&'s self, span: &mut Span<'s>, request: &'s Request<'r>) {
        put_method(span, request);
        if let Some(route) = self.route() {
            span.name = format!("{} {}", span.name, route.prefix.as_str()).into();
            span.text("http.route", route.prefix.as_str());
            if *route.name != *route.prefix.as_str() {
                span.text("tollgate.route", &*route.name);
            }
        }
        span.text("url.scheme", request.peer.scheme().as_str());
        let sent = || {
            request
                .target
                .map(|target| own_keys::hidden(text(target.path)))
        };
        let path = self.shown_path().or_else(sent);
        span.text_if("url.path", path);
        put_server(span, request);
        span.text("client.address", address(request.address));
        span.text("network.peer.address", address(request.peer.address));
        if request.peer.port != 0 {
            span.number("network.peer.port", request.peer.port);
        }
        span.text("network.protocol.version", request.head.version.via());
        let agent = request.head.fields.get(KnownField::UserAgent);
        span.text_if("user_agent.original", agent.map(text));
        let (status, code) = (self.status.get(), self.code_or_gone());
        put_status(span, status);
        let is_below = |limit| status.is_some_and(|status| status.as_u16() < limit);
        // What a client does wrong, or leaving, is no error of the server's.
        let left = code.is_some_and(is_of_client) && (status.is_none() || is_below(400));
        let cut = code.is_some() && is_below(400) && !left;
        span.failed = cut || status.is_some_and(|status| status.is_server_error());
        if span.failed || left {
            let number = status.map(|status| status.as_str().to_owned());
            let error = code.map(Cow::Borrowed).or(number.map(Cow::Owned));
            span.text_if("error.type", error);
        }
        span.text("tollgate.request_id", self.request_id.text());
        if let Some(Identity::Known(Caller::Identified(client))) = request.identity {
            span.text("tollgate.client", client.name.as_str());
        }
        span.text_if("tollgate.code", code);
        let upstream = self.upstream.get();
        span.text_if(
            "tollgate.upstream",
            upstream.map(|upstream| &*upstream.name),
        );
        let report = self.report.get();
        let refused = report.filter(|it| it.closest.enforces() && !it.decision.admitted);
        let limit = refused
            .map(|report| report.closest)
            .or(self.uncounted.get());
        span.text_if("tollgate.limit", limit.map(|limit| &*limit.name));
    }

    /// Says what was asked of a service and what it did.
    fn describe_try<'s>(
        &'s self,
        span: &mut Span<'s>,
        request: &'s Request<'r>,
        noted: &'s NotedTry<'r>,
        nth: usize,
    ) {
        put_method(span, request);
        let url = &noted.endpoint.url;
        let mut full = format!("{}://{}", url.scheme.as_str(), url.authority()).into_bytes();
        if let Some(route) = request.route {
            request.put_path(&mut full, route.mapping(&url.base_path));
        }
        own_keys::hide(&mut full);
        span.text("url.full", text(&full).into_owned());
        span.text("server.address", &*url.host);
        span.number("server.port", url.port);
        if let Some((address, port)) = noted.address.as_deref().and_then(|it| it.rsplit_once(':')) {
            span.text("network.peer.address", address.trim_matches(['[', ']']));
            if let Ok(port) = port.parse::<u16>() {
                span.number("network.peer.port", port);
            }
        }
        span.text("network.protocol.version", "1.1");
        if nth > 0 {
            span.number("http.request.resend_count", nth as u64);
        }
        put_status(span, noted.status);
        let is_error = |status: &StatusCode| status.as_u16() >= 400;
        let status = noted
            .status
            .filter(is_error)
            .map(|status| status.as_str().to_owned());
        // The last one ends as the request does.
        let last = || self.code_or_gone().filter(|_| noted.ended.is_none());
        let error = status.map(Cow::Owned);
        let error = error.or_else(|| noted.error.clone().or_else(|| last().map(Cow::Borrowed)));
        span.failed = error.is_some();
        span.text_if("error.type", error);
        span.text_if("tollgate.upstream", self.upstream.get().map(|it| &*it.name));
    }

    /// The `tracestate` that came, if it is passed on.
    fn trace_state(&self, trace: &Trace<'r>) -> String {
        let fields = self.request.map(|request| &request.head.fields);
        let Some(fields) = fields.filter(|_| trace.keeps_state) else {
            return String::new();
        };
        let members = fields.list_items(KnownField::TraceState).map(text);
        members.collect::<Vec<_>>().join(",")
    }
}

/// Whether it is the client that made of a request what this code says.
fn is_of_client(code: &str) -> bool {
    code == CLIENT_CLOSED || code == "client_slow"
}

fn is_standard(method: &Method) -> bool {
    matches!(
        *method,
        Method::GET
            | Method::HEAD
            | Method::POST
            | Method::PUT
            | Method::DELETE
            | Method::CONNECT
            | Method::OPTIONS
            | Method::TRACE
            | Method::PATCH
    )
}

/// The method as a span's name has it.
fn method_of<'s>(request: &'s Request<'_>) -> &'s str {
    match &request.head.method {
        method if is_standard(method) => method.as_str(),
        _ => "HTTP",
    }
}

fn put_method<'s>(span: &mut Span<'s>, request: &'s Request<'_>) {
    let method = &request.head.method;
    if is_standard(method) {
        span.text("http.request.method", method.as_str());
    } else {
        span.text("http.request.method", OTHER);
        span.text("http.request.method_original", method.as_str());
    }
}

/// Says which host was asked for.
fn put_server<'s>(span: &mut Span<'s>, request: &'s Request<'_>) {
    let (name, port) = host::split(request.host);
    if name.is_empty() {
        return;
    }
    span.text("server.address", text(name));
    let port = port.and_then(|port| std::str::from_utf8(port).ok()?.parse::<u16>().ok());
    span.number("server.port", port.unwrap_or(request.peer.scheme().port()));
}

fn put_status(span: &mut Span<'_>, status: Option<StatusCode>) {
    if let Some(status) = status {
        span.number("http.response.status_code", status.as_u16());
    }
}

fn address(address: std::net::IpAddr) -> String {
    let mut out = Vec::new();
    put_address(&mut out, address);
    text(&out).into_owned()
}

/// Bytes as text, whatever they are.
fn text(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

fn nanoseconds(since_epoch: Duration) -> u64 {
    u64::try_from(since_epoch.as_nanos()).unwrap_or(u64::MAX)
}
