//! Passing a body on, in one direction: every piece is written before the next is read, so that a
//! slow receiver slows the sender down and nothing piles up here.

use std::cell::Cell;
use std::time::Instant;

use crate::message::fields::Fields;
use crate::message::forward::{Names, Receiver};
use crate::message::protocol::Version;
use crate::message::sink::{FieldSink, HeadSink};
use crate::wire::body::{Body, Coding, Piece};
use crate::wire::buffers::Buffers;
use crate::wire::chunked::{ChunkError, LAST_CHUNK};
use crate::wire::sink::Http1Sink;
use crate::wire::stream::{Input, Reader, Writer};

/// About this much is gathered before it is written.
const PIECE: usize = 32 * 1024;

/// How one body is passed on.
pub(super) struct Pass<'p> {
    pub coding: Coding,
    pub names: &'p Names,
    pub receiver: Receiver,
    pub buffers: &'p Buffers,
    /// Counts the body's bytes, without their framing.
    pub count: &'p Cell<u64>,
    pub limit: Option<u64>,
    /// When the last byte moved, in either direction.
    pub progress: &'p Cell<Instant>,
    /// Set while the sender is waited for, rather than the receiver.
    pub waits: &'p Cell<bool>,
}

/// How far a body has been taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    /// To its end, which has been framed as well.
    Whole,
    /// As far as it has been read.
    AtHand,
    /// A piece that is worth writing; there may be more at hand.
    Piece,
}

/// Why a body could not be passed on whole.
#[derive(Debug)]
pub(super) enum PassError {
    Framing(ChunkError),
    TooLarge {
        limit: u64,
    },
    /// The sender ended the stream before the body.
    CutOff,
    /// The sender's connection broke.
    Read,
    /// The receiver's connection broke.
    Write,
}

impl Pass<'_> {
    /// Appends to `out` what is at hand of the body; says how far that was.
    pub(super) fn gather(
        &self,
        body: &mut Body,
        input: &mut Input,
        out: &mut Vec<u8>,
    ) -> Result<Taken, PassError> {
        loop {
            match body.next(input).map_err(PassError::Framing)? {
                Piece::Data(n) => {
                    self.coding.put(out, &input.bytes()[..n]);
                    // Before anything can fail: what reads on must not read these bytes again.
                    body.used(n, input);
                    self.count(n)?;
                    if out.len() >= PIECE {
                        return Ok(Taken::Piece);
                    }
                }
                Piece::NeedMore => return Ok(Taken::AtHand),
                Piece::End => {
                    let trailers = body.finish();
                    self.put_end(out, trailers.as_ref());
                    return Ok(Taken::Whole);
                }
            }
        }
    }

    /// Passes on all that is still to come of the body, after what already stands in `out`.
    pub(super) async fn run(
        &self,
        body: &mut Body,
        from: &mut Reader<'_>,
        to: &mut Writer<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), PassError> {
        loop {
            let taken = match (self.coding, out.is_empty()) {
                // Bytes that stay as they are go out of the buffer that they came in.
                (Coding::Identity, true) => self.copy(body, from.input, to).await?,
                _ => self.gather(body, from.input, out)?,
            };
            if !out.is_empty() {
                self.write(to, out).await?;
                out.clear();
            }
            match taken {
                Taken::Whole => return Ok(()),
                Taken::Piece => {}
                Taken::AtHand => {
                    if self.fill(body, from).await? == 0 {
                        body.finish();
                        self.put_end(out, None);
                        return self.write(to, out).await;
                    }
                }
            }
        }
    }

    async fn copy(
        &self,
        body: &mut Body,
        input: &mut Input,
        to: &mut Writer<'_>,
    ) -> Result<Taken, PassError> {
        loop {
            match body.next(input).map_err(PassError::Framing)? {
                Piece::Data(n) => {
                    self.count(n)?;
                    self.write(to, &input.bytes()[..n]).await?;
                    body.used(n, input);
                }
                Piece::NeedMore => return Ok(Taken::AtHand),
                Piece::End => {
                    body.finish();
                    return Ok(Taken::Whole);
                }
            }
        }
    }

    /// Writes everything; every part that the receiver takes is progress. One that takes all of it
    /// at once has taken no time, and needs no look at the clock.
    pub(super) async fn write(
        &self,
        to: &mut Writer<'_>,
        mut bytes: &[u8],
    ) -> Result<(), PassError> {
        let written = to.write_now(bytes).map_err(|_| PassError::Write)?;
        bytes = &bytes[written..];
        while !bytes.is_empty() {
            let written = to.write(bytes).await.map_err(|_| PassError::Write)?;
            bytes = &bytes[written..];
            self.progress.set(Instant::now());
        }
        Ok(())
    }

    async fn fill(&self, body: &Body, from: &mut Reader<'_>) -> Result<usize, PassError> {
        self.waits.set(true);
        let n = from.fill(self.buffers).await.map_err(|_| PassError::Read)?;
        self.waits.set(false);
        self.progress.set(Instant::now());
        if n == 0 && !body.ends_with_stream() {
            Err(PassError::CutOff)
        } else {
            Ok(n)
        }
    }

    fn count(&self, n: usize) -> Result<(), PassError> {
        let sum = self.count.get().saturating_add(n as u64);
        self.count.set(sum);
        match self.limit {
            Some(limit) if sum > limit => Err(PassError::TooLarge { limit }),
            _ => Ok(()),
        }
    }

    fn put_end(&self, out: &mut Vec<u8>, trailers: Option<&Fields>) {
        if self.coding == Coding::Identity {
            return;
        }
        out.extend_from_slice(LAST_CHUNK);
        let mut sink = Http1Sink::new(out, Version::Http11);
        for field in trailers.into_iter().flat_map(Fields::iter) {
            if self.names.passes_as_trailer(field, self.receiver) {
                sink.pass(field);
            }
        }
        sink.end();
    }
}
