//! Messages between a gateway and its successor: a pair of sockets that keep messages apart, and that
//! carry open files. Whoever waits is told when the other process ends.

use std::io::{self, IoSlice, IoSliceMut, Read};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::cmsg_space;
use rustix::io::Errno;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags,
    SendAncillaryBuffer, SendAncillaryMessage, SendFlags, Shutdown, SocketFlags, SocketType,
    recvmsg, sendmsg, shutdown, socketpair,
};

use crate::metrics::Portion;

/// The most bytes that a message has.
const LONGEST: usize = 64 << 10;

/// One end.
#[derive(Debug)]
pub(super) struct Channel(OwnedFd);

/// What a message is about: its first byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Kind {
    /// To the successor: which version of these messages is spoken.
    Hello = b'H',
    /// A listening socket, and the address that it was configured as.
    Socket = b'S',
    /// A listening socket of the operator's, and its name.
    AdminSocket = b'P',
    /// The lock of the state file, and the file's path.
    StateFile = b'F',
    /// There are no more open files.
    AllFiles = b'A',
    /// From the successor: it asks what the configuration served was read from.
    AskTexts = b'B',
    /// The name of a file of that; the main one comes first.
    ReadFile = b'W',
    /// A part of what stood in it.
    Text = b'X',
    /// There is no more of that.
    AllTexts = b'Y',
    /// From the successor: it is not to serve, and why.
    Refused = b'U',
    /// From the successor: it could serve now. The addresses whose sockets it takes.
    Ready = b'R',
    /// Some of the counters.
    Counters = b'C',
    /// There are no more counters.
    AllCounters = b'E',
    /// From the successor: it has the counters.
    Taken = b'T',
    /// To the successor: what the old gateway has counted for metrics, by one name; before the counters of
    /// limits all of it, at the end what has been added. Also the name of an endpoint that is drained.
    Total = b'M',
    /// There are no more of them for now.
    AllTotals = b'N',
    /// To the successor: it is to serve, for the old one ends.
    Serve = b'G',
    /// A request that the old gateway has accepted, to be decided by the successor.
    Question = b'Q',
    /// What it says.
    Answer = b'D',
}

const KINDS: [Kind; 19] = [
    Kind::Hello,
    Kind::Socket,
    Kind::AdminSocket,
    Kind::StateFile,
    Kind::AllFiles,
    Kind::AskTexts,
    Kind::ReadFile,
    Kind::Text,
    Kind::AllTexts,
    Kind::Refused,
    Kind::Ready,
    Kind::Counters,
    Kind::AllCounters,
    Kind::Taken,
    Kind::Total,
    Kind::AllTotals,
    Kind::Serve,
    Kind::Question,
    Kind::Answer,
];

/// A message that has come.
#[derive(Debug)]
pub(super) struct Message {
    pub kind: Kind,
    pub text: Vec<u8>,
    pub file: Option<OwnedFd>,
}

/// Why there is no message.
#[derive(Debug, thiserror::Error)]
pub(in crate::app) enum Lost {
    /// The process has ended, or closed its end.
    #[error("it has ended")]
    Ended,
    /// It may still come.
    #[error("it does not answer")]
    Late,
    /// Another program, or another version of this one.
    #[error("it does not say what was expected")]
    Odd,
    /// It has found a reason against it.
    #[error("{0}")]
    Refused(String),
    /// Neither end is to blame.
    #[error(transparent)]
    System(io::Error),
}

impl From<Errno> for Lost {
    fn from(errno: Errno) -> Self {
        match errno {
            Errno::PIPE | Errno::CONNRESET => Self::Ended,
            Errno::AGAIN => Self::Late,
            errno => Self::System(errno.into()),
        }
    }
}

impl From<Lost> for io::Error {
    fn from(lost: Lost) -> Self {
        match lost {
            Lost::System(error) => error,
            lost => Self::other(lost),
        }
    }
}

impl Channel {
    /// A pair of ends: our own, and that which the successor has as its standard input.
    pub(super) fn pair() -> io::Result<(Self, OwnedFd)> {
        let (unix, packets) = (AddressFamily::UNIX, SocketType::SEQPACKET);
        let (ours, theirs) = socketpair(unix, packets, SocketFlags::CLOEXEC, None)?;
        Ok((Self(ours), theirs))
    }

    /// The end that this process was started with, as far as one can see.
    pub(super) fn inherited(end: OwnedFd) -> Self {
        Self(end)
    }

    /// Waits no longer than this for a message, or for one to be taken.
    pub(super) fn set_patience(&self, longest: Duration) -> Result<(), Lost> {
        for side in [Timeout::Recv, Timeout::Send] {
            set_socket_timeout(&self.0, side, Some(longest))?;
        }
        Ok(())
    }

    /// Ends the conversation for both, whoever waits.
    pub(super) fn close(&self) {
        // Nobody to tell if the other has closed it before.
        let _ = shutdown(&self.0, Shutdown::Both);
    }

    pub(super) fn send(&self, kind: Kind, text: &[u8]) -> Result<(), Lost> {
        self.send_all(kind, text, SendAncillaryBuffer::default())
    }

    /// Sends an open file, of which the other gets a descriptor of its own.
    pub(super) fn send_file(
        &self,
        kind: Kind,
        text: &[u8],
        file: BorrowedFd<'_>,
    ) -> Result<(), Lost> {
        let files = [file];
        let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        // The space is for exactly this.
        control.push(SendAncillaryMessage::ScmRights(&files));
        self.send_all(kind, text, control)
    }

    fn send_all(
        &self,
        kind: Kind,
        text: &[u8],
        mut control: SendAncillaryBuffer<'_, '_, '_>,
    ) -> Result<(), Lost> {
        let kind = [kind as u8];
        let parts = [IoSlice::new(&kind), IoSlice::new(text)];
        loop {
            match sendmsg(self.0.as_fd(), &parts, &mut control, SendFlags::NOSIGNAL) {
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
                Ok(_) => return Ok(()),
            }
        }
    }

    /// Waits for the next message.
    pub(super) fn receive(&self) -> Result<Message, Lost> {
        let mut text = vec![0; LONGEST + 1];
        let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(1))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let received = loop {
            let mut parts = [IoSliceMut::new(&mut text)];
            match recvmsg(&self.0, &mut parts, &mut control, RecvFlags::CMSG_CLOEXEC) {
                Err(Errno::INTR) => {}
                other => break other?,
            }
        };
        let mut files = control.drain().filter_map(|message| match message {
            RecvAncillaryMessage::ScmRights(files) => Some(files),
            _ => None,
        });
        let file = files.next().and_then(|mut files| files.next());
        if received.bytes == 0 {
            return Err(Lost::Ended);
        }
        let cut = ReturnFlags::TRUNC | ReturnFlags::CTRUNC;
        let kind = KINDS.into_iter().find(|kind| *kind as u8 == text[0]);
        let Some(kind) = kind.filter(|_| !received.flags.intersects(cut)) else {
            return Err(Lost::Odd);
        };
        text.truncate(received.bytes);
        text.remove(0);
        Ok(Message { kind, text, file })
    }

    /// Waits for a message of this kind.
    pub(super) fn expect(&self, kind: Kind) -> Result<Vec<u8>, Lost> {
        let message = self.receive()?;
        if message.kind == kind {
            Ok(message.text)
        } else {
            Err(Lost::Odd)
        }
    }

    /// Sends a part of the counters.
    pub(super) fn send_counters(&self, bytes: &[u8]) -> io::Result<()> {
        let mut parts = bytes.chunks(LONGEST / 2);
        parts.try_for_each(|part| Ok(self.send(Kind::Counters, part)?))
    }

    /// Sends what has been counted for metrics.
    pub(super) fn send_totals(&self, portions: &[Portion]) -> Result<(), Lost> {
        let mut portions = portions.iter();
        portions.try_for_each(|portion| self.send(Kind::Total, &portion.to_bytes()))?;
        self.send(Kind::AllTotals, b"")
    }

    /// The counters, as they come.
    pub(super) fn counters(&self) -> impl Read {
        Counters {
            channel: self,
            some: io::Cursor::default(),
            ended: false,
        }
    }
}

struct Counters<'c> {
    channel: &'c Channel,
    some: io::Cursor<Vec<u8>>,
    ended: bool,
}

impl Read for Counters<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.some.read(buffer)?;
            if read > 0 || self.ended {
                return Ok(read);
            }
            let message = self.channel.receive()?;
            match message.kind {
                Kind::Counters => self.some = io::Cursor::new(message.text),
                Kind::AllCounters => self.ended = true,
                _ => return Err(Lost::Odd.into()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn pair() -> (Channel, Channel) {
        let (ours, theirs) = Channel::pair().unwrap();
        let channels = (ours, Channel::inherited(theirs));
        for channel in [&channels.0, &channels.1] {
            channel.set_patience(Duration::from_millis(200)).unwrap();
        }
        channels
    }

    #[test]
    fn messages_stay_apart_and_carry_files() {
        let (old, new) = pair();
        let (mut reader, writer) = io::pipe().unwrap();
        old.send(Kind::Hello, b"").unwrap();
        old.send_file(Kind::Socket, b"there", writer.as_fd())
            .unwrap();
        drop(writer);
        let hello = new.receive().unwrap();
        assert!(hello.file.is_none() && hello.kind == Kind::Hello && hello.text.is_empty());
        let socket = new.receive().unwrap();
        assert_eq!(
            (socket.kind, &socket.text[..]),
            (Kind::Socket, &b"there"[..])
        );
        let file = socket.file.unwrap();
        let flags = rustix::io::fcntl_getfd(&file).unwrap();
        assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
        std::fs::File::from(file).write_all(b"through").unwrap();
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "through");
    }

    #[test]
    fn counters_come_as_they_went_and_what_follows_is_another_message() {
        let (old, new) = pair();
        let all: Vec<u8> = (0..200_000_u32).flat_map(u32::to_le_bytes).collect();
        let expected = all.clone();
        let sending = std::thread::spawn(move || {
            for part in all.chunks(70_000) {
                old.send_counters(part).unwrap();
            }
            old.send(Kind::AllCounters, b"").unwrap();
            old.send(Kind::Serve, b"").unwrap();
            old
        });
        let mut counters = Vec::new();
        new.counters().read_to_end(&mut counters).unwrap();
        assert!(counters == expected);
        new.expect(Kind::Serve).unwrap();
        drop(sending.join().unwrap());
        assert!(matches!(new.receive(), Err(Lost::Ended)));
        assert!(matches!(new.send(Kind::Taken, b""), Err(Lost::Ended)));
    }

    #[test]
    fn silence_and_nonsense_are_told_apart() {
        let (old, new) = pair();
        assert!(matches!(new.receive(), Err(Lost::Late)));
        old.send(Kind::Taken, b"").unwrap();
        assert!(matches!(new.expect(Kind::Serve), Err(Lost::Odd)));
        rustix::net::send(&old.0, b"?", SendFlags::empty()).unwrap();
        assert!(matches!(new.receive(), Err(Lost::Odd)));
        new.close();
        assert!(matches!(old.receive(), Err(Lost::Ended)));
    }
}
