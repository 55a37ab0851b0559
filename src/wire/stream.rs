//! A connection as both sides of the gateway use it: a stream of bytes, and what was read from it
//! but not yet used. This is the only file that knows what a stream stands on.
//!
//! Reads always offer more room than a message usually needs: tokio takes a short read as the sign
//! that the socket is empty, and saves the system call that would have said so.

mod handshake;

use std::future::{Future, poll_fn};
use std::io::{self, Read};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker, ready};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWrite};
use tokio::net::TcpStream;

use crate::message::caller::canonical;
use crate::message::protocol::Scheme;

use super::buffers::Buffers;
use super::input::Input;
use super::tls::TlsStream;
use super::unasked::is_unasked_answer;

/// What a segment has on most networks.
const ETHERNET: u32 = 1460;

/// A stream and what was read from it but not yet used.
#[derive(Debug)]
pub struct Connection {
    stream: Stream,
    input: Input,
    within_message: bool,
    /// How many bytes have been read and written since this was last asked.
    moved: Moved,
    /// The next write is offered to the kernel whether or not the socket is known to have room.
    asks_for_room: bool,
    /// The address that the peer, or the client that it speaks for, has connected to, once that was
    /// asked. Seldom is: in a box, for an idle connection should be small.
    reached: Option<Box<SocketAddr>>,
}

/// What carries the bytes.
#[derive(Debug)]
enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream>),
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
    pub fn new(socket: TcpStream) -> Self {
        Self::over(Stream::Plain(socket))
    }

    fn over(stream: Stream) -> Self {
        Self {
            stream,
            input: Input::default(),
            within_message: false,
            moved: Moved::default(),
            asks_for_room: false,
            reached: None,
        }
    }

    /// What the URLs begin with that are asked for through it.
    pub fn scheme(&self) -> Scheme {
        match self.stream {
            Stream::Plain(_) => Scheme::Http,
            Stream::Tls(_) => Scheme::Https,
        }
    }

    /// The address that the peer has connected to, unless it has announced another.
    pub fn reached(&mut self) -> SocketAddr {
        **self.reached.get_or_insert_with(|| {
            // Fails for a connection that is broken, where nobody will read it.
            let unknown = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
            Box::new(canonical(
                self.stream.socket().local_addr().unwrap_or(unknown),
            ))
        })
    }

    /// Notes that the peer speaks for a client that has connected to this address.
    pub fn announce(&mut self, reached: SocketAddr) {
        self.reached = Some(Box::new(reached));
    }

    /// What was read but not yet used.
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
        // Worth a buffer only then.
        if let Poll::Ready(ready) = self.stream.poll_readable(cx) {
            ready?;
            self.input.reserve(buffers);
            let read = self.stream.poll_read(cx, buffers, self.input.storage());
            if let Poll::Ready(read) = read {
                self.input.grow_if_full(buffers);
                self.moved.received += read.as_ref().map_or(0, |read| *read);
                return Poll::Ready(read);
            }
        }
        self.input.rest(buffers);
        Poll::Pending
    }

    /// Takes some of it, at least a byte, waiting for the peer where it must. What was taken has left
    /// once it is flushed.
    pub fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        buffers: &Buffers,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let at_once = std::mem::take(&mut self.asks_for_room);
        let taken = match &mut self.stream {
            Stream::Plain(socket) => {
                let written = if at_once {
                    write_at_once(socket, bytes)?
                } else {
                    None
                };
                let written = match written {
                    Some(written) => written,
                    None => ready!(Pin::new(socket).poll_write(cx, bytes))?,
                };
                self.moved.sent += written;
                written
            }
            Stream::Tls(tls) => {
                if at_once {
                    tls.flush_at_once()?;
                }
                ready!(tls.poll_write(cx, buffers, bytes))?
            }
        };
        if taken == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        self.within_message = true;
        Poll::Ready(Ok(taken))
    }

    /// Waits until all that was taken has left.
    pub fn poll_flush(&mut self, cx: &mut Context<'_>, buffers: &Buffers) -> Poll<io::Result<()>> {
        match &mut self.stream {
            // It takes what leaves, and no more.
            Stream::Plain(_) => Poll::Ready(Ok(())),
            Stream::Tls(tls) => {
                if std::mem::take(&mut self.asks_for_room) {
                    tls.flush_at_once()?;
                }
                tls.poll_flush(cx, buffers)
            }
        }
    }

    /// How many bytes have come, and have left, since this was last asked.
    pub fn take_moved(&mut self) -> Moved {
        match &mut self.stream {
            Stream::Plain(_) => std::mem::take(&mut self.moved),
            Stream::Tls(tls) => Moved {
                received: tls.take_received(),
                sent: tls.take_left(),
            },
        }
    }

    /// Lets the next write ask the kernel for room. It reports room only when a third of its buffer is
    /// free, which a slow but steady reader may take minutes for.
    pub fn ask_for_room(&mut self) {
        self.asks_for_room = true;
    }

    /// How many bytes a segment to the peer has, at most.
    pub fn segment(&self) -> u32 {
        SockRef::from(self.stream.socket())
            .tcp_mss()
            .unwrap_or(ETHERNET)
    }

    /// Ends what is written; the other direction stays open.
    pub fn poll_finish(&mut self, cx: &mut Context<'_>, buffers: &Buffers) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Plain(socket) => Pin::new(socket).poll_shutdown(cx),
            Stream::Tls(tls) => tls.poll_finish(cx, buffers),
        }
    }

    /// Notes that what was written last has ended a message: another may follow.
    pub fn end_message(&mut self) {
        self.within_message = false;
        if let Stream::Tls(tls) = &mut self.stream {
            tls.end_message();
        }
    }

    /// Whether a message has been begun and not ended. Whatever were written now would be read as
    /// a part of it.
    pub fn is_within_message(&self) -> bool {
        self.within_message
    }

    /// Whether the next message may be sent and its answer read: the peer is not known to have
    /// closed, nor to have sent what nobody asked for. Costs no system call and so may miss what has
    /// arrived just now.
    pub fn is_clean(&mut self) -> bool {
        self.is_clean_if(false)
    }

    /// The same, asked of the kernel.
    pub fn is_surely_clean(&mut self) -> bool {
        self.is_clean_if(true)
    }

    /// The one or the other.
    pub fn is_clean_if(&mut self, ask_kernel: bool) -> bool {
        !self.within_message
            && self.input.is_empty()
            && self.stream.is_silent(ask_kernel, self.input.storage())
    }

    /// Whether what has come although nobody asked for it begins like an answer to a request. The
    /// connection is of no use afterwards.
    pub fn has_unasked_answer(&mut self) -> bool {
        if let Stream::Plain(socket) = &self.stream {
            let mut room = [0; 16];
            let read = (&*SockRef::from(socket)).read(&mut room);
            self.input.put(&room[..read.unwrap_or_default()]);
        }
        is_unasked_answer(self.input.bytes())
    }

    /// How the peer has ended, if it has: asked of the kernel, which also knows it when there is
    /// still something to be read before the end.
    pub fn ended(&self) -> Option<Ended> {
        self.stream.ended()
    }

    /// Closes the connection with a reset, which no reader takes for the end of a message.
    pub fn reset(self) {
        match self.stream {
            Stream::Plain(socket) => drop(socket.set_zero_linger()),
            Stream::Tls(mut tls) => tls.reset(),
        }
    }

    /// How many bytes of buffers it holds.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.input.held()
            + match &self.stream {
                Stream::Plain(_) => 0,
                Stream::Tls(tls) => tls.held(),
            }
    }

    /// Gives the buffers back while the connection rests.
    pub fn rest(&mut self, buffers: &Buffers) {
        self.input.rest(buffers);
        if let Stream::Tls(tls) = &mut self.stream {
            tls.rest(buffers);
        }
    }
}

impl Stream {
    fn socket(&self) -> &TcpStream {
        match self {
            Self::Plain(socket) => socket,
            Self::Tls(tls) => tls.socket(),
        }
    }

    /// Ready when it is worth a buffer to read.
    fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tls(tls) if tls.has_ended() => Poll::Ready(Ok(())),
            Self::Plain(_) | Self::Tls(_) => self.socket().poll_read_ready(cx),
        }
    }

    fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buffers: &Buffers,
        into: &mut Vec<u8>,
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Plain(socket) => pin!(socket.read_buf(into)).poll(cx),
            Self::Tls(tls) => tls.poll_read(cx, buffers, into),
        }
    }

    /// Whether nothing is known to have come. With `ask_kernel` the kernel is asked as well. What has come
    /// may be put behind `into`.
    fn is_silent(&mut self, ask_kernel: bool, into: &mut Vec<u8>) -> bool {
        match self {
            Self::Plain(socket) => {
                let mut cx = Context::from_waker(Waker::noop());
                socket.poll_read_ready(&mut cx).is_pending() && (!ask_kernel || is_empty(socket))
            }
            Self::Tls(tls) => tls.is_silent(ask_kernel, into),
        }
    }

    fn ended(&self) -> Option<Ended> {
        let mut asked = [PollFd::new(self.socket(), PollFlags::RDHUP)];
        let at_once = Timespec::default();
        let events = match poll(&mut asked, Some(&at_once)) {
            Ok(_) => asked[0].revents(),
            Err(_) => PollFlags::empty(),
        };
        if events.intersects(PollFlags::HUP | PollFlags::ERR) {
            return Some(Ended::Both);
        }
        let ended = match self {
            Self::Plain(_) => false,
            Self::Tls(tls) => tls.peer_has_ended(),
        };
        (ended || events.contains(PollFlags::RDHUP)).then_some(Ended::Sending)
    }
}

/// Writes what there is room for, if there is any.
fn write_at_once(socket: &TcpStream, bytes: &[u8]) -> io::Result<Option<usize>> {
    match SockRef::from(socket).send(bytes) {
        Ok(written) => Ok(Some(written)),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether the kernel has nothing to be read, not even an end.
fn is_empty(socket: &TcpStream) -> bool {
    let mut byte = [std::mem::MaybeUninit::uninit(); 1];
    matches!(SockRef::from(socket).peek(&mut byte),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock)
}
