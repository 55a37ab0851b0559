//! Heads and trailer sections of answers that are not what RFC 9112 asks for, and that all peers read
//! alike: a line that ends with LF alone (section 2.2), blanks between a name and its colon (section
//! 5.1). They are repaired and then read as strictly as any other. What the client gets is written anew,
//! and the connection is not used again, so that nothing behind them can be taken for the answer to
//! another request. One whose lines end in both ways is refused: a service that keeps CR LF out of
//! a value, but not LF, would let whoever chose the value add fields.

use memchr::memchr;

use crate::message::head::Oddity;

use super::lines::HeadError;

const MIXED: HeadError =
    HeadError::Malformed("Some lines of the head end with CR LF, others with LF alone.");

/// Some lines end with CR LF, others with LF alone.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct MixedLineEnds;

/// A head or a trailer section, repaired.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Repaired {
    pub(super) bytes: Vec<u8>,
    /// What was wrong with it, or one thing of several.
    pub(super) why: Oddity,
}

/// Repairs a head; `None` if there is nothing to repair.
pub(super) fn repair(head: &[u8]) -> Result<Option<Repaired>, HeadError> {
    repair_lines(head, 1).map_err(|MixedLineEnds| MIXED)
}

/// Repairs a trailer section; `None` if there is nothing to repair.
pub(super) fn repair_trailers(section: &[u8]) -> Result<Option<Repaired>, MixedLineEnds> {
    repair_lines(section, 0)
}

/// `first_field`: how many lines come before the fields.
fn repair_lines(lines: &[u8], first_field: usize) -> Result<Option<Repaired>, MixedLineEnds> {
    let mut bytes = Vec::with_capacity(lines.len() + 64);
    let (mut why, mut has_crlf, mut has_lf) = (None, false, false);
    for (index, line) in lines.split_inclusive(|b| *b == b'\n').enumerate() {
        let text = match line {
            [text @ .., b'\r', b'\n'] => {
                has_crlf = true;
                text
            }
            [text @ .., b'\n'] => {
                has_lf = true;
                text
            }
            // It was cut off, which the reader will say.
            text => {
                bytes.extend_from_slice(text);
                continue;
            }
        };
        let (name, rest) = match memchr(b':', text) {
            Some(colon) if index >= first_field => text.split_at(colon),
            _ => (text, &b""[..]),
        };
        let end = name.iter().rposition(|b| !matches!(b, b' ' | b'\t'));
        let name = match end.map_or(0, |last| last + 1) {
            end if !rest.is_empty() && end < name.len() => {
                why = Some(Oddity::BlanksBeforeColon);
                &name[..end]
            }
            _ => name,
        };
        bytes.extend_from_slice(name);
        bytes.extend_from_slice(rest);
        bytes.extend_from_slice(b"\r\n");
    }
    if has_crlf && has_lf {
        return Err(MixedLineEnds);
    }
    let why = why.or(has_lf.then_some(Oddity::BareLf));
    Ok(why.map(|why| Repaired { bytes, why }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repaired(head: &str) -> Option<String> {
        let text = |repaired: Repaired| String::from_utf8(repaired.bytes).unwrap();
        repair(head.as_bytes()).unwrap().map(text)
    }

    #[test]
    fn lines_end_with_cr_lf_and_names_with_their_colon() {
        let right = "HTTP/1.1 200 OK\r\nA: b\r\nC:d : e\r\n\r\n";
        for head in [
            "HTTP/1.1 200 OK\nA: b\nC:d : e\n\n",
            "HTTP/1.1 200 OK\r\nA : b\r\nC\t :d : e\r\n\r\n",
            "HTTP/1.1 200 OK\nA \t: b\nC:d : e\n\n",
        ] {
            assert_eq!(repaired(head).as_deref(), Some(right), "{head:?}");
        }
        assert_eq!(repaired(right), None);
    }

    #[test]
    fn a_trailer_section_has_fields_from_its_first_line_on() {
        let text = |repaired: Repaired| String::from_utf8(repaired.bytes).unwrap();
        let repaired = |section: &str| repair_trailers(section.as_bytes()).unwrap().map(text);
        let right = "A: b\r\nC: d\r\n\r\n";
        for section in ["A: b\nC: d\n\n", "A : b\r\nC: d\r\n\r\n", "A: b\nC : d\n\n"] {
            assert_eq!(repaired(section).as_deref(), Some(right), "{section:?}");
        }
        assert_eq!(repaired(right), None);
        let mixed = repair_trailers(b"A: b\nC: d\r\n\r\n");
        assert_eq!(mixed, Err(MixedLineEnds));
    }

    #[test]
    fn lines_that_end_in_both_ways_are_refused() {
        for head in [
            "HTTP/1.1 200 OK\r\nA: b\nSet-Cookie: c\r\n\r\n",
            "HTTP/1.1 200 OK\r\nA: b\r\n\n",
            "HTTP/1.1 200 OK\nA: b\n\r\n",
            "HTTP/1.1 200 OK\nA : b\r\n\n",
            // A CR more is the end of a line to some, and part of its text to others.
            "HTTP/1.1 200 OK\nA: b\r\r\n\n",
        ] {
            assert_eq!(repair(head.as_bytes()), Err(MIXED), "{head:?}");
        }
    }

    #[test]
    fn nothing_else_is_repaired() {
        for head in [
            "HTTP/1.1 200 a : b\r\n\r\n",
            "HTTP/1.1 200 OK\r\nA b: c\r\n\r\n",
            "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n",
            "HTTP/1.1 200 OK\r\nno colon \r\n\r\n",
            "HTTP/1.1 200 OK\r\nA: b\rC : d",
            "",
        ] {
            assert_eq!(repaired(head), None, "{head:?}");
        }
        // A field without a name is for the reader to refuse.
        assert_eq!(
            repaired("HTTP/1.1 200 OK\n : b\n\n").as_deref(),
            Some("HTTP/1.1 200 OK\r\n: b\r\n\r\n")
        );
    }
}
