//! The canonical path: one reading of a request's path, made once, and then matched, protected,
//! limited, logged and forwarded. Two readings of one path are how gateways are walked around, so
//! what services could read in two ways is refused (RFC 3986 section 6.2.2 for the rest).

use std::borrow::Cow;

/// A canonical path. What was canonical as it came is not copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestPath<'a> {
    text: Cow<'a, str>,
    encoded_slash: bool,
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
    /// Bytes that are not UTF-8 and that some decoders take for a dot, a slash or a backslash.
    #[error("The path has an overlong escape (%C0, %C1, %E0%80 to %E0%9F or %F0%80 to %F0%8F).")]
    Overlong,
    /// A segment that becomes `.` or `..` when `%2F` is decoded, when it is cut at `;`, or when it
    /// is decoded twice.
    #[error("A segment of the path turns into . or .. when it is decoded or cut at a semicolon.")]
    HiddenDots,
}

impl<'a> RequestPath<'a> {
    /// Reads the path of a request target (without the query).
    pub fn parse(path: &'a [u8]) -> Result<Self, AmbiguousPath> {
        if path.first() != Some(&b'/') {
            return Err(AmbiguousPath::NoLeadingSlash);
        }
        if is_canonical(path) {
            // Such bytes are ASCII.
            let text = std::str::from_utf8(path).map_err(|_| AmbiguousPath::Overlong)?;
            return Ok(Self {
                text: Cow::Borrowed(text),
                encoded_slash: false,
            });
        }
        let normal = normalize(path)?;
        let text = remove_dots(&normal);
        let encoded_slash = text.contains("%2F");
        let text = if text.as_bytes() == path {
            // It was canonical, only not plainly so.
            std::str::from_utf8(path).map_or(Cow::Owned(text), Cow::Borrowed)
        } else {
            Cow::Owned(text)
        };
        Ok(Self {
            text,
            encoded_slash,
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
        let unreserved = |escape: &[u8]| escaped(&escape[1..]).is_some_and(is_unreserved);
        if escapes().any(unreserved) {
            steps.push("decoded unreserved characters");
        }
        if escapes().any(|escape| !unreserved(escape) && upper(&escape[1..])) {
            steps.push("escapes in upper case");
        }
        if path.iter().any(|b| *b != b'%' && !is_pchar(*b)) {
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

/// Whether a path is canonical at a glance: nothing in it that would need a second one.
fn is_canonical(path: &[u8]) -> bool {
    let mut before = 0;
    path.iter().all(|&b| {
        // A dot that begins a segment may be one of a dot segment.
        let plain = PLAIN[usize::from(b)] && !(before == b'/' && matches!(b, b'/' | b'.'));
        before = b;
        plain
    })
}

/// What may stand in a path as it is, without further thought: `pchar` but for `%` and `;`, and `/`.
static PLAIN: [bool; 256] = {
    let mut table = [false; 256];
    let mut b = 0;
    while b < 256 {
        #[expect(clippy::cast_possible_truncation, reason = "b is below 256")]
        let byte = b as u8;
        table[b] = is_pchar(byte) && byte != b';';
        b += 1;
    }
    table
};

/// `pchar` of RFC 3986 section 3.3, but for escapes, and the slash.
const fn is_pchar(b: u8) -> bool {
    is_unreserved(b)
        || matches!(
            b,
            b'!' | b'$'
                | b'&'
                | b'\''
                | b'('
                | b')'
                | b'*'
                | b'+'
                | b','
                | b';'
                | b'='
                | b':'
                | b'@'
                | b'/'
        )
}

const fn is_unreserved(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~')
}

/// The byte that two hexadecimal digits stand for.
fn escaped(digits: &[u8]) -> Option<u8> {
    let digit = |at: usize| char::from(*digits.get(at)?).to_digit(16);
    u8::try_from(digit(0)? << 4 | digit(1)?).ok()
}

/// Decodes what needs no escape, escapes what needs one, upper-cases the rest; dot segments and
/// repeated slashes stay. What could be read in two ways is refused.
fn normalize(path: &[u8]) -> Result<String, AmbiguousPath> {
    let mut out = String::with_capacity(path.len() + 16);
    let mut previous = 0;
    let mut rest = path;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        let is_escape = byte == b'%';
        let byte = if is_escape {
            let byte = escaped(rest).ok_or(AmbiguousPath::BrokenEscape)?;
            rest = &rest[2..];
            byte
        } else {
            byte
        };
        refuse(byte, previous)?;
        previous = byte;
        if is_unreserved(byte) || (!is_escape && is_pchar(byte)) {
            out.push(char::from(byte));
        } else {
            push_escape(&mut out, byte);
        }
    }
    if out.split('/').any(hides_dots) {
        return Err(AmbiguousPath::HiddenDots);
    }
    Ok(out)
}

/// Refuses bytes, raw or escaped, that services read differently. `previous` is the one before.
fn refuse(byte: u8, previous: u8) -> Result<(), AmbiguousPath> {
    match (previous, byte) {
        (_, b'\\') => Err(AmbiguousPath::Backslash),
        (_, 0..=0x1f | 0x7f) => Err(AmbiguousPath::Control),
        // No character is encoded so in UTF-8 (RFC 3629 section 3), but lenient decoders take
        // C0 AE for a dot.
        (_, 0xc0 | 0xc1) | (0xe0, 0x80..=0x9f) | (0xf0, 0x80..=0x8f) => {
            Err(AmbiguousPath::Overlong)
        }
        _ => Ok(()),
    }
}

fn push_escape(out: &mut String, byte: u8) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    out.push('%');
    out.push(char::from(HEX[usize::from(byte >> 4)]));
    out.push(char::from(HEX[usize::from(byte & 15)]));
}

/// Whether a normalized segment is no dot segment, but becomes one for a service that decodes
/// `%2F`, that cuts parameters off at `;`, or that decodes more than once.
fn hides_dots(segment: &str) -> bool {
    let special = |b: &u8| matches!(b, b'%' | b';');
    segment.as_bytes().iter().any(special)
        && decode_specials(segment)
            .split('/')
            .any(|part| matches!(part.split(';').next(), Some("." | "..")))
}

/// Decodes dots, slashes and semicolons, however often they are encoded: `%2E`, `%252E`, `%25252E`
/// and so on. In one pass, for an attacker would nest thousands.
fn decode_specials(segment: &str) -> String {
    let mut out = String::with_capacity(segment.len());
    let mut rest = segment;
    while let Some((before, mut after)) = rest.split_once('%') {
        out.push_str(before);
        while let Some(deeper) = after.strip_prefix("25") {
            after = deeper;
        }
        let plain = match after.as_bytes() {
            [b'2', b'E' | b'e', ..] => Some('.'),
            [b'2', b'F' | b'f', ..] => Some('/'),
            [b'3', b'B' | b'b', ..] => Some(';'),
            _ => None,
        };
        out.push(plain.unwrap_or('%'));
        rest = if plain.is_some() { &after[2..] } else { after };
    }
    out.push_str(rest);
    out
}

/// RFC 3986 section 5.2.4, and repeated slashes merged.
fn remove_dots(normal: &str) -> String {
    let mut out = String::with_capacity(normal.len());
    let mut segments = normal.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let last = segments.peek().is_none();
        match segment {
            "" | "." if !last => {}
            ".." => {
                out.truncate(out.rfind('/').unwrap_or(0));
                if last {
                    out.push('/');
                }
            }
            "" | "." => out.push('/'),
            segment => {
                out.push('/');
                out.push_str(segment);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn canonical(path: &str) -> String {
        RequestPath::parse(path.as_bytes())
            .unwrap_or_else(|e| panic!("{path}: {e}"))
            .as_str()
            .to_owned()
    }

    #[test]
    fn spellings_of_one_path_become_one() {
        for (path, wanted) in [
            ("/", "/"),
            ("/a/b", "/a/b"),
            ("/a/b/", "/a/b/"),
            ("//a///b", "/a/b"),
            ("/a/./b", "/a/b"),
            ("/a/.", "/a/"),
            ("/a/b/..", "/a/"),
            ("/a/b/../c", "/a/c"),
            ("/../../a", "/a"),
            ("/..", "/"),
            ("/a/%2e%2E/b", "/b"),
            ("/%61%2Db", "/a-b"),
            ("/a%3ab", "/a%3Ab"),
            ("/caf\u{e9}", "/caf%C3%A9"),
            ("/a|b", "/a%7Cb"),
            ("/a;v=1/b", "/a;v=1/b"),
            ("/a%2fb", "/a%2Fb"),
            ("/.well-known/x", "/.well-known/x"),
            ("/...", "/..."),
            ("/a%252Fb", "/a%252Fb"),
            ("/a/b//", "/a/b/"),
            ("/a/..//b", "/b"),
        ] {
            assert_eq!(canonical(path), wanted, "{path}");
        }
        assert!(matches!(
            RequestPath::parse(b"/a/b;c").unwrap().text,
            Cow::Borrowed(_)
        ));
        assert!(RequestPath::parse(b"/a%2Fb").unwrap().has_encoded_slash());
        assert!(!RequestPath::parse(b"/a/b").unwrap().has_encoded_slash());
    }

    #[test]
    fn what_has_two_readings_is_refused() {
        use AmbiguousPath::{BrokenEscape, Control, HiddenDots, NoLeadingSlash, Overlong};
        for (path, why) in [
            ("", NoLeadingSlash),
            ("a", NoLeadingSlash),
            ("*", NoLeadingSlash),
            ("/a\\b", AmbiguousPath::Backslash),
            ("/a%5cb", AmbiguousPath::Backslash),
            ("/a%00", Control),
            ("/a%0d%0a", Control),
            ("/a%7F", Control),
            ("/a\u{1}", Control),
            ("/%", BrokenEscape),
            ("/%z1", BrokenEscape),
            ("/%u002e", BrokenEscape),
            ("/a%2", BrokenEscape),
            ("/%c0%ae%c0%ae/a", Overlong),
            ("/..%c0%afa", Overlong),
            ("/%e0%80%ae/a", Overlong),
            ("/%f0%80%80%ae", Overlong),
            ("/..;/a", HiddenDots),
            ("/.;x/a", HiddenDots),
            ("/%2e%2e;a=b", HiddenDots),
            ("/..%2fa", HiddenDots),
            ("/x%2f..", HiddenDots),
            ("/x%2F..%2Fa", HiddenDots),
            ("/..%3Bx", HiddenDots),
            ("/%252e%252e/a", HiddenDots),
            ("/..%252fa", HiddenDots),
            ("/%25%32%65./a", HiddenDots),
            ("/%25252e%25252e", HiddenDots),
        ] {
            assert_eq!(
                RequestPath::parse(path.as_bytes()).map(|p| p.as_str().to_owned()),
                Err(why),
                "{path}"
            );
        }
    }

    #[test]
    fn the_steps_are_told() {
        assert_eq!(RequestPath::steps(b"/a/b"), Vec::<&str>::new());
        assert_eq!(
            RequestPath::steps(b"//a/%61/../b"),
            [
                "decoded unreserved characters",
                "merged slashes",
                "removed dot segments"
            ]
        );
        assert_eq!(
            RequestPath::steps(b"/a%2fb|"),
            ["escapes in upper case", "escaped what a path cannot have"]
        );
    }

    /// Paths made of what attackers make them of.
    fn hostile() -> impl Strategy<Value = String> {
        let pieces = [
            "/", "/", ".", "..", "%2e", "%2E", "%2f", "%2F", ";", "%3b", "a", "orders", "api",
            "%61", "%252e", "%25", "\\", "%00", "é", "%c3%a9", "%C0", "%e0%80", " ", "|", "~", ":",
            "%", "%41",
        ];
        prop::collection::vec(prop::sample::select(pieces.to_vec()), 0..12)
            .prop_map(|pieces| format!("/{}", pieces.concat()))
    }

    /// How a service might read a path: decode, cut parameters, walk the segments.
    fn walk(path: &str, cut: bool) -> Vec<String> {
        let mut out: Vec<String> = Vec::new();
        for segment in path.split('/') {
            match if cut {
                segment.split(';').next().unwrap_or_default()
            } else {
                segment
            } {
                "" | "." => {}
                ".." => drop(out.pop()),
                segment => out.push(segment.to_owned()),
            }
        }
        out
    }

    proptest! {
        #[test]
        fn canonical_is_final(path in hostile()) {
            if let Ok(once) = RequestPath::parse(path.as_bytes()) {
                let twice = RequestPath::parse(once.as_str().as_bytes()).unwrap();
                prop_assert_eq!(twice.as_str(), once.as_str());
                prop_assert!(matches!(twice.text, Cow::Borrowed(_)));
                prop_assert!(once.as_str().starts_with('/') && !once.as_str().contains("//"));
                prop_assert!(!once.as_str().split('/').any(|segment| matches!(segment, "." | "..")));
            }
        }

        #[test]
        fn no_service_walks_elsewhere(path in hostile()) {
            if let Ok(canonical) = RequestPath::parse(path.as_bytes()) {
                let text = canonical.as_str();
                prop_assert_eq!(walk(text, false).join("/"), text.trim_matches('/'));
                // A service that decodes everything, or cuts parameters, still finds no way up.
                for segment in decode_specials(text).split('/') {
                    prop_assert!(!matches!(segment.split(';').next(), Some("." | "..")), "{}", text);
                }
            }
        }
    }
}
