//! Where a request to the operator's ports comes from, as its socket says it. Goes with each request.

use std::net::IpAddr;

/// Who asks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Caller {
    /// Absent through a Unix socket.
    pub address: Option<IpAddr>,
    /// Where they have connected to.
    pub local: Option<IpAddr>,
    /// Other machines can connect there.
    pub is_open: bool,
}

/// One of whom nothing is known.
impl Default for Caller {
    fn default() -> Self {
        Self {
            address: None,
            local: None,
            is_open: true,
        }
    }
}
