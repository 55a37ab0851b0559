//! Content-Length: one field of digits, or the request is refused. Anything looser is read
//! differently by somebody, and the difference is a smuggled request.

use super::{SMUGGLED, accepted, post, refused, refused_or_accepted};
use crate::support::{Shop, each};

#[test]
fn a_length_is_digits_and_nothing_else() {
    let shop = Shop::open();
    let values = [
        "+5", "-5", "-0", "5 5", "5\t5", "0x5", "5.0", "5e0", "5x", "x5", "5;", "'5'", "\"5\"", "",
        " ", "\u{b2}5", "5\0", "\u{b}5", "5_0", "five",
    ];
    each(values, |value| {
        let raw = post(
            &format!("Content-Length: {value}"),
            &format!("hello{SMUGGLED}"),
        );
        refused(&shop, &raw, 400, "bad_request");
    });
}

#[test]
fn a_length_that_no_counter_holds_is_refused() {
    let shop = Shop::open();
    let values = [
        "18446744073709551615",
        "18446744073709551616",
        "18446744073709551621",
        "99999999999999999999999",
    ];
    each(values, |value| {
        refused(
            &shop,
            &post(&format!("Content-Length: {value}"), "hello"),
            400,
            "bad_request",
        );
    });
}

#[test]
fn a_repeated_length_is_refused_even_when_equal() {
    let shop = Shop::open();
    let fields = [
        "Content-Length: 5\r\nContent-Length: 6",
        "Content-Length: 6\r\nContent-Length: 5",
        "Content-Length: 5\r\nX-Between: 1\r\ncontent-length: 5",
        "Content-Length: 5\r\nContent-Length: ",
        "Content-Length: 5, 5",
        "Content-Length: 5,6",
        "Content-Length: ,5",
    ];
    each(fields, |fields| {
        refused(
            &shop,
            &post(fields, &format!("hello{SMUGGLED}")),
            400,
            "bad_request",
        );
    });
}

#[test]
fn a_plain_length_is_obeyed() {
    let shop = Shop::open();
    each(
        [
            "Content-Length: 5",
            "content-length:5",
            "CONTENT-LENGTH:  \t5 \t",
        ],
        |fields| {
            accepted(&shop, &post(fields, "hello"), "hello");
        },
    );
    accepted(&shop, &post("Content-Length: 0", ""), "");
    accepted(&shop, &post("X-None: 1", ""), "");
    each(["005", "00000000000000000000005"], |value| {
        refused_or_accepted(
            &shop,
            &post(&format!("Content-Length: {value}"), "hello"),
            &["hello"],
        );
    });
}

#[test]
fn a_get_may_have_a_body_and_it_is_not_the_next_request() {
    let shop = Shop::open();
    let len = SMUGGLED.len();
    let head = "GET /api/inventory/x HTTP/1.1\r\nHost: gateway.test";
    let raw = format!("{head}\r\nContent-Length: {len}\r\n\r\n{SMUGGLED}");
    accepted(&shop, raw.as_bytes(), SMUGGLED);
}
