//! Handing over: a running gateway starts the program anew, gives it what must not be lost, and drains.
//!
//! ```text
//!   old gateway                                  successor
//!   -----------                                  ---------
//!   SIGUSR2: starts the program anew with
//!   its own arguments
//!   the listening sockets, the lock of the  -->  takes those that its configuration has
//!   state file                                   reads its configuration
//!                                          <--   asks what was read for what is served
//!   those texts                             -->  compares, opens its logs, reaches Redis,
//!                                                starts its workers
//!   still accepts, counts and writes       <--   ready (within 60 s), with what it takes
//!   the file
//!   what metrics have counted               -->  goes on from there
//!   ends writing the file
//!   ends counting: requests wait from here
//!   all counters                            -->  takes them in
//!                                          <--   has them
//!   refuses changes of endpoints from here
//!   which endpoints are drained             -->  drains them
//!   how addresses have served               -->  their circuits are open or closed as they were
//!   "serve"                                 -->  accepts, counts, writes the file
//!   closes its sockets, drains
//!   what its connections still ask          -->  decides and counts it
//!   what metrics have counted since         -->  adds it
//!   ends                                         is a gateway like any other
//! ```
//!
//! - Both have the same sockets. What waits in one when the old gateway closes it is accepted by the
//!   successor; so the old one neither runs them dry nor keeps clients from connecting.
//! - Until "serve" the old gateway decides. Whatever happens before, a successor that ends, is too slow or
//!   makes no sense, it kills that, counts and writes again, and has lost nothing. From "serve" on the
//!   successor decides; if it ended now, nobody would listen, as when a gateway is killed.
//! - The successor refuses, as a reload would, a file that has lost all its routes, and says what else
//!   differs once it serves. It gets texts and parses them itself, for it alone knows the keys of its own
//!   version. It asks only who says that it answers ([`TELLS_TEXTS`]), so a program without this may stand
//!   on either side.
//! - Counters have one home at any time (`limit/moved`). Requests that come while they are copied wait
//!   for that.
//! - A signal to stop that comes before "serve" ends the successor; one that comes while both run is
//!   meant for whom it is sent to. What else was asked of the old gateway meanwhile, to reload or to open
//!   its log anew, is asked of the successor once it serves: it may have read the files before.
//!
//! The successor has one end of a socket pair as its standard input, over which it gets all else: nothing
//! is inherited by its number, and nothing has to be done between fork and exec, which would copy the
//! page tables of a large process and is unsafe with threads.

mod channel;
mod predecessor;
mod program;
mod resting;
mod successor;
mod systemd;
mod texts;

pub(super) use predecessor::{Heard, Predecessor, TakeOver, Totals};
pub(super) use program::Program;
pub(super) use successor::{HandOverError, Heir, Offer, UnderWay};
pub(super) use systemd::sockets_of_systemd;

use channel::Lost;

/// What the successor finds in its environment: the id of the process that hands over to it, and what that
/// one can be asked for.
const PREDECESSOR: &str = "TOLLGATE_PREDECESSOR";
/// The texts of its configuration.
const TELLS_TEXTS: &str = "texts";

/// Which messages are exchanged, in which order and form. Another version would be another line.
const VERSION: &[u8] = b"tollgate hand-over 1";

/// Why a gateway does not take over from another.
#[derive(Debug, thiserror::Error)]
pub enum TakeOverError {
    /// Nobody is there.
    #[error(
        "`{PREDECESSOR}` is set, but standard input does not lead to a gateway that hands over"
    )]
    Nobody,
    /// It is another version, or no gateway.
    #[error(
        "the gateway that hands over is of a version that this one does not understand; restart instead"
    )]
    Version,
    /// What is to be served lacks what was served; the gateway that hands over says so.
    #[error("not taken over: the gateway that hands over says why")]
    Refused,
    /// It ended or gave up.
    #[error("the gateway that hands over has ended, or has given up; ending, too")]
    GivenUp,
    /// It said something else than it should.
    #[error("cannot take over: {0}")]
    Lost(String),
    /// A socket of systemd's that is of no use.
    #[error(
        "systemd passes a socket that is not for TCP connections (number {nth} of `ListenStream`)"
    )]
    NotTcp {
        /// Counted from 1.
        nth: usize,
    },
    /// A socket of systemd's that nobody would accept from.
    #[error(
        "systemd passes a socket for {address}, which neither `listen` nor `[admin]` has; add it there, or take it out of the unit"
    )]
    Unlisted {
        /// Where it listens.
        address: std::net::SocketAddr,
    },
}

impl From<Lost> for TakeOverError {
    fn from(lost: Lost) -> Self {
        match lost {
            Lost::Ended => Self::GivenUp,
            lost => Self::Lost(lost.to_string()),
        }
    }
}
