//! Percent-escapes of a path (RFC 3986 sections 2.1 and 3.3): which bytes need one, and what the
//! most eager service would make of them. Shared by the canonical path, which refuses what hides
//! behind escapes, and by the protected prefixes, which see through them.

use super::hex;

/// Whether `b` may stand in a path as it is: `pchar` but for the `%` of escapes, and the slash.
#[must_use]
pub const fn is_plain(b: u8) -> bool {
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

/// Whether `b` means the same with and without an escape (RFC 3986 section 2.3).
#[must_use]
pub const fn is_unreserved(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~')
}

/// The byte that two hexadecimal digits at the start of `digits` stand for, if they are there.
#[must_use]
pub fn byte_of(digits: &[u8]) -> Option<u8> {
    hex::byte(*digits.first_chunk()?)
}

/// Appends `byte` as an escape with upper-case digits.
pub fn push_escape(out: &mut String, byte: u8) {
    out.push('%');
    for digit in hex::digits(byte) {
        out.push(char::from(digit.to_ascii_uppercase()));
    }
}

/// Decodes all escapes once; a broken one stays as it is.
#[must_use]
pub fn decode_once(path: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(path.len());
    let mut rest = path;
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        match byte_of(rest).filter(|_| first == b'%') {
            Some(byte) => {
                out.push(byte);
                rest = &rest[2..];
            }
            None => out.push(first),
        }
    }
    out
}

/// The bytes of a canonical path, decoded however often they were encoded: `%2E`, `%252E` and
/// `%25252E` are all a dot. One pass without a copy, for an attacker would nest thousands.
#[derive(Debug, Clone)]
pub struct Decoded<'p> {
    rest: &'p [u8],
}

/// A byte of a path, and how it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecodedByte {
    /// The byte.
    pub byte: u8,
    /// How often it was encoded; 0 if it stood there as it is.
    pub layers: usize,
}

impl<'p> Decoded<'p> {
    /// Reads `path`.
    #[must_use]
    pub fn new(path: &'p [u8]) -> Self {
        Self { rest: path }
    }
}

impl Iterator for Decoded<'_> {
    type Item = DecodedByte;

    fn next(&mut self) -> Option<DecodedByte> {
        let (&first, mut rest) = self.rest.split_first()?;
        let mut byte = first;
        let mut layers = 0;
        if first == b'%' {
            // An escaped percent sign: what follows may be escaped once more.
            while let Some(deeper) = rest.strip_prefix(b"25") {
                rest = deeper;
                layers += 1;
            }
            if let Some(decoded) = byte_of(rest) {
                byte = decoded;
                rest = &rest[2..];
                layers += 1;
            }
        }
        self.rest = rest;
        Some(DecodedByte { byte, layers })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(path: &str) -> String {
        let bytes = Decoded::new(path.as_bytes())
            .map(|decoded| decoded.byte)
            .collect();
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
    fn layers_are_counted() {
        let layers = Decoded::new(b"/%2F%252F%%25").map(|decoded| decoded.layers);
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
