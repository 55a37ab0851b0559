//! The body of a message, taken piece by piece from what was read. Whoever passes a body on does
//! so through this one reading of it, so that what is sent is framed as what was understood.

use crate::message::body::BodyLength;
use crate::message::fields::Fields;
use crate::message::head::Oddity;

use super::chunked::{ChunkDecoder, ChunkError, Step, put_chunk};
use super::input::Input;

/// What is still to come of a body.
#[derive(Debug)]
pub struct Body {
    rest: Rest,
}

#[derive(Debug)]
enum Rest {
    /// What was odd about it stands here, where it takes no room of its own.
    Nothing(Option<Oddity>),
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
    /// The body of a request, of which nothing has been taken yet.
    pub fn of_request(length: BodyLength) -> Self {
        Self::new(length, ChunkDecoder::of_request)
    }

    /// The body of an answer, of which nothing has been taken yet.
    pub fn of_answer(length: BodyLength) -> Self {
        Self::new(length, ChunkDecoder::of_answer)
    }

    fn new(length: BodyLength, decoder: impl FnOnce() -> ChunkDecoder) -> Self {
        let rest = match length {
            BodyLength::None | BodyLength::Fixed(0) => Rest::Nothing(None),
            BodyLength::Fixed(n) => Rest::Bytes(n),
            BodyLength::Chunked => Rest::Chunks {
                decoder: Box::new(decoder()),
                taken: 0,
            },
            BodyLength::UntilClose => Rest::UntilClose,
        };
        Self { rest }
    }

    /// What was not as it should be about its framing, and yet could be read in one way only. Known once it has
    /// ended.
    pub fn odd(&self) -> Option<Oddity> {
        match self.rest {
            Rest::Nothing(odd) => odd,
            _ => None,
        }
    }

    /// Whether the body has ended.
    pub fn is_finished(&self) -> bool {
        matches!(self.rest, Rest::Nothing(_))
    }

    /// The next piece of what has been read; framing bytes before it are consumed. The same piece
    /// as long as nothing of it is used.
    pub fn next<'i>(&mut self, input: &'i mut Input) -> Result<Piece<'i>, ChunkError> {
        let n = match &mut self.rest {
            Rest::Nothing(_) => return Ok(Piece::End(None)),
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
                    self.rest = Rest::Nothing(decoder.odd());
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
                    self.rest = Rest::Nothing(None);
                }
            }
            Rest::Chunks { taken, .. } => *taken = taken.saturating_sub(n),
            Rest::Nothing(_) | Rest::UntilClose => {}
        }
    }

    /// Notes that the stream has ended; `false` if the body has not, and so is not whole.
    pub fn end_of_stream(&mut self) -> bool {
        if matches!(self.rest, Rest::UntilClose) {
            self.rest = Rest::Nothing(None);
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Takes a body whose bytes arrive in pieces of `read`, at most `used` bytes of each piece at a
    /// time; whether it ended, and how much was left behind it.
    fn take(
        length: BodyLength,
        mut wire: &[u8],
        read: usize,
        used: usize,
    ) -> (Vec<u8>, bool, usize) {
        let (mut body, mut input, mut taken) = (Body::of_request(length), Input::default(), vec![]);
        loop {
            match body.next(&mut input).unwrap() {
                Piece::Data(bytes) => {
                    let n = bytes.len().min(used);
                    taken.extend_from_slice(&bytes[..n]);
                    body.used(n, &mut input);
                }
                Piece::NeedMore if wire.is_empty() => {
                    return (taken, body.end_of_stream(), input.bytes().len());
                }
                Piece::NeedMore => {
                    let (now, later) = wire.split_at(read.min(wire.len()));
                    input.put(now);
                    wire = later;
                }
                Piece::End(_) => {
                    assert!(body.is_finished());
                    return (taken, true, input.bytes().len() + wire.len());
                }
            }
        }
    }

    proptest! {
        #[test]
        fn it_is_the_same_however_it_arrives_and_is_used(
            chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..60), 0..5),
            read in 1..100_usize,
            used in 1..100_usize,
        ) {
            let plain = chunks.concat();
            let mut coded = vec![];
            for chunk in &chunks {
                Coding::Chunked.put(&mut coded, chunk);
            }
            coded.extend_from_slice(b"0\r\n\r\n");
            let framings = [
                (BodyLength::Chunked, &coded, true),
                (BodyLength::Fixed(plain.len() as u64), &plain, true),
                (BodyLength::Fixed(plain.len() as u64 + 1), &plain, false),
                (BodyLength::UntilClose, &plain, true),
            ];
            for (length, wire, ends) in framings {
                let got = take(length, wire, read, used);
                prop_assert_eq!(got, (plain.clone(), ends, 0), "{:?}", length);
            }
            let next = [&coded[..], b"GET /"].concat();
            let got = take(BodyLength::Chunked, &next, read, used);
            prop_assert_eq!(got, (plain, true, 5));
        }
    }
}
