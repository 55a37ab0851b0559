//! A service's answer as the client gets it, and what it says about its connection.

use std::time::{Duration, Instant};

use http::StatusCode;

use crate::message::answer::{Answer, put_answer, put_interim};
use crate::message::body::BodyLength;
use crate::message::fields::Fields;
use crate::message::head::AnswerHead;
use crate::message::known_field::KnownField;
use crate::message::own_urls::OwnUrls;
use crate::message::sink::{HeadSink, Persistence, PutHead};
use crate::wire::framing::keeps_alive;

use super::super::record::Record;
use super::super::request::Request;

/// An answer that has been passed on whole.
#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "what an answer has said, each by itself"
)]
pub(super) struct Relayed {
    /// Whether the client's connection may go on; it was told so.
    pub goes_on: bool,
    /// How long the service's connection may rest, if it may be kept.
    pub rest: Option<Duration>,
    /// The service offers to authenticate the connection.
    pub offers_binding: bool,
    /// The protocol was switched; what follows is a tunnel.
    pub switched: bool,
    /// It is a stream of events, which a drain does not wait for.
    pub endless: bool,
    /// When the last of it was read.
    pub at: Instant,
}

/// The head of a final answer, or of the switch to another protocol.
pub(super) struct Relay<'a, 'r> {
    pub head: &'a AnswerHead,
    pub own_urls: Option<OwnUrls<'a>>,
    /// How the body is framed for the client.
    pub framing: BodyLength,
    pub persistence: Persistence,
    /// When it came.
    pub at: Instant,
    pub record: &'a Record<'r>,
}

impl PutHead for Relay<'_, '_> {
    fn put(&self, sink: &mut impl HeadSink) {
        let (record, snapshot) = (self.record, &self.record.current.snapshot);
        let report = record.report.get();
        let answer = Answer {
            request_id_header: &snapshot.access.names.request_id,
            request_id: record.request_id.bytes(),
            // A WebSocket is not subject to CORS.
            cors: match self.persistence {
                Persistence::WebSocket => None,
                _ => record.request().and_then(Request::cors),
            },
            reports_limit: report.is_some() && snapshot.limits.are_reported(),
            own_urls: self.own_urls,
            edit: record.edit_of_answer(),
            persistence: self.persistence,
        };
        put_answer(sink, self.head, self.framing, &answer, |out| {
            record.worker.clock.put_http(out, self.at);
        });
        if let Some(report) = report {
            report.put_fields(&snapshot.limits, sink);
        }
        sink.end();
    }
}

/// An interim answer.
pub(super) struct Interim<'a>(pub &'a AnswerHead);

impl PutHead for Interim<'_> {
    fn put(&self, sink: &mut impl HeadSink) {
        put_interim(sink, self.0);
    }
}

/// Whether a service has switched to the protocol that was asked for, and to no other.
pub(super) fn switches_to_websocket(head: &AnswerHead) -> bool {
    let mut protocols = head.fields.list_items(KnownField::Upgrade);
    head.status == StatusCode::SWITCHING_PROTOCOLS
        && protocols
            .next()
            .is_some_and(|name| name.eq_ignore_ascii_case(b"websocket"))
        && protocols.next().is_none()
}

/// Whether the answer is a stream of events, which goes on for as long as both sides like.
pub(super) fn is_event_stream(head: &AnswerHead, length: BodyLength) -> bool {
    if matches!(length, BodyLength::None | BodyLength::Fixed(_)) {
        return false;
    }
    let kind = head.fields.get(KnownField::ContentType).unwrap_or_default();
    let kind = kind.split(|b| *b == b';').next().unwrap_or_default();
    kind.trim_ascii().eq_ignore_ascii_case(b"text/event-stream")
}

/// How long the service lets its connection rest after this answer, if at all; not longer than
/// `longest`.
pub(super) fn rest_after(
    head: &AnswerHead,
    length: BodyLength,
    longest: Duration,
) -> Option<Duration> {
    let keeps = keeps_alive(head.version, &head.fields)
        && length != BodyLength::UntilClose
        && !(length == BodyLength::None && announces_body(&head.fields));
    keeps.then(|| rest_hint(&head.fields).map_or(longest, |hint| hint.min(longest)))
}

/// Whether an answer that has no body speaks of one. Some services send it even so, in answer to
/// HEAD or behind a 304: it would be read as the answer to the next request.
fn announces_body(fields: &Fields) -> bool {
    let mut lengths = fields.get_all(KnownField::ContentLength);
    lengths.any(|length| length != b"0") || fields.has(KnownField::TransferEncoding)
}

/// How long the service says that it lets a connection rest, less what a request needs to reach
/// it: one sent at the last moment would meet a closed door.
fn rest_hint(fields: &Fields) -> Option<Duration> {
    let timeout = fields.list_items(KnownField::KeepAlive).find_map(|item| {
        let seconds = std::str::from_utf8(item)
            .ok()?
            .trim()
            .strip_prefix("timeout=")?;
        seconds.parse::<u32>().ok()
    })?;
    Some(Duration::from_secs(timeout.into()).saturating_sub(Duration::from_secs(1)))
}
