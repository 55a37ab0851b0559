//! How long lines and heads may be, and that the refusal arrives although the client is still
//! sending.

use super::{line, refused, refused_with_one_of};
use crate::support::{Request, Shop};

#[test]
fn long_lines_and_large_heads_that_are_usual_are_served() {
    let shop = Shop::open();
    let query = "x".repeat(7900);
    shop.ask(&Request::get(&format!("/api/inventory/x?{query}")))
        .is(200);
    assert_eq!(shop.inventory.only().target, format!("/x?{query}"));

    shop.ask(&Request::get("/api/inventory/x").field("Cookie", &"c".repeat(30_000)))
        .is(200);
    assert_eq!(
        shop.inventory.only().fields.one("cookie").map(str::len),
        Some(30_000)
    );

    let many = (0..90).fold(Request::get("/api/inventory/x"), |r, i| {
        r.field(&format!("X-{i}"), "y")
    });
    shop.ask(&many).is(200);
    assert_eq!(shop.inventory.only().fields.one("x-89"), Some("y"));
}

#[test]
fn a_request_line_that_is_too_long_gets_414() {
    let shop = Shop::open();
    let target = format!("/api/inventory/x?{}", "x".repeat(100_000));
    refused(
        &shop,
        &line(&format!("GET {target} HTTP/1.1")),
        414,
        "uri_too_long",
    );
    // The line need not end for that.
    refused(
        &shop,
        format!("GET {target}").as_bytes(),
        414,
        "uri_too_long",
    );
    let method = "G".repeat(100_000);
    let raw = line(&format!("{method} /api/inventory/x HTTP/1.1"));
    refused_with_one_of(&shop, &raw, &[414, 400, 431]);
}

#[test]
fn a_head_that_is_too_large_gets_431() {
    let shop = Shop::with("[server]\nmax_head = \"8KiB\"\nmax_headers = 20");
    let with = |field: &str| super::get(field);
    refused(
        &shop,
        &with(&format!("X: {}", "y".repeat(9000))),
        431,
        "headers_too_large",
    );
    refused(
        &shop,
        &with(&format!("X: {}", "y".repeat(1_000_000))),
        431,
        "headers_too_large",
    );
    refused(
        &shop,
        &with(&"X: y\r\n".repeat(1000)),
        431,
        "headers_too_large",
    );
    shop.ask(&Request::get("/api/inventory/x").field("X", &"y".repeat(7000)))
        .is(200);
    // With Host, 20 fields are the bound and 21 are beyond it.
    let many = |n| "X-Many: y\r\n".repeat(n).trim_end().to_owned();
    super::accepted(&shop, &with(&many(19)), "");
    refused(&shop, &with(&many(20)), 431, "headers_too_large");
}
