//! A stream of bytes through TLS. A resting one holds no buffer: records are read into, and encrypted
//! into, buffers that are borrowed from the worker while bytes are on their way.

mod agreed;
mod hello;
mod outgoing;
mod session;
mod silence;
#[cfg(test)]
mod tests;

use std::fmt;
use std::future::Future;
use std::io;
use std::mem;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rustls::pki_types::ServerName;
use rustls::{AlertDescription, ClientConfig, Error, ServerConfig};
use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWrite};
use tokio::net::TcpStream;

use super::buffers::{Buffers, SMALL};
use super::input::Input;

pub use agreed::Agreed;
pub(super) use hello::read_hello;
pub use hello::{Hello, HelloError};
use outgoing::Outgoing;
use session::{Session, State};

/// How much is encrypted at once: two large records.
const PIECE: usize = 32 * 1024;
/// The same where many buffers are large already.
const SMALL_PIECE: usize = SMALL - 512;

/// A stream through TLS.
pub struct TlsStream {
    socket: TcpStream,
    session: Session,
    /// Records that have not been read: after each read, a part of one at most.
    incoming: Input,
    outgoing: Outgoing,
    /// How much of the message that is being written has been.
    of_message: usize,
    /// The peer has said that it sends no more.
    peer_ended: bool,
    /// The end of what is written has been said, or must not be.
    ended: bool,
    /// What the peer has sent is not TLS. Nothing of it is looked at again.
    failed: Option<Error>,
    /// How many bytes have come since this was last asked.
    received: usize,
}

/// Why a handshake has failed.
#[derive(Debug, thiserror::Error)]
pub enum HandshakeError {
    /// The peer has ended the connection.
    #[error("the other side ended the connection during the handshake")]
    Left,
    /// Either side could not accept what the other has said.
    #[error(transparent)]
    Tls(#[from] Error),
}

impl TlsStream {
    /// The side of the server, of a connection whose client has sent these bytes.
    pub(super) fn server(
        socket: TcpStream,
        incoming: Input,
        config: Arc<ServerConfig>,
    ) -> Result<Self, HandshakeError> {
        Ok(Self::new(socket, incoming, Session::server(config)?))
    }

    /// The side of the client.
    pub(super) fn client(
        socket: TcpStream,
        config: Arc<ClientConfig>,
        name: ServerName<'static>,
    ) -> Result<Self, HandshakeError> {
        let session = Session::client(config, name)?;
        Ok(Self::new(socket, Input::default(), session))
    }

    fn new(socket: TcpStream, incoming: Input, session: Session) -> Self {
        Self {
            socket,
            session,
            incoming,
            outgoing: Outgoing::default(),
            of_message: 0,
            peer_ended: false,
            ended: true,
            failed: None,
            received: 0,
        }
    }

    pub(super) fn socket(&self) -> &TcpStream {
        &self.socket
    }

    /// What was agreed upon in the handshake.
    pub(super) fn agreed(&self) -> Agreed<'_> {
        Agreed::of(self.session.agreed())
    }

    /// Takes the handshake to its end. What the peer has sent behind it goes to `plain`.
    pub(super) fn poll_handshake(
        &mut self,
        cx: &mut Context<'_>,
        buffers: &Buffers,
        plain: &mut Vec<u8>,
    ) -> Poll<Result<(), HandshakeError>> {
        loop {
            let state = self.read_records(plain);
            if state.is_err() {
                // The alert leaves if there is room for it, as there always is.
                let _ = self.poll_flush(cx, buffers);
                return Poll::Ready(state.map(drop).map_err(Into::into));
            }
            if ready!(self.poll_flush(cx, buffers)).is_err() {
                return Poll::Ready(Err(self.last_words(cx, buffers, plain)));
            }
            if state == Ok(State::Open) {
                self.ended = false;
                self.incoming.rest(buffers);
                return Poll::Ready(Ok(()));
            }
            let read = self.poll_records(cx, buffers);
            if read.is_pending() {
                self.incoming.shrink(buffers);
            }
            match ready!(read) {
                Ok(0) | Err(_) => return Poll::Ready(Err(HandshakeError::Left)),
                Ok(_) => {}
            }
        }
    }

    /// Why the peer has ended the connection, if it has said so before.
    fn last_words(
        &mut self,
        cx: &mut Context<'_>,
        buffers: &Buffers,
        plain: &mut Vec<u8>,
    ) -> HandshakeError {
        while let Poll::Ready(Ok(1..)) = self.poll_records(cx, buffers) {
            if let Err(why) = self.read_records(plain) {
                return why.into();
            }
        }
        HandshakeError::Left
    }

    /// Whether reading says something although the socket is silent.
    pub(super) fn has_ended(&self) -> bool {
        self.peer_ended || self.failed.is_some()
    }

    /// Whether a part of a record has come, and the rest has not.
    pub(super) fn is_within_record(&self) -> bool {
        !self.incoming.is_empty()
    }

    /// Reads once, behind `into`; 0 once the peer has said that it sends no more. An end of the
    /// connection before that is an error: somebody else may have made it (RFC 8446 section 6.1).
    pub(super) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buffers: &Buffers,
        into: &mut Vec<u8>,
    ) -> Poll<io::Result<usize>> {
        let before = into.len();
        while !self.peer_ended {
            if let Some(why) = &self.failed {
                return Poll::Ready(Err(invalid(why.clone())));
            }
            match self.poll_records(cx, buffers) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(truncated())),
                Poll::Ready(read) => read?,
                Poll::Pending => {
                    self.incoming.rest(buffers);
                    self.incoming.shrink(buffers);
                    return Poll::Pending;
                }
            };
            let read = self.read_records(into);
            // An answer to what the peer has changed, or an alert. If there is no room for it, it goes
            // before what is written next; if the peer takes nothing any more, what it has said counts
            // all the same.
            if !self.outgoing.bytes.is_empty() {
                let _ = self.poll_flush(cx, buffers);
            }
            if let Err(why) = read
                && into.len() == before
            {
                return Poll::Ready(Err(invalid(why)));
            }
            if into.len() > before {
                break;
            }
        }
        self.incoming.rest(buffers);
        Poll::Ready(Ok(into.len() - before))
    }

    /// Reads from the socket.
    fn poll_records(&mut self, cx: &mut Context<'_>, buffers: &Buffers) -> Poll<io::Result<usize>> {
        ready!(self.socket.poll_read_ready(cx))?;
        self.incoming.reserve(buffers);
        let read = ready!(pin!(self.socket.read_buf(self.incoming.storage())).poll(cx))?;
        self.incoming.grow_if_full(buffers);
        self.received += read;
        Poll::Ready(Ok(read))
    }

    fn read_records(&mut self, plain: &mut Vec<u8>) -> Result<State, Error> {
        let (incoming, outgoing) = (&mut self.incoming, &mut self.outgoing.bytes);
        let read = self
            .session
            .read(incoming, outgoing, plain, &mut self.peer_ended);
        if let Err(why) = &read {
            self.failed = Some(why.clone());
        }
        read
    }

    /// Takes some of it, at least a byte, once what was taken before has left. It is on its way only when
    /// it has been flushed.
    pub(super) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        buffers: &Buffers,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_flush(cx, buffers))?;
        if self.failed.is_some() {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        if self.outgoing.bytes.capacity() == 0 {
            self.outgoing.bytes = buffers.take();
        }
        let most = if bytes.len() <= SMALL_PIECE {
            SMALL_PIECE
        } else {
            self.outgoing.leave = buffers.grow();
            self.outgoing.leave.as_ref().map_or(SMALL_PIECE, |_| PIECE)
        };
        let taken = &bytes[..bytes.len().min(most)];
        let (incoming, outgoing) = (&mut self.incoming, &mut self.outgoing.bytes);
        self.session
            .write(incoming, outgoing, taken, self.of_message)
            .map_err(|error| io::Error::other(error.to_string()))?;
        self.of_message += taken.len();
        if let Poll::Ready(flushed) = self.poll_flush(cx, buffers) {
            flushed?;
        }
        Poll::Ready(Ok(taken.len()))
    }

    /// Waits until all that was taken has left.
    pub(super) fn poll_flush(
        &mut self,
        cx: &mut Context<'_>,
        buffers: &Buffers,
    ) -> Poll<io::Result<()>> {
        let outgoing = &mut self.outgoing;
        while outgoing.written < outgoing.bytes.len() {
            let unsent = &outgoing.bytes[outgoing.written..];
            match ready!(Pin::new(&mut self.socket).poll_write(cx, unsent))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => outgoing.leaves(written),
            }
        }
        outgoing.rest(buffers);
        Poll::Ready(Ok(()))
    }

    /// Offers what has not left to the kernel, whether or not the socket is known to have room.
    pub(super) fn flush_at_once(&mut self) -> io::Result<()> {
        let unsent = &self.outgoing.bytes[self.outgoing.written..];
        if unsent.is_empty() {
            return Ok(());
        }
        match SockRef::from(&self.socket).send(unsent) {
            Ok(written) => self.outgoing.leaves(written),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// How many bytes have come since this was last asked, be it of records that are not whole.
    pub(super) fn take_received(&mut self) -> usize {
        mem::take(&mut self.received)
    }

    /// How many bytes have left since this was last asked.
    pub(super) fn take_left(&mut self) -> usize {
        mem::take(&mut self.outgoing.left)
    }

    /// Holds no buffer while nothing is on its way.
    pub(super) fn rest(&mut self, buffers: &Buffers) {
        self.incoming.rest(buffers);
    }

    /// Notes that a message has ended.
    pub(super) fn end_message(&mut self) {
        self.of_message = 0;
    }

    /// Says that nothing more is sent, and ends what is written.
    pub(super) fn poll_finish(
        &mut self,
        cx: &mut Context<'_>,
        buffers: &Buffers,
    ) -> Poll<io::Result<()>> {
        self.put_end();
        ready!(self.poll_flush(cx, buffers))?;
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }

    fn put_end(&mut self) {
        if !mem::replace(&mut self.ended, true) && self.failed.is_none() {
            // A session that cannot say it any more has failed.
            let _ = self
                .session
                .end(&mut self.incoming, &mut self.outgoing.bytes);
        }
    }

    /// How many bytes of buffers it holds.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.incoming.held() + self.outgoing.bytes.capacity()
    }

    /// Whether the peer has said that it sends no more.
    pub(super) fn peer_has_ended(&self) -> bool {
        self.peer_ended
    }

    /// Ends the connection with a reset, and says nothing.
    pub(super) fn reset(&mut self) {
        self.ended = true;
        let _ = self.socket.set_zero_linger();
    }
}

impl Drop for TlsStream {
    /// Whoever reads what was sent last can tell that it was the last.
    fn drop(&mut self) {
        self.put_end();
        let _ = self.flush_at_once();
    }
}

impl fmt::Debug for TlsStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let socket = &self.socket;
        f.debug_struct("TlsStream")
            .field("socket", socket)
            .finish_non_exhaustive()
    }
}

fn truncated() -> io::Error {
    let why = "the connection ended without a close_notify";
    io::Error::new(io::ErrorKind::ConnectionReset, why)
}

fn invalid(error: Error) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

/// The alert of the peer that is the reason of an error.
pub fn alert_in(error: &io::Error) -> Option<AlertDescription> {
    match error.get_ref()?.downcast_ref()? {
        Error::AlertReceived(alert) => Some(*alert),
        _ => None,
    }
}
