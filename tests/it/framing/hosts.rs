//! Host: exactly one in HTTP/1.1, a host and nothing else; and the authority of an absolute
//! target in its stead.

use super::refused;
use crate::support::{Request, Shop, each};

#[test]
fn http_1_1_needs_exactly_one_host() {
    let shop = Shop::open();
    let fields = [
        "",
        "X: y\r\n",
        "Host: evil.test\r\nHost: gateway.test\r\n",
        "Host: gateway.test\r\nHost: gateway.test\r\n",
        "Host: gateway.test\r\nhOsT: evil.test\r\n",
        "Host: gateway.test\r\nHost:\r\n",
        "Host:\r\n",
    ];
    each(fields, |fields| {
        let raw = format!("GET /api/inventory/x HTTP/1.1\r\n{fields}\r\n");
        refused(&shop, raw.as_bytes(), 400, "bad_request");
    });
    let raw = "GET /api/inventory/x HTTP/1.0\r\nHost: a.test\r\nHost: b.test\r\n\r\n";
    refused(&shop, raw.as_bytes(), 400, "bad_request");
}

#[test]
fn a_host_is_a_name_or_an_address_with_a_port() {
    let shop = Shop::open();
    let bad = [
        "a b", "a/b", "http://a", "user@a", "a?b", "a#b", "a, b", "[::1", "::1", "a:b", "a:70000",
        "a:1:2", "a\\b", "a\u{e9}", "[::1]x", "<a>", "a%", "a%zz",
    ];
    each(bad, |host| {
        let raw = crate::support::latin1(&format!(
            "GET /api/inventory/x HTTP/1.1\r\nHost: {host}\r\n\r\n"
        ));
        refused(&shop, &raw, 400, "bad_request");
    });
    each(
        [
            "a.test",
            "A.Test:80",
            "a.test.",
            "127.0.0.1:1",
            "[::1]",
            "[::1]:8080",
            "a_b-c",
            "xn--caf-dma.test",
        ],
        |host| {
            shop.ask(&Request::get("/api/inventory/x").host(host))
                .is(200);
            assert_eq!(
                shop.inventory.only().fields.one("host"),
                Some(*host),
                "Host is preserved"
            );
        },
    );
}

#[test]
fn the_authority_of_an_absolute_target_is_the_host() {
    let shop = Shop::open();
    each(
        [
            "http://other.test/api/inventory/x",
            "HTTP://other.test/api/inventory/x",
        ],
        |target| {
            shop.ask(&Request::get(target).host("gateway.test")).is(200);
            let seen = shop.inventory.only();
            assert_eq!(
                (seen.target.as_str(), seen.fields.one("host")),
                ("/x", Some("other.test"))
            );
        },
    );
    let raw = "GET http://gateway.test/api/inventory/x HTTP/1.1\r\n\r\n";
    refused(&shop, raw.as_bytes(), 400, "bad_request");
}

#[test]
fn http_1_0_may_go_without_and_the_upstream_still_gets_one_that_says_nothing() {
    let shop = Shop::open();
    let mut client = shop.gateway.connect();
    client.send("GET /api/inventory/x HTTP/1.0\r\n\r\n");
    client.answer().is(200);
    let seen = shop.inventory.only();
    assert_eq!(seen.fields.one("host"), Some("unknown.invalid"));
}
