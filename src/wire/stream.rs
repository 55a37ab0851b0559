//! A connection as both sides of the gateway use it: a stream of bytes, and what was read from it
//! but not yet used. This is the only file that knows what a stream stands on.
//!
//! Reads always offer more room than a message usually needs: tokio takes a short read as the sign
//! that the socket is empty, and saves the system call that would have said so.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker, ready};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWrite};
use tokio::net::TcpStream;

use crate::message::protocol::Scheme;

use super::buffers::{Buffers, LeaveToGrow, SMALL};

/// A buffer grows to this while a large body passes.
const LARGE: usize = 64 * 1024;
/// What a segment has on most networks.
const ETHERNET: u32 = 1460;

/// A stream and what was read from it but not yet used.
#[derive(Debug)]
pub struct Connection {
    stream: Stream,
    input: Input,
    within_message: bool,
    /// The next write is offered to the kernel whether or not the socket is known to have room.
    asks_for_room: bool,
}

/// What carries the bytes.
#[derive(Debug)]
enum Stream {
    Plain(TcpStream),
}

/// How a peer has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It sends no more. Whether it still reads is not known.
    Sending,
    /// It has gone.
    Both,
}

/// How many bytes have come and gone since this was last asked.
#[derive(Debug, Clone, Copy, Default)]
pub struct Moved {
    /// From the peer.
    pub received: usize,
    /// To the peer's kernel, or to ours.
    pub sent: usize,
}

impl Moved {
    /// Whether there were any.
    #[must_use]
    pub fn any(self) -> bool {
        self.received > 0 || self.sent > 0
    }
}

/// What has become of a message that is given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GivenUp {
    /// Nothing of it has left: another one can be sent in its place.
    Unsent,
    /// The other side can tell that it is not whole when the connection is closed.
    Broken,
    /// The other side would take it for whole if the connection were not cut.
    LooksWhole,
}

impl Connection {
    /// A connection that has just been made.
    #[must_use]
    pub fn new(socket: TcpStream) -> Self {
        Self {
            stream: Stream::Plain(socket),
            input: Input::default(),
            within_message: false,
            asks_for_room: false,
        }
    }

    /// What the URLs begin with that are asked for through it.
    #[must_use]
    pub fn scheme(&self) -> Scheme {
        match self.stream {
            Stream::Plain(_) => Scheme::Http,
        }
    }

    /// What was read but not yet used.
    #[must_use]
    pub fn input(&self) -> &Input {
        &self.input
    }

    /// The same, to be used.
    pub fn input_mut(&mut self) -> &mut Input {
        &mut self.input
    }

    /// Reads once, adding to the input; 0 at the end of the stream. Cancel-safe.
    pub async fn fill(&mut self, buffers: &Buffers) -> io::Result<usize> {
        poll_fn(|cx| self.poll_fill(cx, buffers)).await
    }

    /// [`Connection::fill`], polled. While there is nothing to be read, an empty buffer is given
    /// back: waiting costs none.
    pub fn poll_fill(
        &mut self,
        cx: &mut Context<'_>,
        buffers: &Buffers,
    ) -> Poll<io::Result<usize>> {
        if let Poll::Ready(ready) = self.stream.poll_readable(cx) {
            ready?;
            self.input.reserve(buffers);
            let read = self.stream.poll_read(cx, &mut self.input.bytes);
            if read.is_ready() {
                self.input.grow_if_full(buffers);
                return read;
            }
        }
        self.input.rest(buffers);
        Poll::Pending
    }

    /// Writes some of it, at least a byte, waiting for the peer where it must.
    pub fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let at_once = if std::mem::take(&mut self.asks_for_room) {
            self.stream.write_at_once(bytes)?
        } else {
            None
        };
        let written = match at_once {
            Some(written) => written,
            None => ready!(self.stream.poll_write(cx, bytes))?,
        };
        if written == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        self.within_message = true;
        Poll::Ready(Ok(written))
    }

    /// Lets the next write ask the kernel for room. It reports room only when a third of its buffer is
    /// free, which a slow but steady reader may take minutes for.
    pub fn ask_for_room(&mut self) {
        self.asks_for_room = true;
    }

    /// How many bytes a segment to the peer has, at most.
    #[must_use]
    pub fn segment(&self) -> u32 {
        let Stream::Plain(socket) = &self.stream;
        SockRef::from(socket).tcp_mss().unwrap_or(ETHERNET)
    }

    /// Ends what is written; the other direction stays open.
    pub fn poll_finish(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.poll_finish(cx)
    }

    /// Notes that what was written last has ended a message: another may follow.
    pub fn end_message(&mut self) {
        self.within_message = false;
    }

    /// Whether a message has been begun and not ended. Whatever were written now would be read as
    /// a part of it.
    #[must_use]
    pub fn is_within_message(&self) -> bool {
        self.within_message
    }

    /// Whether the next message may be sent and its answer read: the peer is not known to have
    /// closed, nor to have sent what nobody asked for. Costs no system call and so may miss what has
    /// arrived just now.
    pub fn is_clean(&mut self) -> bool {
        !self.within_message && self.input.is_empty() && self.stream.is_silent()
    }

    /// The same, asked of the kernel.
    pub fn is_surely_clean(&mut self) -> bool {
        self.is_clean() && self.stream.is_surely_silent()
    }

    /// How the peer has ended, if it has: asked of the kernel, which also knows it when there is
    /// still something to be read before the end.
    #[must_use]
    pub fn ended(&self) -> Option<Ended> {
        self.stream.ended()
    }

    /// Closes the connection with a reset, which no reader takes for the end of a message.
    pub fn reset(self) {
        let Stream::Plain(socket) = self.stream;
        let _ = socket.set_zero_linger();
    }

    /// Gives the buffer back while the connection rests.
    pub fn rest(&mut self, buffers: &Buffers) {
        self.input.rest(buffers);
    }
}

impl Stream {
    /// Ready when it is worth a buffer to read.
    fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(socket) => socket.poll_read_ready(cx),
        }
    }

    fn poll_read(&mut self, cx: &mut Context<'_>, into: &mut Vec<u8>) -> Poll<io::Result<usize>> {
        match self {
            Self::Plain(socket) => pin!(socket.read_buf(into)).poll(cx),
        }
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self {
            Self::Plain(socket) => Pin::new(socket).poll_write(cx, bytes),
        }
    }

    /// Writes what there is room for, if there is any.
    fn write_at_once(&mut self, bytes: &[u8]) -> io::Result<Option<usize>> {
        let Self::Plain(socket) = self;
        match SockRef::from(&*socket).send(bytes) {
            Ok(written) => Ok(Some(written)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn poll_finish(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(socket) => Pin::new(socket).poll_shutdown(cx),
        }
    }

    fn is_silent(&mut self) -> bool {
        match self {
            Self::Plain(socket) => socket
                .poll_read_ready(&mut Context::from_waker(Waker::noop()))
                .is_pending(),
        }
    }

    fn is_surely_silent(&mut self) -> bool {
        let Self::Plain(socket) = self;
        let mut byte = [std::mem::MaybeUninit::uninit(); 1];
        matches!(SockRef::from(&*socket).peek(&mut byte),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }

    fn ended(&self) -> Option<Ended> {
        let Self::Plain(socket) = self;
        let mut asked = [PollFd::new(socket, PollFlags::RDHUP)];
        let at_once = Timespec::default();
        let told = match poll(&mut asked, Some(&at_once)) {
            Ok(_) => asked[0].revents(),
            Err(_) => PollFlags::empty(),
        };
        if told.intersects(PollFlags::HUP | PollFlags::ERR) {
            Some(Ended::Both)
        } else {
            told.contains(PollFlags::RDHUP).then_some(Ended::Sending)
        }
    }
}

/// Bytes that were read but not yet used.
#[derive(Debug, Default)]
pub struct Input {
    bytes: Vec<u8>,
    start: usize,
    /// Once it has grown to read faster.
    leave: Option<LeaveToGrow>,
}

impl Input {
    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.start == self.bytes.len()
    }

    /// Drops the first `n` bytes; they have been used.
    pub fn consume(&mut self, n: usize) {
        self.start = self.start.saturating_add(n).min(self.bytes.len());
        if self.is_empty() {
            self.bytes.clear();
            self.start = 0;
        }
    }

    #[cfg(test)]
    pub(super) fn put(&mut self, bytes: &[u8]) {
        self.compact();
        self.bytes.extend_from_slice(bytes);
    }

    /// Moves the first `n` bytes to the end of `to`. For heads, which are short: what follows, often
    /// longer, stays where it is.
    pub fn move_to(&mut self, to: &mut Vec<u8>, n: usize) {
        let bytes = self.bytes();
        to.extend_from_slice(&bytes[..n.min(bytes.len())]);
        self.consume(n);
    }

    fn compact(&mut self) {
        if self.start > 0 {
            self.bytes.drain(..self.start);
            self.start = 0;
        }
    }

    fn rest(&mut self, buffers: &Buffers) {
        if self.is_empty() && self.bytes.capacity() > 0 {
            buffers.give(std::mem::take(&mut self.bytes));
            (self.start, self.leave) = (0, None);
        }
    }

    /// Makes room for a read: a full buffer doubles, so that a large body is read in large pieces.
    fn reserve(&mut self, buffers: &Buffers) {
        if self.bytes.capacity() == 0 {
            self.bytes = buffers.take();
        }
        self.compact();
        let spare = self.bytes.capacity() - self.bytes.len();
        if spare < SMALL / 4 {
            self.bytes
                .reserve(self.bytes.capacity().clamp(SMALL, LARGE));
        }
    }

    fn grow_if_full(&mut self, buffers: &Buffers) {
        if self.bytes.len() < self.bytes.capacity() || self.bytes.capacity() >= LARGE {
            return;
        }
        if self.leave.is_none() {
            self.leave = buffers.grow();
        }
        if self.leave.is_some() {
            self.bytes.reserve(self.bytes.capacity());
        }
    }
}
