//! The trailer section of a chunked body (RFC 9112 section 7.1.2), gathered while it arrives and
//! read when it is whole. It is the one part of a body that has to be held. A service's is repaired as
//! the head of an answer is ([`super::repair`]), and refused for the same reasons.

use memchr::memchr;

use crate::message::fields::{Fields, HeadStorage};
use crate::message::head::Oddity;

use super::cursor::Cursor;
use super::lines::read_fields;
use super::repair::{MixedLineEnds, Repaired, repair_trailers};

/// How large a trailer section may be.
const MAX_BYTES: usize = 16 * 1024;
const MAX_FIELDS: usize = 64;

/// Why a trailer section is refused. The texts are for the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TrailerError {
    /// Its fields are not what a head's have to be, or more than 64.
    #[error("The trailer section is malformed.")]
    Malformed,
    /// What follows on a line of one kind is a line of its own to some, and to others not.
    #[error("Some lines of the trailer section end with CR LF, others with LF alone.")]
    MixedLineEnds,
    /// More than 16 KiB.
    #[error("The trailer section is larger than is accepted here.")]
    TooLarge,
}

/// The part of a trailer section that has arrived.
#[derive(Debug, Default)]
pub(super) struct TrailerSection {
    bytes: Vec<u8>,
}

/// A trailer section that is whole.
#[derive(Debug)]
pub(super) struct Trailers {
    /// How many bytes of the last input belong to it.
    pub(super) consumed: usize,
    /// `None` if the section is empty.
    pub(super) fields: Option<Fields>,
    /// What had to be repaired before it could be read, if anything.
    pub(super) odd: Option<Oddity>,
}

impl TrailerSection {
    /// Takes the next bytes, up to the section's empty line; `None` if that is still to come.
    pub(super) fn read(
        &mut self,
        input: &[u8],
        of_answer: bool,
    ) -> Result<Option<Trailers>, TrailerError> {
        let mut consumed = 0;
        while consumed < input.len() {
            let rest = &input[consumed..];
            let line = &rest[..memchr(b'\n', rest).map_or(rest.len(), |lf| lf + 1)];
            if self.bytes.len() + line.len() > MAX_BYTES {
                return Err(TrailerError::TooLarge);
            }
            self.bytes.extend_from_slice(line);
            consumed += line.len();
            match self.bytes[..] {
                [b'\r', b'\n'] | [.., b'\n', b'\r', b'\n'] => {
                    return self.finish(consumed, of_answer).map(Some);
                }
                [b'\n'] | [.., b'\n', b'\n'] if of_answer => {
                    return self.finish(consumed, of_answer).map(Some);
                }
                [.., b'\r', b'\n'] => {}
                [.., b'\n'] if !of_answer => return Err(TrailerError::Malformed),
                _ => {}
            }
        }
        Ok(None)
    }

    fn finish(&mut self, consumed: usize, of_answer: bool) -> Result<Trailers, TrailerError> {
        let mut bytes = std::mem::take(&mut self.bytes);
        let mut odd = None;
        if of_answer && let Some(Repaired { bytes: right, why }) = repair_trailers(&bytes)? {
            (bytes, odd) = (right, Some(why));
        }
        let fields = match &bytes[..] {
            b"\r\n" => None,
            _ => Some(read(bytes)?),
        };
        Ok(Trailers {
            consumed,
            fields,
            odd,
        })
    }
}

impl From<MixedLineEnds> for TrailerError {
    fn from(_: MixedLineEnds) -> Self {
        Self::MixedLineEnds
    }
}

fn read(section: Vec<u8>) -> Result<Fields, TrailerError> {
    let HeadStorage { bytes, mut list } = HeadStorage::from(section);
    match read_fields(Cursor::new(&bytes), &bytes, MAX_FIELDS, &mut list) {
        Ok(()) => Ok(Fields::new(bytes, list)),
        Err(_) => Err(TrailerError::Malformed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Read = Result<Option<(usize, usize, Option<Oddity>)>, TrailerError>;

    /// What is read when a client's bytes, or a service's, come in pieces of that size: how many fields, how
    /// many bytes they took, and what was odd about them.
    fn read_by(of_answer: bool, section: &str, piece: usize) -> Read {
        let (mut gathered, mut before) = (TrailerSection::default(), 0);
        for input in section.as_bytes().chunks(piece) {
            if let Some(trailers) = gathered.read(input, of_answer)? {
                let fields = trailers.fields.map_or(0, |fields| fields.iter().len());
                return Ok(Some((fields, before + trailers.consumed, trailers.odd)));
            }
            before += input.len();
        }
        Ok(None)
    }

    fn of_request(section: &str, piece: usize) -> Read {
        read_by(false, section, piece)
    }

    fn of_answer(section: &str, piece: usize) -> Read {
        read_by(true, section, piece)
    }

    const BOTH: [fn(&str, usize) -> Read; 2] = [of_request, of_answer];

    #[test]
    fn a_section_ends_with_its_empty_line_however_it_is_cut() {
        for read in BOTH {
            for piece in 1..30 {
                assert_eq!(read("\r\nGET", piece), Ok(Some((0, 2, None))));
                let section = "X-Sum: 1\r\nY:\r\n\r\nGET";
                assert_eq!(read(section, piece), Ok(Some((2, 16, None))), "{piece}");
                assert_eq!(read(&section[..15], piece), Ok(None), "{piece}");
            }
        }
    }

    #[test]
    fn lines_that_are_no_fields_are_refused() {
        for section in [
            " x\r\n\r\n",
            "X: y\r\n z\r\n\r\n",
            "X: a\rb\r\n\r\n",
            "X: a\r\r\n\r\n",
            "X: a\0b\r\n\r\n",
            " : a\r\n\r\n",
            "no-colon\r\n\r\n",
        ] {
            for piece in [1, 100] {
                for read in BOTH {
                    let read = read(section, piece);
                    assert_eq!(read, Err(TrailerError::Malformed), "{section:?}");
                }
                let lf = section.replace("\r\n", "\n");
                assert!(of_answer(&lf, piece).is_err(), "{lf:?}");
            }
        }
    }

    #[test]
    fn what_all_peers_read_alike_is_repaired_in_an_answer_alone() {
        let (lf, blanks) = (Oddity::BareLf, Oddity::BlanksBeforeColon);
        for (section, fields, odd) in [
            ("\n", 0, lf),
            ("X: y\n\n", 1, lf),
            ("X: y\nZ:\n\n", 2, lf),
            ("X : y\r\n\r\n", 1, blanks),
            ("X: y\r\nZ \t:\r\n\r\n", 2, blanks),
            ("X : y\n\n", 1, blanks),
        ] {
            for piece in [1, 2, 100] {
                let expected = Ok(Some((fields, section.len(), Some(odd))));
                let with_more = format!("{section}GET");
                assert_eq!(of_answer(&with_more, piece), expected, "{section:?}");
                let refused = Err(TrailerError::Malformed);
                assert_eq!(of_request(section, piece), refused, "{section:?}");
            }
        }
    }

    #[test]
    fn lines_that_end_in_both_ways_are_refused() {
        for section in [
            "X: y\n\r\n",
            "X: y\r\n\n",
            "X: y\r\nZ: a\n\r\n",
            "X: y\nZ: a\r\n\n",
            "X : y\n\r\n",
            "X: y\r\r\n\n",
        ] {
            for piece in [1, 100] {
                let mixed = Err(TrailerError::MixedLineEnds);
                assert_eq!(of_answer(section, piece), mixed, "{section:?}");
                let refused = Err(TrailerError::Malformed);
                assert_eq!(of_request(section, piece), refused, "{section:?}");
            }
        }
    }

    #[test]
    fn a_section_is_bounded() {
        let bytes = |n: usize| format!("X: {}\r\n\r\n", "y".repeat(n - 7));
        let fields = |n: usize| format!("{}\r\n", "X: y\r\n".repeat(n));
        for read in BOTH {
            for piece in [1, 100_000] {
                let most = read(&bytes(MAX_BYTES), piece);
                assert_eq!(most, Ok(Some((1, MAX_BYTES, None))));
                let beyond = read(&bytes(MAX_BYTES + 1), piece);
                assert_eq!(beyond, Err(TrailerError::TooLarge));
                assert!(read(&fields(64), piece).is_ok());
                assert_eq!(read(&fields(65), piece), Err(TrailerError::Malformed));
            }
        }
        let lines = "X: y\n".repeat(MAX_BYTES);
        assert_eq!(of_answer(&lines, 100), Err(TrailerError::TooLarge));
    }
}
