//! The trailer section of a chunked body (RFC 9112 section 7.1.2), gathered while it arrives and
//! read when it is whole. It is the one part of a body that has to be held.

use memchr::memchr;

use super::chunked::ChunkError;
use super::fields::{Fields, HeadStorage};
use super::lines::{TRAILER_LIMITS, trailer_fields};

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
    pub(super) fn read(&mut self, input: &[u8]) -> Result<Option<Trailers>, ChunkError> {
        let mut consumed = 0;
        while consumed < input.len() {
            let rest = &input[consumed..];
            let line = &rest[..memchr(b'\n', rest).map_or(rest.len(), |lf| lf + 1)];
            if self.bytes.len() + line.len() > TRAILER_LIMITS.max_bytes {
                return Err(ChunkError::TrailersTooLarge);
            }
            self.bytes.extend_from_slice(line);
            consumed += line.len();
            match self.bytes[..] {
                [b'\r', b'\n'] | [.., b'\n', b'\r', b'\n'] => {
                    let fields = self.finish()?;
                    return Ok(Some(Trailers { consumed, fields }));
                }
                [.., b'\r', b'\n'] => {}
                [.., b'\n'] => return Err(ChunkError::Trailers),
                _ => {}
            }
        }
        Ok(None)
    }

    fn finish(&mut self) -> Result<Option<Fields>, ChunkError> {
        let bytes = std::mem::take(&mut self.bytes);
        if bytes == b"\r\n" {
            return Ok(None);
        }
        trailer_fields(HeadStorage::from(bytes))
            .map(Some)
            .map_err(|_| ChunkError::Trailers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is read when the bytes come in pieces of that size: how many fields, and how many
    /// bytes they took.
    fn read(section: &str, piece: usize) -> Result<Option<(usize, usize)>, ChunkError> {
        let (mut gathered, mut before) = (TrailerSection::default(), 0);
        for input in section.as_bytes().chunks(piece) {
            if let Some(trailers) = gathered.read(input)? {
                let fields = trailers.fields.map_or(0, |fields| fields.len());
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
                    Err(ChunkError::Trailers),
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
            let most = read(&bytes(TRAILER_LIMITS.max_bytes), piece);
            assert_eq!(most, Ok(Some((1, TRAILER_LIMITS.max_bytes))));
            let beyond = read(&bytes(TRAILER_LIMITS.max_bytes + 1), piece);
            assert_eq!(beyond, Err(ChunkError::TrailersTooLarge));
            assert!(read(&fields(64), piece).is_ok());
            assert_eq!(read(&fields(65), piece), Err(ChunkError::Trailers));
        }
    }
}
