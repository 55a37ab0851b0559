//! The two ends of an exchange, the client's and the service's, as seen by what passes messages from
//! one to the other: a body is taken piece by piece, a head and a body are sent. Nothing beyond
//! this file asks which protocol an end speaks.

use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll};

use crate::message::body::BodyLength;
use crate::message::fields::{FieldRef, Fields};
use crate::message::head::{AnswerHead, Oddity};
use crate::message::sink::PutHead;

use super::body::Piece;
use super::chunked::ChunkError;
use super::head::AnswerError;
use super::http1::Http1;
use super::stream::{Ended, GivenUp, Moved};

/// One end of an exchange.
#[derive(Debug)]
pub enum End<'c> {
    /// It speaks HTTP/1.1 or HTTP/1.0, and has the connection to itself.
    Http1(Http1<'c>),
}

/// Asks the end, whatever it speaks.
macro_rules! ask {
    ($end:ident.$($asked:tt)*) => {
        match $end {
            Self::Http1(end) => end.$($asked)*,
        }
    };
}

impl End<'_> {
    /// The address that the other side has connected to.
    pub fn reached(&mut self) -> SocketAddr {
        ask!(self.reached())
    }

    /// Reads the head of an answer.
    pub fn poll_answer(&mut self, cx: &mut Context<'_>) -> Poll<Result<AnswerHead, AnswerError>> {
        ask!(self.poll_answer(cx))
    }

    /// Begins to take a request's body, whose length the head has told.
    pub fn expect_request_body(&mut self, length: BodyLength) {
        ask!(self.expect_request_body(length));
    }

    /// Begins to take an answer's body, whose length the head has told.
    pub fn expect_answer_body(&mut self, length: BodyLength) {
        ask!(self.expect_answer_body(length));
    }

    /// The next piece of the body that is at hand. The same piece as long as nothing of it is used.
    ///
    /// # Errors
    /// When its framing is malformed.
    pub fn next_piece(&mut self) -> Result<Piece<'_>, ChunkError> {
        ask!(self.next_piece())
    }

    /// Notes that the first `n` bytes of the last piece were used.
    pub fn used(&mut self, n: usize) {
        ask!(self.used(n));
    }

    /// Waits for more of the body.
    ///
    /// # Errors
    /// [`io::ErrorKind::UnexpectedEof`] if the other side has ended before the body.
    pub fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ask!(self.poll_more(cx))
    }

    /// Whether the body has been taken to its end.
    pub fn is_taken(&self) -> bool {
        ask!(self.is_taken())
    }

    /// What was odd about the framing of the body that has been taken to its end, if anything.
    pub fn odd(&self) -> Option<Oddity> {
        ask!(self.odd())
    }

    /// Whether something has come after what was taken.
    pub fn has_more(&self) -> bool {
        ask!(self.has_more())
    }

    /// Whether that begins like an answer, which nobody has asked for.
    pub fn has_unasked_answer(&self) -> bool {
        ask!(self.has_unasked_answer())
    }

    /// Waits until the other side has ended, while nothing else is expected of it.
    pub fn poll_ended(&mut self, cx: &mut Context<'_>) -> Poll<Ended> {
        ask!(self.poll_ended(cx))
    }

    /// Whether so much lies ahead that waiting does not tell how the other side has ended.
    pub fn is_full(&self) -> bool {
        ask!(self.is_full())
    }

    /// How the other side has ended, if it has, behind what it has sent before.
    pub fn ended(&self) -> Option<Ended> {
        ask!(self.ended())
    }

    /// How a body of this length is framed when it is sent here.
    pub fn framing(&self, length: BodyLength) -> BodyLength {
        ask!(self.framing(length))
    }

    /// Sends a head, which says that a body `framing` follows. Nothing leaves before it is flushed.
    pub fn send_head(&mut self, head: &impl PutHead, framing: BodyLength) {
        ask!(self.send_head(head, framing));
    }

    /// Sends an interim answer, which is a message of its own.
    pub fn send_interim(&mut self, head: &impl PutHead) {
        ask!(self.send_interim(head));
    }

    /// Sends some of a body; says how much of `bytes` has been taken.
    pub fn poll_piece(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        ask!(self.poll_piece(cx, bytes))
    }

    /// Ends the message, with those of the trailers that pass.
    pub fn finish(&mut self, trailers: Option<&Fields>, passes: impl Fn(FieldRef<'_>) -> bool) {
        ask!(self.finish(trailers, passes));
    }

    /// Waits until all that was sent is on its way.
    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ask!(self.poll_flush(cx))
    }

    /// Whether the other side has got a part of a message and not all of it.
    pub fn is_within_message(&self) -> bool {
        ask!(self.is_within_message())
    }

    /// Gives up the message that is being sent.
    pub fn give_up(&mut self) -> GivenUp {
        ask!(self.give_up())
    }

    /// What has come and gone since the last time that this was asked.
    pub fn moved(&mut self) -> Moved {
        ask!(self.moved())
    }

    /// Lets the next write find out whether the other side has taken anything at all: before it is
    /// said that nothing has moved, the kernel has to be asked.
    pub fn ask_for_room(&mut self) {
        ask!(self.ask_for_room());
    }

    /// How many bytes the other side gets at once, at most.
    pub fn segment(&self) -> u32 {
        ask!(self.segment())
    }

    /// From now on there are no messages but bytes, both ways.
    pub fn become_tunnel(&mut self) {
        ask!(self.become_tunnel());
    }

    /// Says that nothing more will be sent through the tunnel.
    pub fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ask!(self.poll_close(cx))
    }
}
