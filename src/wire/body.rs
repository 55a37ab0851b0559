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
    Chunks(Box<ChunkDecoder>),
    UntilClose,
}

/// The next piece of a body.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece {
    /// So many bytes at the start of the input; consume them when they are used.
    Data(usize),
    /// More has to be read first.
    NeedMore,
    /// That was all of it.
    End,
}

impl Body {
    /// A body of that length, of which nothing has been taken yet.
    #[must_use]
    pub fn new(length: BodyLength) -> Self {
        let rest = match length {
            BodyLength::None | BodyLength::Fixed(0) => Rest::Nothing,
            BodyLength::Fixed(n) => Rest::Bytes(n),
            BodyLength::Chunked => Rest::Chunks(Box::default()),
            BodyLength::UntilClose => Rest::UntilClose,
        };
        Self { rest }
    }

    /// Whether the body has ended.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        matches!(self.rest, Rest::Nothing)
    }

    /// The next piece of what has been read; framing bytes before it are consumed.
    pub fn next(&mut self, input: &mut Input) -> Result<Piece, ChunkError> {
        match &mut self.rest {
            Rest::Nothing => Ok(Piece::End),
            Rest::UntilClose | Rest::Bytes(_) if input.is_empty() => Ok(Piece::NeedMore),
            Rest::UntilClose => Ok(Piece::Data(input.bytes().len())),
            Rest::Bytes(left) => {
                let at_hand = input.bytes().len();
                Ok(Piece::Data(
                    usize::try_from(*left).map_or(at_hand, |left| left.min(at_hand)),
                ))
            }
            Rest::Chunks(decoder) => match decoder.next(input.bytes())? {
                Step::NeedMore { consumed } => {
                    input.consume(consumed);
                    Ok(Piece::NeedMore)
                }
                Step::Data { skip, len } => {
                    input.consume(skip);
                    Ok(Piece::Data(len))
                }
                Step::End { consumed } => {
                    input.consume(consumed);
                    Ok(Piece::End)
                }
            },
        }
    }

    /// Notes that `n` bytes of the last piece were used, and consumes them.
    pub fn used(&mut self, n: usize, input: &mut Input) {
        input.consume(n);
        if let Rest::Bytes(left) = &mut self.rest {
            *left = left.saturating_sub(n as u64);
            if *left == 0 {
                self.rest = Rest::Nothing;
            }
        }
    }

    /// Ends the body and returns its trailers, if it had any. To be called on [`Piece::End`].
    pub fn finish(&mut self) -> Option<Fields> {
        match std::mem::replace(&mut self.rest, Rest::Nothing) {
            Rest::Chunks(mut decoder) => decoder.trailers(),
            Rest::Nothing | Rest::Bytes(_) | Rest::UntilClose => None,
        }
    }

    /// What the end of the stream means for this body.
    #[must_use]
    pub fn ends_with_stream(&self) -> bool {
        matches!(self.rest, Rest::UntilClose | Rest::Nothing)
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
