//! The chunked transfer coding (RFC 9112 section 7.1), read strictly: every line ends with CR LF,
//! sizes are hexadecimal digits and nothing else. A state machine that looks at each byte once,
//! wherever the reads happen to cut.
//!
//! What a service sends is read as all peers read it, for the chunks that the client gets are framed anew:
//! - Blanks may stand behind a size, with which some services fill a field of fixed width: they cannot
//!   change the size.
//! - LF alone may end the line of a size, and a chunk's data, as section 2.2 allows for the lines of a head.
//!   Readers either begin the data there or refuse the answer. The connection is not used again, lest what
//!   is behind the body be taken for an answer.
//! - Not behind an extension: section 7.1.1 has readers skip what they do not know, and some skip to CR LF.
//!   For them the data would begin elsewhere than for those that stop at the LF.

use std::io::Write;

use crate::message::fields::Fields;
use crate::message::head::Oddity;

use super::trailers::{TrailerError, TrailerSection};

/// The chunk that ends a body; the trailer section and an empty line follow it.
pub const LAST_CHUNK: &[u8] = b"0\r\n";

/// Hexadecimal digits of a size; more could not be counted.
const MOST_DIGITS: u8 = 16;
/// Extensions are allowed, unread and useless: beyond these sizes they are an attack.
const MOST_EXTENSION: usize = 4 * 1024;
const MOST_EXTENSIONS: usize = 64 * 1024;

/// Reads a chunked body.
#[derive(Debug)]
pub struct ChunkDecoder {
    state: State,
    /// Bytes of extensions, in this line and in all lines.
    extension: usize,
    extensions: usize,
    section: TrailerSection,
    trailers: Option<Fields>,
    of_answer: bool,
    odd: Option<Oddity>,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Size {
        value: u64,
        digits: u8,
    },
    /// Blanks behind a size, mostly before an extension: RFC 9112 section 7.1.1 has them read past.
    Blanks {
        size: u64,
    },
    Extension {
        size: u64,
    },
    SizeLf {
        size: u64,
    },
    Data {
        left: u64,
    },
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
    NeedMore {
        /// All of the input.
        consumed: usize,
    },
    /// After `skip` bytes of framing come `len` bytes of the body. The caller takes both.
    Data {
        /// Bytes of framing.
        skip: usize,
        /// Bytes of the body; at least one.
        len: usize,
    },
    /// The body ended after `consumed` bytes.
    End {
        /// Up to where the next message begins.
        consumed: usize,
    },
}

/// Why a chunked body is refused. The texts are for the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ChunkError {
    /// Not 1 to 16 hexadecimal digits, or more than a counter holds.
    #[error("A chunk's size is malformed.")]
    Size,
    /// There are control characters in them.
    #[error("A chunk's extensions are malformed.")]
    Extension,
    /// More than 4 KiB in a line, or 64 KiB in a request's body.
    #[error("The chunk extensions are larger than is accepted here.")]
    ExtensionsTooLarge,
    /// It is longer or shorter than its size says.
    #[error("A chunk does not end with CR LF.")]
    End,
    /// See there.
    #[error(transparent)]
    Trailers(#[from] TrailerError),
}

impl ChunkDecoder {
    /// A decoder for what a client sends.
    pub fn of_request() -> Self {
        Self::new(false)
    }

    /// A decoder for what a service sends.
    pub fn of_answer() -> Self {
        Self::new(true)
    }

    fn new(of_answer: bool) -> Self {
        Self {
            state: State::default(),
            extension: 0,
            extensions: 0,
            section: TrailerSection::default(),
            trailers: None,
            of_answer,
            odd: None,
        }
    }

    /// Reads on. `input` starts where the caller was told that the last step ended.
    pub fn next(&mut self, input: &[u8]) -> Result<Step, ChunkError> {
        let mut at = 0;
        while let Some(&byte) = input.get(at) {
            match self.state {
                State::Data { left } => return Ok(self.data(left, at, input.len() - at)),
                State::Trailers => return self.read_trailers(input, at),
                State::Ended => break,
                State::Size { value, digits } => self.state = self.size(value, digits, byte)?,
                State::Blanks { size } => self.state = self.read_blanks(size, byte)?,
                State::Extension { size } => self.state = self.read_extension(size, byte)?,
                State::SizeLf { size } => self.state = Self::size_line_ends(size, byte)?,
                State::DataCr if byte == b'\r' => self.state = State::DataLf,
                State::DataCr if byte == b'\n' && self.of_answer => {
                    self.odd = Some(Oddity::BareLf);
                    self.begin_line();
                }
                State::DataLf if byte == b'\n' => self.begin_line(),
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
        self.trailers.take()
    }

    /// What was not as it should be so far, and yet could be read in one way only.
    pub fn odd(&self) -> Option<Oddity> {
        self.odd
    }

    fn begin_line(&mut self) {
        self.extension = 0;
        self.state = State::default();
    }

    fn size(&mut self, value: u64, digits: u8, byte: u8) -> Result<State, ChunkError> {
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
            b' ' | b'\t' if digits > 0 => Ok(State::Blanks { size: value }),
            b'\n' if digits > 0 => self.bare_lf(value),
            _ => Err(ChunkError::Size),
        }
    }

    fn read_blanks(&mut self, size: u64, byte: u8) -> Result<State, ChunkError> {
        self.count_extension()?;
        match byte {
            b' ' | b'\t' => Ok(State::Blanks { size }),
            b';' => Ok(State::Extension { size }),
            b'\r' if self.of_answer => Ok(State::SizeLf { size }),
            b'\n' => self.bare_lf(size),
            _ => Err(ChunkError::Size),
        }
    }

    fn read_extension(&mut self, size: u64, byte: u8) -> Result<State, ChunkError> {
        self.count_extension()?;
        match byte {
            b'\r' => Ok(State::SizeLf { size }),
            b'\t' | b' '..=b'~' | 0x80.. => Ok(State::Extension { size }),
            _ => Err(ChunkError::Extension),
        }
    }

    fn count_extension(&mut self) -> Result<(), ChunkError> {
        self.extension += 1;
        // A service's stream may go on for days, with blanks or extensions in every line.
        self.extensions += usize::from(!self.of_answer);
        if self.extension > MOST_EXTENSION || self.extensions > MOST_EXTENSIONS {
            return Err(ChunkError::ExtensionsTooLarge);
        }
        Ok(())
    }

    /// Ends the line of a size, without extensions, with LF alone.
    fn bare_lf(&mut self, size: u64) -> Result<State, ChunkError> {
        if !self.of_answer {
            return Err(ChunkError::Size);
        }
        self.odd = Some(Oddity::BareLf);
        Self::size_line_ends(size, b'\n')
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

    fn read_trailers(&mut self, input: &[u8], at: usize) -> Result<Step, ChunkError> {
        Ok(match self.section.read(&input[at..], self.of_answer)? {
            Some(section) => {
                self.trailers = section.fields;
                self.odd = self.odd.or(section.odd);
                self.state = State::Ended;
                Step::End {
                    consumed: at + section.consumed,
                }
            }
            None => Step::NeedMore {
                consumed: input.len(),
            },
        })
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
mod tests;
