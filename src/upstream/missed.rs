//! Addresses that a connection was looked for in vain, while one attempt to connect tried several of an
//! endpoint's.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::time::Duration;

use super::failure::Failure;

/// Those of one attempt, for whoever made it, even if that was given up.
pub type Missed = RefCell<Vec<Miss>>;

/// One of them.
#[derive(Debug, Clone, Copy)]
pub struct Miss {
    /// Where it does not connect.
    pub address: SocketAddr,
    /// Why not.
    pub why: Failure,
    /// How long after the beginning that was known.
    pub took: Duration,
}
