//! Header fields: a token, a colon right after it, a value without control characters, one line.

use super::{accepted, get, line, refused};
use crate::support::{Shop, each, latin1};

#[test]
fn a_name_is_a_token() {
    let shop = Shop::open();
    let fields = [
        ": v",
        "no-colon",
        "X(A): b",
        "X A: b",
        "X A : b",
        "X : b",
        "X\t: b",
        "X\0A: b",
        "X\u{e9}: b",
        "\"X\": b",
        "X/A: b",
        "=: b",
        "[X]: b",
        "X,Y: b",
        "X;Y: b",
        "X@Y: b",
        "X{Y}: b",
        "\u{7f}: b",
        "X\u{1}: b",
        "",
    ];
    each(fields, |field| {
        let raw = latin1(&format!(
            "GET /api/inventory/x HTTP/1.1\r\nHost: gateway.test\r\n{field}\r\nX-End: 1\r\n\r\n"
        ));
        if field.is_empty() {
            // An empty line ends the head: what follows is a request of its own, and no good one.
            let mut client = shop.gateway.connect();
            client.send(raw);
            client.answer().is(200);
            client.answer().is_refusal(400, "bad_request");
            client.is_closed();
            shop.inventory.take();
        } else {
            refused(&shop, &raw, 400, "bad_request");
        }
    });
}

#[test]
fn a_value_has_no_control_characters() {
    let shop = Shop::open();
    let controls = (0..0x20).filter(|b| !matches!(b, b'\t')).chain([0x7f]);
    each(controls.map(char::from), |control| {
        refused(
            &shop,
            &get(&format!("X-A: b{control}c")),
            400,
            "bad_request",
        );
    });
    accepted(&shop, &get("X-A: b\tc"), "");
    accepted(&shop, &get("X-A: caf\u{e9}"), "");
}

#[test]
fn a_field_is_one_line() {
    let shop = Shop::open();
    let folds = [
        "X-A: b\r\n c",
        "X-A: b\r\n\tHost: evil",
        "X-A:\r\n b",
        "X-A: b\r\n \r\n c",
        "X-A: b\r\n \t",
    ];
    each(folds, |field| {
        refused(&shop, &get(field), 400, "bad_request");
    });
    each([" X-A: b", "\tHost: evil", " "], |first| {
        let raw = format!("GET /api/inventory/x HTTP/1.1\r\n{first}\r\nHost: gateway.test\r\n\r\n");
        refused(&shop, raw.as_bytes(), 400, "bad_request");
    });
}

#[test]
fn a_line_ends_with_cr_and_lf() {
    let shop = Shop::open();
    let heads = [
        "GET /api/inventory/x HTTP/1.1\nHost: gateway.test\r\n\r\n",
        "GET /api/inventory/x HTTP/1.1\rHost: gateway.test\r\n\r\n",
        "GET /api/inventory/x HTTP/1.1\r\nHost: gateway.test\n\r\n",
        "GET /api/inventory/x HTTP/1.1\r\nHost: gateway.test\r\n\n",
        "GET /api/inventory/x HTTP/1.1\nHost: gateway.test\n\n",
        "GET /api/inventory/x HTTP/1.1\r\r\nHost: gateway.test\r\n\r\n",
        "GET /api/inventory/x HTTP/1.1\r\nHost: gateway.test\r\r\n\r\n",
        "GET /api/inventory/x HTTP/1.1\r\nHost: gateway.test\r\nX: y\rZ: y\r\n\r\n",
    ];
    each(heads, |head| {
        refused(&shop, head.as_bytes(), 400, "bad_request");
    });
}

#[test]
fn an_empty_line_before_the_request_is_skipped() {
    let shop = Shop::open();
    accepted(
        &shop,
        format!("\r\n{}", String::from_utf8_lossy(&get("X: y"))).as_bytes(),
        "",
    );
    // A lone LF may be skipped too, or be refused; neither may be read as a request.
    each(["\n", "\r\n \r\n", "\r\r\n"], |before| {
        let raw = format!("{before}GET /api/inventory/x HTTP/1.1\r\nHost: gateway.test\r\n\r\n");
        super::refused_or_accepted(&shop, raw.as_bytes(), &[""]);
    });
    // The blank line that old clients send after a body.
    let mut client = shop.gateway.connect();
    client.send(super::post("Content-Length: 5", "hello\r\n"));
    client.answer().is(200);
    Shop::still_serves(&mut client);
}

#[test]
fn a_head_may_arrive_byte_by_byte() {
    let shop = Shop::open();
    let mut client = shop.gateway.connect();
    for _ in 0..2 {
        for byte in line("GET /api/inventory/slowly HTTP/1.1") {
            client.send([byte]);
        }
        client.answer().is(200);
        assert_eq!(shop.inventory.only().target, "/slowly");
    }
}

#[test]
fn what_is_not_http_is_answered_at_once() {
    let shop = Shop::open();
    // A TLS client, a line of text, bytes that can't begin a method: none of them is waited for.
    let openings: [&[u8]; 4] = [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"\x80\x2e\x01\x00",
        b"{\"a\":1}\r\n",
        b"\0\0\0\0",
    ];
    each(openings, |opening| {
        refused(&shop, opening, 400, "bad_request");
    });
}
