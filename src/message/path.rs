//! The canonical path: a request's path is normalized once (RFC 3986 section 6.2.2), and the result
//! is matched, protected, limited, logged and forwarded. A gateway that reads a path in one way and a
//! service in another can be bypassed, so paths that services may read in two ways are refused.

use std::borrow::Cow;

use super::bytes::{PATH, SEGMENT, UNRESERVED};
use super::escapes::{Decoded, byte_of, push_escape};
use super::lenient::{self, Charset};

mod slashes;

use self::slashes::{has_encoded_run, merge_slashes, shows_its_slashes};

/// A canonical path. It borrows the request's bytes if they were canonical already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestPath<'a> {
    text: Cow<'a, str>,
    /// The same with all its slashes, if some were merged.
    unmerged: Option<Box<str>>,
    encoded_slashes: EncodedSlashes,
    encoded_control: bool,
    utf8: bool,
}

/// The encoded slashes (`%2F`) of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum EncodedSlashes {
    None,
    /// None stands beside another slash.
    Apart,
    /// One does, encoded or not.
    InRun,
}

/// Why a path has more than one reading. The texts are shown to the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AmbiguousPath {
    /// The path is not absolute.
    #[error("The path does not start with a slash.")]
    NoLeadingSlash,
    /// Some services take a backslash for a slash.
    #[error("The path has a backslash (\\ or %5C).")]
    Backslash,
    /// Some services end the path at a control character, others drop it.
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
    /// Some services merge slashes, decode (`%2F`, `%3F`) or trim segments before they resolve `..`,
    /// others after.
    #[error("In the path a .. follows a segment that is empty or blank, or has an encoded / or ?.")]
    UncertainParent,
    /// Some services decode it, and then take what follows `//` for a host or a new beginning.
    #[error("In the path an encoded slash stands beside another slash, encoded or not.")]
    EncodedSlashes,
    /// Where repeated slashes count, services would not see the same ones.
    #[error(
        "The path has repeated slashes beside one that is encoded more than once or hidden otherwise."
    )]
    HiddenSlashes,
}

impl<'a> RequestPath<'a> {
    /// Normalizes the path of a request target (without the query).
    pub fn parse(path: &'a [u8]) -> Result<Self, AmbiguousPath> {
        if path.first() != Some(&b'/') {
            return Err(AmbiguousPath::NoLeadingSlash);
        }
        if is_plainly_canonical(path) {
            // Such bytes are ASCII.
            let text = std::str::from_utf8(path).map_err(|_| AmbiguousPath::Overlong)?;
            return Ok(Self {
                text: Cow::Borrowed(text),
                unmerged: None,
                encoded_slashes: EncodedSlashes::None,
                encoded_control: false,
                utf8: true,
            });
        }
        let normal = normalize(path)?;
        let unmerged = remove_dots(&normal)?;
        let text = merge_slashes(&unmerged);
        let encoded_slashes = if has_encoded_run(&text) {
            if !shows_its_slashes(&text) {
                return Err(AmbiguousPath::EncodedSlashes);
            }
            EncodedSlashes::InRun
        } else if text.contains("%2F") {
            EncodedSlashes::Apart
        } else {
            EncodedSlashes::None
        };
        let unmerged = (text != unmerged).then(|| unmerged.into());
        let encoded_control = has_encoded_control(&text);
        let utf8 = is_utf8(&text);
        let text = if text.as_bytes() == path {
            // It was canonical, but `is_plainly_canonical` could not know that.
            std::str::from_utf8(path).map_or(Cow::Owned(text), Cow::Borrowed)
        } else {
            Cow::Owned(text)
        };
        Ok(Self {
            text,
            unmerged,
            encoded_slashes,
            encoded_control,
            utf8,
        })
    }

    /// Normalizes a path of the configuration, in which no control character makes sense.
    pub fn parse_configured(path: &'a str) -> Result<Self, AmbiguousPath> {
        let path = Self::parse(path.as_bytes())?;
        if path.encoded_control {
            return Err(AmbiguousPath::Control);
        }
        if path.has_encoded_run() {
            return Err(AmbiguousPath::EncodedSlashes);
        }
        Ok(path)
    }

    /// The canonical path; starts with `/`.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it contains `%2F`, which a route may accept or refuse.
    pub fn has_encoded_slash(&self) -> bool {
        self.encoded_slashes != EncodedSlashes::None
    }

    /// Whether a `%2F` stands beside another slash, encoded or not: to services that decode it, that is
    /// a `//`. A route may accept or refuse it.
    pub fn has_encoded_run(&self) -> bool {
        self.encoded_slashes == EncodedSlashes::InRun
    }

    /// Whether some service sees other slashes than those that are written as `/` or `%2F`, such as
    /// `%252F`, or a segment as empty that is not.
    pub fn hides_slashes(&self) -> bool {
        !shows_its_slashes(&self.text)
    }

    /// Whether it contains an escaped control character, which a route may accept or refuse.
    pub fn has_encoded_control(&self) -> bool {
        self.encoded_control
    }

    /// The path with all its slashes, if it had some in a row.
    pub fn with_all_slashes(&self) -> Option<&str> {
        self.unmerged.as_deref()
    }

    /// Whether its escapes decode to UTF-8, however often they are decoded. A route may accept or
    /// refuse other paths.
    pub fn is_utf8(&self) -> bool {
        self.utf8
    }

    /// What was done to make `path` canonical, for `explain`. Empty if it was canonical.
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
        let unreserved = |escape: &[u8]| byte_of(&escape[1..]).is_some_and(|b| UNRESERVED.has(b));
        if escapes().any(unreserved) {
            steps.push("decoded unreserved characters");
        }
        if escapes().any(|escape| !unreserved(escape) && upper(&escape[1..])) {
            steps.push("escapes in upper case");
        }
        if path.iter().any(|b| *b != b'%' && !PATH.has(*b)) {
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

/// A quick check that almost all canonical paths pass. It fails for some that are canonical, too
/// (dots at the start of a segment, unusual escapes): those take the slow way through [`normalize`].
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

/// Whether what follows a slash is neither a slash nor a dot segment, and cannot become one when
/// blanks are taken off (`+` is a blank in forms, and to some services in paths).
fn begins_name(after: &[u8]) -> bool {
    let after_dots = match after {
        [b'/' | b'%' | b'+', ..] => return false,
        [b'.', b'.', after @ ..] | [b'.', after @ ..] => after,
        _ => return true,
    };
    !matches!(after_dots, [] | [b'/' | b';' | b':' | b'%' | b'+', ..])
}

/// Whether an escape is needed, in upper case, and stands for a byte that all services read alike.
fn is_settled(digits: &[u8]) -> bool {
    let [high, low, ..] = digits else {
        return false;
    };
    !(high.is_ascii_lowercase() || low.is_ascii_lowercase())
        && byte_of(digits).is_some_and(|byte| {
            let hides = matches!(byte, b'%' | b'/' | b';' | b'\\' | 0x7f..);
            byte >= b' ' && !UNRESERVED.has(byte) && !hides
        })
}

/// Decodes escapes of unreserved bytes, escapes bytes that need it, and writes the other escapes in
/// upper case. Dot segments and repeated slashes stay.
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
            0..=0x1f | 0x7f if !is_escape => return Err(AmbiguousPath::Control),
            _ => {}
        }
        if UNRESERVED.has(byte) || (!is_escape && PATH.has(byte)) {
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

/// Whether a character of a normalized path, decoded however often, has more bytes than UTF-8 needs
/// for it (RFC 3629 section 3).
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

/// Whether a normalized path is UTF-8 when its escapes are decoded once, twice or more often. So the
/// bytes of each character have to be escaped equally often.
fn is_utf8(normal: &str) -> bool {
    let mut bytes = Vec::with_capacity(normal.len());
    let mut before = 0;
    for decoded in Decoded::new(normal.bytes()) {
        if std::mem::replace(&mut before, decoded.layers) != decoded.layers {
            // An ASCII byte ends a character that goes on behind it, and makes it invalid.
            bytes.push(b'%');
        }
        bytes.push(decoded.byte);
    }
    std::str::from_utf8(&bytes).is_ok()
}

/// Whether a normalized segment is not a dot segment, but becomes one, or contains one, for a service
/// that decodes it (also twice, or to compatible characters), cuts it at `;` or `:` (a stream of NTFS),
/// ends the path at `?`, `#` or NUL, or takes blanks off.
fn hides_dots(segment: &str) -> bool {
    let special = |b: &u8| matches!(b, b'%' | b';' | b'+' | b':');
    if !segment.as_bytes().iter().any(special) {
        return false;
    }
    let decoded = lenient::decode(segment.bytes(), Charset::Utf8);
    // How many dots the current part of the segment has, while it has nothing but dots and blanks.
    let mut dots = Some(0_usize);
    let are_a_dot_segment = |dots| matches!(dots, Some(1 | 2));
    for byte in decoded {
        let ends_part = matches!(byte, b'/' | b'\\' | b';' | b':' | b'?' | b'#' | 0);
        if ends_part && are_a_dot_segment(dots) {
            return true;
        }
        dots = match byte {
            b'.' => dots.map(|count| count + 1),
            b'/' | b'\\' => Some(0),
            // Some take a NUL off, like a blank.
            b' ' | b'+' | 0 => dots,
            _ => None,
        };
    }
    are_a_dot_segment(dots)
}

/// Whether a normalized path has an escaped control character.
fn has_encoded_control(normal: &str) -> bool {
    let mut once = Decoded::once(normal.bytes());
    once.any(|decoded| decoded.byte.is_ascii_control())
}

/// RFC 3986 section 5.2.4.
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
        // A dot segment at the end leaves a slash there: `/a/b/..` is `/a/`.
        if segments.peek().is_none() {
            out.push('/');
        }
    }
    Ok(out)
}

/// Whether services disagree on which segment a `..` after this one removes: to some this one is
/// empty and left out, to others it is several, or the path ends in it.
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
mod properties;
#[cfg(test)]
mod tests;
