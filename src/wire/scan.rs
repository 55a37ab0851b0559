//! Finds the end of a head while its bytes arrive, and refuses early what can't become one. It
//! stands before the parsing of a head, so that a head is parsed once, when it is whole.

use crate::message::bytes::TOKEN;

use super::cursor::before_control;
use super::lines::{HeadError, HeadLimits};

/// How many empty lines before a request line are read past (RFC 9112 section 2.2).
const MOST_BLANK: usize = 8;

/// Finds the end of a head. Each byte is looked at once, however few come at a time, and where a
/// head ends does not depend on how they come.
#[derive(Debug, Default)]
pub struct HeadScanner {
    seen: usize,
    line_start: usize,
    lines: u32,
    takes_bare_lf: bool,
}

impl HeadScanner {
    /// A scanner for what services send, which takes a bare LF for the end of a line.
    pub fn of_answer() -> Self {
        Self {
            takes_bare_lf: true,
            ..Self::default()
        }
    }

    /// The head's length once its empty line has arrived. `bytes` starts with the head and has all
    /// that it had at the last call.
    pub fn find_end(
        &mut self,
        bytes: &[u8],
        limits: &HeadLimits,
    ) -> Result<Option<usize>, HeadError> {
        // It may be half of an empty line, which will be read past.
        if bytes == b"\r" {
            return Ok(None);
        }
        if bytes.first().is_some_and(|b| !TOKEN.has(*b)) {
            return Err(HeadError::Malformed(no_token(bytes)));
        }
        let allowed = &bytes[..bytes.len().min(limits.max_bytes)];
        let mut at = self.seen.min(allowed.len());
        loop {
            at += before_control(&allowed[at..]);
            match &allowed[at..] {
                [b'\r', b'\n', ..] if at == self.line_start => return Ok(Some(at + 2)),
                [b'\r', b'\n', ..] => at = self.begin_line(at + 2),
                [b'\t', ..] => at += 1,
                // The LF may be still to come.
                [] | [b'\r'] => break,
                [b'\r', ..] => {
                    return Err(HeadError::Malformed("A CR is not followed by LF."));
                }
                [b'\n', ..] if self.takes_bare_lf && at == self.line_start => {
                    return Ok(Some(at + 1));
                }
                [b'\n', ..] if self.takes_bare_lf => at = self.begin_line(at + 1),
                [b'\n', ..] => {
                    return Err(HeadError::Malformed("A line does not end with CR LF."));
                }
                _ => {
                    return Err(HeadError::Malformed("The head has control characters."));
                }
            }
        }
        self.seen = at;
        self.not_yet(bytes.len(), limits)
    }

    fn begin_line(&mut self, at: usize) -> usize {
        self.line_start = at;
        self.lines += 1;
        at
    }

    /// What to say of `arrived` bytes without the end of a head.
    fn not_yet(&self, arrived: usize, limits: &HeadLimits) -> Result<Option<usize>, HeadError> {
        if arrived <= limits.max_bytes {
            Ok(None)
        } else if self.lines == 0 {
            Err(HeadError::RequestLineTooLong)
        } else {
            Err(HeadError::TooLarge)
        }
    }
}

/// What to say of a message that does not begin with a token.
fn no_token(bytes: &[u8]) -> &'static str {
    match bytes {
        // A handshake record (RFC 8446 section 5.1), whose version begins with a 3.
        [22] | [22, 3, ..] => {
            "This is a TLS handshake, and the port speaks plain HTTP: use http:// in the URL."
        }
        _ => "The message does not begin with a token.",
    }
}

/// How many bytes of empty lines stand before a request line; they are to be read past.
pub fn leading_blank(bytes: &[u8]) -> usize {
    bytes
        .chunks_exact(2)
        .take(MOST_BLANK)
        .take_while(|pair| *pair == b"\r\n")
        .count()
        * 2
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LIMITS: HeadLimits = HeadLimits {
        max_bytes: 64 * 1024,
        max_fields: 100,
    };

    /// What is found when the bytes come in pieces of that size.
    fn found(bytes: &[u8], piece: usize, limits: &HeadLimits) -> Result<Option<usize>, HeadError> {
        let mut scanner = HeadScanner::default();
        let cuts = (piece..bytes.len()).step_by(piece).chain([bytes.len()]);
        for cut in cuts {
            match scanner.find_end(&bytes[..cut], limits)? {
                None => {}
                end => return Ok(end),
            }
        }
        Ok(None)
    }

    #[test]
    fn a_head_ends_with_its_first_empty_line() {
        let bytes = b"GET / HTTP/1.1\r\nHost: a\r\n\r\nPOST / HTTP/1.1\r\n\r\n";
        for piece in 1..bytes.len() {
            assert_eq!(found(bytes, piece, &LIMITS), Ok(Some(27)), "{piece}");
        }
        assert_eq!(found(&bytes[..26], 1, &LIMITS), Ok(None));
        assert_eq!(found(b"", 1, &LIMITS), Ok(None));
    }

    #[test]
    fn a_tls_handshake_is_told_from_other_bytes() {
        for (bytes, is_tls) in [
            (&b"\x16\x03\x01\x02\x00\x01"[..], true),
            (b"\x16", true),
            (b"\x16GET", false),
            (b"\0\0", false),
        ] {
            let refused = found(bytes, 100, &LIMITS).unwrap_err().to_string();
            assert_eq!(refused.contains("TLS handshake"), is_tls, "{bytes:?}");
        }
    }

    #[test]
    fn what_cannot_become_a_head_is_refused_before_it_has_ended() {
        for bytes in [
            "\n",
            "\r\r",
            " GET",
            "\r\n",
            "\u{16}\u{3}\u{1}",
            "(GET",
            "GET /\n",
            "G\r\nA\n",
            "G\rA",
        ] {
            for piece in [1, 100] {
                let refused = found(bytes.as_bytes(), piece, &LIMITS);
                assert!(matches!(refused, Err(HeadError::Malformed(_))), "{bytes:?}");
            }
        }
    }

    #[test]
    fn a_request_line_may_take_all_of_a_head_however_it_comes() {
        let head = |line: usize| format!("{}\r\n\r\n", "G".repeat(line)).into_bytes();
        for piece in [1, 3, 20_000] {
            let fits = head(LIMITS.max_bytes - 4);
            assert_eq!(
                found(&fits, piece, &LIMITS),
                Ok(Some(LIMITS.max_bytes)),
                "{piece}"
            );
            let beyond = &head(LIMITS.max_bytes)[..=LIMITS.max_bytes];
            let refused = found(beyond, piece, &LIMITS);
            assert_eq!(refused, Err(HeadError::RequestLineTooLong), "{piece}");
        }
    }

    #[test]
    fn lines_of_an_answer_may_end_with_lf_alone() {
        for (head, end) in [
            ("HTTP/1.1 200 OK\nA: b\n\nx", 22),
            ("HTTP/1.1 200 OK\r\nA: b\r\n\nx", 24),
            ("HTTP/1.1 200 OK\nA: b\n\r\nx", 23),
            ("HTTP/1.1 200 OK\r\nA: b\r\n\r\nx", 25),
        ] {
            for piece in 1..head.len() {
                let mut scanner = HeadScanner::of_answer();
                let cuts = (piece..head.len()).step_by(piece).chain([head.len()]);
                let mut found = cuts
                    .filter_map(|cut| scanner.find_end(&head.as_bytes()[..cut], &LIMITS).unwrap());
                assert_eq!(found.next(), Some(end), "{head:?} {piece}");
            }
        }
    }

    #[test]
    fn a_head_has_a_largest_size_however_it_comes() {
        let head = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
        let limits = |max_bytes| HeadLimits {
            max_bytes,
            max_fields: 1,
        };
        for piece in [1, 2, 27] {
            assert_eq!(found(head, piece, &limits(27)), Ok(Some(27)), "{piece}");
            for most in 16..27 {
                let refused = found(head, piece, &limits(most));
                assert_eq!(refused, Err(HeadError::TooLarge), "{piece} {most}");
            }
            for most in 0..16 {
                let refused = found(head, piece, &limits(most));
                assert_eq!(
                    refused,
                    Err(HeadError::RequestLineTooLong),
                    "{piece} {most}"
                );
            }
        }
    }

    #[test]
    fn some_empty_lines_before_a_request_are_blank() {
        let rows = [
            ("", 0),
            ("\r", 0),
            ("\r\n", 2),
            ("\r\n\r", 2),
            ("\r\n\r\nGET", 4),
            ("G\r\n", 0),
            ("\n\r\n", 0),
        ];
        for (bytes, blank) in rows {
            assert_eq!(leading_blank(bytes.as_bytes()), blank, "{bytes:?}");
        }
        assert_eq!(leading_blank("\r\n".repeat(20).as_bytes()), 16);
    }

    proptest! {
        #[test]
        fn what_is_found_does_not_depend_on_the_pieces(
            bytes in "([GA: \t]{0,9}(\r\n|\r\n|\r\n|\r|\n|\x00)){0,9}",
            piece in 1..70_usize,
            max_bytes in 1..70_usize,
        ) {
            let limits = HeadLimits { max_bytes, max_fields: 100 };
            let pieces = found(bytes.as_bytes(), piece, &limits);
            let whole = found(bytes.as_bytes(), usize::MAX, &limits);
            prop_assert_eq!(pieces, whole);
        }
    }
}
