//! A connection as the HTTP/2 of a check reads and writes it. It ends where a service sends more than a
//! check can need: the crate h2 has no bound for frames such as PING and SETTINGS, and each of them would
//! take time of the thread that checks all endpoints.

use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::upstream::check_failure::{CheckFailure, GrpcFailure};
use crate::upstream::failure::Failure;
use crate::upstream::tls::TlsFault;
use crate::wire::buffers::Buffers;
use crate::wire::stream::Connection;
use crate::wire::tls::alert_in;

/// So much is read in all. Whole answers have a few hundred bytes.
const MAX_ANSWER: usize = 64 * 1024;

/// A connection that a check is made on.
pub(super) struct Stream<'c> {
    connection: Connection,
    buffers: &'c Buffers,
    watch: &'c Watch,
    /// Nothing can be written any more.
    is_unheard: bool,
}

/// What a stream has read, and what is wrong with it.
#[derive(Default)]
pub(super) struct Watch {
    read: Cell<usize>,
    fault: Cell<Option<CheckFailure>>,
}

impl<'c> Stream<'c> {
    /// One on which nothing has been read.
    pub(super) fn new(connection: Connection, buffers: &'c Buffers, watch: &'c Watch) -> Self {
        Self {
            connection,
            buffers,
            watch,
            is_unheard: false,
        }
    }
}

impl Watch {
    /// What has ended the stream, unless it was HTTP/2.
    pub(super) fn fault(&self) -> Option<CheckFailure> {
        self.fault.get()
    }

    fn note(&self, bytes: &[u8]) -> io::Result<()> {
        let before = self.read.get();
        self.read.set(before + bytes.len());
        let fault = match bytes.first() {
            // A frame begins with its length, of three bytes, and none may have 64 KiB: this is text, such
            // as an answer in HTTP/1.1.
            Some(1..) if before == 0 => GrpcFailure::NoHttp2,
            _ if before + bytes.len() > MAX_ANSWER => GrpcFailure::TooLarge,
            _ => return Ok(()),
        };
        self.fault.set(Some(fault.into()));
        Err(io::ErrorKind::InvalidData.into())
    }

    /// With TLS 1.3 a service looks at the gateway's certificate only once the gateway may send.
    fn note_error(&self, error: &io::Error) {
        if alert_in(error).is_some() {
            self.fault.set(Some(Failure::Tls(TlsFault::Refused).into()));
        }
    }
}

impl AsyncRead for Stream<'_> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Self {
            connection,
            buffers,
            watch,
            ..
        } = self.get_mut();
        if connection.input().is_empty() {
            let read = ready!(connection.poll_fill(cx, buffers));
            read.inspect_err(|error| watch.note_error(error))?;
        }
        let bytes = connection.input().bytes();
        let bytes = &bytes[..bytes.len().min(out.remaining())];
        watch.note(bytes)?;
        out.put_slice(bytes);
        let taken = bytes.len();
        connection.input_mut().consume(taken);
        Poll::Ready(Ok(()))
    }
}

/// Where writing fails, what is written is dropped: the service may have said why, or answered, before it
/// closed, and reading says so or fails in its turn.
impl AsyncWrite for Stream<'_> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if !this.is_unheard {
            match ready!(this.connection.poll_write(cx, this.buffers, bytes)) {
                Ok(taken) => return Poll::Ready(Ok(taken)),
                Err(_) => this.is_unheard = true,
            }
        }
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.is_unheard {
            let flushed = ready!(this.connection.poll_flush(cx, this.buffers));
            this.is_unheard = flushed.is_err();
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.connection.poll_finish(cx, this.buffers)
    }
}
