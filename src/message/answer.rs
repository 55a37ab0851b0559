//! The head of an answer as the client gets it.

use http::{HeaderName, StatusCode};

use super::body::BodyLength;
use super::bytes::number;
use super::cors::Cors;
use super::field_rules::Edit;
use super::fields::{FieldRef, Fields};
use super::head::AnswerHead;
use super::hop::ConnectionOptions;
use super::known_field::KnownField;
use super::own_urls::OwnUrls;
use super::sink::{FieldSink, HeadSink, Persistence};

/// What an answer's head says beside what the service said.
#[derive(Debug)]
pub struct Answer<'a> {
    /// The field that tells the request's id.
    pub request_id_header: &'a HeaderName,
    /// The request's id.
    pub request_id: &'a [u8],
    /// Whether the gateway reports a limit of its own; then the service's report is dropped.
    pub reports_limit: bool,
    /// What pages of other origins may do, and the fields of the request; then what the service says
    /// of that is dropped.
    pub cors: Option<(&'a Cors, &'a Fields)>,
    /// What of it is the service's own, if clients have to see that otherwise.
    pub own_urls: Option<OwnUrls<'a>>,
    /// What the route changes of the fields.
    pub edit: Option<Edit<'a>>,
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
    let mut has_length = body == BodyLength::None
        && head.status != StatusCode::NO_CONTENT
        && !head.status.is_informational()
        && has_one_length(&head.fields);
    let mut vary = answer.cors.map_or(Vary::Passes, |(cors, _)| {
        Vary::with_origin(cors, &head.fields, &options)
    });
    let mut dated = false;
    for field in head.fields.iter() {
        let passes = match field.known {
            KnownField::ContentLength => std::mem::take(&mut has_length),
            KnownField::RateLimit | KnownField::RateLimitPolicy | KnownField::XRateLimit => {
                !answer.reports_limit
            }
            KnownField::AccessControl => answer.cors.is_none(),
            // It names another way to the service, which would lead past the gateway (RFC 7838).
            KnownField::AltSvc => false,
            KnownField::Other => !field
                .name
                .eq_ignore_ascii_case(answer.request_id_header.as_ref()),
            known => !known.is_hop_by_hop(),
        };
        let edited = answer.edit.is_some_and(|edit| edit.rules.drops(field.name));
        if passes && !edited && !options.name(field.name) {
            dated |= field.known == KnownField::Date;
            match &answer.own_urls {
                Some(own) if OwnUrls::concern(field.known) => own.put(sink, field),
                _ if field.known == KnownField::Vary => vary.put(sink, field),
                _ => sink.pass(field),
            }
        }
    }
    if let Some(edit) = &answer.edit {
        edit.put(sink);
    }
    if let Some((cors, fields)) = answer.cors {
        if vary == Vary::NeedsOrigin {
            sink.field(b"Vary", b"Origin");
        }
        cors.put_fields(sink, fields);
    }
    sink.framing(body);
    if !dated {
        sink.composed(b"Date", put_date);
    }
    sink.field(answer.request_id_header.as_ref(), answer.request_id);
    sink.connection(answer.persistence, false);
    // RFC 9110 section 15.5.22: 426 has to say which protocols the service asks for.
    if head.status == StatusCode::UPGRADE_REQUIRED && head.fields.has(KnownField::Upgrade) {
        sink.offer(head.fields.get_all(KnownField::Upgrade));
    }
}

/// Whether a body's length is told, and every reader would find the same.
fn has_one_length(fields: &Fields) -> bool {
    let mut lengths = fields.get_all(KnownField::ContentLength);
    let is_number = |length: &&[u8]| !length.is_empty() && number(length).is_some();
    match lengths.next().filter(is_number) {
        Some(first) => {
            lengths.all(|other| other == first) && !fields.has(KnownField::TransferEncoding)
        }
        None => false,
    }
}

/// What becomes of a service's `Vary`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Vary {
    Passes,
    /// `Origin` has to be added to the first one, or stands alone.
    NeedsOrigin,
}

impl Vary {
    fn with_origin(cors: &Cors, fields: &Fields, options: &ConnectionOptions<'_>) -> Self {
        let passes = !options.name(b"vary");
        let has = |name: &[u8]| passes && fields.has_item(KnownField::Vary, name);
        if cors.varies() && !has(b"origin") && !has(b"*") {
            Self::NeedsOrigin
        } else {
            Self::Passes
        }
    }

    fn put(&mut self, sink: &mut impl FieldSink, field: FieldRef<'_>) {
        match self {
            Self::NeedsOrigin if !field.value.is_empty() => {
                sink.composed(field.name, |out| {
                    out.extend_from_slice(field.value);
                    out.extend_from_slice(b", Origin");
                });
                *self = Self::Passes;
            }
            _ => sink.pass(field),
        }
    }
}

/// Puts an interim answer (RFC 9110 section 15.2) whole.
pub fn put_interim(sink: &mut impl HeadSink, head: &AnswerHead) {
    sink.status(head.status, head.reason());
    let options = ConnectionOptions::of(&head.fields);
    for field in head.fields.iter() {
        let ours = matches!(field.known, KnownField::ContentLength | KnownField::AltSvc);
        if !ours && !field.known.is_hop_by_hop() && !options.name(field.name) {
            sink.pass(field);
        }
    }
    sink.end();
}
