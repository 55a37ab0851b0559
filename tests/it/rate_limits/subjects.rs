//! Whose bucket a request falls into: an anonymous caller's address, as far as it can be believed.

use std::net::IpAddr;

use super::remaining;
use crate::support::{Client, Request, Shop};

const LIMIT: &str = "[limits]\nanonymous = { requests = 9, per = \"1h\" }\n";

#[test]
fn each_address_has_a_bucket_of_its_own() {
    let shop = Shop::with(LIMIT);
    let request = Request::get("/api/inventory/x");
    for last in [2, 3] {
        let source = IpAddr::from([127, 0, 0, last]);
        for left in [8, 7, 6] {
            let mut client = Client::from(source, shop.gateway.address());
            assert_eq!(remaining(&client.ask(&request)), left, "{source}");
        }
    }
}

#[test]
fn what_an_untrusted_peer_claims_changes_nothing() {
    let shop = Shop::with(LIMIT);
    let claims = [
        "X-Forwarded-For",
        "X-Real-IP",
        "Forwarded",
        "X-Client-IP",
        "CF-Connecting-IP",
    ];
    for (left, claim) in (4..9).rev().zip(claims) {
        let request = Request::get("/api/inventory/x").field(claim, &format!("198.51.100.{left}"));
        assert_eq!(remaining(&shop.ask(&request)), left, "{claim}");
    }
}

#[test]
fn a_trusted_proxy_names_the_address() {
    let more = format!("{LIMIT}[server]\ntrusted_proxies = [\"127.0.0.0/8\"]");
    let shop = Shop::with(&more);
    let ask = |chain: &str| {
        remaining(&shop.ask(&Request::get("/api/inventory/x").field("X-Forwarded-For", chain)))
    };
    assert_eq!(ask("198.51.100.1"), 8);
    assert_eq!(ask("198.51.100.2"), 8);
    // What stands further left was written by who knows whom.
    assert_eq!(ask("203.0.113.1, 198.51.100.1"), 7);
    assert_eq!(ask("203.0.113.2, 198.51.100.1"), 6);
    assert_eq!(ask("198.51.100.1, 127.0.0.9"), 5);
}

#[test]
fn ipv6_counts_by_network_and_mapped_ipv4_as_ipv4() {
    let more = format!("{LIMIT}[server]\ntrusted_proxies = [\"127.0.0.0/8\"]");
    let shop = Shop::with(&more);
    let ask = |ip: &str| {
        remaining(&shop.ask(&Request::get("/api/inventory/x").field("X-Forwarded-For", ip)))
    };
    assert_eq!(ask("2001:db8:1:2::1"), 8);
    assert_eq!(ask("2001:db8:1:2:ffff::2"), 7);
    assert_eq!(ask("2001:db8:1:3::1"), 8);
    assert_eq!(ask("198.51.100.1"), 8);
    assert_eq!(ask("::ffff:198.51.100.1"), 7);
}

#[test]
fn a_client_is_counted_wherever_it_comes_from() {
    let shop = Shop::with("[limits]\nidentified = { requests = 9, per = \"1h\" }");
    let request = Request::get("/api/orders/x").with_key();
    for (last, left) in [(2, 8), (3, 7), (4, 6)] {
        let mut client = Client::from(IpAddr::from([127, 0, 0, last]), shop.gateway.address());
        assert_eq!(remaining(&client.ask(&request)), left);
    }
}
