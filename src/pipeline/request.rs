//! What the stages know of a request, and the client's connection as far as they use it.

use std::net::IpAddr;

use crate::message::body::BodyLength;
use crate::message::head::RequestHead;
use crate::message::target::RequestTarget;
use crate::wire::alarm::Alarm;
use crate::wire::body::Body;
use crate::wire::framing::keeps_alive;
use crate::wire::stream::{Reader, Writer};

use super::worker::{Current, Worker};

/// A request whose head has been read and understood.
#[derive(Debug)]
pub struct Request<'r> {
    /// The worker that it stays on.
    pub worker: &'r Worker,
    /// By what it is judged.
    pub current: &'r Current,
    /// Its head as it came.
    pub head: &'r RequestHead,
    /// The parts of its target.
    pub target: RequestTarget<'r>,
    /// The host that is asked for, with its port as it came.
    pub host: &'r [u8],
    /// How its body is framed.
    pub body: BodyLength,
    /// The address of the connection's other end.
    pub peer: IpAddr,
    /// Whether the peer's word about the caller is taken.
    pub trusted: bool,
    /// Where the request comes from.
    pub address: IpAddr,
}

impl Request<'_> {
    /// Whether the connection may go on after this request.
    #[must_use]
    pub fn goes_on(&self) -> bool {
        keeps_alive(self.head.version, &self.head.fields) && !self.worker.draining.get()
    }

    /// What becomes of the connection after an answer that is whole; `body` is what is still to
    /// come of the request.
    #[must_use]
    pub fn after(&self, goes_on: bool, body: &Body) -> After {
        if goes_on {
            After::GoesOn
        } else if body.is_finished() && !keeps_alive(self.head.version, &self.head.fields) {
            After::CloseNow
        } else {
            After::Close
        }
    }
}

/// The client's connection while a request is being answered.
#[derive(Debug)]
pub struct Downstream<'c> {
    /// What the client sends.
    pub reader: Reader<'c>,
    /// What the client is sent.
    pub writer: Writer<'c>,
    /// What is still to come of the request's body.
    pub body: Body,
    /// The connection's one timer.
    pub alarm: &'c mut Alarm,
}

/// What becomes of the client's connection after an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After {
    /// It takes the next request.
    GoesOn,
    /// It ends in good order: everything sent still has to reach the client, who may be sending.
    Close,
    /// It ends, and the client sends nothing more: it asked for the end (RFC 9112 section 9.6), and
    /// its request was read whole.
    CloseNow,
    /// It is cut, so that the client can tell that the answer is not whole.
    Cut,
}
