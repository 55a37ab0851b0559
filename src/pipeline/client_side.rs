//! The client's side of an exchange, as the server lends it to the pipeline.

use crate::upstream::BoundLinks;
use crate::wire::alarm::Alarm;
use crate::wire::end::End;

/// The client while a request of its is being answered.
#[derive(Debug)]
pub struct ClientSide<'c> {
    /// Where the request's body comes from and the answer goes to.
    pub end: End<'c>,
    /// The exchange's one timer.
    pub alarm: &'c mut Alarm,
    /// Connections to services that belong to the client's connection alone.
    pub bound: &'c mut BoundLinks,
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
