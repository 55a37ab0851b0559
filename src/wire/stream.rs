//! A connection as both sides of the gateway use it: a socket, what was read from it but not yet
//! used, and reading and writing in halves so that a request and its answer can pass at once.
//!
//! Reads always offer more room than a message usually needs: tokio takes a short read as the sign
//! that the socket is empty, and saves the system call that would have said so.

use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::task::{Context, Poll, Waker, ready};

use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};

use super::buffers::{Buffers, SMALL};

/// A buffer grows to this while a large body passes.
const LARGE: usize = 64 * 1024;

/// A socket and what was read from it but not yet used.
#[derive(Debug)]
pub struct Connection {
    socket: TcpStream,
    input: Input,
    within_message: bool,
}

impl Connection {
    /// A connection that has just been made.
    #[must_use]
    pub fn new(socket: TcpStream) -> Self {
        Self {
            socket,
            input: Input::default(),
            within_message: false,
        }
    }

    /// Both directions at once.
    pub fn halves(&mut self) -> (Reader<'_>, Writer<'_>) {
        let (read, write) = self.socket.split();
        (
            Reader {
                half: read,
                input: &mut self.input,
            },
            Writer {
                half: write,
                within_message: &mut self.within_message,
            },
        )
    }

    /// What was read but not yet used.
    pub fn input(&mut self) -> &mut Input {
        &mut self.input
    }

    /// Whether the peer is known to have closed, or to have sent what nobody asked for. Costs no
    /// system call and so may miss what has arrived just now.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        self.socket
            .poll_read_ready(&mut Context::from_waker(Waker::noop()))
            .is_ready()
    }

    /// The same, asked of the kernel.
    #[must_use]
    pub fn is_surely_stale(&self) -> bool {
        let mut byte = [std::mem::MaybeUninit::uninit(); 1];
        !matches!(SockRef::from(&self.socket).peek(&mut byte),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }

    /// Closes the connection with a reset, which no reader takes for the end of a message.
    pub fn reset(self) {
        let _ = self.socket.set_zero_linger();
    }

    /// Gives the buffer back while the connection rests.
    pub fn rest(&mut self, buffers: &Buffers) {
        if self.input.is_empty() && self.input.bytes.capacity() > 0 {
            buffers.give(std::mem::take(&mut self.input.bytes));
            self.input.start = 0;
        }
    }
}

/// Bytes that were read but not yet used.
#[derive(Debug, Default)]
pub struct Input {
    bytes: Vec<u8>,
    start: usize,
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

    fn grow_if_full(&mut self) {
        if self.bytes.len() == self.bytes.capacity() && self.bytes.capacity() < LARGE {
            self.bytes.reserve(self.bytes.capacity());
        }
    }
}

/// The reading half of a connection.
#[derive(Debug)]
pub struct Reader<'c> {
    half: ReadHalf<'c>,
    /// What was read but not yet used.
    pub input: &'c mut Input,
}

impl Reader<'_> {
    /// Reads once, adding to the input; 0 at the end of the stream. Cancel-safe.
    pub async fn fill(&mut self, buffers: &Buffers) -> io::Result<usize> {
        poll_fn(|cx| self.poll_fill(cx, buffers)).await
    }

    /// [`Reader::fill`], polled.
    pub fn poll_fill(
        &mut self,
        cx: &mut Context<'_>,
        buffers: &Buffers,
    ) -> Poll<io::Result<usize>> {
        ready!(self.half.as_ref().poll_read_ready(cx))?;
        self.input.reserve(buffers);
        let read = pin!(self.half.read_buf(&mut self.input.bytes)).poll(cx);
        self.input.grow_if_full();
        read
    }
}

/// The writing half of a connection.
#[derive(Debug)]
pub struct Writer<'c> {
    half: WriteHalf<'c>,
    /// Something was written since the last message ended. Kept with the connection: whoever was
    /// writing may have been given up in the middle of it.
    within_message: &'c mut bool,
}

impl Writer<'_> {
    /// Writes everything, waiting for the peer where it must.
    pub async fn write_all(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let written = self.write(bytes).await?;
            bytes = &bytes[written..];
        }
        Ok(())
    }

    /// Writes what the socket takes without waiting; 0 if that is nothing.
    pub fn write_now(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = match self.half.try_write(bytes) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
            written => written?,
        };
        *self.within_message |= written > 0;
        Ok(written)
    }

    /// Writes some of it, at least a byte, waiting for the peer where it must.
    pub async fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.half.write(bytes).await?;
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        *self.within_message = true;
        Ok(written)
    }

    /// Writes everything, and says of a failure whether nothing at all had been written.
    pub async fn write_first(&mut self, bytes: &[u8]) -> Result<(), FirstWriteError> {
        let written = self.write(bytes).await.map_err(FirstWriteError::Nothing)?;
        self.write_all(&bytes[written..])
            .await
            .map_err(FirstWriteError::Something)
    }

    /// Notes that what was written last has ended a message: another may follow.
    pub fn end_message(&mut self) {
        *self.within_message = false;
    }

    /// Whether a message has been begun and not ended. Whatever were written now would be read as
    /// a part of it.
    #[must_use]
    pub fn is_within_message(&self) -> bool {
        *self.within_message
    }

    /// Ends the stream; the other direction stays open.
    pub async fn finish(&mut self) -> io::Result<()> {
        self.half.shutdown().await
    }
}

/// Why the first write on a connection failed.
#[derive(Debug, thiserror::Error)]
pub enum FirstWriteError {
    /// Not a byte has left: what was to be sent can safely be sent on another connection.
    #[error("nothing could be sent")]
    Nothing(#[source] io::Error),
    /// How much of it arrived is not known.
    #[error("the connection broke while sending")]
    Something(#[source] io::Error),
}
