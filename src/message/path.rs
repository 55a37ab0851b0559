//! The canonical path: one reading of a request's path, made once, and then matched, protected,
//! limited, logged and forwarded. Two readings of one path are how gateways are walked around, so
//! what services could read in two ways is refused (RFC 3986 section 6.2.2 for the rest).

use std::borrow::Cow;

use super::bytes::SEGMENT;
use super::escapes::{Decoded, byte_of, is_plain, is_unreserved, push_escape};
use super::lenient::{self, Charset};

/// A canonical path. What was canonical as it came is not copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestPath<'a> {
    text: Cow<'a, str>,
    encoded_slash: bool,
    utf8: bool,
}

/// Why a path has more than one reading. The texts are shown to the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AmbiguousPath {
    /// It is not an absolute path.
    #[error("The path does not start with a slash.")]
    NoLeadingSlash,
    /// Some services take it for a slash.
    #[error("The path has a backslash (\\ or %5C).")]
    Backslash,
    /// Some services end the path there, or drop it.
    #[error("The path has a control character, as it is or escaped (%00 to %1F, %7F).")]
    Control,
    /// A `%` without two hexadecimal digits.
    #[error("The path has a broken escape: after % come two hexadecimal digits.")]
    BrokenEscape,
    /// More bytes than UTF-8 needs for a character: some decoders take C0 AE for a dot.
    #[error("The path has an overlong escape, such as %C0%AE for a dot.")]
    Overlong,
    /// A segment that becomes `.` or `..` when it is decoded (also twice, or to compatible
    /// characters), when it is cut at `;` or `?`, or when blanks are taken off.
    #[error("A segment of the path turns into . or .. when it is decoded, cut or trimmed.")]
    HiddenDots,
    /// Some services merge slashes or decode `%2F` before they resolve `..`, others after.
    #[error("In the path a .. follows an empty segment or an encoded slash (%2F).")]
    UncertainParent,
}

impl<'a> RequestPath<'a> {
    /// Reads the path of a request target (without the query).
    pub fn parse(path: &'a [u8]) -> Result<Self, AmbiguousPath> {
        if path.first() != Some(&b'/') {
            return Err(AmbiguousPath::NoLeadingSlash);
        }
        if is_plainly_canonical(path) {
            // Such bytes are ASCII.
            let text = std::str::from_utf8(path).map_err(|_| AmbiguousPath::Overlong)?;
            return Ok(Self {
                text: Cow::Borrowed(text),
                encoded_slash: false,
                utf8: true,
            });
        }
        let normal = normalize(path)?;
        let text = remove_dots(&normal)?;
        let encoded_slash = text.contains("%2F");
        let utf8 = is_utf8(&text);
        let text = if text.as_bytes() == path {
            // It was canonical, only not plainly so.
            std::str::from_utf8(path).map_or(Cow::Owned(text), Cow::Borrowed)
        } else {
            Cow::Owned(text)
        };
        Ok(Self {
            text,
            encoded_slash,
            utf8,
        })
    }

    /// The canonical path; starts with `/`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether a `%2F` stands in it; only the route can say whether that is welcome.
    #[must_use]
    pub fn has_encoded_slash(&self) -> bool {
        self.encoded_slash
    }

    /// Whether its escapes decode to UTF-8, however often they are decoded; only the route can say
    /// whether others are welcome.
    #[must_use]
    pub fn is_utf8(&self) -> bool {
        self.utf8
    }

    /// What was done to make `path` canonical, for those who ask; nothing if it was.
    #[must_use]
    pub fn steps(path: &[u8]) -> Vec<&'static str> {
        let Ok(canonical) = RequestPath::parse(path) else {
            return Vec::new();
        };
        let Ok(normal) = normalize(path) else {
            return Vec::new();
        };
        let mut steps = Vec::new();
        let upper = |escape: &[u8]| escape.iter().any(u8::is_ascii_lowercase);
        let escapes = || path.windows(3).filter(|window| window[0] == b'%');
        let unreserved = |escape: &[u8]| byte_of(&escape[1..]).is_some_and(is_unreserved);
        if escapes().any(unreserved) {
            steps.push("decoded unreserved characters");
        }
        if escapes().any(|escape| !unreserved(escape) && upper(&escape[1..])) {
            steps.push("escapes in upper case");
        }
        if path.iter().any(|b| *b != b'%' && !is_plain(*b)) {
            steps.push("escaped what a path cannot have");
        }
        if normal.contains("//") {
            steps.push("merged slashes");
        }
        if normal
            .split('/')
            .any(|segment| matches!(segment, "." | ".."))
        {
            steps.push("removed dot segments");
        }
        debug_assert_eq!(steps.is_empty(), canonical.as_str().as_bytes() == path);
        steps
    }
}

/// Whether a path is canonical at a glance, as almost all are. What may need a second one (dots that
/// begin a segment, escapes that hide something) is left to the slow way, which decides.
fn is_plainly_canonical(path: &[u8]) -> bool {
    let mut rest = path;
    while let Some(at) = rest.iter().position(|b| !SEGMENT.has(*b)) {
        rest = match &rest[at..] {
            [b'/', after @ ..] if begins_name(after) => after,
            [b'%', after @ ..] if is_settled(after) => &after[2..],
            _ => return false,
        };
    }
    true
}

/// Whether what follows a slash is neither a slash nor anything like a dot segment, also with blanks
/// around it (`+` is one in forms, and to some services in paths).
fn begins_name(after: &[u8]) -> bool {
    let after_dots = match after {
        [b'/' | b'%' | b'+', ..] => return false,
        [b'.', b'.', after @ ..] | [b'.', after @ ..] => after,
        _ => return true,
    };
    !matches!(after_dots, [] | [b'/' | b';' | b'%' | b'+', ..])
}

/// Whether the two digits of an escape are as they should be, and what they stand for can have no
/// part in a second reading of the path.
fn is_settled(digits: &[u8]) -> bool {
    let [high, low, ..] = digits else {
        return false;
    };
    !(high.is_ascii_lowercase() || low.is_ascii_lowercase())
        && byte_of(digits).is_some_and(|byte| {
            let hides = matches!(byte, b'%' | b'/' | b';' | b'\\' | 0x7f..);
            byte >= b' ' && !is_unreserved(byte) && !hides
        })
}

/// Decodes what needs no escape, escapes what needs one, upper-cases the rest; dot segments and
/// repeated slashes stay. What could be read in two ways is refused.
fn normalize(path: &[u8]) -> Result<String, AmbiguousPath> {
    let mut out = String::with_capacity(path.len() + 16);
    let mut rest = path;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        let is_escape = byte == b'%';
        let byte = if is_escape {
            let byte = byte_of(rest).ok_or(AmbiguousPath::BrokenEscape)?;
            rest = &rest[2..];
            byte
        } else {
            byte
        };
        match byte {
            b'\\' => return Err(AmbiguousPath::Backslash),
            0..=0x1f | 0x7f => return Err(AmbiguousPath::Control),
            _ => {}
        }
        if is_unreserved(byte) || (!is_escape && is_plain(byte)) {
            out.push(char::from(byte));
        } else {
            push_escape(&mut out, byte);
        }
    }
    if has_overlong(&out) {
        return Err(AmbiguousPath::Overlong);
    }
    if out.split('/').any(hides_dots) {
        return Err(AmbiguousPath::HiddenDots);
    }
    Ok(out)
}

/// Whether bytes of a normalized path, decoded however often, are more than UTF-8 needs for their
/// character (RFC 3629 section 3).
fn has_overlong(normal: &str) -> bool {
    let mut previous = 0;
    Decoded::new(normal.bytes()).any(|decoded| {
        let pair = (std::mem::replace(&mut previous, decoded.byte), decoded.byte);
        matches!(
            pair,
            (0xc0 | 0xc1, 0x80..=0xbf)
                | (0xe0, 0x80..=0x9f)
                | (0xf0, 0x80..=0x8f)
                | (0xf8, 0x80..=0x87)
                | (0xfc, 0x80..=0x83)
        )
    })
}

/// Whether what the escapes of a normalized path stand for is UTF-8, decoded once, twice or more
/// often: whether the bytes of each character are escaped equally often, too.
fn is_utf8(normal: &str) -> bool {
    let mut bytes = Vec::with_capacity(normal.len());
    let mut before = 0;
    for decoded in Decoded::new(normal.bytes()) {
        if std::mem::replace(&mut before, decoded.layers) != decoded.layers {
            // No character goes on behind an ASCII byte.
            bytes.push(b'%');
        }
        bytes.push(decoded.byte);
    }
    std::str::from_utf8(&bytes).is_ok()
}

/// Whether a normalized segment is no dot segment, but becomes one for some service: one that
/// decodes more than once or to compatible characters (and then meets slashes and backslashes, or a
/// NUL, a `?` or a `#` where the path ends), that cuts parameters off at `;`, that takes blanks off.
fn hides_dots(segment: &str) -> bool {
    let special = |b: &u8| matches!(b, b'%' | b';' | b'+');
    if !segment.as_bytes().iter().any(special) {
        return false;
    }
    let decoded = lenient::decode(segment.bytes(), Charset::Utf8);
    // The dots that make up the current part of the segment, as long as it is nothing but dots.
    let mut dots = Some(0_usize);
    let are_a_dot_segment = |dots| matches!(dots, Some(1 | 2));
    for byte in decoded {
        let ends_part = matches!(byte, b'/' | b'\\' | b';' | b'?' | b'#' | 0);
        if ends_part && are_a_dot_segment(dots) {
            return true;
        }
        dots = match byte {
            b'.' => dots.map(|count| count + 1),
            b'/' | b'\\' => Some(0),
            b' ' | b'+' => dots,
            _ => None,
        };
    }
    are_a_dot_segment(dots)
}

/// RFC 3986 section 5.2.4, then repeated slashes are merged.
fn remove_dots(normal: &str) -> Result<String, AmbiguousPath> {
    let mut out = String::with_capacity(normal.len() + 1);
    let mut segments = normal.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        match segment {
            "." => {}
            ".." => {
                let parent = out.rfind('/').unwrap_or(0);
                if out.get(parent + 1..).is_some_and(is_uncertain) {
                    return Err(AmbiguousPath::UncertainParent);
                }
                out.truncate(parent);
            }
            segment => {
                out.push('/');
                out.push_str(segment);
                continue;
            }
        }
        // What a dot segment leaves at the end is a folder.
        if segments.peek().is_none() {
            out.push('/');
        }
    }
    let mut before = ' ';
    out.retain(|c| std::mem::replace(&mut before, c) != '/' || c != '/');
    Ok(out)
}

/// Whether services disagree on what a `..` after this segment takes off: to some it is none, to
/// others it is several, or the path ends in it.
fn is_uncertain(segment: &str) -> bool {
    let decoded: Vec<u8> = lenient::decode(segment.bytes(), Charset::Utf8).collect();
    let is_name = |b: &u8| !matches!(b, b'.' | b' ' | b'+');
    let empty = decoded
        .iter()
        .find(|b| is_name(b))
        .is_none_or(|b| *b == b';');
    let ends = |b: &u8| matches!(b, b'/' | b'\\' | b'?' | b'#' | 0);
    empty || decoded.iter().any(ends)
}

#[cfg(test)]
mod tests;
