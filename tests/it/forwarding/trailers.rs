//! Trailers pass both ways, except those that would be dangerous if anyone merged them into the
//! header: framing, routing, identity, key, forwarding.

use crate::support::{Request, Shop, Upstream, each};

#[test]
fn request_trailers_arrive() {
    let shop = Shop::open();
    let mut client = shop.gateway.connect();
    client.send(
        "POST /api/inventory/x HTTP/1.1\r\nHost: gateway.test\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n\
         5\r\nhello\r\n0\r\nX-Sum: 42\r\nX-Other: b\r\n\r\n",
    );
    assert_eq!(client.answer().is(200).text(), "hello");
    let seen = shop.inventory.only();
    assert_eq!(
        (seen.trailers.one("x-sum"), seen.trailers.one("x-other")),
        (Some("42"), Some("b"))
    );
    Shop::still_serves(&mut client);
}

#[test]
fn response_trailers_come_back() {
    let answer = "HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n\
                  6\r\nhello \r\n5\r\nworld\r\n0\r\nX-Sum: 42\r\nX-Other: b\r\n\r\n";
    let shop = Shop::selling(Upstream::answering(answer), "");
    let mut client = shop.gateway.connect();
    for te in ["", "trailers"] {
        let request = Request::get("/api/inventory/x");
        let request = if te.is_empty() {
            request
        } else {
            request.field("TE", te).field("Connection", "TE")
        };
        let response = client.ask(&request);
        assert_eq!(response.is(200).text(), "hello world");
        assert_eq!(response.trailers.one("x-sum"), Some("42"), "with TE {te:?}");
        assert_eq!(response.trailers.one("x-other"), Some("b"));
    }
}

#[test]
fn te_trailers_is_the_gateways_own_to_say() {
    let shop = Shop::open();
    shop.ask(
        &Request::get("/api/inventory/x")
            .field("TE", "trailers")
            .field("Connection", "TE"),
    )
    .is(200);
    let seen = shop.inventory.only();
    // If the gateway passes it on as its own, `Connection` has to name it.
    if seen.fields.has("te") {
        assert_eq!(seen.fields.one("te"), Some("trailers"));
        assert!(
            seen.fields.items("connection").contains(&"te".into()),
            "{:?}",
            seen.fields
        );
    }
}

#[test]
fn dangerous_trailers_go_no_further() {
    let shop = Shop::open();
    let names = [
        "Content-Length",
        "Transfer-Encoding",
        "Host",
        "Connection",
        "Trailer",
        "Upgrade",
        "x-api-key",
        "X-Api-Key",
        "x_api_key",
        "x-client-id",
        "X-Client-Name",
        "x-consumer-username",
        "x_client_id",
        "X-Forwarded-For",
        "x-forwarded-proto",
        "Forwarded",
        "X-Real-IP",
        "Via",
        "Authorization",
        "Cookie",
        "X-Request-Id",
        "Content-Type",
        "Content-Encoding",
    ];
    each(names, |name| {
        let mut client = shop.gateway.connect();
        client.send(format!(
            "POST /api/inventory/x HTTP/1.1\r\nHost: gateway.test\r\nTransfer-Encoding: chunked\r\n\r\n\
             5\r\nhello\r\n0\r\nX-Good: 1\r\n{name}: evil\r\n\r\n"
        ));
        let response = client.answer();
        if response.status == 200 {
            let seen = shop.inventory.only();
            assert!(
                !format!("{:?} {:?}", seen.fields, seen.trailers).contains("evil"),
                "{:?}",
                seen.trailers
            );
            assert_eq!(seen.trailers.one("x-good"), Some("1"));
            Shop::still_serves(&mut client);
            shop.inventory.take();
        } else {
            response.is_refusal(400, "bad_request");
        }
    });
}

#[test]
fn dangerous_trailers_of_an_answer_go_no_further() {
    each(
        [
            "Content-Length",
            "Transfer-Encoding",
            "Connection",
            "Set-Cookie",
            "Keep-Alive",
        ],
        |name| {
            let answer = format!(
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n{name}: evil\r\nX-Good: 1\r\n\r\n"
            );
            let shop = Shop::selling(Upstream::answering(answer), "");
            let response = shop.ask(&Request::get("/api/inventory/x"));
            assert_eq!(response.is(200).text(), "hello");
            // A cookie in a trailer is odd but harmless: clients ignore it.
            if *name != "Set-Cookie" {
                assert!(!response.trailers.has(name), "{:?}", response.trailers);
            }
            assert_eq!(response.trailers.one("x-good"), Some("1"));
        },
    );
}

#[test]
fn an_http_1_0_client_gets_no_trailers() {
    let answer =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: 42\r\n\r\n";
    let shop = Shop::selling(Upstream::answering(answer), "");
    let response = shop.ask(&Request::get("/api/inventory/x").http10());
    assert_eq!(response.is(200).text(), "hello");
}
