//! What the heads of requests, those of responses and trailer sections have in common: lines that
//! end with CR LF, and fields whose names are tokens and whose values have no control characters.
//! httparse is laxer than RFC 9112 here and there; what it lets through is refused by this file.

use memchr::memchr_iter;

use super::fields::{Field, Fields, HeadStorage, Known, Span, trim};
use super::head::{HeadError, HeadLimits};

/// How large a trailer section may be.
pub(super) const TRAILER_LIMITS: HeadLimits = HeadLimits {
    max_bytes: 16 * 1024,
    max_fields: 64,
};

/// Refuses what is too large, and lines that end with a bare LF: httparse takes them, other readers
/// do not.
pub(super) fn check_lines(bytes: &[u8], limits: &HeadLimits) -> Result<(), HeadError> {
    if bytes.len() > limits.max_bytes {
        return Err(HeadError::TooLarge);
    }
    let bare = |at: usize| at == 0 || bytes[at - 1] != b'\r';
    if memchr_iter(b'\n', bytes).any(bare) {
        return Err(HeadError::Malformed("A line does not end with CR LF."));
    }
    Ok(())
}

/// Notes where in `bytes`, of which they are slices, the fields stand that httparse found.
pub(super) fn list_fields(
    parsed: &[httparse::Header<'_>],
    bytes: &[u8],
    list: &mut Vec<Field>,
) -> Result<(), HeadError> {
    list.clear();
    for field in parsed {
        if field.value.iter().any(|b| is_control(*b)) {
            return Err(HeadError::Malformed(
                "A header field has control characters.",
            ));
        }
        let name = field.name.as_bytes();
        list.push(Field {
            name: Span::of(bytes, name),
            value: Span::of(bytes, trim(field.value)),
            known: Known::of(name),
        });
    }
    Ok(())
}

/// Reads the fields of a trailer section, its empty line included.
pub(super) fn trailer_fields(storage: HeadStorage) -> Result<Fields, HeadError> {
    let HeadStorage { bytes, mut list } = storage;
    check_lines(&bytes, &TRAILER_LIMITS)?;
    let mut room = [httparse::EMPTY_HEADER; TRAILER_LIMITS.max_fields];
    match httparse::parse_headers(&bytes, &mut room) {
        Ok(httparse::Status::Complete((length, parsed))) if length == bytes.len() => {
            list_fields(parsed, &bytes, &mut list)?;
            Ok(Fields { bytes, list })
        }
        Ok(_) | Err(_) => Err(HeadError::Malformed("The trailer section is malformed.")),
    }
}

/// HTAB is the only control character that a value may have (RFC 9110 section 5.5).
fn is_control(b: u8) -> bool {
    matches!(b, 0..=8 | 10..=31 | 127)
}

/// RFC 9110 section 5.6.2.
pub(super) fn is_token_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trailers(text: &str) -> Result<Fields, HeadError> {
        trailer_fields(HeadStorage::from(text.as_bytes().to_vec()))
    }

    #[test]
    fn a_trailer_section_is_read_like_a_head() {
        let fields = trailers("X-Sum: 1\r\nHost:\t a b \t\r\n\r\n").unwrap();
        let seen: Vec<_> = fields
            .iter()
            .map(|field| (field.known, field.value))
            .collect();
        let expected: [(_, &[u8]); 2] = [(Known::Other, b"1"), (Known::Host, b"a b")];
        assert_eq!(seen, expected);
        assert!(trailers("\r\n").unwrap().is_empty());
    }

    #[test]
    fn lines_that_two_readers_could_read_differently_are_refused() {
        for section in [
            "",
            "\n",
            "X: y\r\n",
            "X: y\n\r\n",
            "X: y\r\n\n",
            "X: y\rZ: z\r\n\r\n",
            "X: y\r\r\n\r\n",
            "X : y\r\n\r\n",
            "X\t: y\r\n\r\n",
            " X: y\r\n\r\n",
            "X: y\r\n z\r\n\r\n",
            "X: y\r\n\tz\r\n\r\n",
            ": y\r\n\r\n",
            "X\r\n\r\n",
            "X(Y): z\r\n\r\n",
            "X\u{e9}: z\r\n\r\n",
            "X: a\0b\r\n\r\n",
            "X: a\u{b}b\r\n\r\n",
            "X: a\u{7f}b\r\n\r\n",
            "X: y\r\n\r\nZ: z\r\n\r\n",
        ] {
            assert!(trailers(section).is_err(), "{section:?}");
        }
    }

    #[test]
    fn values_may_have_tabs_and_bytes_beyond_ascii() {
        let fields =
            trailer_fields(HeadStorage::from(b"X: a\tb\xe9\xff\r\n\r\n".to_vec())).unwrap();
        assert_eq!(fields.iter().next().unwrap().value, b"a\tb\xe9\xff");
    }

    #[test]
    fn a_trailer_section_has_at_most_64_fields() {
        let section = |n: usize| format!("{}\r\n", "X: y\r\n".repeat(n));
        assert_eq!(trailers(&section(64)).unwrap().len(), 64);
        assert!(trailers(&section(65)).is_err());
    }

    #[test]
    fn token_bytes_are_those_of_the_grammar() {
        let tokens: Vec<u8> = (0..=255).filter(|b| is_token_byte(*b)).collect();
        assert_eq!(tokens.len(), 10 + 26 + 26 + 15);
        assert!(!tokens.iter().any(|b| b"(),/:;<=>?@[\\]{}\" \t".contains(b)));
    }
}
