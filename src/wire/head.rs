//! Heads of requests and responses. httparse finds the parts; the stricter rules of RFC 9112 are
//! ours: whatever another reader could understand differently is refused.

use std::mem::MaybeUninit;

use http::{Method, StatusCode, Version};

use super::fields::{Fields, HeadStorage, Known, Span};
use super::host;
use super::lines::{check_lines, list_fields};

/// More fields than any limit allows.
const MOST_FIELDS: usize = 256;
/// How large a head may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeadLimits {
    /// From its first byte to the end of its empty line.
    pub max_bytes: usize,
    /// At most 256.
    pub max_fields: usize,
}

/// Why a head is refused. The texts are for the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HeadError {
    /// It is not what RFC 9112 allows.
    #[error("{0}")]
    Malformed(&'static str),
    /// The request line alone is too long.
    #[error("The request line is longer than is accepted here.")]
    RequestLineTooLong,
    /// All lines together are too long.
    #[error("The header fields are larger than is accepted here.")]
    TooLarge,
    /// There are too many of them.
    #[error("There are more header fields than are accepted here.")]
    TooManyFields,
    /// It is HTTP, but not 1.0 or 1.1.
    #[error("This port speaks HTTP/1.1 and HTTP/1.0.")]
    Version,
}

/// The head of a request.
#[derive(Debug)]
pub struct RequestHead {
    /// As it came; methods are case-sensitive.
    pub method: Method,
    /// HTTP/1.0 or HTTP/1.1.
    pub version: Version,
    /// In their order.
    pub fields: Fields,
    target: Span,
}

impl RequestHead {
    /// Reads a head; `storage.bytes` is one, from its first byte to the end of its empty line.
    pub fn parse(storage: HeadStorage, limits: &HeadLimits) -> Result<Self, HeadError> {
        let HeadStorage { bytes, mut list } = storage;
        check_lines(&bytes)?;
        let mut room = [const { MaybeUninit::uninit() }; MOST_FIELDS];
        let mut parsed = httparse::Request::new(&mut []);
        let status = parsed
            .parse_with_uninit_headers(&bytes, &mut room[..limits.max_fields.min(MOST_FIELDS)]);
        match status {
            Ok(httparse::Status::Complete(length)) if length == bytes.len() => {}
            Ok(_) => return Err(HeadError::Malformed("The request's head is malformed.")),
            Err(error) => return Err(request_error(error, &bytes)),
        }
        let (Some(method), Some(target), Some(minor)) =
            (parsed.method, parsed.path, parsed.version)
        else {
            return Err(HeadError::Malformed("The request line is malformed."));
        };
        let method = Method::from_bytes(method.as_bytes())
            .map_err(|_| HeadError::Malformed("The method is not a token."))?;
        let target = target.as_bytes();
        if target.is_empty() || target.iter().any(|b| *b <= b' ' || *b == 0x7f) {
            return Err(HeadError::Malformed(
                "The request target has blanks or control characters.",
            ));
        }
        let target = Span::of(&bytes, target);
        list_fields(parsed.headers, &bytes, &mut list)?;
        let version = version(minor);
        let head = Self {
            method,
            version,
            fields: Fields { bytes, list },
            target,
        };
        head.check_host()?;
        Ok(head)
    }

    /// The request target as it came.
    #[must_use]
    pub fn target(&self) -> &[u8] {
        self.target.get(&self.fields.bytes)
    }

    /// Gives the storage back for the next head.
    #[must_use]
    pub fn into_storage(self) -> HeadStorage {
        self.fields.into()
    }

    /// RFC 9112 section 3.2: exactly one `Host` in HTTP/1.1, and a valid one.
    fn check_host(&self) -> Result<(), HeadError> {
        let mut hosts = self.fields.get_all(Known::Host);
        match (hosts.next(), hosts.next()) {
            (_, Some(_)) => Err(HeadError::Malformed("There is more than one Host field.")),
            (None, None) if self.version == Version::HTTP_10 => Ok(()),
            (None, None) => Err(HeadError::Malformed("There is no Host field.")),
            (Some(host), None) if host::is_valid(host) => Ok(()),
            (Some(_), None) => Err(HeadError::Malformed("The Host field is not a host.")),
        }
    }
}

/// The head of a response.
#[derive(Debug)]
pub struct ResponseHead {
    /// 100 to 999.
    pub status: StatusCode,
    /// HTTP/1.0 or HTTP/1.1.
    pub version: Version,
    /// In their order.
    pub fields: Fields,
    reason: Span,
}

impl ResponseHead {
    /// Reads a head; `storage.bytes` is one, from its first byte to the end of its empty line.
    pub fn parse(storage: HeadStorage, limits: &HeadLimits) -> Result<Self, HeadError> {
        let HeadStorage { bytes, mut list } = storage;
        check_lines(&bytes)?;
        let malformed = HeadError::Malformed("The response's head is malformed.");
        let mut room = [const { MaybeUninit::uninit() }; MOST_FIELDS];
        let mut parsed = httparse::Response::new(&mut []);
        let status = httparse::ParserConfig::default().parse_response_with_uninit_headers(
            &mut parsed,
            &bytes,
            &mut room[..limits.max_fields.min(MOST_FIELDS)],
        );
        match status {
            Ok(httparse::Status::Complete(length)) if length == bytes.len() => {}
            Ok(_) => return Err(malformed),
            Err(httparse::Error::TooManyHeaders) => return Err(HeadError::TooManyFields),
            Err(_) => return Err(malformed),
        }
        let (Some(code), Some(minor)) = (parsed.code, parsed.version) else {
            return Err(malformed);
        };
        let status = StatusCode::from_u16(code).map_err(|_| malformed)?;
        let reason = Span::of(&bytes, parsed.reason.unwrap_or_default().as_bytes());
        list_fields(parsed.headers, &bytes, &mut list)?;
        Ok(Self {
            status,
            version: version(minor),
            fields: Fields { bytes, list },
            reason,
        })
    }

    /// The text after the status; may be empty.
    #[must_use]
    pub fn reason(&self) -> &[u8] {
        self.reason.get(&self.fields.bytes)
    }

    /// Gives the storage back for the next head.
    #[must_use]
    pub fn into_storage(self) -> HeadStorage {
        self.fields.into()
    }
}

fn version(minor: u8) -> Version {
    if minor == 0 {
        Version::HTTP_10
    } else {
        Version::HTTP_11
    }
}

fn request_error(error: httparse::Error, bytes: &[u8]) -> HeadError {
    match error {
        httparse::Error::TooManyHeaders => HeadError::TooManyFields,
        httparse::Error::Version if has_other_version(bytes) => HeadError::Version,
        httparse::Error::HeaderName => HeadError::Malformed("A header field's name is malformed."),
        httparse::Error::HeaderValue => {
            HeadError::Malformed("A header field's value is malformed.")
        }
        httparse::Error::NewLine => HeadError::Malformed("A line does not end with CR LF."),
        httparse::Error::Token | httparse::Error::Status | httparse::Error::Version => {
            HeadError::Malformed("The request line is malformed.")
        }
    }
}

/// Whether the request line ends with a version that exists in form, but is not spoken here.
fn has_other_version(bytes: &[u8]) -> bool {
    let line = bytes.split(|b| *b == b'\r').next().unwrap_or_default();
    match line.split(|b| *b == b' ').collect::<Vec<_>>()[..] {
        [_, _, version] => match version.strip_prefix(b"HTTP/") {
            Some([major]) => major.is_ascii_digit(),
            Some([major, b'.', minor]) => major.is_ascii_digit() && minor.is_ascii_digit(),
            _ => false,
        },
        _ => false,
    }
}
