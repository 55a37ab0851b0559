//! Passing a body on, in one direction: every piece is sent before the next is read, so that a slow
//! receiver slows the sender down and nothing piles up here.

use std::cell::Cell;
use std::io;
use std::task::{Context, Poll, ready};

use crate::message::field_rules::FieldRules;
use crate::message::fields::Fields;
use crate::message::forward::Receiver;
use crate::wire::body::Piece;
use crate::wire::buffers::Buffers;
use crate::wire::chunked::ChunkError;
use crate::wire::end::End;

use super::super::record::Record;
use super::super::rejection::Rejection;

/// About this much of a request's body is taken before there is a connection to pass it on.
const AT_HAND: usize = 32 * 1024;

/// A body on its way.
pub(super) struct Pass<'p, 'r> {
    record: &'p Record<'r>,
    receiver: Receiver,
    limit: Option<u64>,
    /// What has been taken of it, and is still to be sent.
    taken: &'p [u8],
    /// It has been taken to its end, and these are its trailers.
    taken_whole: bool,
    trailers: Option<&'p Fields>,
    finished: bool,
    /// The sender is waited for, rather than the receiver.
    pub reads: bool,
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

impl<'p, 'r> Pass<'p, 'r> {
    /// A body of the request that has this record, or of its answer.
    pub(super) fn new(record: &'p Record<'r>, receiver: Receiver) -> Self {
        Self {
            record,
            receiver,
            limit: None,
            taken: &[],
            taken_whole: false,
            trailers: None,
            finished: false,
            reads: false,
        }
    }

    /// A body of at most `limit` bytes, of which some has been taken before.
    pub(super) fn after(self, beginning: &'p Beginning<'_>, limit: Option<u64>) -> Self {
        Self {
            limit,
            taken: &beginning.bytes,
            taken_whole: beginning.whole,
            trailers: beginning.trailers.as_ref(),
            ..self
        }
    }

    /// Passes on what there is; ready when all of the body is on its way.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut End<'_>,
        to: &mut End<'_>,
    ) -> Poll<Result<(), PassError>> {
        self.reads = false;
        while !self.taken.is_empty() {
            let sent = ready!(to.poll_piece(cx, self.taken)).map_err(|_| PassError::Write)?;
            self.taken = &self.taken[sent..];
        }
        if self.taken_whole && !self.finished {
            self.finish(to, self.trailers);
        }
        while !self.finished {
            match from.next_piece().map_err(PassError::Framing)? {
                Piece::Data(bytes) => {
                    allow(self.count(), bytes.len(), self.limit)?;
                    let sent = ready!(to.poll_piece(cx, bytes)).map_err(|_| PassError::Write)?;
                    from.used(sent);
                    let count = self.count();
                    count.set(count.get() + sent as u64);
                }
                Piece::End(trailers) => self.finish(to, trailers.as_ref()),
                Piece::NeedMore => {
                    ready!(to.poll_flush(cx)).map_err(|_| PassError::Write)?;
                    self.reads = true;
                    let more = ready!(from.poll_more(cx));
                    self.reads = false;
                    more.map_err(|error| match error.kind() {
                        io::ErrorKind::UnexpectedEof => PassError::CutOff,
                        _ => PassError::Read,
                    })?;
                }
            }
        }
        to.poll_flush(cx).map_err(|_| PassError::Write)
    }

    /// Counts the body's bytes, without their framing.
    fn count(&self) -> &'p Cell<u64> {
        match self.receiver {
            Receiver::Service => &self.record.bytes_in,
            Receiver::Client => &self.record.bytes_out,
        }
    }

    /// What the route changes of the fields; trailers that it sets or removes do not pass either.
    fn rules(&self) -> Option<&'r FieldRules> {
        let request = self.record.request()?;
        match self.receiver {
            Receiver::Service => request.route?.request_headers.as_deref(),
            Receiver::Client => request.response_headers,
        }
    }

    fn finish(&mut self, to: &mut End<'_>, trailers: Option<&Fields>) {
        let names = &self.record.current.snapshot.access.names;
        let rules = self.rules();
        to.finish(trailers, |field| {
            let edited = rules.is_some_and(|rules| rules.drops_alike(field.name));
            !edited && names.passes_as_trailer(field, self.receiver)
        });
        self.finished = true;
    }
}

/// The beginning of a request's body, as far as it was at hand when the request began. It is kept,
/// for it may have to be sent more than once.
pub(super) struct Beginning<'b> {
    bytes: Vec<u8>,
    /// This is all of the body, and these are its trailers.
    whole: bool,
    trailers: Option<Fields>,
    buffers: &'b Buffers,
}

impl<'b> Beginning<'b> {
    /// Takes what is at hand.
    pub(super) fn take(
        from: &mut End<'_>,
        count: &Cell<u64>,
        limit: Option<u64>,
        buffers: &'b Buffers,
    ) -> Result<Self, PassError> {
        let mut beginning = Self {
            bytes: Vec::new(),
            whole: from.is_taken(),
            trailers: None,
            buffers,
        };
        while !beginning.whole && beginning.bytes.len() < AT_HAND {
            match from.next_piece().map_err(PassError::Framing)? {
                Piece::Data(bytes) => {
                    allow(count, bytes.len(), limit)?;
                    if beginning.bytes.capacity() == 0 {
                        beginning.bytes = buffers.take();
                    }
                    beginning.bytes.extend_from_slice(bytes);
                    let n = bytes.len();
                    from.used(n);
                    count.set(count.get() + n as u64);
                }
                Piece::NeedMore => break,
                Piece::End(trailers) => {
                    (beginning.whole, beginning.trailers) = (true, trailers);
                }
            }
        }
        Ok(beginning)
    }

    /// Whether this is all of the body.
    pub(super) fn is_whole(&self) -> bool {
        self.whole
    }
}

impl Drop for Beginning<'_> {
    fn drop(&mut self) {
        if self.bytes.capacity() > 0 {
            self.buffers.give(std::mem::take(&mut self.bytes));
        }
    }
}

/// Refuses `n` more bytes if that is too many; they are counted then, too.
fn allow(count: &Cell<u64>, n: usize, limit: Option<u64>) -> Result<(), PassError> {
    let sum = count.get().saturating_add(n as u64);
    match limit {
        Some(limit) if sum > limit => {
            count.set(sum);
            Err(PassError::TooLarge { limit })
        }
        _ => Ok(()),
    }
}

/// How a request is refused whose body cannot be passed on.
impl From<PassError> for Rejection {
    fn from(why: PassError) -> Self {
        match why {
            PassError::Framing(error) => error.into(),
            PassError::TooLarge { limit } => Self::BodyTooLarge { limit },
            PassError::CutOff | PassError::Read | PassError::Write => {
                Self::BadRequest("the connection ended before the request did".into())
            }
        }
    }
}
