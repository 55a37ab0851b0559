//! Answers that the gateway makes itself: rejections and the health check. They are small, whole
//! and never cached; a body that the client is still sending is read past, if it is short.

use std::borrow::Cow;
use std::future::poll_fn;
use std::io;
use std::time::Duration;

use http::{HeaderName, StatusCode, header};

use crate::message::body::BodyLength;
use crate::message::caller::Peer;
use crate::message::known_field::KnownField;
use crate::message::path::RequestPath;
use crate::message::sink::{FieldSink, HeadSink, Persistence, PutHead};
use crate::message::target::host_without_port;
use crate::route::{FixedAnswer, Redirect, Route};
use crate::wire::body::Piece;
use crate::wire::end::End;
use crate::wire::head::HeadError;
use crate::wire::http2;
use crate::wire::stream::GivenUp;

use super::client_side::{After, ClientSide};
use super::record::Record;
use super::rejection::Rejection;
use super::request::Request;
use super::worker::Worker;

/// The health check's answer: it runs.
const HEALTHY: &[u8] = b"{\"status\":\"ok\"}";
/// Bodies up to this size are read past, so that a refused upload does not cost its connection.
const READ_PAST: u64 = 64 * 1024;
/// How long a client may take to read an answer of ours, or to send a body that is read past.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is answered.
#[derive(Clone, Copy)]
pub(super) enum Reply<'a> {
    Healthy,
    /// What a certificate authority is to see.
    Challenge(&'a str),
    /// The request was to come no further than here.
    LastHop,
    /// The client is sent to the same URL with `https`.
    ToHttps,
    /// The client is sent elsewhere.
    Redirect(&'a Route, &'a Redirect),
    /// The route's own answer.
    Configured(&'a FixedAnswer),
    /// A browser asks what a page may send.
    Preflight,
    Rejected(&'a Rejection),
}

/// Refuses what could not even be read as a request.
pub async fn refuse_unread(
    worker: &Worker,
    peer: &Peer<'_>,
    rejection: &Rejection,
    client: &mut ClientSide<'_>,
) {
    let current = worker.current();
    let record = Record::begin(worker, &current, peer, None, worker.clock.look());
    answer(Reply::Rejected(rejection), &record, client).await;
}

/// Refuses a client that begins with HTTP/2, in that protocol.
pub async fn refuse_http2(worker: &Worker, peer: &Peer<'_>, client: &mut ClientSide<'_>) -> After {
    let current = worker.current();
    let record = Record::begin(worker, &current, peer, None, worker.clock.look());
    let rejection = Rejection::from(HeadError::Http2);
    record.code.set(Some(rejection.code()));
    record.note_detail(&rejection);
    record.status.set(Some(rejection.status()));
    let sent = send(&mut client.end, http2::REFUSAL);
    match client.alarm.limit(PATIENCE, sent).await {
        Ok(()) => After::Close,
        Err(error) => {
            note_unsent(&record, &error);
            After::Cut
        }
    }
}

/// Leaves the access line of a request whose client left before it could be read.
pub fn note_unread(worker: &Worker, peer: &Peer<'_>) {
    let current = worker.current();
    drop(Record::begin(
        worker,
        &current,
        peer,
        None,
        worker.clock.look(),
    ));
}

/// Sends the answer and says what becomes of the connection.
pub(super) async fn answer(
    reply: Reply<'_>,
    record: &Record<'_>,
    client: &mut ClientSide<'_>,
) -> After {
    if let Reply::Rejected(rejection) = reply {
        record.code.set(Some(rejection.code()));
        record.note_detail(rejection);
    }
    if client.end.give_up() != GivenUp::Unsent {
        // An answer that follows on one that is not whole would be read as a part of it.
        return After::Cut;
    }
    // Where the request ends is not known, so what is read next need not be another.
    let closes = matches!(reply, Reply::Rejected(rejection) if rejection.closes());
    let goes_on = !closes && goes_on(client, record);
    let own = OwnAnswer::to(reply, record, goes_on);
    record.status.set(Some(own.status));
    client.end.send_head(&own, own.framing());
    // RFC 9110 section 9.3.2, also where nothing but the method could be made sense of.
    let is_head = record.request().is_some_and(Request::is_head);
    let body = if is_head { &[][..] } else { &own.body };
    let sent = client.alarm.limit(PATIENCE, send(&mut client.end, body));
    if let Err(error) = sent.await {
        note_unsent(record, &error);
        return After::Cut;
    }
    record.bytes_out.set(body.len() as u64);
    if goes_on && !client.end.is_taken() && !read_past(client, record).await {
        return After::Close;
    }
    if closes {
        return After::Close;
    }
    record.after(goes_on, client)
}

/// Notes that the client has not taken the answer in time. Why it was to have that one is in the detail.
fn note_unsent(record: &Record<'_>, error: &io::Error) {
    if error.kind() != io::ErrorKind::TimedOut {
        return;
    }
    let slow = Rejection::ClientSlow.code();
    let detail = match record.code.replace(Some(slow)) {
        Some(code) => format!("the answer, {code}, was read too slowly"),
        None => "the answer was read too slowly".to_owned(),
    };
    record.detail.replace(Some(detail.into()));
}

fn goes_on(client: &ClientSide<'_>, record: &Record<'_>) -> bool {
    let Some(request) = record.request() else {
        return false;
    };
    let short = match request.body {
        BodyLength::Fixed(length) => length <= READ_PAST,
        // How long a chunked one is shows when it is read past.
        BodyLength::None | BodyLength::Chunked | BodyLength::UntilClose => true,
    };
    // Told no, a client that asked first may or may not send its body (RFC 9110 section 10.1.1).
    let asked = request.head.fields.has(KnownField::Expect) && !client.end.is_taken();
    // Of a body that was being passed on it is not certain how far it has been taken.
    let begun = record.bytes_in.get() > 0 && !client.end.is_taken();
    record.goes_on() && short && !asked && !begun
}

async fn send(client: &mut End<'_>, mut body: &[u8]) -> io::Result<()> {
    while !body.is_empty() {
        let taken = poll_fn(|cx| client.poll_piece(cx, body)).await?;
        body = &body[taken..];
    }
    client.finish(None, |_| false);
    poll_fn(|cx| client.poll_flush(cx)).await
}

/// An answer of the gateway's own.
struct OwnAnswer<'a, 'r> {
    reply: Reply<'a>,
    record: &'a Record<'r>,
    goes_on: bool,
    status: StatusCode,
    kind: &'a [u8],
    body: Cow<'a, [u8]>,
}

impl<'a, 'r> OwnAnswer<'a, 'r> {
    fn to(reply: Reply<'a>, record: &'a Record<'r>, goes_on: bool) -> Self {
        let (status, body, kind): (_, Cow<'a, [u8]>, &[u8]) = match reply {
            Reply::Healthy => (StatusCode::OK, HEALTHY.into(), b"application/json"),
            // RFC 8555 section 8.3.
            Reply::Challenge(shown) => (
                StatusCode::OK,
                shown.as_bytes().into(),
                b"application/octet-stream",
            ),
            Reply::LastHop => (StatusCode::OK, Cow::default(), b""),
            Reply::Preflight => (StatusCode::NO_CONTENT, Cow::default(), b""),
            Reply::ToHttps => (StatusCode::PERMANENT_REDIRECT, Cow::default(), b""),
            Reply::Redirect(_, redirect) => (redirect.status, Cow::default(), b""),
            Reply::Configured(fixed) => {
                let kind = if fixed.body.is_empty() {
                    ""
                } else {
                    &fixed.content_type
                };
                (fixed.status, fixed.body.as_bytes().into(), kind.as_bytes())
            }
            Reply::Rejected(rejection) => {
                let field = &record.current.snapshot.access.names.key_sources;
                let problem = rejection.problem(field, record.request_id.text());
                (
                    rejection.status(),
                    problem.into(),
                    b"application/problem+json",
                )
            }
        };
        Self {
            reply,
            record,
            goes_on,
            status,
            kind,
            body,
        }
    }

    /// Puts where a request is sent that has come to this route.
    fn put_location(&self, sink: &mut impl FieldSink, route: &Route, redirect: &Redirect) {
        let request = self.record.request();
        let path = request.and_then(|request| request.path.as_ref());
        let path = path.map_or(route.prefix.as_str(), RequestPath::as_str);
        let query = request.and_then(Request::query);
        sink.composed(b"Location", |out| {
            redirect.to.put(out, &route.prefix, path, query);
        });
    }

    /// Puts the URL that was asked for with `https`, on its usual port.
    fn put_https(&self, sink: &mut impl FieldSink) {
        let Some(request) = self.record.request() else {
            return;
        };
        sink.composed(b"Location", |out| {
            out.extend_from_slice(b"https://");
            out.extend_from_slice(host_without_port(request.host));
            if let Some(target) = request.target.filter(|target| target.path != b"*") {
                out.extend_from_slice(target.path);
                if let Some(query) = target.query {
                    out.push(b'?');
                    out.extend_from_slice(query);
                }
            }
        });
    }

    /// Whether such a field is about this very answer, and so not for the route to say.
    fn says(&self, name: &HeaderName) -> bool {
        let is_own = !matches!(self.reply, Reply::Redirect(..) | Reply::Configured(_));
        match *name {
            header::CONTENT_TYPE
            | header::CONTENT_ENCODING
            | header::CONTENT_RANGE
            | header::LOCATION
            | header::ALLOW
            | header::WWW_AUTHENTICATE => true,
            // An answer that is the gateway's own is never to be stored.
            header::CACHE_CONTROL | header::EXPIRES | header::ETAG | header::LAST_MODIFIED => {
                is_own
            }
            _ => false,
        }
    }

    fn framing(&self) -> BodyLength {
        match self.status {
            // RFC 9110 section 8.6.
            StatusCode::NO_CONTENT => BodyLength::None,
            _ => BodyLength::Fixed(self.body.len() as u64),
        }
    }
}

impl PutHead for OwnAnswer<'_, '_> {
    fn put(&self, sink: &mut impl HeadSink) {
        let (record, reason) = (self.record, self.status.canonical_reason());
        sink.status(self.status, reason.unwrap_or("").as_bytes());
        if !self.kind.is_empty() {
            sink.field(b"Content-Type", self.kind);
        }
        sink.framing(self.framing());
        match self.reply {
            Reply::Redirect(route, redirect) => self.put_location(sink, route, redirect),
            Reply::ToHttps => self.put_https(sink),
            // It is for the configuration to say.
            Reply::Configured(_) => {}
            _ => sink.field(b"Cache-Control", b"no-store"),
        }
        let clock = &record.worker.clock;
        sink.composed(b"Date", |out| clock.put_http(out, record.begun()));
        let snapshot = &record.current.snapshot;
        let names = &snapshot.access.names;
        sink.field(names.request_id.as_ref(), record.request_id.bytes());
        if let Some(report) = record.report.get() {
            report.put_fields(&snapshot.limits, sink);
        }
        if let Reply::Rejected(rejection) = self.reply {
            rejection.put_fields(&names.key_sources, sink);
        }
        match (record.request().and_then(Request::cors), self.reply) {
            (None, _) => {}
            (Some((cors, fields)), Reply::Preflight) => cors.put_preflight(sink, fields),
            (Some((cors, fields)), _) => {
                if cors.varies() {
                    sink.field(b"Vary", b"Origin");
                }
                cors.put_fields(sink, fields);
            }
        }
        if let Some(edit) = record.edit_of_answer() {
            edit.put_but(sink, |name| self.says(name));
        }
        let persistence = if self.goes_on {
            Persistence::Stays
        } else {
            Persistence::Ends
        };
        sink.connection(persistence, false);
        sink.end();
    }
}

/// Reads past what is left of the body; says whether its end was reached.
async fn read_past(client: &mut ClientSide<'_>, record: &Record<'_>) -> bool {
    let end = &mut client.end;
    let reached = client.alarm.limit(PATIENCE, async {
        let mut seen = 0_u64;
        loop {
            match end.next_piece() {
                Ok(Piece::Data(bytes)) => {
                    let n = bytes.len();
                    end.used(n);
                    seen = seen.saturating_add(n as u64);
                    let bytes_in = &record.bytes_in;
                    bytes_in.set(bytes_in.get().saturating_add(n as u64));
                    if seen > READ_PAST {
                        return Ok(false);
                    }
                }
                Ok(Piece::NeedMore) => poll_fn(|cx| end.poll_more(cx)).await?,
                Ok(Piece::End(_)) => return Ok(true),
                Err(_) => return Ok(false),
            }
        }
    });
    reached.await.unwrap_or(false)
}
