//! An end of an exchange that speaks HTTP/1.1: the connection that it has to itself, what is still
//! to come of the message that is taken, and what is still to leave of the one that is sent.

use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll, ready};

use crate::message::body::BodyLength;
use crate::message::fields::{FieldRef, Fields};
use crate::message::head::{AnswerHead, Oddity};
use crate::message::protocol::Version;
use crate::message::sink::{FieldSink, HeadSink, PutHead};

use super::body::{Body, Coding, Piece};
use super::buffers::Buffers;
use super::chunked::{ChunkError, LAST_CHUNK};
use super::head::{AnswerError, HeadLimits, MOST_FIELDS, read_answer_as_sent};
use super::scan::HeadScanner;
use super::sink::Http1Sink;
use super::stream::{Connection, Ended, GivenUp, Moved};
use super::tls::alert_in;
use super::unasked::is_unasked_answer;

/// About this much is gathered before it is written.
const PIECE: usize = 32 * 1024;
/// What stands around a chunk's data, at most.
const CHUNK_FRAMING: usize = 32;
/// What the other side may send ahead of its turn; beyond it waits in the kernel.
const AHEAD: usize = 32 * 1024;
/// What an answer's head may be. Wider than for clients: the services are our own.
const ANSWER_LIMITS: HeadLimits = HeadLimits {
    max_bytes: 256 * 1024,
    max_fields: MOST_FIELDS,
};

/// A connection that is used for an exchange.
#[derive(Debug)]
pub struct Http1<'c> {
    connection: &'c mut Connection,
    buffers: &'c Buffers,
    /// What the other side speaks.
    version: Version,
    scanner: HeadScanner,
    body: Body,
    coding: Coding,
    /// Only the end of the connection ends the message that is sent.
    ends_with_connection: bool,
    /// With what stands in `out`, the message that is sent ends.
    finished: bool,
    out: Vec<u8>,
    /// How much of `out` has left.
    written: usize,
}

impl<'c> Http1<'c> {
    /// Uses a connection whose other side speaks `version`, between two messages.
    pub fn new(connection: &'c mut Connection, buffers: &'c Buffers, version: Version) -> Self {
        connection.take_moved();
        Self {
            connection,
            buffers,
            version,
            scanner: HeadScanner::of_answer(),
            body: Body::of_request(BodyLength::None),
            coding: Coding::Identity,
            ends_with_connection: false,
            finished: false,
            out: Vec::new(),
            written: 0,
        }
    }

    /// Sends what comes before all messages of the connection, in one piece with the first of them.
    pub fn send_first(&mut self, put: impl FnOnce(&mut Vec<u8>)) {
        self.take_buffer();
        put(&mut self.out);
    }

    pub(super) fn reached(&mut self) -> SocketAddr {
        self.connection.reached()
    }

    pub(super) fn poll_answer(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<AnswerHead, AnswerError>> {
        loop {
            if self.has_more()
                && let Some(head) = self.read_answer().transpose()
            {
                return Poll::Ready(head);
            }
            match ready!(self.poll_fill(cx)) {
                Ok(0) => return Poll::Ready(Err(AnswerError::Ended)),
                Ok(_) => {}
                Err(error) => {
                    let refused = alert_in(&error).map(AnswerError::Refused);
                    return Poll::Ready(Err(refused.unwrap_or(AnswerError::Ended)));
                }
            }
        }
    }

    /// The head of an answer, once all of it is at hand.
    fn read_answer(&mut self) -> Result<Option<AnswerHead>, AnswerError> {
        let input = self.connection.input_mut();
        let begun = input.bytes();
        if !b"HTTP/".starts_with(&begun[..begun.len().min(5)]) {
            return Err(AnswerError::Invalid("it is not HTTP".into()));
        }
        let end = self.scanner.find_end(begun, &ANSWER_LIMITS);
        let Some(end) = end.map_err(|why| AnswerError::of_head(why, begun))? else {
            return Ok(None);
        };
        self.scanner = HeadScanner::of_answer();
        let storage = self.buffers.take_head();
        let head = read_answer_as_sent(&begun[..end], storage, &ANSWER_LIMITS);
        let head = head.map_err(|why| AnswerError::of_head(why, &begun[..end]));
        input.consume(end);
        head.map(Some)
    }

    pub(super) fn expect_request_body(&mut self, length: BodyLength) {
        self.body = Body::of_request(length);
    }

    pub(super) fn expect_answer_body(&mut self, length: BodyLength) {
        self.body = Body::of_answer(length);
    }

    pub(super) fn next_piece(&mut self) -> Result<Piece<'_>, ChunkError> {
        self.body.next(self.connection.input_mut())
    }

    pub(super) fn used(&mut self, n: usize) {
        self.body.used(n, self.connection.input_mut());
    }

    pub(super) fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let read = ready!(self.poll_fill(cx))?;
        Poll::Ready(if read == 0 && !self.body.end_of_stream() {
            Err(io::ErrorKind::UnexpectedEof.into())
        } else {
            Ok(())
        })
    }

    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.connection.poll_fill(cx, self.buffers)
    }

    pub(super) fn is_taken(&self) -> bool {
        self.body.is_finished()
    }

    pub(super) fn odd(&self) -> Option<Oddity> {
        self.body.odd()
    }

    pub(super) fn has_more(&self) -> bool {
        !self.connection.input().is_empty()
    }

    pub(super) fn has_unasked_answer(&self) -> bool {
        is_unasked_answer(self.connection.input().bytes())
    }

    /// A client may send its next request, or more of a body that nobody takes at the moment. TCP
    /// does not tell one that has left from one that only has no more to send.
    pub(super) fn poll_ended(&mut self, cx: &mut Context<'_>) -> Poll<Ended> {
        while self.connection.input().bytes().len() < AHEAD {
            match ready!(self.connection.poll_fill(cx, self.buffers)) {
                Ok(0) => return Poll::Ready(Ended::Sending),
                Ok(_) => {}
                Err(_) => return Poll::Ready(Ended::Both),
            }
        }
        Poll::Pending
    }

    pub(super) fn is_full(&self) -> bool {
        self.connection.input().bytes().len() >= AHEAD
    }

    pub(super) fn ended(&self) -> Option<Ended> {
        self.connection.ended()
    }

    /// HTTP/1.0 has no chunks: there the end of the stream ends a body of unknown length.
    pub(super) fn framing(&self, length: BodyLength) -> BodyLength {
        match length {
            BodyLength::None | BodyLength::Fixed(_) => length,
            BodyLength::Chunked | BodyLength::UntilClose if self.version.has_chunks() => {
                BodyLength::Chunked
            }
            BodyLength::Chunked | BodyLength::UntilClose => BodyLength::UntilClose,
        }
    }

    pub(super) fn send_head(&mut self, head: &impl PutHead, framing: BodyLength) {
        self.coding = if framing == BodyLength::Chunked {
            Coding::Chunked
        } else {
            Coding::Identity
        };
        self.ends_with_connection = framing == BodyLength::UntilClose;
        self.put_head(head);
    }

    /// RFC 9110 section 15.2: HTTP/1.0 knows no interim answers.
    pub(super) fn send_interim(&mut self, head: &impl PutHead) {
        if self.version.has_interim_answers() {
            self.put_head(head);
            self.finished = true;
        }
    }

    fn put_head(&mut self, head: &impl PutHead) {
        self.take_buffer();
        self.finished = false;
        head.put(&mut Http1Sink::new(&mut self.out, self.version));
    }

    /// Bytes that stay as they are go out of the buffer that they came in, once what stands before
    /// them has left. Others are gathered behind it.
    pub(super) fn poll_piece(
        &mut self,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.out.len() - self.written >= PIECE {
            ready!(self.poll_flush(cx))?;
        }
        if self.coding == Coding::Identity && self.out.is_empty() {
            return self.connection.poll_write(cx, self.buffers, bytes);
        }
        self.take_buffer();
        self.out.reserve(bytes.len() + CHUNK_FRAMING);
        self.coding.put(&mut self.out, bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn take_buffer(&mut self) {
        if self.out.capacity() == 0 {
            self.out = self.buffers.take();
        }
    }

    pub(super) fn finish(
        &mut self,
        trailers: Option<&Fields>,
        passes: impl Fn(FieldRef<'_>) -> bool,
    ) {
        self.finished = true;
        if self.coding == Coding::Identity {
            return;
        }
        self.take_buffer();
        self.out.extend_from_slice(LAST_CHUNK);
        let mut sink = Http1Sink::new(&mut self.out, self.version);
        for field in trailers.into_iter().flat_map(Fields::iter) {
            if passes(field) {
                sink.pass(field);
            }
        }
        sink.end();
    }

    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.written < self.out.len() {
            let unsent = &self.out[self.written..];
            self.written += ready!(self.connection.poll_write(cx, self.buffers, unsent))?;
        }
        self.discard();
        ready!(self.connection.poll_flush(cx, self.buffers))?;
        if self.finished {
            self.connection.end_message();
        }
        Poll::Ready(Ok(()))
    }

    /// Holds no buffer while there is nothing to be sent.
    fn discard(&mut self) {
        if self.out.capacity() > 0 {
            self.buffers.give(std::mem::take(&mut self.out));
            self.written = 0;
        }
    }

    pub(super) fn is_within_message(&self) -> bool {
        self.connection.is_within_message()
    }

    pub(super) fn give_up(&mut self) -> GivenUp {
        self.discard();
        match self.connection.is_within_message() {
            false => GivenUp::Unsent,
            true if self.ends_with_connection => GivenUp::LooksWhole,
            true => GivenUp::Broken,
        }
    }

    pub(super) fn moved(&mut self) -> Moved {
        self.connection.take_moved()
    }

    pub(super) fn ask_for_room(&mut self) {
        self.connection.ask_for_room();
    }

    pub(super) fn segment(&self) -> u32 {
        self.connection.segment()
    }

    pub(super) fn become_tunnel(&mut self) {
        self.body = Body::of_answer(BodyLength::UntilClose);
        self.coding = Coding::Identity;
        self.finished = false;
    }

    pub(super) fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_flush(cx))?;
        self.connection.poll_finish(cx, self.buffers)
    }
}

impl Drop for Http1<'_> {
    fn drop(&mut self) {
        self.discard();
    }
}
