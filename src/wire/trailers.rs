//! The trailer section of a chunked body (RFC 9112 section 7.1.2), gathered while it arrives and
//! read when it is whole. It is the one part of a body that has to be held.

use memchr::memchr;

use crate::message::fields::{Fields, HeadStorage};

use super::cursor::Cursor;
use super::lines::read_fields;

/// How large a trailer section may be.
const MAX_BYTES: usize = 16 * 1024;
const MAX_FIELDS: usize = 64;

/// Why a trailer section is refused. The texts are for the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TrailerError {
    /// Its fields are not what a head's have to be, or more than 64.
    #[error("The trailer section is malformed.")]
    Malformed,
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
}

impl TrailerSection {
    /// Takes the next bytes, up to the section's empty line; `None` if that is still to come.
    pub(super) fn read(&mut self, input: &[u8]) -> Result<Option<Trailers>, TrailerError> {
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
                    let fields = self.finish()?;
                    return Ok(Some(Trailers { consumed, fields }));
                }
                [.., b'\r', b'\n'] => {}
                [.., b'\n'] => return Err(TrailerError::Malformed),
                _ => {}
            }
        }
        Ok(None)
    }

    fn finish(&mut self) -> Result<Option<Fields>, TrailerError> {
        let bytes = std::mem::take(&mut self.bytes);
        if bytes == b"\r\n" {
            return Ok(None);
        }
        let HeadStorage { bytes, mut list } = HeadStorage::from(bytes);
        match read_fields(Cursor::new(&bytes), &bytes, MAX_FIELDS, &mut list) {
            Ok(()) => Ok(Some(Fields::new(bytes, list))),
            Err(_) => Err(TrailerError::Malformed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is read when the bytes come in pieces of that size: how many fields, and how many
    /// bytes they took.
    fn read(section: &str, piece: usize) -> Result<Option<(usize, usize)>, TrailerError> {
        let (mut gathered, mut before) = (TrailerSection::default(), 0);
        for input in section.as_bytes().chunks(piece) {
            if let Some(trailers) = gathered.read(input)? {
                let fields = trailers.fields.map_or(0, |fields| fields.iter().len());
                return Ok(Some((fields, before + trailers.consumed)));
            }
            before += input.len();
        }
        Ok(None)
    }

    #[test]
    fn a_section_ends_with_its_empty_line_however_it_is_cut() {
        for piece in 1..30 {
            assert_eq!(read("\r\nGET", piece), Ok(Some((0, 2))));
            let section = "X-Sum: 1\r\nY:\r\n\r\nGET";
            assert_eq!(read(section, piece), Ok(Some((2, 16))), "{piece}");
            assert_eq!(read(&section[..15], piece), Ok(None), "{piece}");
        }
    }

    #[test]
    fn lines_that_are_no_fields_are_refused() {
        for section in [
            "\n",
            "X: y\n\r\n",
            "X: y\r\n\n",
            "X : y\r\n\r\n",
            " x\r\n\r\n",
            "X: y\r\n z\r\n\r\n",
            "X: a\rb\r\n\r\n",
            "X: a\0b\r\n\r\n",
            "no-colon\r\n\r\n",
        ] {
            for piece in [1, 100] {
                assert_eq!(
                    read(section, piece),
                    Err(TrailerError::Malformed),
                    "{section:?}"
                );
            }
        }
    }

    #[test]
    fn a_section_is_bounded() {
        let bytes = |n: usize| format!("X: {}\r\n\r\n", "y".repeat(n - 7));
        let fields = |n: usize| format!("{}\r\n", "X: y\r\n".repeat(n));
        for piece in [1, 100_000] {
            let most = read(&bytes(MAX_BYTES), piece);
            assert_eq!(most, Ok(Some((1, MAX_BYTES))));
            let beyond = read(&bytes(MAX_BYTES + 1), piece);
            assert_eq!(beyond, Err(TrailerError::TooLarge));
            assert!(read(&fields(64), piece).is_ok());
            assert_eq!(read(&fields(65), piece), Err(TrailerError::Malformed));
        }
    }
}
