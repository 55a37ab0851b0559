//! How long a message is, and whether its connection may live on: the one decision of RFC 9112
//! section 6.3, used for reading and for writing.

use http::{Method, StatusCode, Version};

use super::fields::{Fields, Known};
use super::head::{RequestHead, ResponseHead};

/// How long a body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyLength {
    /// There is none, and nothing is said about it.
    None,
    /// So many bytes; zero is said, too.
    Fixed(u64),
    Chunked,
    /// Up to the end of the stream; only responses can be.
    UntilClose,
}

/// Why a message's length is refused. The texts are for the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FramingError {
    #[error("Transfer-Encoding and Content-Length do not go together.")]
    LengthAndCoding,
    #[error("Content-Length is not a number of bytes.")]
    BadContentLength,
    #[error("There is more than one Content-Length.")]
    RepeatedContentLength,
    #[error("The only transfer coding that is known here is chunked.")]
    UnknownCoding,
    #[error("The last transfer coding has to be chunked, once and without parameters.")]
    ChunkedNotLast,
    #[error("HTTP/1.0 has no Transfer-Encoding.")]
    CodingInHttp10,
}

/// The length of a request's body.
pub fn request_body(head: &RequestHead) -> Result<BodyLength, FramingError> {
    Ok(declared(head.version, &head.fields)?.unwrap_or(BodyLength::None))
}

/// The length of a response's body, which depends on what was asked.
pub fn response_body(head: &ResponseHead, method: &Method) -> Result<BodyLength, FramingError> {
    let declared = declared(head.version, &head.fields)?;
    let none = *method == Method::HEAD
        || head.status.is_informational()
        || matches!(
            head.status,
            StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED
        );
    Ok(if none {
        BodyLength::None
    } else {
        declared.unwrap_or(BodyLength::UntilClose)
    })
}

fn declared(version: Version, fields: &Fields) -> Result<Option<BodyLength>, FramingError> {
    let mut lengths = fields.get_all(Known::ContentLength);
    let length = lengths.next();
    if lengths.next().is_some() {
        return Err(FramingError::RepeatedContentLength);
    }
    if fields.has(Known::TransferEncoding) {
        return match (length, version) {
            (Some(_), _) => Err(FramingError::LengthAndCoding),
            (None, Version::HTTP_10) => Err(FramingError::CodingInHttp10),
            (None, _) => chunked(fields).map(Some),
        };
    }
    length
        .map(|length| content_length(length).map(BodyLength::Fixed))
        .transpose()
}

fn chunked(fields: &Fields) -> Result<BodyLength, FramingError> {
    let mut codings = fields.list_items(Known::TransferEncoding);
    match (codings.next(), codings.next()) {
        (Some(coding), None) if coding.eq_ignore_ascii_case(b"chunked") => Ok(BodyLength::Chunked),
        (Some(first), rest) => {
            let begins = |coding: &[u8]| {
                coding.len() >= 7
                    && coding[..7].eq_ignore_ascii_case(b"chunked")
                    && matches!(coding.get(7), None | Some(b';' | b' ' | b'\t'))
            };
            let last = codings.last().or(rest).unwrap_or(first);
            let known = begins(first) || !last.eq_ignore_ascii_case(b"chunked");
            Err(if known && begins(first) {
                FramingError::ChunkedNotLast
            } else {
                FramingError::UnknownCoding
            })
        }
        (None, _) => Err(FramingError::UnknownCoding),
    }
}

/// `1*DIGIT` (RFC 9110 section 8.6), and a number that every reader can hold.
fn content_length(value: &[u8]) -> Result<u64, FramingError> {
    let digits = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    let text = std::str::from_utf8(value).ok().filter(|_| digits);
    let number = text
        .and_then(|text| text.parse().ok())
        .filter(|n| i64::try_from(*n).is_ok());
    number.ok_or(FramingError::BadContentLength)
}

/// Whether the connection may live on after the message (RFC 9112 section 9.3).
#[must_use]
pub fn keeps_alive(version: Version, fields: &Fields) -> bool {
    let mut kept = version != Version::HTTP_10;
    for option in fields.list_items(Known::Connection) {
        if option.eq_ignore_ascii_case(b"close") {
            return false;
        }
        kept = kept || option.eq_ignore_ascii_case(b"keep-alive");
    }
    kept
}
