//! The chunked transfer coding (RFC 9112 section 7.1), read strictly: every line ends with CR LF,
//! sizes are hexadecimal digits and nothing else. A state machine that looks at each byte once,
//! wherever the reads happen to cut.

use std::io::Write;

use super::fields::{Fields, HeadStorage};
use super::lines::trailer_fields;

/// The chunk that ends a body; the trailer section and an empty line follow it.
pub const LAST_CHUNK: &[u8] = b"0\r\n";

/// Hexadecimal digits of a size; more could not be counted.
const MOST_DIGITS: u8 = 16;
/// Extensions are allowed, unread and useless: beyond these sizes they are an attack.
const MOST_EXTENSION: usize = 4 * 1024;
const MOST_EXTENSIONS: usize = 64 * 1024;
/// The trailer section.
const MOST_TRAILERS: usize = 16 * 1024;

/// Reads a chunked body.
#[derive(Debug, Default)]
pub struct ChunkDecoder {
    state: State,
    /// Bytes of extensions, in this line and in all lines.
    extension: usize,
    extensions: usize,
    trailers: Vec<u8>,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Size { value: u64, digits: u8 },
    Extension { size: u64 },
    SizeLf { size: u64 },
    Data { left: u64 },
    DataCr,
    DataLf,
    Trailers,
    Ended,
}

impl Default for State {
    fn default() -> Self {
        Self::Size {
            value: 0,
            digits: 0,
        }
    }
}

/// What the next bytes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// All of the input was framing, `consumed` bytes of it; more has to be read.
    NeedMore { consumed: usize },
    /// After `skip` bytes of framing come `len` bytes of the body. The caller takes both.
    Data { skip: usize, len: usize },
    /// The body ended after `consumed` bytes.
    End { consumed: usize },
}

/// Why a chunked body is refused. The texts are for the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ChunkError {
    #[error("A chunk's size is malformed.")]
    Size,
    #[error("A chunk's extensions are malformed.")]
    Extension,
    #[error("The chunk extensions are larger than is accepted here.")]
    ExtensionsTooLarge,
    #[error("A chunk does not end with CR LF.")]
    End,
    #[error("The trailer section is malformed.")]
    Trailers,
    #[error("The trailer section is larger than is accepted here.")]
    TrailersTooLarge,
}

impl ChunkDecoder {
    /// Reads on. `input` starts where the caller was told that the last step ended.
    pub fn next(&mut self, input: &[u8]) -> Result<Step, ChunkError> {
        let mut at = 0;
        while let Some(&byte) = input.get(at) {
            match self.state {
                State::Data { left } => return Ok(self.data(left, at, input.len() - at)),
                State::Trailers => return self.read_trailers(input, at),
                State::Ended => break,
                State::Size { value, digits } => self.state = Self::size(value, digits, byte)?,
                State::Extension { size } => self.state = self.read_extension(size, byte)?,
                State::SizeLf { size } => self.state = Self::size_line_ends(size, byte)?,
                State::DataCr if byte == b'\r' => self.state = State::DataLf,
                State::DataLf if byte == b'\n' => {
                    self.extension = 0;
                    self.state = State::default();
                }
                State::DataCr | State::DataLf => return Err(ChunkError::End),
            }
            at += 1;
        }
        Ok(if matches!(self.state, State::Ended) {
            Step::End { consumed: at }
        } else {
            Step::NeedMore { consumed: at }
        })
    }

    /// The trailer section, once the body has ended, if it had any fields.
    pub fn trailers(&mut self) -> Option<Fields> {
        let bytes = std::mem::take(&mut self.trailers);
        if bytes.len() <= 2 {
            return None;
        }
        trailer_fields(HeadStorage::from(bytes)).ok()
    }

    fn size(value: u64, digits: u8, byte: u8) -> Result<State, ChunkError> {
        if let Some(digit) = char::from(byte).to_digit(16) {
            // Fewer than 2^63, so that sums of sizes stay numbers.
            let fits = digits < MOST_DIGITS && value < 1 << 59;
            return if fits {
                Ok(State::Size {
                    value: value << 4 | u64::from(digit),
                    digits: digits + 1,
                })
            } else {
                Err(ChunkError::Size)
            };
        }
        match byte {
            b'\r' if digits > 0 => Ok(State::SizeLf { size: value }),
            b';' if digits > 0 => Ok(State::Extension { size: value }),
            _ => Err(ChunkError::Size),
        }
    }

    fn read_extension(&mut self, size: u64, byte: u8) -> Result<State, ChunkError> {
        self.extension += 1;
        self.extensions += 1;
        match byte {
            b'\r' => Ok(State::SizeLf { size }),
            b'\t' | b' '..=b'~' | 0x80..
                if self.extension > MOST_EXTENSION || self.extensions > MOST_EXTENSIONS =>
            {
                Err(ChunkError::ExtensionsTooLarge)
            }
            b'\t' | b' '..=b'~' | 0x80.. => Ok(State::Extension { size }),
            _ => Err(ChunkError::Extension),
        }
    }

    fn size_line_ends(size: u64, byte: u8) -> Result<State, ChunkError> {
        match (byte, size) {
            (b'\n', 0) => Ok(State::Trailers),
            (b'\n', left) => Ok(State::Data { left }),
            _ => Err(ChunkError::Size),
        }
    }

    fn data(&mut self, left: u64, skip: usize, at_hand: usize) -> Step {
        let len = usize::try_from(left).map_or(at_hand, |left| left.min(at_hand));
        let left = left - len as u64;
        self.state = if left == 0 {
            State::DataCr
        } else {
            State::Data { left }
        };
        Step::Data { skip, len }
    }

    /// Gathers the trailer section up to its empty line.
    fn read_trailers(&mut self, input: &[u8], mut at: usize) -> Result<Step, ChunkError> {
        while let Some(&byte) = input.get(at) {
            at += 1;
            self.trailers.push(byte);
            if byte == b'\n' {
                match self.trailers[..] {
                    [b'\r', b'\n'] | [.., b'\r', b'\n', b'\r', b'\n'] => {
                        self.state = State::Ended;
                        if self.trailers.len() > 2 {
                            trailer_fields(HeadStorage::from(self.trailers.clone()))
                                .map_err(|_| ChunkError::Trailers)?;
                        }
                        return Ok(Step::End { consumed: at });
                    }
                    [.., b'\r', b'\n'] => {}
                    _ => return Err(ChunkError::Trailers),
                }
            }
            if self.trailers.len() > MOST_TRAILERS {
                return Err(ChunkError::TrailersTooLarge);
            }
        }
        Ok(Step::NeedMore { consumed: at })
    }
}

/// Appends a chunk. An empty one would end the body and is left out.
pub fn put_chunk(out: &mut Vec<u8>, data: &[u8]) {
    if data.is_empty() {
        return;
    }
    // Writing to a vector cannot fail.
    let _ = write!(out, "{:x}\r\n", data.len());
    out.extend_from_slice(data);
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(mut input: &[u8], pieces: usize) -> Result<(Vec<u8>, usize), ChunkError> {
        let (mut decoder, mut body, mut at_hand, mut used) =
            (ChunkDecoder::default(), Vec::new(), Vec::new(), 0);
        loop {
            match decoder.next(&at_hand)? {
                Step::NeedMore { consumed } => {
                    used += consumed;
                    at_hand.drain(..consumed);
                    if input.is_empty() {
                        return Ok((body, 0));
                    }
                    let (piece, rest) = input.split_at(pieces.min(input.len()));
                    at_hand.extend_from_slice(piece);
                    input = rest;
                }
                Step::Data { skip, len } => {
                    body.extend_from_slice(&at_hand[skip..skip + len]);
                    used += skip + len;
                    at_hand.drain(..skip + len);
                }
                Step::End { consumed } => return Ok((body, used + consumed)),
            }
        }
    }

    #[test]
    fn a_body_is_the_same_however_it_is_cut() {
        let coded = b"5;a=\"x;y\"\r\nhello\r\n006\r\n world\r\n0\r\nX-Sum: 1\r\n\r\nGET";
        for pieces in 1..coded.len() {
            let (body, used) = decode(coded, pieces).unwrap();
            assert_eq!(
                (&body[..], used),
                (&b"hello world"[..], coded.len() - 3),
                "{pieces}"
            );
        }
    }

    #[test]
    fn what_two_readers_could_read_differently_is_refused() {
        for coded in [
            "5\nhello\r\n0\r\n\r\n",
            "5\r\nhello0\r\n\r\n",
            "+5\r\nhello\r\n0\r\n\r\n",
            "0x5\r\nhello\r\n",
            "\r\n",
            " 5\r\nhello",
            "5 \r\nhello\r\n0\r\n\r\n",
            "6\r\nhello\r\n0\r\n\r\n",
            "5\r\nhello\r\r0\r\n\r\n",
            "5;\nx\r\nhello\r\n",
            "10000000000000000\r\n",
            "ffffffffffffffff\r\n",
            "5;\x00\r\nhello\r\n",
            "0\r\nX : y\r\n\r\n",
            "0\r\n x\r\n\r\n",
            "0\r\nX: y\n\r\n",
            "0\r\nno-colon\r\n\r\n",
        ] {
            assert!(decode(coded.as_bytes(), 1000).is_err(), "{coded:?}");
            assert!(decode(coded.as_bytes(), 1).is_err(), "{coded:?}");
        }
    }
}
