//! What the heads of requests, those of responses and trailer sections have in common: lines that
//! end with CR LF, and fields whose names are tokens and whose values have no control characters.
//! What RFC 9112 does not allow, or lets a lenient reader repair, is refused.

use super::cursor::Cursor;
use super::fields::{Field, Fields, HeadStorage, Known};
use super::head::{HeadError, HeadLimits};

/// How large a trailer section may be.
pub(super) const TRAILER_LIMITS: HeadLimits = HeadLimits {
    max_bytes: 16 * 1024,
    max_fields: 64,
};

/// Reads field lines up to the empty line, which has to be the end of it all.
pub(super) fn read_fields(
    mut cursor: Cursor<'_>,
    bytes: &[u8],
    most: usize,
    list: &mut Vec<Field>,
) -> Result<(), HeadError> {
    list.clear();
    while !cursor.skip(b"\r\n") {
        let Some((name, is_plain)) = cursor.field_name() else {
            return Err(HeadError::Malformed("A header field's name is malformed."));
        };
        cursor.skip_blanks();
        let value = cursor.text();
        end_line(&mut cursor, "A header field's value is malformed.")?;
        if list.len() == most {
            return Err(HeadError::TooManyFields);
        }
        list.push(Field {
            name,
            value: value.without_blanks_after(bytes),
            known: if is_plain {
                Known::of_plain(name.get(bytes))
            } else {
                Known::Odd
            },
        });
    }
    if cursor.rest().is_empty() {
        Ok(())
    } else {
        Err(HeadError::Malformed("Something follows the empty line."))
    }
}

/// Moves past the end of a line. A bare LF is none: other readers take it for one.
pub(super) fn end_line(cursor: &mut Cursor<'_>, otherwise: &'static str) -> Result<(), HeadError> {
    if cursor.skip(b"\r\n") {
        return Ok(());
    }
    Err(HeadError::Malformed(match cursor.rest() {
        [b'\r' | b'\n', ..] => "A line does not end with CR LF.",
        _ => otherwise,
    }))
}

/// Reads the fields of a trailer section, its empty line included.
pub(super) fn trailer_fields(storage: HeadStorage) -> Result<Fields, HeadError> {
    let HeadStorage { bytes, mut list } = storage;
    if bytes.len() > TRAILER_LIMITS.max_bytes {
        return Err(HeadError::TooLarge);
    }
    let cursor = Cursor::new(&bytes);
    match read_fields(cursor, &bytes, TRAILER_LIMITS.max_fields, &mut list) {
        Ok(()) => Ok(Fields::new(bytes, list)),
        Err(_) => Err(HeadError::Malformed("The trailer section is malformed.")),
    }
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
}
