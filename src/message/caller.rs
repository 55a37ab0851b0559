//! Where a request comes from: the other end of the connection or, when that is a trusted proxy,
//! the first address from the right in `X-Forwarded-For` that is not.

use std::net::{IpAddr, SocketAddr};

use crate::wire::fields::{Fields, Known};

/// The caller's address. `trusts` says whose word is taken.
#[must_use]
pub fn caller(peer: IpAddr, fields: &Fields, trusts: impl Fn(IpAddr) -> bool) -> IpAddr {
    let mut caller = peer.to_canonical();
    if !trusts(caller) {
        return caller;
    }
    // Several fields are one list (RFC 9110 section 5.3); walked from its end.
    let hops: Vec<&[u8]> = fields.list_items(Known::XForwardedFor).collect();
    for hop in hops.into_iter().rev() {
        // What cannot be read breaks the chain: the last hop that is known has to answer for it.
        let Some(address) = parse(hop) else { break };
        caller = address.to_canonical();
        if !trusts(caller) {
            break;
        }
    }
    caller
}

/// An address as it stands in the field: bare, in brackets, or with a port.
fn parse(hop: &[u8]) -> Option<IpAddr> {
    let hop = std::str::from_utf8(hop).ok()?;
    let bare = hop
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(hop);
    bare.parse()
        .ok()
        .or_else(|| Some(hop.parse::<SocketAddr>().ok()?.ip()))
}
