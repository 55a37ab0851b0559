//! Passing a body on, in one direction: every piece is sent before the next is read, so that a slow
//! receiver slows the sender down and nothing piles up here.

use std::cell::Cell;
use std::io;
use std::task::{Context, Poll, ready};

use crate::message::field_rules::FieldRules;
use crate::message::fields::Fields;
use crate::message::forward::Receiver;
use crate::wire::body::Piece;
use crate::wire::end::End;

use super::super::record::Record;
use super::kept::Kept;
use super::pass_error::{PassError, allow};

/// A body on its way.
pub(super) struct Pass<'p, 'r> {
    record: &'p Record<'r>,
    receiver: Receiver,
    limit: Option<u64>,
    /// What has been taken of it before, and more of it as long as that is kept.
    kept: Option<&'p Kept<'p>>,
    /// How much of that has been sent.
    sent: usize,
    finished: bool,
    /// The sender is waited for, rather than the receiver.
    pub reads: bool,
}

impl<'p, 'r> Pass<'p, 'r> {
    /// A body of the request that has this record, or of its answer.
    pub(super) fn new(record: &'p Record<'r>, receiver: Receiver) -> Self {
        Self {
            record,
            receiver,
            limit: None,
            kept: None,
            sent: 0,
            finished: false,
            reads: false,
        }
    }

    /// A body of at most `limit` bytes, of which some has been taken before.
    pub(super) fn after(self, kept: &'p Kept<'p>, limit: Option<u64>) -> Self {
        Self {
            limit,
            kept: Some(kept),
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
        while !self.finished {
            if let Some(kept) = self.kept {
                ready!(self.poll_kept(cx, kept, to)).map_err(|_| PassError::Write)?;
                if kept.is_whole() {
                    self.finish(to, kept.trailers());
                    break;
                }
            }
            match from.next_piece().map_err(PassError::Framing)? {
                Piece::Data(bytes) => {
                    allow(self.count(), bytes.len(), self.limit)?;
                    if self.kept.is_some_and(|kept| kept.add(bytes)) {
                        let n = bytes.len();
                        from.used(n);
                        self.count().set(self.count().get() + n as u64);
                        continue;
                    }
                    let sent = ready!(to.poll_piece(cx, bytes)).map_err(|_| PassError::Write)?;
                    from.used(sent);
                    if let Some(kept) = self.kept.take() {
                        kept.let_go();
                    }
                    let count = self.count();
                    count.set(count.get() + sent as u64);
                }
                Piece::End(trailers) => match self.kept {
                    Some(kept) => kept.end(trailers),
                    None => self.finish(to, trailers.as_ref()),
                },
                Piece::NeedMore => {
                    ready!(self.poll_left(cx, to))?;
                    self.reads = true;
                    let more = ready!(from.poll_more(cx));
                    self.reads = more.is_err();
                    more.map_err(|error| match error.kind() {
                        io::ErrorKind::UnexpectedEof => PassError::CutOff,
                        _ => PassError::Read,
                    })?;
                }
            }
        }
        self.poll_left(cx, to)
    }

    /// Ends the body here, whatever would follow. An event that has begun is thrown away by its reader.
    pub(super) fn end(&mut self, to: &mut End<'_>) {
        if !self.finished {
            self.finish(to, None);
        }
    }

    /// Waits until all that was sent is on its way.
    fn poll_left(&self, cx: &mut Context<'_>, to: &mut End<'_>) -> Poll<Result<(), PassError>> {
        ready!(to.poll_flush(cx)).map_err(|_| PassError::Write)?;
        if let Some(kept) = self.kept {
            kept.has_left();
        }
        Poll::Ready(Ok(()))
    }

    /// Sends what is kept.
    fn poll_kept(
        &mut self,
        cx: &mut Context<'_>,
        kept: &Kept<'_>,
        to: &mut End<'_>,
    ) -> Poll<io::Result<()>> {
        let bytes = kept.bytes.borrow();
        while let Some(rest) = bytes.get(self.sent..).filter(|rest| !rest.is_empty()) {
            self.sent += ready!(to.poll_piece(cx, rest))?;
        }
        Poll::Ready(Ok(()))
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
