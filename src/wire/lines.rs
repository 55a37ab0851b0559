//! What the heads of requests, those of answers and trailer sections have in common: lines that
//! end with CR LF, and fields whose names are tokens and whose values have no control characters.
//! What RFC 9112 does not allow, or lets a lenient reader repair, is refused.

use crate::message::fields::Field;
use crate::message::known_field::KnownField;

use super::cursor::Cursor;

/// The most fields that a limit may allow.
pub const MOST_FIELDS: usize = 1000;

/// What is wrong with a line that continues the one before it.
const FOLDED: &str =
    "A line begins with a blank: folded header fields are not accepted (RFC 9112 section 5.2).";

/// How large a head may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeadLimits {
    /// From its first byte to the end of its empty line.
    pub max_bytes: usize,
    /// At most [`MOST_FIELDS`].
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
    /// It is the preface of HTTP/2, from a client that takes for granted that this is spoken here.
    #[error("This port speaks HTTP/1.1 and HTTP/1.0; what came is HTTP/2 without TLS.")]
    Http2,
}

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
            let before = bytes.len() - cursor.rest().len();
            let begins_line = before.checked_sub(1).is_none_or(|at| bytes[at] == b'\n');
            return Err(HeadError::Malformed(match cursor.rest() {
                [b' ' | b'\t', ..] if begins_line => FOLDED,
                _ => "A header field's name is malformed.",
            }));
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
                KnownField::of_plain(name.get(bytes))
            } else {
                KnownField::Odd
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::fields::Fields;

    fn read(lines: impl AsRef<[u8]>) -> Result<Fields, HeadError> {
        let (bytes, mut list) = (lines.as_ref().to_vec(), Vec::new());
        read_fields(Cursor::new(&bytes), &bytes, 100, &mut list)?;
        Ok(Fields::new(bytes, list))
    }

    #[test]
    fn fields_are_read_up_to_the_empty_line() {
        let fields = read("X-Sum: 1\r\nHost:\t a b \t\r\n\r\n").unwrap();
        let seen: Vec<_> = fields
            .iter()
            .map(|field| (field.known, field.value))
            .collect();
        let expected: [(_, &[u8]); 2] = [(KnownField::Other, b"1"), (KnownField::Host, b"a b")];
        assert_eq!(seen, expected);
        assert!(read("\r\n").unwrap().iter().len() == 0);
    }

    #[test]
    fn names_are_told_apart_and_odd_ones_noticed() {
        let fields = read(
            "X-A: 1\r\nHOST: 2\r\nContent_Length: 3\r\nhost!: 4\r\nx-forwarded-a'b: 5\r\n\r\n",
        );
        let known: Vec<_> = fields.unwrap().iter().map(|field| field.known).collect();
        let odd = KnownField::Odd;
        assert_eq!(known, [KnownField::Other, KnownField::Host, odd, odd, odd]);
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
            assert!(read(section).is_err(), "{section:?}");
        }
    }

    #[test]
    fn a_folded_field_is_told_from_a_name_that_is_malformed() {
        for (section, said) in [
            ("X: y\r\n z\r\n\r\n", "begins with a blank"),
            ("X: y\r\n\tz: a\r\n\r\n", "begins with a blank"),
            (" X: y\r\n\r\n", "begins with a blank"),
            ("X : y\r\n\r\n", "name is malformed"),
            ("X\r\n\r\n", "name is malformed"),
            ("(: y\r\n\r\n", "name is malformed"),
        ] {
            let wrong = read(section).unwrap_err().to_string();
            assert!(wrong.contains(said), "{section:?}: {wrong}");
        }
    }

    #[test]
    fn values_may_have_tabs_and_bytes_beyond_ascii() {
        let fields = read(b"X: a\tb\xe9\xff\r\n\r\n").unwrap();
        assert_eq!(fields.iter().next().unwrap().value, b"a\tb\xe9\xff");
    }
}
