//! Transfer-Encoding: `chunked` once and alone, never beside a Content-Length, never in HTTP/1.0.

use super::{SMUGGLED, accepted, post, refused, refused_with_one_of};
use crate::support::{Shop, each};

/// `hello` in one chunk.
const HELLO: &str = "5\r\nhello\r\n0\r\n\r\n";

#[test]
fn a_coding_beside_a_length_is_refused() {
    let shop = Shop::open();
    let rows = [
        (
            "Content-Length: 6\r\nTransfer-Encoding: chunked",
            format!("0\r\n\r\n{SMUGGLED}"),
        ),
        (
            "Transfer-Encoding: chunked\r\nContent-Length: 4",
            format!("{HELLO}{SMUGGLED}"),
        ),
        (
            "Transfer-Encoding: chunked\r\nContent-Length: 15",
            HELLO.into(),
        ),
        (
            "Content-Length: 0\r\nTransfer-Encoding: chunked",
            HELLO.into(),
        ),
        (
            "Content-Length: 900\r\nX: y\r\ntransfer-encoding:CHUNKED",
            format!("{HELLO}{SMUGGLED}"),
        ),
    ];
    each(rows, |(fields, body)| {
        refused(&shop, &post(fields, body), 400, "bad_request");
    });
}

#[test]
fn an_unknown_coding_is_not_implemented() {
    let shop = Shop::open();
    each(
        [
            "gzip",
            "identity",
            "xchunked",
            "chunkedx",
            "cow",
            "deflate, chunked",
            "chun ked",
        ],
        |coding| {
            let raw = post(
                &format!("Transfer-Encoding: {coding}"),
                &format!("{HELLO}{SMUGGLED}"),
            );
            refused_with_one_of(&shop, &raw, &[501, 400]);
        },
    );
    let raw = post("Transfer-Encoding: gzip", HELLO);
    refused(&shop, &raw, 501, "not_implemented");
}

#[test]
fn chunked_is_last_once_and_without_parameters() {
    let shop = Shop::open();
    let fields = [
        "Transfer-Encoding: chunked, gzip",
        "Transfer-Encoding: chunked, chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
        "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked;q=0.5",
        "Transfer-Encoding: \"chunked\"",
        "Transfer-Encoding: ",
        "Transfer-Encoding: ,",
        "Transfer-Encoding: \u{b}chunked",
        "Transfer-Encoding: chunked\0",
    ];
    each(fields, |fields| {
        refused_with_one_of(
            &shop,
            &post(fields, &format!("{HELLO}{SMUGGLED}")),
            &[400, 501],
        );
    });
}

#[test]
fn the_codings_name_has_no_case_and_blanks_around_it_do_not_count() {
    let shop = Shop::open();
    let fields = [
        "Transfer-Encoding: chunked",
        "transfer-encoding:Chunked",
        "TRANSFER-ENCODING:   CHUNKED  ",
        "Transfer-Encoding:\tchunked\t",
    ];
    each(fields, |fields| {
        accepted(&shop, &post(fields, HELLO), "hello");
    });
}

#[test]
fn a_hidden_coding_is_refused() {
    let shop = Shop::open();
    let fields = [
        "Transfer-Encoding : chunked\r\nContent-Length: 15",
        "Transfer-Encoding\t: chunked\r\nContent-Length: 15",
        "Content-Length: 15\r\nTransfer-Encoding:\r\n chunked",
        "Content-Length: 15\r\nX: y\r\n Transfer-Encoding: chunked",
        "Content-Length: 15\r\n Transfer-Encoding: chunked",
        "Content-Length: 15\r\nX: y\rTransfer-Encoding: chunked",
        "Content-Length: 15\r\nX: y\nTransfer-Encoding: chunked",
        "Content-Length: 15\r\nX: y\0Transfer-Encoding: chunked",
        "Content-Length: 15\r\n\u{a0}Transfer-Encoding: chunked",
    ];
    each(fields, |fields| {
        refused(&shop, &post(fields, HELLO), 400, "bad_request");
    });
}

#[test]
fn http_1_0_knows_no_coding() {
    let shop = Shop::open();
    let head = "POST /api/inventory/x HTTP/1.0\r\nHost: gateway.test";
    let raw =
        format!("{head}\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n{HELLO}");
    refused_with_one_of(&shop, raw.as_bytes(), &[400, 501]);
}
