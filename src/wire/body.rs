//! The body of a message, taken piece by piece from what was read. Whoever passes a body on does
//! so through this one reading of it, so that what is sent is framed as what was understood.

use crate::message::body::BodyLength;
use crate::message::fields::Fields;

use super::chunked::{ChunkDecoder, ChunkError, Step, put_chunk};
use super::stream::Input;

/// What is still to come of a body.
#[derive(Debug)]
pub struct Body {
    rest: Rest,
}

#[derive(Debug)]
enum Rest {
    Nothing,
    Bytes(u64),
    /// `taken` is how much of a chunk's data the decoder has read past and nobody has used yet.
    Chunks {
        decoder: Box<ChunkDecoder>,
        taken: usize,
    },
    UntilClose,
}

/// The next piece of a body.
#[derive(Debug)]
pub enum Piece<'p> {
    /// Some of it; say how much of that was used.
    Data(&'p [u8]),
    /// There is none at hand.
    NeedMore,
    /// That was all of it, and these are its trailers.
    End(Option<Fields>),
}

impl Body {
    /// A body of that length, of which nothing has been taken yet.
    #[must_use]
    pub fn new(length: BodyLength) -> Self {
        let rest = match length {
            BodyLength::None | BodyLength::Fixed(0) => Rest::Nothing,
            BodyLength::Fixed(n) => Rest::Bytes(n),
            BodyLength::Chunked => Rest::Chunks {
                decoder: Box::default(),
                taken: 0,
            },
            BodyLength::UntilClose => Rest::UntilClose,
        };
        Self { rest }
    }

    /// Whether the body has ended.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        matches!(self.rest, Rest::Nothing)
    }

    /// The next piece of what has been read; framing bytes before it are consumed. The same piece
    /// as long as nothing of it is used.
    pub fn next<'i>(&mut self, input: &'i mut Input) -> Result<Piece<'i>, ChunkError> {
        let n = match &mut self.rest {
            Rest::Nothing => return Ok(Piece::End(None)),
            Rest::UntilClose => input.bytes().len(),
            Rest::Bytes(left) => {
                let at_hand = input.bytes().len();
                usize::try_from(*left).map_or(at_hand, |left| left.min(at_hand))
            }
            Rest::Chunks { taken, .. } if *taken > 0 => *taken,
            Rest::Chunks { decoder, taken } => match decoder.next(input.bytes())? {
                Step::NeedMore { consumed } => {
                    input.consume(consumed);
                    0
                }
                Step::Data { skip, len } => {
                    input.consume(skip);
                    *taken = len;
                    len
                }
                Step::End { consumed } => {
                    input.consume(consumed);
                    let trailers = decoder.trailers();
                    self.rest = Rest::Nothing;
                    return Ok(Piece::End(trailers));
                }
            },
        };
        Ok(match n {
            0 => Piece::NeedMore,
            n => Piece::Data(&input.bytes()[..n]),
        })
    }

    /// Notes that `n` bytes of the last piece were used, and consumes them.
    pub fn used(&mut self, n: usize, input: &mut Input) {
        input.consume(n);
        match &mut self.rest {
            Rest::Bytes(left) => {
                *left = left.saturating_sub(n as u64);
                if *left == 0 {
                    self.rest = Rest::Nothing;
                }
            }
            Rest::Chunks { taken, .. } => *taken = taken.saturating_sub(n),
            Rest::Nothing | Rest::UntilClose => {}
        }
    }

    /// Notes that the stream has ended; `false` if the body has not, and so is not whole.
    #[must_use]
    pub fn end_of_stream(&mut self) -> bool {
        if matches!(self.rest, Rest::UntilClose) {
            self.rest = Rest::Nothing;
        }
        self.is_finished()
    }
}

/// How a body is framed when it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    /// Bytes as they are: under a `Content-Length`, or up to the end of the stream.
    Identity,
    /// In chunks, for a length that is not known beforehand.
    Chunked,
}

impl Coding {
    /// Appends a piece of body in this coding.
    pub fn put(self, out: &mut Vec<u8>, data: &[u8]) {
        match self {
            Self::Identity => out.extend_from_slice(data),
            Self::Chunked => put_chunk(out, data),
        }
    }
}
