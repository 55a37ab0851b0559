//! Heads of requests and responses. httparse finds the parts; the stricter rules of RFC 9112 are
//! ours: whatever another reader could understand differently is refused.

use std::mem::MaybeUninit;

use http::{Method, StatusCode, Version};
use memchr::memchr_iter;

use super::fields::{Field, Fields, HeadStorage, Known, Span};
use super::host;

/// The longest request line. RFC 9112 section 3 asks for 8000 octets at least.
pub const MAX_REQUEST_LINE: usize = 16 * 1024;
/// More fields than any limit allows.
const MOST_FIELDS: usize = 256;
/// How many empty lines before a request line are read past (RFC 9112 section 2.2).
const MOST_BLANK: usize = 8;

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

/// Finds the end of a head while its bytes arrive. Each byte is looked at once, however few come at
/// a time.
#[derive(Debug, Default)]
pub struct HeadScanner {
    seen: usize,
    line_start: usize,
    lines: usize,
}

impl HeadScanner {
    /// The head's length once its empty line has arrived. `bytes` starts with the head and has all
    /// that it had at the last call.
    pub fn find_end(
        &mut self,
        bytes: &[u8],
        limits: &HeadLimits,
    ) -> Result<Option<usize>, HeadError> {
        if bytes.first().is_some_and(|b| !is_token_byte(*b)) {
            return Err(HeadError::Malformed(
                "The request does not begin with a method.",
            ));
        }
        for at in memchr_iter(b'\n', &bytes[self.seen..]) {
            let end = self.seen + at;
            if end == 0 || bytes[end - 1] != b'\r' {
                return Err(HeadError::Malformed("A line does not end with CR LF."));
            }
            let empty = end - 1 == self.line_start;
            if self.lines == 0 && end - 1 > MAX_REQUEST_LINE.min(limits.max_bytes) {
                return Err(HeadError::RequestLineTooLong);
            }
            if empty {
                let length = end + 1;
                return if length > limits.max_bytes {
                    Err(HeadError::TooLarge)
                } else {
                    Ok(Some(length))
                };
            }
            self.line_start = end + 1;
            self.lines += 1;
        }
        self.seen = bytes.len();
        if self.lines == 0 && bytes.len() > MAX_REQUEST_LINE.min(limits.max_bytes) {
            Err(HeadError::RequestLineTooLong)
        } else if bytes.len() > limits.max_bytes {
            Err(HeadError::TooLarge)
        } else {
            Ok(None)
        }
    }
}

/// How many bytes of empty lines stand before a request line; they are to be read past.
#[must_use]
pub fn leading_blank(bytes: &[u8]) -> usize {
    bytes
        .chunks_exact(2)
        .take(MOST_BLANK)
        .take_while(|pair| *pair == b"\r\n")
        .count()
        * 2
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

/// Reads the fields of a trailer section, its empty line included.
pub(super) fn trailer_fields(storage: HeadStorage) -> Result<Fields, HeadError> {
    const MOST: usize = 64;
    let HeadStorage { bytes, mut list } = storage;
    check_lines(&bytes)?;
    let mut room = [httparse::EMPTY_HEADER; MOST];
    match httparse::parse_headers(&bytes, &mut room) {
        Ok(httparse::Status::Complete((length, parsed))) if length == bytes.len() => {
            list_fields(parsed, &bytes, &mut list)?;
        }
        Ok(_) | Err(_) => return Err(HeadError::Malformed("The trailer section is malformed.")),
    }
    Ok(Fields { bytes, list })
}

fn version(minor: u8) -> Version {
    if minor == 0 {
        Version::HTTP_10
    } else {
        Version::HTTP_11
    }
}

/// httparse takes a bare LF for the end of a line; other readers do not.
fn check_lines(bytes: &[u8]) -> Result<(), HeadError> {
    let bare = |at: usize| at == 0 || bytes[at - 1] != b'\r';
    if memchr_iter(b'\n', bytes).any(bare) {
        return Err(HeadError::Malformed("A line does not end with CR LF."));
    }
    Ok(())
}

fn list_fields(
    parsed: &[httparse::Header<'_>],
    bytes: &[u8],
    list: &mut Vec<Field>,
) -> Result<(), HeadError> {
    list.clear();
    for field in parsed {
        if field
            .value
            .iter()
            .any(|b| matches!(b, 0..=8 | 10..=31 | 127))
        {
            return Err(HeadError::Malformed(
                "A header field has control characters.",
            ));
        }
        let name = field.name.as_bytes();
        list.push(Field {
            name: Span::of(bytes, name),
            value: Span::of(bytes, super::fields::trim(field.value)),
            known: Known::of(name),
        });
    }
    Ok(())
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

/// RFC 9110 section 5.6.2.
pub(super) fn is_token_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric()
        || matches!(
            b,
            b'!' | b'#'
                | b'$'
                | b'%'
                | b'&'
                | b'\''
                | b'*'
                | b'+'
                | b'-'
                | b'.'
                | b'^'
                | b'_'
                | b'`'
                | b'|'
                | b'~'
        )
}
