//! Heads of requests and answers, read in one pass by the rules of RFC 9112: whatever another
//! reader could understand differently is refused. Answers may be repaired before ([`super::repair`]).

use std::borrow::Cow;

use http::{Method, StatusCode};
use rustls::AlertDescription;

use crate::message::fields::{Fields, HeadStorage, Span};
use crate::message::head::{AnswerHead, RequestHead};
use crate::message::host;
use crate::message::known_field::KnownField;
use crate::message::protocol::Version;

use super::cursor::Cursor;
use super::faulty_line::faulty_line;
use super::framing::request_body;
use super::http2::PREFACE;
use super::lines::{end_line, read_fields};
use super::repair::repair;

pub use super::lines::{HeadError, HeadLimits, MOST_FIELDS};

/// Reads the head of a request; `storage.bytes` is one, from its first byte to the end of its empty
/// line.
pub fn read_request(storage: HeadStorage, limits: &HeadLimits) -> Result<RequestHead, HeadError> {
    let HeadStorage { bytes, mut list } = storage;
    let mut cursor = begin(&bytes, limits)?;
    let malformed = HeadError::Malformed("The request line is malformed.");
    let method = cursor.token();
    let method = Method::from_bytes(method.get(&bytes)).map_err(|_| malformed)?;
    if !cursor.skip(b" ") {
        return Err(malformed);
    }
    let target = cursor.visible();
    if target.is_empty() || !is_text(target.get(&bytes)) || !cursor.skip(b" ") {
        return Err(malformed);
    }
    let Some(version) = version(&mut cursor) else {
        return Err(if bytes == PREFACE {
            HeadError::Http2
        } else if is_other_version(cursor.rest()) {
            HeadError::Version
        } else {
            malformed
        });
    };
    end_line(&mut cursor, "The request line is malformed.")?;
    read_fields(cursor, &bytes, limits.max_fields, &mut list)?;
    let fields = Fields::new(bytes, list);
    check_host(version, &fields)?;
    let body = request_body(version, &fields);
    Ok(RequestHead::new(method, version, target, fields, body))
}

/// RFC 9112 section 3.2: exactly one `Host` in HTTP/1.1, and a valid one.
fn check_host(version: Version, fields: &Fields) -> Result<(), HeadError> {
    let mut hosts = fields.get_all(KnownField::Host);
    match (hosts.next(), hosts.next()) {
        (_, Some(_)) => Err(HeadError::Malformed("There is more than one Host field.")),
        (None, None) if version == Version::Http10 => Ok(()),
        (None, None) => Err(HeadError::Malformed("There is no Host field.")),
        (Some(host), None) if host::is_valid(host) => Ok(()),
        (Some(_), None) => Err(HeadError::Malformed("The Host field is not a host.")),
    }
}

/// Why the head of an answer could not be had.
#[derive(Debug)]
pub enum AnswerError {
    /// The connection ended or broke before the head was whole.
    Ended,
    /// The service refuses TLS instead, for a reason that it names: with TLS 1.3 it sees a client's
    /// certificate only once the client may send.
    Refused(AlertDescription),
    /// What came is no answer, or can be read in two ways. The text is for the log.
    Invalid(Cow<'static, str>),
}

impl AnswerError {
    /// What is wrong with the head of an answer, of which these are the first bytes.
    pub(super) fn of_head(why: HeadError, head: &[u8]) -> Self {
        Self::Invalid(match why {
            HeadError::Malformed(detail) => match faulty_line(head) {
                Some(line) => format!("{detail} ({line})").into(),
                None => detail.into(),
            },
            HeadError::RequestLineTooLong | HeadError::TooLarge => "its head is too large".into(),
            HeadError::TooManyFields => "it has too many header fields".into(),
            HeadError::Version | HeadError::Http2 => {
                "its version is neither HTTP/1.1 nor HTTP/1.0".into()
            }
        })
    }
}

/// Reads the head of an answer; `storage.bytes` is one, from its first byte to the end of its empty
/// line.
pub fn read_answer(storage: HeadStorage, limits: &HeadLimits) -> Result<AnswerHead, HeadError> {
    let HeadStorage { bytes, mut list } = storage;
    let mut cursor = begin(&bytes, limits)?;
    let malformed = HeadError::Malformed("The status line is malformed.");
    let Some(version) = version(&mut cursor) else {
        let first = bytes.split(|b| b" \r\n".contains(b)).next();
        let is_other = first.is_some_and(is_other_version);
        return Err(if is_other {
            HeadError::Version
        } else {
            malformed
        });
    };
    if !cursor.skip(b" ") {
        return Err(malformed);
    }
    let code = cursor.visible();
    let status = StatusCode::from_bytes(code.get(&bytes)).map_err(|_| malformed)?;
    // RFC 9112 section 4 asks for a blank here, also where no text follows; many leave it out.
    let reason = if cursor.skip(b" ") {
        cursor.text()
    } else {
        Span::default()
    };
    end_line(&mut cursor, "The status line is malformed.")?;
    read_fields(cursor, &bytes, limits.max_fields, &mut list)?;
    let fields = Fields::new(bytes, list);
    Ok(AnswerHead::new(status, version, reason, fields))
}

/// The same for `head` as a service sent it, which is repaired if it has to be. `storage` is empty.
pub fn read_answer_as_sent(
    head: &[u8],
    mut storage: HeadStorage,
    limits: &HeadLimits,
) -> Result<AnswerHead, HeadError> {
    storage.bytes.extend_from_slice(head);
    let malformed = match read_answer(storage, limits) {
        Err(error @ HeadError::Malformed(_)) => error,
        read => return read,
    };
    let repaired = repair(head)?.ok_or(malformed)?;
    let mut head = read_answer(HeadStorage::from(repaired.bytes), limits)?;
    head.repaired = Some(repaired.why);
    Ok(head)
}

/// Where the reading of a head begins, unless it is too large to be read.
fn begin<'b>(bytes: &'b [u8], limits: &HeadLimits) -> Result<Cursor<'b>, HeadError> {
    if bytes.len() > limits.max_bytes {
        Err(HeadError::TooLarge)
    } else {
        Ok(Cursor::new(bytes))
    }
}

/// Whether a target is UTF-8; nearly all are less than that.
fn is_text(target: &[u8]) -> bool {
    target.is_ascii() || str::from_utf8(target).is_ok()
}

/// Moves past a version that is spoken here. A later minor version is to be taken for the latest that is
/// known (RFC 9110 section 2.5).
fn version(cursor: &mut Cursor<'_>) -> Option<Version> {
    if cursor.skip(b"HTTP/1.1") {
        Some(Version::Http11)
    } else if cursor.skip(b"HTTP/1.0") {
        Some(Version::Http10)
    } else {
        let later = cursor.rest();
        let is_later = matches!(later.strip_prefix(b"HTTP/1."), Some([b'2'..=b'9', ..]));
        (is_later && cursor.skip(&later[..8])).then_some(Version::Http11)
    }
}

/// Whether the line ends with a version that exists in form, but is not spoken here.
fn is_other_version(rest: &[u8]) -> bool {
    let version = rest.split(|b| *b == b'\r').next().unwrap_or_default();
    match version.strip_prefix(b"HTTP/") {
        Some([major]) => major.is_ascii_digit(),
        Some([major, b'.', minor]) => major.is_ascii_digit() && minor.is_ascii_digit(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: HeadLimits = HeadLimits {
        max_bytes: 64 * 1024,
        max_fields: 100,
    };

    fn request(head: &[u8]) -> Result<RequestHead, HeadError> {
        read_request(HeadStorage::from(head.to_vec()), &LIMITS)
    }

    fn response(head: &[u8]) -> Result<AnswerHead, HeadError> {
        read_answer(HeadStorage::from(head.to_vec()), &LIMITS)
    }

    fn line(line: &str) -> Result<RequestHead, HeadError> {
        request(format!("{line}\r\nHost: a\r\n\r\n").as_bytes())
    }

    #[test]
    fn a_request_is_read_as_it_stands() {
        let head =
            request(b"get /a?b=%41 HTTP/1.1\r\nX-B: \t1 \r\nhost:a:80\r\nx-b:\r\n\r\n").unwrap();
        assert_eq!(head.method.as_str(), "get");
        assert_eq!(head.target(), b"/a?b=%41");
        assert_eq!(head.version, Version::Http11);
        let seen: Vec<_> = head.fields.iter().map(|f| (f.name, f.value)).collect();
        let expected: [(&[u8], &[u8]); 3] = [(b"X-B", b"1"), (b"host", b"a:80"), (b"x-b", b"")];
        assert_eq!(seen, expected);
        for target in ["*", "http://a/b", "a:443", "/\u{e9}", "/\\\"<>^`{|}#"] {
            let read = line(&format!("GET {target} HTTP/1.0")).unwrap();
            assert_eq!(read.target(), target.as_bytes());
            assert_eq!(read.version, Version::Http10);
        }
    }

    #[test]
    fn other_versions_are_told_apart_from_no_version() {
        for version in ["HTTP/2.0", "HTTP/2", "HTTP/3.0", "HTTP/0.9", "HTTP/9.9"] {
            let refused = line(&format!("GET / {version}")).unwrap_err();
            assert_eq!(refused, HeadError::Version, "{version}");
        }
        for version in ["HTTP/1.2", "HTTP/1.9"] {
            let taken = line(&format!("GET / {version}")).unwrap();
            assert_eq!(taken.version, Version::Http11, "{version}");
            let answer = response(format!("{version} 200 OK\r\n\r\n").as_bytes()).unwrap();
            assert_eq!(answer.version, Version::Http11, "{version}");
        }
        let preface = request(b"PRI * HTTP/2.0\r\n\r\n").unwrap_err();
        assert_eq!(preface, HeadError::Http2);
        for version in [
            "",
            "HTTP",
            "http/1.1",
            "HTTP/1.",
            "HTTP/x.1",
            "HTTP/1.1x",
            "HTTP/1.2x",
            "HTTP/1.12",
            "HTTP/10.1",
        ] {
            let refused = line(&format!("GET / {version}")).unwrap_err();
            assert!(matches!(refused, HeadError::Malformed(_)), "{version}");
        }
    }

    #[test]
    fn a_request_line_has_three_parts_and_two_blanks() {
        for text in [
            "GET  / HTTP/1.1",
            "GET /  HTTP/1.1",
            "GET / HTTP/1.1 ",
            "GET / x HTTP/1.1",
            "GET\t/ HTTP/1.1",
            "GET /\tHTTP/1.1",
            " GET / HTTP/1.1",
            " / HTTP/1.1",
            "\r\nGET / HTTP/1.1",
            "G\u{e9}T / HTTP/1.1",
            "GET: / HTTP/1.1",
            "GET /\0 HTTP/1.1",
            "GET /\u{7f} HTTP/1.1",
            "GET / HTTP/2.0 HTTP/1.1",
        ] {
            let refused = line(text).unwrap_err();
            assert!(matches!(refused, HeadError::Malformed(_)), "{text:?}");
        }
        assert!(request(b"GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n").is_err());
    }

    #[test]
    fn a_head_is_all_there_is() {
        for bytes in [
            "",
            "GET / HTTP/1.1\r\nHost: a\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\n\r\nG",
            "GET / HTTP/1.1\r\nHost: a\n\r\n",
            "GET / HTTP/1.1\nHost: a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\n\n",
        ] {
            assert!(request(bytes.as_bytes()).is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn http_1_1_has_exactly_one_host() {
        let with = |version: &str, fields: &str| {
            request(format!("GET / HTTP/{version}\r\n{fields}\r\n").as_bytes()).is_ok()
        };
        assert!(with("1.1", "hOST: a\r\n"));
        assert!(with("1.0", "Host: a\r\n"));
        assert!(with("1.0", ""));
        for fields in [
            "",
            "Host: a\r\nHost: a\r\n",
            "Host: a\r\nX: y\r\nhost: b\r\n",
            "Host:\r\n",
        ] {
            assert!(!with("1.1", fields), "{fields:?}");
        }
        assert!(!with("1.0", "Host: a\r\nHost: a\r\n"));
        assert!(!with("1.0", "Host: a/b\r\n"));
    }

    #[test]
    fn there_are_no_more_fields_than_allowed() {
        let head = |n: usize| format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: y\r\n".repeat(n));
        assert_eq!(
            request(head(99).as_bytes()).unwrap().fields.iter().len(),
            100
        );
        let refused = request(head(100).as_bytes()).unwrap_err();
        assert_eq!(refused, HeadError::TooManyFields);
        let refused = request(head(99).repeat(200).as_bytes()).unwrap_err();
        assert_eq!(refused, HeadError::TooLarge);
    }

    #[test]
    fn the_same_storage_serves_head_after_head() {
        let mut storage = HeadStorage::from(Vec::with_capacity(100));
        let at = storage.bytes.as_ptr();
        for host in ["first", "2nd"] {
            storage.bytes.extend_from_slice(b"GET / HTTP/1.1\r\nHost: ");
            storage.bytes.extend_from_slice(host.as_bytes());
            storage.bytes.extend_from_slice(b"\r\n\r\n");
            let head = read_request(storage, &LIMITS).unwrap();
            assert_eq!(head.fields.get(KnownField::Host), Some(host.as_bytes()));
            assert_eq!(head.fields.iter().len(), 1);
            storage = head.into_storage();
        }
        assert_eq!(storage.bytes.as_ptr(), at, "the buffer is the same");
    }

    #[test]
    fn a_response_is_read_as_it_stands() {
        let head = response(b"HTTP/1.0 299 A  b\r\nSet-Cookie: a\r\n\r\n").unwrap();
        assert_eq!((head.status.as_u16(), head.version), (299, Version::Http10));
        assert_eq!(head.reason(), b"A  b");
        assert_eq!(head.fields.get(KnownField::SetCookie), Some(&b"a"[..]));
        for without in ["HTTP/1.1 200\r\n\r\n", "HTTP/1.1 200 \r\n\r\n"] {
            assert_eq!(response(without.as_bytes()).unwrap().reason(), b"");
        }
        let head = response(b"HTTP/1.1 200 caf\xe9\r\nA: b\r\n\r\n").unwrap();
        assert_eq!(head.reason(), b"");
    }

    #[test]
    fn a_malformed_response_is_refused() {
        for bytes in [
            "",
            "HTTP/1.1 200 OK\r\n",
            "\r\nHTTP/1.1 200 OK\r\n\r\n",
            "HTTP/2.0 200 OK\r\n\r\n",
            "HTTP/1.1 099 Low\r\n\r\n",
            "HTTP/1.1 2000 OK\r\n\r\n",
            "HTTP/1.1 +20 OK\r\n\r\n",
            "HTTP/1.1  200 OK\r\n\r\n",
            "HTTP/1.1 200\tOK\r\n\r\n",
            "HTTP/1.1 200OK\r\n\r\n",
            "HTTP/1.1 200 OK\rX: y\r\n\r\n",
            "HTTP/1.1 200 OK\n\r\n",
            "HTTP/1.1 200 OK\r\nX : y\r\n\r\n",
            "HTTP/1.1 200 OK\r\nX: y\r\n z\r\n\r\n",
            "HTTP/1.1 200 OK\r\nX: y\0\r\n\r\n",
            "garbage\r\n\r\n",
        ] {
            assert!(response(bytes.as_bytes()).is_err(), "{bytes:?}");
        }
    }
}
