//! The request line: a method that is a token, a version that is HTTP/1.0 or HTTP/1.1, one blank
//! between the parts.

use super::{line, refused, refused_with_one_of};
use crate::support::{Broken, Request, Shop, each};

#[test]
fn a_method_is_a_token() {
    let shop = Shop::open();
    each(
        [
            "GE(T", "G\0T", "GET,", "G\u{c9}T", "{GET}", "GET:", "\"GET\"", "G/T", "G\tT", "",
        ],
        |method| {
            refused(
                &shop,
                &line(&format!("{method} /api/inventory/x HTTP/1.1")),
                400,
                "bad_request",
            );
        },
    );
}

#[test]
fn methods_that_the_gateway_does_not_know_are_passed_on() {
    let shop = Shop::open();
    each(
        [
            "PURGE", "PROPFIND", "M-SEARCH", "QUERY", "get", "PATCH", "DELETE", "OPTIONS",
        ],
        |method| {
            shop.ask(&Request::new(method, "/api/inventory/x")).is(200);
            assert_eq!(shop.inventory.only().method, *method);
        },
    );
}

#[test]
fn connect_and_trace_are_refused() {
    let shop = Shop::open();
    let connect = "CONNECT gateway.test:443 HTTP/1.1\r\nHost: gateway.test:443\r\n\r\n";
    let mut client = shop.gateway.connect();
    client.send(connect);
    client.answer().is_refusal(501, "not_implemented");
    for target in ["/api/inventory/x", "http://gateway.test/api/inventory/x"] {
        let response = shop.ask(&Request::new("CONNECT", target));
        assert!(matches!(response.status, 400 | 501), "{}", response.status);
    }
    let response = shop.ask(&Request::new("TRACE", "/api/inventory/x").field("Cookie", "secret"));
    assert!(matches!(response.status, 405 | 501), "{}", response.status);
    assert!(!response.text().contains("secret"));
    shop.nothing_got_through();
}

#[test]
fn only_one_blank_stands_between_the_parts() {
    let shop = Shop::open();
    let lines = [
        "GET  /api/inventory/x HTTP/1.1",
        "GET /api/inventory/x  HTTP/1.1",
        "GET\t/api/inventory/x HTTP/1.1",
        "GET /api/inventory/x\tHTTP/1.1",
        "GET /api/inventory/x HTTP/1.1 ",
        " GET /api/inventory/x HTTP/1.1",
        "GET\u{b}/api/inventory/x HTTP/1.1",
        "GET /api/inventory/x",
        "GET",
        "GET /api/inventory/x HTTP/1.1 HTTP/1.1",
    ];
    each(lines, |start| {
        refused_with_one_of(&shop, &line(start), &[400, 505]);
    });
}

#[test]
fn other_versions_are_not_supported() {
    let shop = Shop::open();
    each(
        ["HTTP/2.0", "HTTP/3.0", "HTTP/0.9", "HTTP/9.9"],
        |version| {
            let raw = line(&format!("GET /api/inventory/x {version}"));
            refused(&shop, &raw, 505, "version_not_supported");
        },
    );
    each(
        [
            "HTTP/2",
            "HTTP/1",
            "http/1.1",
            "HTTP/1.1.1",
            "HTTP/11",
            "HTTP/1.10",
            "HTP/1.1",
            "HTTP 1.1",
            "HTTP/1,1",
        ],
        |version| {
            let raw = line(&format!("GET /api/inventory/x {version}"));
            refused_with_one_of(&shop, &raw, &[400, 505]);
        },
    );
}

/// What a client begins with that speaks HTTP/2: its preface, and SETTINGS without settings.
const HTTP_2: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00";

#[test]
fn a_client_that_begins_with_http_2_is_told_so_in_http_2() {
    let shop = Shop::open();
    let mut client = shop.gateway.connect();
    client.send(HTTP_2);
    let told = client.take(9 + 9 + 8 + 25);
    let (settings, goaway) = told.split_at(9);
    assert_eq!(settings, b"\0\0\0\x04\0\0\0\0\0");
    let (head, reason) = goaway.split_at(9 + 8);
    assert_eq!(head, b"\0\0\x21\x07\0\0\0\0\0\0\0\0\0\0\0\0\x0d");
    assert_eq!(reason, b"This port speaks HTTP/1.1");
    // What it sends meanwhile does not turn the end into a reset.
    client.send(b"\0\0\0\x04\x01\0\0\0\0");
    assert!(matches!(client.some(), Err(Broken::Closed)));
    drop(client);
    let lines = shop.gateway.finish();
    assert_eq!(lines.len(), 1);
    assert_eq!(
        (&lines[0]["status"], &lines[0]["code"]),
        (&505.into(), &"version_not_supported".into())
    );
    let detail = lines[0]["detail"].as_str();
    assert!(detail.is_some_and(|told| told.contains("HTTP/2 without TLS")));
}

#[test]
fn a_client_that_spoke_http_1_is_told_in_http_1() {
    let shop = Shop::open();
    refused(
        &shop,
        b"PRI * HTTP/2.0\r\nHost: x\r\n\r\n",
        505,
        "version_not_supported",
    );
    let mut client = shop.gateway.connect();
    client.ask(&Request::get("/health")).is(200);
    client.send(HTTP_2);
    client.answer().is_refusal(505, "version_not_supported");
    client.is_closed();
}

#[test]
fn http_1_0_is_served_and_ends_the_connection() {
    let shop = Shop::open();
    let mut client = shop.gateway.connect();
    let response = client.ask(&Request::post("/api/inventory/x", "hello").http10());
    assert_eq!(response.is(200).text(), "hello");
    client.is_closed();
    assert_eq!(shop.inventory.only().version, "HTTP/1.1");
}
