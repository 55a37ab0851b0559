//! The head of an answer as the client gets it.

use http::{HeaderName, StatusCode, Version};

use super::body::BodyLength;
use super::forward::{put, put_framing};
use super::head::AnswerHead;
use super::hop::ConnectionOptions;
use super::known::Known;

/// What an answer's head says beside what downstream said.
#[derive(Debug)]
pub struct Answer<'a> {
    /// The field that tells the request's id.
    pub request_id_header: &'a HeaderName,
    /// The request's id.
    pub request_id: &'a [u8],
    /// Whether the gateway reports a limit of its own; then downstream's report is dropped.
    pub reports_limit: bool,
    /// What the client is told about its connection.
    pub connection: ConnectionHeader,
}

/// What the other end is told about its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectionHeader {
    /// It goes on, as HTTP/1.1 does by default.
    Silent,
    /// It goes on, which an HTTP/1.0 client has to be told.
    KeepAlive,
    /// It ends after this exchange.
    Close,
    /// It becomes a WebSocket.
    Upgrade,
}

/// Appends a status line.
pub fn put_status(out: &mut Vec<u8>, status: StatusCode, reason: &[u8]) {
    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(status.as_str().as_bytes());
    out.push(b' ');
    out.extend_from_slice(reason);
    out.extend_from_slice(b"\r\n");
}

/// Appends the head of downstream's final answer, but for its last empty line: the caller adds the
/// limit's fields and ends it. `body` is how the body will be framed for the client; `put_date` is
/// asked for the time if the answer came without (RFC 9110 section 6.6.1).
pub fn put_answer(
    out: &mut Vec<u8>,
    head: &AnswerHead,
    body: BodyLength,
    answer: &Answer<'_>,
    put_date: impl FnOnce(&mut Vec<u8>),
) {
    put_status(out, head.status, head.reason());
    let options = ConnectionOptions::of(&head.fields);
    // HEAD and 304 tell the length of a body that is not sent; 204 and 1xx have none to tell.
    let tells_length = body == BodyLength::None
        && head.status != StatusCode::NO_CONTENT
        && !head.status.is_informational();
    let mut dated = false;
    for field in head.fields.iter() {
        let passes = match field.known {
            Known::Connection
            | Known::KeepAlive
            | Known::ProxyConnection
            | Known::Te
            | Known::TransferEncoding
            | Known::Upgrade => false,
            Known::ContentLength => tells_length,
            Known::RateLimit | Known::RateLimitPolicy | Known::XRateLimit => !answer.reports_limit,
            Known::Other => !field
                .name
                .eq_ignore_ascii_case(answer.request_id_header.as_ref()),
            _ => true,
        };
        if passes && !options.name(field.name) {
            dated |= field.known == Known::Date;
            put(out, field.name, field.value);
        }
    }
    put_framing(out, body);
    if !dated {
        out.extend_from_slice(b"Date: ");
        put_date(out);
        out.extend_from_slice(b"\r\n");
    }
    put(out, answer.request_id_header.as_ref(), answer.request_id);
    put_connection(out, answer.connection);
}

/// Appends what the other end is told about its connection.
pub fn put_connection(out: &mut Vec<u8>, connection: ConnectionHeader) {
    out.extend_from_slice(match connection {
        ConnectionHeader::Silent => b"",
        ConnectionHeader::KeepAlive => b"Connection: keep-alive\r\n",
        ConnectionHeader::Close => b"Connection: close\r\n",
        ConnectionHeader::Upgrade => b"Connection: upgrade\r\nUpgrade: websocket\r\n",
    });
}

/// Appends an interim answer (RFC 9110 section 15.2) whole.
pub fn put_interim(out: &mut Vec<u8>, head: &AnswerHead) {
    put_status(out, head.status, head.reason());
    let options = ConnectionOptions::of(&head.fields);
    for field in head.fields.iter() {
        let hop = matches!(
            field.known,
            Known::Connection
                | Known::KeepAlive
                | Known::ProxyConnection
                | Known::Te
                | Known::TransferEncoding
                | Known::Upgrade
                | Known::ContentLength
        );
        if !hop && !options.name(field.name) {
            put(out, field.name, field.value);
        }
    }
    out.extend_from_slice(b"\r\n");
}

/// What a client of this version is told when its connection goes on, or does not.
#[must_use]
pub fn connection_header(version: Version, goes_on: bool) -> ConnectionHeader {
    match (goes_on, version) {
        (false, _) => ConnectionHeader::Close,
        (true, Version::HTTP_10) => ConnectionHeader::KeepAlive,
        (true, _) => ConnectionHeader::Silent,
    }
}
