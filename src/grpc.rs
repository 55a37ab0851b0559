//! A call of gRPC with one message each way, as values: what the head of a request says, how a message is
//! framed, and what an answer says of the call. Whoever makes one brings the connection.
//! <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>

use http::header::{CONTENT_TYPE, TE};
use http::{HeaderMap, HeaderName, HeaderValue};
use hyper::body::Bytes;

use crate::message::escapes::Decoded;

const MEDIA_TYPE: &str = "application/grpc";

const STATUS: HeaderName = HeaderName::from_static("grpc-status");
const MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
const DETAILS: HeaderName = HeaderName::from_static("grpc-status-details-bin");

/// So much of the text that goes with a status is kept, in characters.
const MAX_TEXT: usize = 200;

/// The statuses by their codes, in lower case.
const NAMES: [&str; 17] = [
    "ok",
    "cancelled",
    "unknown",
    "invalid_argument",
    "deadline_exceeded",
    "not_found",
    "already_exists",
    "permission_denied",
    "resource_exhausted",
    "failed_precondition",
    "aborted",
    "out_of_range",
    "unimplemented",
    "internal",
    "unavailable",
    "data_loss",
    "unauthenticated",
];

/// Adds what the head of every call says.
pub(crate) fn put_fields(headers: &mut HeaderMap) {
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
    headers.insert(TE, HeaderValue::from_static("trailers"));
}

/// Whether an answer is one of gRPC, whatever its messages are encoded in. Proxies in front of a service
/// answer with pages of their own.
pub(crate) fn is_grpc(head: &HeaderMap) -> bool {
    let media_type = head.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    let Some((own, rest)) = media_type.and_then(|it| it.split_at_checked(MEDIA_TYPE.len())) else {
        return false;
    };
    own.eq_ignore_ascii_case(MEDIA_TYPE.as_bytes())
        && matches!(rest.first(), None | Some(b'+' | b';' | b' '))
}

/// A message, not compressed, behind its length.
pub(crate) fn framed(message: &[u8]) -> Bytes {
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
    let mut framed = Vec::with_capacity(message.len() + 5);
    framed.push(0);
    framed.extend_from_slice(&length.to_be_bytes());
    framed.extend_from_slice(message);
    framed.into()
}

/// The message of an answer: all of its body, behind the length. Nothing if it is compressed, which nobody
/// has allowed, not whole, or not the only one.
pub(crate) fn only_message(body: &[u8]) -> Option<&[u8]> {
    let ([0, length @ ..], message) = body.split_first_chunk::<5>()? else {
        return None;
    };
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    (message.len() == length).then_some(message)
}

/// How a call has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Status {
    /// 0 to 16; 0 is the only good one.
    pub code: u8,
    /// What the service says about it, or nothing.
    pub message: String,
    /// What programs are told about it, as it came.
    pub details: Option<HeaderValue>,
}

impl Status {
    /// What an answer says: in its trailers or, if it has no message, in its head. Nothing if the answer
    /// was cut or is none of gRPC.
    pub(crate) fn of(head: &HeaderMap, trailers: Option<&HeaderMap>) -> Option<Self> {
        let said = trailers.filter(|it| it.contains_key(STATUS));
        let said = said.unwrap_or(head);
        let code = said.get(STATUS)?.to_str().ok();
        let code = code.and_then(|code| code.parse().ok());
        Some(Self {
            // Others are to be taken for "unknown".
            code: code.filter(|code| name(*code).is_some()).unwrap_or(2),
            message: text(said),
            details: said.get(DETAILS).cloned(),
        })
    }
}

/// What a status is called.
pub(crate) fn name(code: u8) -> Option<&'static str> {
    NAMES.get(usize::from(code)).copied()
}

/// What goes with a status, in which there are escapes.
fn text(said: &HeaderMap) -> String {
    let text = said.get(MESSAGE).map(HeaderValue::as_bytes);
    let text = Decoded::once(text.unwrap_or_default().iter().copied()).bytes();
    let text: Vec<u8> = text.take(MAX_TEXT * 4).collect();
    String::from_utf8_lossy(&text)
        .chars()
        .take(MAX_TEXT)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(of: &[(HeaderName, &str)]) -> HeaderMap {
        let field = |(name, value): &(HeaderName, &str)| (name.clone(), value.parse().unwrap());
        of.iter().map(field).collect()
    }

    #[test]
    fn a_message_is_read_if_it_is_the_only_one_and_whole() {
        for message in [&b""[..], b"\x08\x01", &[7; 300]] {
            assert_eq!(only_message(&framed(message)), Some(message));
        }
        for body in [
            &b""[..],
            b"\0\0\0\0",
            b"\0\0\0\0\x02\x08",
            b"\0\0\0\0\x01\x08\x01",
            b"\x01\0\0\0\x02\x08\x01",
            b"\0\xff\xff\xff\xff\x08\x01",
            b"\0\0\0\0\x00\0\0\0\0\x00",
        ] {
            assert_eq!(only_message(body), None, "{body:?}");
        }
    }

    #[test]
    fn what_is_grpc_says_so() {
        for (media_type, expected) in [
            ("application/grpc", true),
            ("application/grpc+proto", true),
            ("Application/gRPC; charset=utf-8", true),
            ("application/grpc-web", false),
            ("application/json", false),
            ("text/html", false),
            ("", false),
        ] {
            let head = fields(&[(CONTENT_TYPE, media_type)]);
            assert_eq!(is_grpc(&head), expected, "{media_type}");
        }
        assert!(!is_grpc(&HeaderMap::new()));
    }

    #[test]
    fn the_status_is_that_of_the_trailers_or_of_a_head_without_a_message() {
        let [five, none] = [&[(STATUS, "5")][..], &[]].map(fields);
        let code = |head: &_, trailers: Option<&_>| Some(Status::of(head, trailers)?.code);
        assert_eq!(code(&none, Some(&five)), Some(5));
        assert_eq!(code(&five, None), Some(5));
        assert_eq!(code(&five, Some(&none)), Some(5));
        assert_eq!(code(&fields(&[(STATUS, "0")]), Some(&five)), Some(5));
        assert_eq!(code(&none, Some(&none)), None);
        for odd in ["17", "256", "-1", "", "ok"] {
            let odd = fields(&[(STATUS, odd)]);
            assert_eq!(code(&none, Some(&odd)), Some(2), "{odd:?}");
        }
        assert_eq!((name(12), name(17)), (Some("unimplemented"), None));
    }

    #[test]
    fn what_goes_with_a_status_is_decoded_and_bounded() {
        let long = "x".repeat(10_000);
        for (said, expected) in [
            ("not%20now", "not now"),
            ("100%", "100%"),
            ("%ff%C3%A4", "\u{fffd}\u{e4}"),
            (&long, &long[..MAX_TEXT]),
        ] {
            let said = fields(&[(STATUS, "14"), (MESSAGE, said)]);
            assert_eq!(Status::of(&said, None).unwrap().message, expected);
        }
    }
}
