//! Which bytes may stand where. All classes share one table, so that judging a byte is one look-up
//! in memory that is always warm.

/// A set of bytes.
#[derive(Debug, Clone, Copy)]
pub struct Class(u8);

/// What a token has (RFC 9110 section 5.6.2).
pub const TOKEN: Class = Class(1);
/// Letters, digits and `-`: what names of fields have, but for odd ones.
pub const FIELD_NAME: Class = Class(1 << 1);
/// Neither blanks nor control characters.
pub const VISIBLE: Class = Class(1 << 2);
/// What the name of a host has: unreserved and sub-delims (RFC 3986 section 3.2.2). No percent sign:
/// an encoded host could be read in two ways.
pub const HOST: Class = Class(1 << 3);
/// What a segment of a path has without an escape: `pchar` but for the `%` of escapes (RFC 3986 section 3.3).
pub const SEGMENT: Class = Class(1 << 4);
/// The same and the slash.
pub const PATH: Class = Class(1 << 5);
/// What means the same with and without an escape (RFC 3986 section 2.3).
pub const UNRESERVED: Class = Class(1 << 6);
/// What may stand in a header field, a log line, a file's name and a counter's key alike.
const SAFE: Class = Class(1 << 7);

static CLASSES: [u8; 256] = {
    let mut table = [0; 256];
    let mut b = 0_u8;
    loop {
        table[b as usize] = classes_of(b);
        if b == u8::MAX {
            break table;
        }
        b += 1;
    }
};

const fn classes_of(b: u8) -> u8 {
    let word = b.is_ascii_alphanumeric();
    let unreserved = word || is_one_of(b, b"-._~");
    let host = unreserved || is_one_of(b, b"!$&'()*+,;=");
    let segment = host || is_one_of(b, b":@");
    bit(TOKEN, word || is_one_of(b, b"!#$%&'*+-.^_`|~"))
        | bit(FIELD_NAME, word || b == b'-')
        | bit(VISIBLE, b.is_ascii_graphic() || b >= 0x80)
        | bit(HOST, host)
        | bit(SEGMENT, segment)
        | bit(PATH, segment || b == b'/')
        | bit(UNRESERVED, unreserved)
        | bit(SAFE, word || is_one_of(b, b"._-"))
}

const fn is_one_of(b: u8, mut set: &[u8]) -> bool {
    while let [first, rest @ ..] = set {
        if *first == b {
            return true;
        }
        set = rest;
    }
    false
}

const fn bit(class: Class, belongs: bool) -> u8 {
    if belongs { class.0 } else { 0 }
}

impl Class {
    /// Whether a byte belongs to it.
    #[inline]
    pub fn has(self, b: u8) -> bool {
        CLASSES[usize::from(b)] & self.0 != 0
    }
}

/// Whether a name, of a client or of a request, is safe wherever it is written: 1 to 128 characters
/// of `A-Za-z0-9._-`.
pub fn is_safe_name(name: &[u8]) -> bool {
    (1..=128).contains(&name.len()) && name.iter().all(|b| SAFE.has(*b))
}

/// What stands before the first `=`, and behind it.
pub fn split_at_equals(pair: &[u8]) -> (&[u8], &[u8]) {
    match memchr::memchr(b'=', pair) {
        Some(at) => (&pair[..at], &pair[at + 1..]),
        None => (pair, b""),
    }
}

/// The number that these digits are; none is zero. `None` for other bytes and for what a counter
/// cannot hold.
pub fn number(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0_u64, |number, b| match b {
        b'0'..=b'9' => number.checked_mul(10)?.checked_add(u64::from(b - b'0')),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(class: Class) -> Vec<u8> {
        (0..=255).filter(|b| class.has(*b)).collect()
    }

    #[test]
    fn classes_are_those_of_the_grammar() {
        let tokens = all(TOKEN);
        assert_eq!(tokens.len(), 10 + 26 + 26 + 15);
        assert!(!tokens.iter().any(|b| b"(),/:;<=>?@[\\]{}\" \t".contains(b)));
        assert_eq!(all(FIELD_NAME).len(), 10 + 26 + 26 + 1);
        assert_eq!(all(VISIBLE).len(), 94 + 128);
        assert_eq!(all(HOST).len(), 10 + 26 + 26 + 15);
        assert_eq!(all(SEGMENT).len(), 10 + 26 + 26 + 17);
    }

    #[test]
    fn names_that_are_safe_everywhere_have_few_characters() {
        for name in ["a", "Order-7.retry_2", &"a".repeat(128)] {
            assert!(is_safe_name(name.as_bytes()), "{name}");
        }
        for name in [
            "",
            &"a".repeat(129),
            "a b",
            "a\"b",
            "caf\u{e9}",
            "a,b",
            "a/b",
            "a:b",
        ] {
            assert!(!is_safe_name(name.as_bytes()), "{name}");
        }
    }
}
