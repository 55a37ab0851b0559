//! An address of the configuration: where clients connect, and what is spoken there.

use std::net::SocketAddr;

/// Where clients connect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListenAddress {
    /// As configured; port 0 is any free one.
    pub address: SocketAddr,
    /// What clients speak, and what they are told.
    pub serves: Serves,
    /// Trusted proxies announce the connections that they make here (PROXY protocol).
    pub announced: bool,
}

/// What clients find at an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Serves {
    /// The services, without TLS.
    Plain,
    /// The services, with TLS.
    Tls,
    /// A redirect to the same URL with `https`.
    RedirectToHttps,
}
