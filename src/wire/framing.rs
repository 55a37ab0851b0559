//! How long a message is, and whether its connection may live on: the one decision of RFC 9112
//! section 6.3, used for reading and for writing.

use http::{Method, StatusCode};

use crate::message::body::{BodyLength, FramingError};
use crate::message::bytes::number;
use crate::message::fields::Fields;
use crate::message::head::{AnswerHead, Oddity};
use crate::message::known_field::KnownField;
use crate::message::protocol::Version;

/// The length of a request's body.
pub(super) fn request_body(version: Version, fields: &Fields) -> Result<BodyLength, FramingError> {
    if fields.get_all(KnownField::ContentLength).nth(1).is_some() {
        return Err(FramingError::RepeatedContentLength);
    }
    if fields.has(KnownField::TransferEncoding) && !version.has_chunks() {
        return Err(FramingError::CodingInHttp10);
    }
    let length = fields.get(KnownField::ContentLength);
    Ok(declared(fields, length)?.unwrap_or(BodyLength::None))
}

/// How long an answer's body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AnswerBody {
    /// Its length.
    pub length: BodyLength,
    /// What is not as it should be about its framing, and yet can be read in one way only.
    pub odd: Option<Oddity>,
}

/// The length of an answer's body, which depends on what was asked. The answer to HEAD, 1xx, 204 and
/// 304 end with their heads, whatever their fields say (RFC 9112 section 6.3, item 1).
///
/// Equal lengths, also in a list, are one length (section 6.3, item 5), and chunks are chunks also in HTTP/1.0, as all peers read them:
/// nothing can be smuggled, for the client is told the length anew, and behind an answer in HTTP/1.0
/// with chunks the connection ends ([`keeps_alive`]).
pub fn answer_body(head: &AnswerHead, method: &Method) -> Result<AnswerBody, FramingError> {
    let ends_with_head = *method == Method::HEAD
        || head.status.is_informational()
        || matches!(
            head.status,
            StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED
        );
    if ends_with_head {
        return Ok(AnswerBody {
            length: BodyLength::None,
            odd: None,
        });
    }
    let mut written = head.fields.get_all(KnownField::ContentLength);
    let mut first = written.next();
    let is_repeated = written.next().is_some() || first.is_some_and(|one| one.contains(&b','));
    if is_repeated {
        first = Some(equal_lengths(&head.fields)?);
    }
    let length = declared(&head.fields, first)?.unwrap_or(BodyLength::UntilClose);
    let odd = if is_repeated {
        Some(Oddity::RepeatedLength)
    } else if length == BodyLength::Chunked && !head.version.has_chunks() {
        Some(Oddity::OldChunks)
    } else {
        None
    };
    Ok(AnswerBody { length, odd })
}

/// The length that is written several times, in fields or in a list.
#[cold]
fn equal_lengths(fields: &Fields) -> Result<&[u8], FramingError> {
    let written = fields.get_all(KnownField::ContentLength);
    let mut lengths = written.flat_map(|value| value.split(|b| *b == b',').map(<[u8]>::trim_ascii));
    match lengths.next() {
        Some(first) if lengths.all(|other| first == other) => Ok(first),
        _ => Err(FramingError::RepeatedContentLength),
    }
}

/// What the fields say about a body, if they say anything. `length`: what stands for `Content-Length`.
fn declared(fields: &Fields, length: Option<&[u8]>) -> Result<Option<BodyLength>, FramingError> {
    if fields.has(KnownField::TransferEncoding) {
        return match length {
            Some(_) => Err(FramingError::LengthAndCoding),
            None => chunked(fields).map(Some),
        };
    }
    length
        .map(|length| content_length(length).map(BodyLength::Fixed))
        .transpose()
}

/// `chunked` in one field, alone: codings before it are not decoded here, and empty items of a list
/// are where lenient readers part.
fn chunked(fields: &Fields) -> Result<BodyLength, FramingError> {
    let mut values = fields.get_all(KnownField::TransferEncoding);
    let alone = |value: &[u8]| value.eq_ignore_ascii_case(b"chunked");
    if values.next().is_some_and(alone) && values.next().is_none() {
        return Ok(BodyLength::Chunked);
    }
    let codings = || fields.list_items(KnownField::TransferEncoding);
    let chunked = codings().filter(|coding| is_chunked(coding)).count();
    let at_the_end = codings().last().is_some_and(alone);
    let others = codings().count() > chunked;
    Err(match chunked {
        0 => FramingError::UnknownCoding,
        1 if at_the_end && others => FramingError::UnknownCoding,
        _ => FramingError::ChunkedNotLast,
    })
}

/// Whether a coding is `chunked`, with or without parameters.
fn is_chunked(coding: &[u8]) -> bool {
    let name = coding.split(|b| matches!(b, b';' | b' ' | b'\t')).next();
    name.is_some_and(|name| name.eq_ignore_ascii_case(b"chunked"))
}

/// `1*DIGIT` (RFC 9110 section 8.6), and a number that every reader can hold.
fn content_length(value: &[u8]) -> Result<u64, FramingError> {
    let number = number(value).filter(|n| !value.is_empty() && i64::try_from(*n).is_ok());
    number.ok_or(FramingError::BadContentLength)
}

/// Whether the connection may live on after the message (RFC 9112 section 9.3). Not if it has a
/// transfer coding and a version that knows none (section 6.1).
pub fn keeps_alive(version: Version, fields: &Fields) -> bool {
    if !version.has_chunks() && fields.has(KnownField::TransferEncoding) {
        return false;
    }
    let mut kept = version.is_persistent();
    for option in fields.list_items(KnownField::Connection) {
        if option.eq_ignore_ascii_case(b"close") {
            return false;
        }
        kept = kept || option.eq_ignore_ascii_case(b"keep-alive");
    }
    kept
}

#[cfg(test)]
mod tests;
