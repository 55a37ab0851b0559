//! The grammar of chunked bodies (RFC 9112 section 7.1). The fault shows only after the request
//! has gone out, so the upstream gets a request that is cut, and the client a 400.

use super::{SMUGGLED, accepted, post, refused, refused_or_accepted, refused_with_one_of};
use crate::support::{Shop, each};

const CHUNKED: &str = "Transfer-Encoding: chunked";

#[test]
fn extensions_upper_case_and_padded_sizes_are_valid() {
    let shop = Shop::open();
    let rows = [
        ("5\r\nhello\r\n0\r\n\r\n", "hello"),
        ("5;a=b\r\nhello\r\n0;c\r\n\r\n", "hello"),
        ("5;a=\"x;y\";z\r\nhello\r\n0\r\n\r\n", "hello"),
        ("005\r\nhello\r\n000\r\n\r\n", "hello"),
        (
            "0000000000000005\r\nhello\r\n0000000000000000\r\n\r\n",
            "hello",
        ),
        ("A\r\nhellohello\r\n0\r\n\r\n", "hellohello"),
        ("a\r\nhellohello\r\n0\r\n\r\n", "hellohello"),
        ("1\r\nh\r\n4\r\nello\r\n0\r\n\r\n", "hello"),
        ("2\r\n\r\n\r\n0\r\n\r\n", "\r\n"),
        ("0\r\n\r\n", ""),
        ("5\r\nhello\r\n0\r\nX-Trailer: 1\r\n\r\n", "hello"),
    ];
    each(rows, |(raw, body)| {
        accepted(&shop, &post(CHUNKED, raw), body);
    });
    refused_or_accepted(
        &shop,
        &post(CHUNKED, "5 ; a = b\r\nhello\r\n0\r\n\r\n"),
        &["hello"],
    );
}

#[test]
fn a_size_is_hexadecimal_digits_that_a_counter_holds() {
    let shop = Shop::open();
    let sizes = [
        "",
        "x",
        "g",
        "+5",
        "-5",
        "0x5",
        " 5",
        "\t5",
        "5 5",
        "5.",
        "5,5",
        "\u{b2}",
        "5\0",
        "ffffffffffffffff",
        "10000000000000005",
        "fffffffffffffffffffff",
        "00000000000000000005",
        ";a=b",
        "\"5\"",
    ];
    each(sizes, |size| {
        let raw = post(CHUNKED, &format!("{size}\r\nhello\r\n0\r\n\r\n{SMUGGLED}"));
        refused(&shop, &raw, 400, "bad_request");
    });
}

#[test]
fn every_line_ends_with_cr_and_lf() {
    let shop = Shop::open();
    let bodies = [
        "5\nhello\r\n0\r\n\r\n",
        "5\rhello\r\n0\r\n\r\n",
        "5\r\rhello\r\n0\r\n\r\n",
        "5\n\rhello\r\n0\r\n\r\n",
        "5\r\nhello\n0\r\n\r\n",
        "5\r\nhello\r\r0\r\n\r\n",
        "5\r\nhello\n\n0\r\n\r\n",
        "5\r\nhello0\r\n\r\n",
        "5\r\nhello\r\n0\n\r\n",
        "5\r\nhello\r\n0\r\n\n",
        "5\r\nhello\r\n0\r\nX: y\n\r\n",
        "5;\nhello\r\n0\r\n\r\n",
        "5;\rxx\r\nhello\r\n0\r\n\r\n",
        "5;a=\"\n\"\r\nhello\r\n0\r\n\r\n",
        "2;\nxx\r\n2\r\nyy\r\n0\r\n\r\n",
    ];
    each(bodies, |body| {
        refused(&shop, &post(CHUNKED, body), 400, "bad_request");
    });
}

#[test]
fn a_chunk_is_exactly_as_long_as_it_says() {
    let shop = Shop::open();
    each(
        [
            "6\r\nhello\r\n0\r\n\r\n",
            "4\r\nhello\r\n0\r\n\r\n",
            "5\r\nhelloX\r\n0\r\n\r\n",
        ],
        |body| {
            refused(&shop, &post(CHUNKED, body), 400, "bad_request");
        },
    );
}

#[test]
fn an_extension_has_bounds() {
    let shop = Shop::open();
    let long = format!("5;a={}\r\nhello\r\n0\r\n\r\n", "x".repeat(100_000));
    refused(&shop, &post(CHUNKED, &long), 400, "bad_request");
    // Many that are each small are the same waste.
    let many = format!("1;a={}\r\nh\r\n", "x".repeat(1000)).repeat(200) + "0\r\n\r\n";
    refused(&shop, &post(CHUNKED, &many), 400, "bad_request");
    each(["5;a=\u{1}", "5;a=\u{7f}", "5;\0"], |line| {
        refused(
            &shop,
            &post(CHUNKED, &format!("{line}\r\nhello\r\n0\r\n\r\n")),
            400,
            "bad_request",
        );
    });
}

#[test]
fn trailers_are_fields_and_have_bounds() {
    let shop = Shop::open();
    let many = "X-Many: y\r\n".repeat(500);
    let large = format!("X-Large: {}\r\n", "x".repeat(100_000));
    let trailers = [
        "X : y\r\n",
        ": y\r\n",
        "no colon\r\n",
        "X: y\r\n z\r\n",
        " X: y\r\n",
        "X: \0\r\n",
        "X\u{e9}: y\r\n",
        &many,
        &large,
    ];
    each(trailers, |trailer| {
        let raw = post(CHUNKED, &format!("5\r\nhello\r\n0\r\n{trailer}\r\n"));
        refused_with_one_of(&shop, &raw, &[400, 431]);
    });
}

#[test]
fn a_body_may_arrive_byte_by_byte() {
    let shop = Shop::open();
    let raw = post(
        CHUNKED,
        "5;a=b\r\nhello\r\n3\r\n\r\n!\r\n0\r\nX-T: 1\r\n\r\n",
    );
    let mut client = shop.gateway.connect();
    for byte in &raw {
        client.send([*byte]);
    }
    let response = client.answer();
    super::served(&shop, &response, "hello\r\n!");
    Shop::still_serves(&mut client);
}
