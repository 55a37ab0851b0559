//! Who is counted: an identified client with all its keys, an address, or a route's users together.
//! An IPv6 address is cut to the network that one caller has: a home connection has 2^64 addresses,
//! and would have as many limits.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use crate::message::caller::plain_address;

use super::slot_hint::SlotHint;

/// Who is counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who {
    /// An identified client, by its name.
    Client(Arc<str>),
    /// An anonymous caller, by its address or network.
    Address(IpAddr),
    /// Everybody who uses the route of this name.
    Route(Arc<str>),
}

/// Who is counted, and a guess where the store in this process has the counter.
#[derive(Debug, Clone)]
pub struct Subject {
    who: Who,
    pub(super) hint: SlotHint,
}

/// What one caller has of addresses: an IPv4-mapped address and one of NAT64 are the IPv4 address in
/// them, an IPv6 address is cut to its first `ipv6_prefix` bits.
pub fn network(ip: IpAddr, ipv6_prefix: u8) -> IpAddr {
    match plain_address(ip) {
        IpAddr::V6(v6) => {
            let cut = 128_u32.saturating_sub(u32::from(ipv6_prefix));
            let mask = u128::MAX.checked_shl(cut).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & mask))
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

impl Subject {
    /// An identified client, all its keys together.
    pub fn client(name: impl Into<Arc<str>>) -> Self {
        Who::Client(name.into()).into()
    }

    /// The caller behind `ip`, by its [`network`].
    pub fn address(ip: IpAddr, ipv6_prefix: u8) -> Self {
        Who::Address(network(ip, ipv6_prefix)).into()
    }

    /// Everybody who uses a route, together.
    pub fn route(name: impl Into<Arc<str>>) -> Self {
        Who::Route(name.into()).into()
    }

    /// Who it is.
    pub fn who(&self) -> &Who {
        &self.who
    }
}

impl From<Who> for Subject {
    fn from(who: Who) -> Self {
        let hint = SlotHint::default();
        Self { who, hint }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv6_address_is_cut_to_its_prefix_and_an_ipv4_address_is_whole_however_it_is_written() {
        for (ip, prefix, cut) in [
            ("2001:db8:1:2:3:4:5:6", 64, "2001:db8:1:2::"),
            ("2001:db8:1:2:3:4:5:6", 48, "2001:db8:1::"),
            ("2001:db8:1:2ff::1", 56, "2001:db8:1:200::"),
            ("2001:db8::1", 128, "2001:db8::1"),
            ("2001:db8::1", 0, "::"),
            ("2001:db8::1", 255, "2001:db8::1"),
            ("203.0.113.7", 64, "203.0.113.7"),
            ("::ffff:203.0.113.7", 64, "203.0.113.7"),
            ("64:ff9b::203.0.113.7", 64, "203.0.113.7"),
            ("64:ff9b::1:203.0.113.7", 64, "64:ff9b::"),
        ] {
            let subject = Subject::address(ip.parse().unwrap(), prefix);
            assert_eq!(subject.who(), &Who::Address(cut.parse().unwrap()), "{ip}");
        }
    }
}
