//! A message that the client cuts off is never passed on as a whole one (RFC 9112 section 8).

use super::post;
use crate::support::{Shop, each};

const CUT: [(&str, &str); 8] = [
    ("Content-Length: 10", "hello"),
    ("Content-Length: 10", ""),
    ("Transfer-Encoding: chunked", ""),
    ("Transfer-Encoding: chunked", "5"),
    ("Transfer-Encoding: chunked", "5\r\nhel"),
    ("Transfer-Encoding: chunked", "5\r\nhello\r\n"),
    ("Transfer-Encoding: chunked", "5\r\nhello\r\n0\r\n"),
    (
        "Transfer-Encoding: chunked",
        "5\r\nhello\r\n0\r\nX-Trailer: 1\r\n",
    ),
];

#[test]
fn a_body_that_ends_with_a_half_close() {
    let shop = Shop::open();
    each(CUT, |(fields, body)| {
        shop.inventory.take();
        let mut client = shop.gateway.connect();
        client.send(post(fields, body)).half_close();
        // Whether the client gets an answer or just the end: it is not a success.
        if let crate::support::Ending::Whole(response) = client.ending() {
            response.is_refusal(400, "bad_request");
            client.is_closed();
        }
        shop.nothing_got_through();
    });
}

#[test]
fn a_body_that_ends_with_a_reset() {
    let shop = Shop::open();
    each(CUT, |(fields, body)| {
        shop.inventory.take();
        let before = shop.inventory.connections();
        let mut client = shop.gateway.connect();
        client.send(post(fields, body));
        if before == 0 {
            // The request is on its way out when the client leaves.
            shop.inventory.wait_for_connections(1);
        }
        client.reset();
        shop.nothing_got_through();
    });
}

#[test]
fn a_head_that_is_cut_reaches_nobody() {
    let shop = Shop::open();
    let whole = String::from_utf8(post("Content-Length: 0\r\nX-Cut: one", "")).expect("ASCII");
    let cuts = [
        1,
        4,
        10,
        30,
        whole.len() - 20,
        whole.len() - 3,
        whole.len() - 1,
    ];
    each(cuts, |&cut| {
        let mut client = shop.gateway.connect();
        client.send(&whole[..cut]).half_close();
        if let crate::support::Ending::Whole(response) = client.ending() {
            response.is_refusal(400, "bad_request");
        }
        let mut client = shop.gateway.connect();
        client.send(&whole[..cut]);
        client.reset();
        shop.nothing_got_through();
    });
}

#[test]
fn connections_without_a_request_harm_nothing() {
    let shop = Shop::open();
    let mut idle = shop.gateway.connect();
    for _ in 0..20 {
        drop(shop.gateway.connect());
        shop.gateway.connect().reset();
        shop.gateway.connect().half_close().is_closed();
    }
    shop.nothing_got_through();
    Shop::still_serves(&mut idle);
}
