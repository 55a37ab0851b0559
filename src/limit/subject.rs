//! Who is counted: an identified client with all its keys, an address, or a route's users together.
//! Addresses are cut to what one caller holds, or anybody with a home connection's 2^64 IPv6
//! addresses would have as many limits.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use crate::client::ClientName;

/// Who is counted.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Subject {
    /// An identified client, all its keys together.
    Client(ClientName),
    /// An address, already cut by [`subject_address`].
    Address(IpAddr),
    /// Everybody who uses the route of this name together.
    Route(Arc<str>),
}

/// The address that stands for the caller behind `ip`: an IPv4-mapped address is the IPv4 address,
/// an IPv6 address keeps its first `ipv6_prefix` bits.
#[must_use]
pub fn subject_address(ip: IpAddr, ipv6_prefix: u8) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(v6) => {
            let cut = 128_u32.saturating_sub(u32::from(ipv6_prefix));
            let mask = u128::MAX.checked_shl(cut).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & mask))
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(ip: &str, prefix: u8) -> String {
        subject_address(ip.parse().unwrap(), prefix).to_string()
    }

    #[test]
    fn an_ipv6_address_is_cut_to_the_prefix() {
        assert_eq!(cut("2001:db8:1:2:3:4:5:6", 64), "2001:db8:1:2::");
        assert_eq!(cut("2001:db8:1:2:3:4:5:6", 48), "2001:db8:1::");
        assert_eq!(cut("2001:db8:1:2ff::1", 56), "2001:db8:1:200::");
        assert_eq!(cut("2001:db8::1", 128), "2001:db8::1");
        assert_eq!(cut("2001:db8::1", 0), "::");
        assert_eq!(cut("2001:db8::1", 255), "2001:db8::1");
    }

    #[test]
    fn an_ipv4_address_stays_whole_however_it_is_written() {
        assert_eq!(cut("203.0.113.7", 64), "203.0.113.7");
        assert_eq!(cut("::ffff:203.0.113.7", 64), "203.0.113.7");
    }
}
