//! Percent-escapes of a path (RFC 3986 sections 2.1 and 3.3): which bytes need one, and how paths
//! are decoded, once or repeatedly. The canonical path and the protected prefixes use it.

use super::bytes::UNRESERVED;
use super::hex;

/// A control character that marks places in texts that are compared; `lenient::fold` keeps it. A
/// canonical path has it only as an escape, and [`Decoded::bytes`] makes a blank of that.
pub const MARK: u8 = 1;

/// The byte that two hexadecimal digits at the start of `digits` stand for, if they are there.
pub fn byte_of(digits: &[u8]) -> Option<u8> {
    hex::byte(*digits.first_chunk()?)
}

/// Appends `byte` as an escape with upper-case digits (RFC 3986 section 2.1).
pub fn push_escape(out: &mut String, byte: u8) {
    out.push('%');
    for digit in hex::digits(byte) {
        out.push(char::from(digit.to_ascii_uppercase()));
    }
}

/// The bytes of a canonical path, decoded once or as often as they are encoded: `%2E`, `%252E` and
/// `%25252E` are all a dot. One pass without a copy: a client may nest thousands of escapes.
#[derive(Debug, Clone)]
pub struct Decoded<I> {
    bytes: I,
    /// Read already, and not part of an escape.
    ahead: [Option<u8>; 2],
    once: bool,
}

/// A byte of a path, and how it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecodedByte {
    /// The byte.
    pub byte: u8,
    /// How often it was encoded; 0 if it stood there as it is.
    pub layers: usize,
}

impl<I: Iterator<Item = u8>> Decoded<I> {
    /// Decodes `bytes` as often as they are encoded.
    pub fn new(bytes: I) -> Self {
        Self {
            bytes,
            ahead: [None; 2],
            once: false,
        }
    }

    /// Decodes `bytes` once; a broken escape stays as it is.
    pub fn once(bytes: I) -> Self {
        Self {
            once: true,
            ..Self::new(bytes)
        }
    }

    /// The bytes alone. An escaped U+0001 becomes a blank, as other control characters do when paths
    /// are compared: as it is, it marks places there ([`MARK`]).
    pub fn bytes(self) -> impl Iterator<Item = u8> {
        self.map(|decoded| match decoded {
            DecodedByte {
                byte: MARK,
                layers: 1..,
            } => b' ',
            decoded => decoded.byte,
        })
    }

    fn read(&mut self) -> Option<u8> {
        let [next, after] = &mut self.ahead;
        let taken = next.take();
        *next = after.take();
        taken.or_else(|| self.bytes.next())
    }
}

impl<I: Iterator<Item = u8>> Iterator for Decoded<I> {
    type Item = DecodedByte;

    fn next(&mut self) -> Option<DecodedByte> {
        let byte = self.read()?;
        let mut layers = 0;
        if byte != b'%' {
            return Some(DecodedByte { byte, layers });
        }
        loop {
            let digits = [self.read(), self.read()];
            let decoded = match digits {
                [Some(high), Some(low)] => hex::byte([high, low]),
                _ => None,
            };
            let Some(decoded) = decoded else {
                self.ahead = digits;
                return Some(DecodedByte { byte, layers });
            };
            layers += 1;
            if self.once || decoded != b'%' {
                let byte = decoded;
                return Some(DecodedByte { byte, layers });
            }
            // An escaped percent sign: what follows may be escaped once more.
        }
    }
}

/// A text as a part of a URL that is read as nothing but itself: all but unreserved characters become
/// escapes (RFC 3986 section 2.3).
pub fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if UNRESERVED.has(byte) {
            escaped.push(char::from(byte));
        } else {
            push_escape(&mut escaped, byte);
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_escaped_is_read_as_itself() {
        for (text, expected) in [
            ("a-Z.0_~", "a-Z.0_~"),
            ("http://[::1]:80/", "http%3A%2F%2F%5B%3A%3A1%5D%3A80%2F"),
            ("a b&=?#%\u{e4}", "a%20b%26%3D%3F%23%25%C3%A4"),
        ] {
            assert_eq!(escaped(text), expected);
            assert_eq!(decoded(expected), text);
        }
    }

    fn decoded(path: &str) -> String {
        let bytes = Decoded::new(path.bytes()).bytes().collect();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn every_level_of_encoding_is_undone() {
        for (path, wanted) in [
            ("/a", "/a"),
            ("%2E", "."),
            ("%252e", "."),
            ("%2525252E.", ".."),
            ("a%2Fb%252Fc", "a/b/c"),
            ("%C3%A9", "é"),
            ("100%25", "100%"),
            ("%25zz", "%zz"),
            ("%2525", "%"),
            ("%2", "%2"),
        ] {
            assert_eq!(decoded(path), wanted, "{path}");
        }
    }

    #[test]
    fn one_level_of_encoding_is_undone() {
        for (path, wanted) in [
            ("%2E%252e%25252e", ".%2e%252e"),
            ("100%25", "100%"),
            ("%%41%4%", "%A%4%"),
            ("%25zz%", "%zz%"),
        ] {
            let bytes = Decoded::once(path.bytes()).bytes().collect();
            assert_eq!(String::from_utf8(bytes).unwrap(), wanted, "{path}");
        }
    }

    #[test]
    fn layers_are_counted() {
        let layers = Decoded::new("/%2F%252F%%25".bytes()).map(|decoded| decoded.layers);
        assert_eq!(layers.collect::<Vec<_>>(), [0, 1, 2, 0, 1]);
    }

    #[test]
    fn digits_are_read_and_written() {
        assert_eq!(byte_of(b"2f/"), Some(b'/'));
        assert_eq!(byte_of(b"fF"), Some(0xff));
        assert_eq!(byte_of(b"2"), None);
        assert_eq!(byte_of(b"+1"), None);
        let mut out = String::new();
        push_escape(&mut out, 0xe9);
        assert_eq!(out, "%E9");
    }
}
