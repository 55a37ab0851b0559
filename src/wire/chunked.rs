//! The chunked transfer coding (RFC 9112 section 7.1), read strictly: every line ends with CR LF,
//! sizes are hexadecimal digits and nothing else. A state machine that looks at each byte once,
//! wherever the reads happen to cut.

use std::io::Write;

use crate::message::fields::Fields;

use super::trailers::{TrailerError, TrailerSection};

/// The chunk that ends a body; the trailer section and an empty line follow it.
pub const LAST_CHUNK: &[u8] = b"0\r\n";

/// Hexadecimal digits of a size; more could not be counted.
const MOST_DIGITS: u8 = 16;
/// Extensions are allowed, unread and useless: beyond these sizes they are an attack.
const MOST_EXTENSION: usize = 4 * 1024;
const MOST_EXTENSIONS: usize = 64 * 1024;

/// Reads a chunked body.
#[derive(Debug, Default)]
pub struct ChunkDecoder {
    state: State,
    /// Bytes of extensions, in this line and in all lines.
    extension: usize,
    extensions: usize,
    section: TrailerSection,
    trailers: Option<Fields>,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Size {
        value: u64,
        digits: u8,
    },
    /// Blanks between a size and an extension: RFC 9112 section 7.1.1 has them read past.
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
    /// More than 4 KiB in a line or 64 KiB in a body.
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
    /// Reads on. `input` starts where the caller was told that the last step ended.
    pub fn next(&mut self, input: &[u8]) -> Result<Step, ChunkError> {
        let mut at = 0;
        while let Some(&byte) = input.get(at) {
            match self.state {
                State::Data { left } => return Ok(self.data(left, at, input.len() - at)),
                State::Trailers => return self.read_trailers(input, at),
                State::Ended => break,
                State::Size { value, digits } => self.state = Self::size(value, digits, byte)?,
                State::Blanks { size } => self.state = self.read_blanks(size, byte)?,
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
        self.trailers.take()
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
            b' ' | b'\t' if digits > 0 => Ok(State::Blanks { size: value }),
            _ => Err(ChunkError::Size),
        }
    }

    fn read_blanks(&mut self, size: u64, byte: u8) -> Result<State, ChunkError> {
        self.count_extension()?;
        match byte {
            b' ' | b'\t' => Ok(State::Blanks { size }),
            b';' => Ok(State::Extension { size }),
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
        self.extensions += 1;
        if self.extension > MOST_EXTENSION || self.extensions > MOST_EXTENSIONS {
            return Err(ChunkError::ExtensionsTooLarge);
        }
        Ok(())
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
        Ok(match self.section.read(&input[at..])? {
            Some(section) => {
                self.trailers = section.fields;
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
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What was read: the body, how many bytes it took in all, and its trailers.
    #[derive(Debug, PartialEq)]
    struct Decoded {
        body: Vec<u8>,
        used: usize,
        trailers: Vec<(Vec<u8>, Vec<u8>)>,
    }

    /// Decodes what comes in pieces of that size; `None` if the body has not ended.
    fn decode(mut input: &[u8], piece: usize) -> Result<Option<Decoded>, ChunkError> {
        let (mut decoder, mut body, mut at_hand) = (ChunkDecoder::default(), vec![], vec![]);
        let whole = input.len();
        loop {
            match decoder.next(&at_hand)? {
                Step::NeedMore { consumed } => {
                    assert_eq!(consumed, at_hand.len());
                    if input.is_empty() {
                        return Ok(None);
                    }
                    let (next, rest) = input.split_at(piece.min(input.len()));
                    (at_hand, input) = (next.to_vec(), rest);
                }
                Step::Data { skip, len } => {
                    assert!(len > 0);
                    body.extend_from_slice(&at_hand[skip..skip + len]);
                    at_hand.drain(..skip + len);
                }
                Step::End { consumed } => {
                    let used = whole - input.len() - at_hand.len() + consumed;
                    let fields = decoder.trailers().unwrap_or_default();
                    let owned = fields.iter().map(|f| (f.name.to_vec(), f.value.to_vec()));
                    return Ok(Some(Decoded {
                        body,
                        used,
                        trailers: owned.collect(),
                    }));
                }
            }
        }
    }

    fn refused(coded: &str) -> ChunkError {
        let whole = decode(coded.as_bytes(), usize::MAX);
        assert_eq!(decode(coded.as_bytes(), 1), whole, "{coded:?}");
        whole.expect_err(coded)
    }

    #[test]
    fn a_body_is_the_same_however_it_is_cut() {
        let coded =
            b"5;a=\"x;y\"\r\nhello\r\n006 \t; b\r\n world\r\n0\r\nX-Sum: 1\r\nY:\r\n\r\nGET";
        for piece in 1..=coded.len() {
            let read = decode(coded, piece).unwrap().unwrap();
            assert_eq!(read.body, b"hello world", "{piece}");
            assert_eq!(read.used, coded.len() - 3, "{piece}");
            let trailers = [(b"X-Sum".to_vec(), b"1".to_vec()), (b"Y".to_vec(), vec![])];
            assert_eq!(read.trailers, trailers, "{piece}");
        }
        for cut in 0..coded.len() - 3 {
            assert_eq!(decode(&coded[..cut], 7), Ok(None), "{cut}");
        }
    }

    #[test]
    fn what_two_readers_could_read_differently_is_refused() {
        use ChunkError::{End, Extension, Size, Trailers};
        use TrailerError::Malformed;
        for (coded, error) in [
            ("\r\n", Size),
            (" 5\r\n", Size),
            ("5 \r\n", Size),
            ("5 5\r\n", Size),
            ("+5\r\n", Size),
            ("-5\r\n", Size),
            ("0x5\r\n", Size),
            (";a\r\n", Size),
            ("5\n", Size),
            ("5\r\r\n", Size),
            ("5;a\r\r\n", Size),
            ("8000000000000000\r\n", Size),
            ("ffffffffffffffff\r\n", Size),
            ("00000000000000005\r\n", Size),
            ("5;\n", Extension),
            ("5;\0\r\n", Extension),
            ("5;a=\"\u{7f}\"\r\n", Extension),
            ("5\r\nhello0\r\n\r\n", End),
            ("6\r\nhello\r\n0\r\n\r\n", End),
            ("5\r\nhello\n", End),
            ("5\r\nhello\r\r\n", End),
            ("0\r\nX : y\r\n\r\n", Trailers(Malformed)),
            ("0\r\n\n", Trailers(Malformed)),
        ] {
            assert_eq!(refused(coded), error, "{coded:?}");
        }
    }

    #[test]
    fn the_longest_chunk_is_one_that_a_counter_holds() {
        let input = b"7fffffffffffffff\r\nab";
        let step = ChunkDecoder::default().next(input);
        assert_eq!(step, Ok(Step::Data { skip: 18, len: 2 }));
    }

    #[test]
    fn extensions_are_bounded() {
        let long = |n: usize| format!("5;{}\r\nhello\r\n", "x".repeat(n));
        let ended = |chunks: String| chunks + "0\r\n\r\n";
        assert!(decode(ended(long(4095)).as_bytes(), 100).unwrap().is_some());
        assert_eq!(refused(&long(4096)), ChunkError::ExtensionsTooLarge);
        assert_eq!(
            refused(&long(4095).repeat(17)),
            ChunkError::ExtensionsTooLarge
        );
        let blanks = format!("5{};\r\n", " ".repeat(4096));
        assert_eq!(refused(&blanks), ChunkError::ExtensionsTooLarge);
    }

    #[test]
    fn a_decoder_that_has_ended_stays_at_the_end() {
        let mut decoder = ChunkDecoder::default();
        assert_eq!(decoder.next(b"0\r\n\r\nG"), Ok(Step::End { consumed: 5 }));
        assert_eq!(decoder.next(b"G"), Ok(Step::End { consumed: 0 }));
        assert!(decoder.trailers().is_none());
    }

    proptest! {
        #[test]
        fn what_is_put_in_chunks_is_read_back(
            pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..8),
            piece in 1..100_usize,
        ) {
            let mut coded = vec![];
            for data in &pieces {
                put_chunk(&mut coded, data);
            }
            coded.extend_from_slice(LAST_CHUNK);
            coded.extend_from_slice(b"\r\n");
            let read = decode(&coded, piece).unwrap().unwrap();
            prop_assert_eq!(read.body, pieces.concat());
            prop_assert_eq!(read.used, coded.len());
        }

        #[test]
        fn any_bytes_are_read_alike_however_they_are_cut(
            coded in "([0-3]{1,2}( ?;a)?\r\n|[a-c\r\n]{0,3}\r\n|X: y\r\n|\n|0\r\n\r\n){0,12}",
            piece in 1..20_usize,
        ) {
            let whole = decode(coded.as_bytes(), usize::MAX);
            prop_assert_eq!(decode(coded.as_bytes(), piece), whole);
        }
    }
}
