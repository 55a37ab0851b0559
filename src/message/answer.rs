//! The head of an answer as the client gets it.

use http::{HeaderName, StatusCode};

use super::body::BodyLength;
use super::head::AnswerHead;
use super::hop::ConnectionOptions;
use super::known_field::KnownField;
use super::sink::{HeadSink, Persistence};

/// What an answer's head says beside what the service said.
#[derive(Debug)]
pub struct Answer<'a> {
    /// The field that tells the request's id.
    pub request_id_header: &'a HeaderName,
    /// The request's id.
    pub request_id: &'a [u8],
    /// Whether the gateway reports a limit of its own; then the service's report is dropped.
    pub reports_limit: bool,
    /// What becomes of the client's connection.
    pub persistence: Persistence,
}

/// Puts the head of a service's final answer, but for its end: the caller adds the limit's fields
/// and ends it. `body` is how the body will be framed for the client; `put_date` is asked for the
/// time if the answer came without (RFC 9110 section 6.6.1).
pub fn put_answer(
    sink: &mut impl HeadSink,
    head: &AnswerHead,
    body: BodyLength,
    answer: &Answer<'_>,
    put_date: impl FnOnce(&mut Vec<u8>),
) {
    sink.status(head.status, head.reason());
    let options = ConnectionOptions::of(&head.fields);
    // HEAD and 304 tell the length of a body that is not sent; 204 and 1xx have none to tell.
    let tells_length = body == BodyLength::None
        && head.status != StatusCode::NO_CONTENT
        && !head.status.is_informational();
    let mut dated = false;
    for field in head.fields.iter() {
        let passes = match field.known {
            KnownField::ContentLength => tells_length,
            KnownField::RateLimit | KnownField::RateLimitPolicy | KnownField::XRateLimit => {
                !answer.reports_limit
            }
            KnownField::Other => !field
                .name
                .eq_ignore_ascii_case(answer.request_id_header.as_ref()),
            known => !known.is_hop_by_hop(),
        };
        if passes && !options.name(field.name) {
            dated |= field.known == KnownField::Date;
            sink.pass(field);
        }
    }
    sink.framing(body);
    if !dated {
        sink.composed(b"Date", put_date);
    }
    sink.field(answer.request_id_header.as_ref(), answer.request_id);
    sink.connection(answer.persistence, false);
}

/// Puts an interim answer (RFC 9110 section 15.2) whole.
pub fn put_interim(sink: &mut impl HeadSink, head: &AnswerHead) {
    sink.status(head.status, head.reason());
    let options = ConnectionOptions::of(&head.fields);
    for field in head.fields.iter() {
        let framing = field.known == KnownField::ContentLength;
        if !framing && !field.known.is_hop_by_hop() && !options.name(field.name) {
            sink.pass(field);
        }
    }
    sink.end();
}
