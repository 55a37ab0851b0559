//! Whether two URLs may lead to the same service. The rules of routes depend on it, so it is only
//! denied where that is certain enough: `localhost`, `127.0.0.1`, `[::1]` and the machine's other
//! addresses are one, and so may be a name and any address.

use std::net::{IpAddr, Ipv4Addr};

use super::EndpointUrl;

/// Whether both may be answered by one service, whatever their paths.
pub fn may_be_same_service(one: &EndpointUrl, other: &EndpointUrl) -> bool {
    one.port == other.port && may_be_same_host(&Host::of(one), &Host::of(other))
}

enum Host<'u> {
    Address(IpAddr),
    /// Without its final dot.
    Name(&'u str),
}

impl<'u> Host<'u> {
    fn of(url: &'u EndpointUrl) -> Self {
        let name = url.host.strip_suffix('.').unwrap_or(&url.host);
        if name == "localhost" || name.ends_with(".localhost") {
            // RFC 6761 section 6.3.
            return Self::Address(Ipv4Addr::LOCALHOST.into());
        }
        match name.parse::<IpAddr>() {
            Ok(address) => Self::Address(address.to_canonical()),
            Err(_) => Self::Name(name),
        }
    }
}

fn may_be_same_host(one: &Host<'_>, other: &Host<'_>) -> bool {
    match (one, other) {
        (Host::Address(one), Host::Address(other)) => {
            // A machine has loopback addresses beside its own, and often one of each family.
            let is_here = |address: &IpAddr| address.is_loopback() || address.is_unspecified();
            one == other || is_here(one) || is_here(other) || one.is_ipv4() != other.is_ipv4()
        }
        // Search domains complete names: `orders` is `orders.shop.svc.cluster.local`.
        (Host::Name(one), Host::Name(other)) => completes(one, other) || completes(other, one),
        // What a name resolves to is not known when a configuration is checked.
        (Host::Address(_), Host::Name(_)) | (Host::Name(_), Host::Address(_)) => true,
    }
}

/// Whether `longer` is `name`, with or without more labels behind it.
fn completes(longer: &str, name: &str) -> bool {
    let rest = longer.strip_prefix(name);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn may_be_same(one: &str, other: &str) -> bool {
        let [one, other] = [one, other].map(|host| {
            let url = format!("http://{host}");
            EndpointUrl::parse(&url).unwrap()
        });
        let found = may_be_same_service(&one, &other);
        assert_eq!(may_be_same_service(&other, &one), found);
        found
    }

    #[test]
    fn spellings_of_one_host_are_one_service() {
        let here = [
            "localhost",
            "LOCALHOST.",
            "app.localhost",
            "127.0.0.1",
            "127.0.0.2",
            "[::1]",
            "[::ffff:127.0.0.1]",
            "0.0.0.0",
            "[::]",
            "192.0.2.7",
            "orders.test",
        ];
        for other in here {
            assert!(may_be_same("localhost", other), "{other}");
            assert!(may_be_same("[::1]", other), "{other}");
        }
        for (one, other) in [
            ("orders", "orders"),
            ("orders.test", "Orders.Test."),
            ("orders", "orders.shop.svc.cluster.local"),
            ("orders.shop", "orders.shop.svc"),
            ("192.0.2.7", "[::ffff:192.0.2.7]"),
            ("192.0.2.7", "[2001:db8::7]"),
            ("192.0.2.7", "orders.test"),
            ("orders:80", "orders"),
        ] {
            assert!(may_be_same(one, other), "{one} {other}");
        }
    }

    #[test]
    fn other_ports_names_and_addresses_are_other_services() {
        for (one, other) in [
            ("localhost:1", "localhost:2"),
            ("127.0.0.1:1", "localhost"),
            ("orders", "orders2"),
            ("orders", "stock"),
            ("orders.a.test", "orders.b.test"),
            ("192.0.2.7", "192.0.2.8"),
            ("[2001:db8::7]", "[2001:db8::8]"),
        ] {
            assert!(!may_be_same(one, other), "{one} {other}");
        }
    }
}
