//! Request targets: which bytes, and which of the four forms.

use super::{line, refused, refused_with_one_of};
use crate::support::{Request, Shop, each, latin1};

#[test]
fn blanks_and_control_characters_are_not_repaired() {
    let shop = Shop::open();
    each(
        [
            " x",
            "?a b",
            "\0",
            "\u{1}",
            "\u{7f}",
            "\u{c}",
            "\u{b}",
            " HTTP/1.0\t",
            "\r",
        ],
        |end| {
            let raw = line(&format!("GET /api/inventory/x{end} HTTP/1.1"));
            refused_with_one_of(&shop, &raw, &[400, 505]);
        },
    );
}

#[test]
fn raw_bytes_that_no_uri_has_leave_as_a_valid_uri_or_not_at_all() {
    let shop = Shop::open();
    each(
        [
            "\u{e9}", "\"<>", "{x}", "|", "^", "`", "%", "%z1", "%e9", "?\"<>|", "?\u{e9}",
        ],
        |end| {
            shop.inventory.take();
            let mut client = shop.gateway.connect();
            client.send(latin1(&format!(
                "GET /api/inventory/x{end} HTTP/1.1\r\nHost: gateway.test\r\n\r\n"
            )));
            let response = client.answer();
            // The upstream complains of a target that is not ASCII.
            let seen = shop.inventory.take().len();
            assert!(
                matches!((response.status, seen), (200, 1) | (400, 0)),
                "{} {seen}",
                response.status
            );
        },
    );
}

#[test]
fn a_fragment_is_not_part_of_a_target() {
    let shop = Shop::open();
    each(
        [
            "/api/inventory/x#frag",
            "/api/inventory/#",
            "/api/inventory?q#f",
        ],
        |target| {
            let response = shop.ask(&Request::get(target));
            assert!(matches!(response.status, 400 | 200), "{}", response.status);
            let seen = shop.inventory.take();
            assert!(
                seen.iter().all(|s| !s.target.contains('#')),
                "{:?}",
                seen[0].target
            );
        },
    );
}

#[test]
fn other_forms_are_refused() {
    let shop = Shop::open();
    let targets = [
        "gateway.test/api/inventory/x",
        "api/inventory/x",
        "ftp://gateway.test/api/inventory/x",
        "http:///api/inventory/x",
        "http://user:secret@gateway.test/api/inventory/x",
        "http:/api/inventory/x",
        "http://",
        "://gateway.test/",
        "*",
        "?q",
        "#",
        "\\api\\inventory",
    ];
    each(targets, |target| {
        let raw = line(&format!("GET {target} HTTP/1.1"));
        refused(&shop, &raw, 400, "bad_request");
    });
}

#[test]
fn options_of_the_server_as_a_whole_leads_nowhere() {
    let shop = Shop::open();
    let mut client = shop.gateway.connect();
    for target in ["*", "http://gateway.test"] {
        let response = client.ask(&Request::new("OPTIONS", target));
        response.is_refusal(404, "no_route");
        let says = "No route takes `*`; GET /health says";
        assert!(response.text().contains(says), "{}", response.text());
    }
    Shop::still_serves(&mut client);
    shop.nothing_more_got_through(1);
}
