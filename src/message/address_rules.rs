//! From which addresses requests may come. Networks are compiled into sorted ranges that do not touch,
//! so that a look-up is one binary search, however many there are.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net};

use super::caller::plain_address;

/// From where requests may come: from these networks, or from anywhere if there are none, but not
/// from those.
#[derive(Debug, PartialEq, Eq)]
pub struct AddressRules {
    allow: Networks,
    deny: Networks,
}

/// What rules say of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressRuling {
    /// It lies in this network, which may.
    Allowed(IpNet),
    /// No network is named, so all may.
    Open,
    /// It lies in this network, which may not.
    Denied(IpNet),
    /// It lies in none of those that may.
    NotAllowed,
}

impl AddressRuling {
    /// Why requests may not come in, if so; `of` stands before the keys of these rules.
    pub fn refusal(&self, of: &str) -> Option<String> {
        match self {
            Self::Denied(network) => Some(format!("{network} is in {of}ip_deny")),
            Self::NotAllowed => Some(format!("it is not in {of}ip_allow")),
            Self::Allowed(_) | Self::Open => None,
        }
    }
}

impl AddressRules {
    /// Compiles rules; there are none if nobody is kept out.
    pub fn new(allow: Vec<IpNet>, deny: Vec<IpNet>) -> Option<Self> {
        let some = !allow.is_empty() || !deny.is_empty();
        some.then(|| Self {
            allow: Networks::new(allow),
            deny: Networks::new(deny),
        })
    }

    /// Whether requests from `address` may come in.
    pub fn admit(&self, address: IpAddr) -> bool {
        let address = plain_address(address);
        !self.deny.have(address) && (self.allow.written.is_empty() || self.allow.have(address))
    }

    /// What decides about `address`, for `explain`.
    pub fn ruling(&self, address: IpAddr) -> AddressRuling {
        let address = plain_address(address);
        match (
            self.deny.network_of(address),
            self.allow.network_of(address),
        ) {
            (Some(network), _) => AddressRuling::Denied(network),
            (None, Some(network)) => AddressRuling::Allowed(network),
            (None, None) if self.allow.written.is_empty() => AddressRuling::Open,
            (None, None) => AddressRuling::NotAllowed,
        }
    }
}

/// A set of addresses.
#[derive(Debug, PartialEq, Eq)]
struct Networks {
    v4: Ranges<u32>,
    v6: Ranges<u128>,
    written: Vec<IpNet>,
}

/// First and last address, sorted.
type Ranges<T> = Vec<(T, T)>;

impl Networks {
    fn new(written: Vec<IpNet>) -> Self {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for network in &written {
            match plain(*network) {
                IpNet::V4(net) => v4.push((net.network().to_bits(), net.broadcast().to_bits())),
                IpNet::V6(net) => v6.push((net.network().to_bits(), net.broadcast().to_bits())),
            }
        }
        Self {
            v4: merged(v4),
            v6: merged(v6),
            written,
        }
    }

    fn have(&self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(address) => within(&self.v4, address.to_bits()),
            IpAddr::V6(address) => within(&self.v6, address.to_bits()),
        }
    }

    fn network_of(&self, address: IpAddr) -> Option<IpNet> {
        let mut written = self.written.iter().copied();
        written.find(|network| plain(*network).contains(&address))
    }
}

/// A network of IPv4-mapped addresses as the network of IPv4 that it is, for so are addresses.
fn plain(network: IpNet) -> IpNet {
    if let IpNet::V6(v6) = network
        && let (Some(address), Some(length)) = (
            v6.network().to_ipv4_mapped(),
            v6.prefix_len().checked_sub(96),
        )
        && let Ok(v4) = Ipv4Net::new(address, length)
    {
        return v4.into();
    }
    network
}

fn merged<T: Ord + Copy>(mut ranges: Ranges<T>) -> Ranges<T> {
    ranges.sort_unstable();
    let mut merged: Ranges<T> = Vec::with_capacity(ranges.len());
    for (first, last) in ranges {
        match merged.last_mut() {
            Some(before) if first <= before.1 => before.1 = before.1.max(last),
            _ => merged.push((first, last)),
        }
    }
    merged
}

fn within<T: Ord + Copy>(ranges: &Ranges<T>, address: T) -> bool {
    let behind = ranges.partition_point(|(first, _)| *first <= address);
    behind > 0 && address <= ranges[behind - 1].1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(allow: &[&str], deny: &[&str]) -> AddressRules {
        let parse = |list: &[&str]| list.iter().map(|net| net.parse().unwrap()).collect();
        AddressRules::new(parse(allow), parse(deny)).unwrap()
    }

    #[test]
    fn a_denied_address_is_out_and_of_the_others_those_that_are_allowed_are_in() {
        let rules = rules(
            &[
                "10.0.0.0/8",
                "10.1.0.0/16",
                "2001:db8::/32",
                "::ffff:192.0.2.0/120",
            ],
            &["10.1.2.0/24", "2001:db8:bad::/48"],
        );
        for (address, admitted) in [
            ("10.0.0.0", true),
            ("10.255.255.255", true),
            ("10.1.1.255", true),
            ("10.1.2.0", false),
            ("10.1.2.255", false),
            ("10.1.3.0", true),
            ("9.255.255.255", false),
            ("11.0.0.0", false),
            ("::ffff:10.9.9.9", true),
            ("::ffff:10.1.2.3", false),
            ("192.0.2.77", true),
            ("192.0.3.0", false),
            ("2001:db8::1", true),
            ("2001:db8:bad::1", false),
            ("2001:db9::", false),
            ("::a00:1", false),
        ] {
            assert_eq!(rules.admit(address.parse().unwrap()), admitted, "{address}");
        }
    }

    #[test]
    fn all_of_a_family_is_not_the_other_family() {
        for (net, address, other) in [
            ("0.0.0.0/0", "203.0.113.7", "2001:db8::1"),
            ("::/0", "2001:db8::1", "203.0.113.7"),
        ] {
            let rules = rules(&[], &[net]);
            assert!(!rules.admit(address.parse().unwrap()), "{net}");
            assert!(rules.admit(other.parse().unwrap()), "{net}");
        }
    }

    #[test]
    fn a_ruling_names_the_network() {
        let rules = rules(&["10.0.0.0/8"], &["10.1.0.0/16"]);
        let ruling = |address: &str| rules.ruling(address.parse().unwrap());
        let net = |net: &str| net.parse().unwrap();
        assert_eq!(
            ruling("10.1.1.1"),
            AddressRuling::Denied(net("10.1.0.0/16"))
        );
        assert_eq!(
            ruling("10.2.1.1"),
            AddressRuling::Allowed(net("10.0.0.0/8"))
        );
        assert_eq!(ruling("11.0.0.1"), AddressRuling::NotAllowed);
        assert_eq!(AddressRules::new(Vec::new(), Vec::new()), None);
    }
}
