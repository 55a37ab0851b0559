//! The body of a request that is refused is read to its end or the connection closes: it is never
//! taken for the next request.

use std::time::Duration;

use super::SMUGGLED;
use crate::support::{Broken, Client, Ending, Request, Shop, each, noise};

/// Requests that are refused before their body is of interest, and the status of each.
fn refused_requests() -> [(&'static str, Request, u16); 6] {
    let post = |target| Request::post(target, SMUGGLED);
    [
        ("no key", post("/api/orders/x"), 401),
        (
            "bad key",
            post("/api/inventory/x").field("x-api-key", "wrong"),
            401,
        ),
        ("no route", post("/nowhere"), 404),
        ("ambiguous path", post("/api/inventory/%00"), 400),
        ("health", Request::new("GET", "/health").body(SMUGGLED), 200),
        (
            "no route, HEAD",
            Request::new("HEAD", "/nowhere").body(SMUGGLED),
            404,
        ),
    ]
}

#[test]
fn it_is_not_read_as_a_request() {
    let shop = Shop::open();
    let chunk_sizes = [None, Some(1), Some(50)];
    for (name, request, status) in refused_requests() {
        each(chunk_sizes.map(|size| (name, size)), |(_, chunk)| {
            let request = request.clone();
            let request = chunk.map_or(request.clone(), |size| request.chunked(size));
            let mut client = shop.gateway.connect();
            client.ask(&request).is(status);
            goes_on_or_ends(&shop, &mut client);
            shop.nothing_got_through();
        });
    }
}

#[test]
fn its_answer_arrives_even_if_the_body_is_large() {
    let shop = Shop::open();
    let body = noise(8 << 20);
    each(["/api/orders/x", "/nowhere"], |target| {
        let request = Request::post(target, body.clone());
        let mut client = shop.gateway.connect();
        let mut writer = client.writer();
        let bytes = request.bytes();
        let sending = std::thread::spawn(move || {
            use std::io::Write;
            let _ = writer.write_all(&bytes);
        });
        let response = client.answer_to(&request);
        assert!(matches!(response.status, 401 | 404), "{}", response.status);
        drop(client);
        sending.join().expect("the sender ends");
        shop.nothing_got_through();
    });
}

#[test]
fn its_answer_does_not_wait_for_the_body() {
    let shop = Shop::open();
    let request = Request::post("/api/orders/x", noise(1000));
    let mut client = shop.gateway.connect();
    client.send(request.head_bytes());
    client.answer().is_refusal(401, "api_key_required");
    // The client that sends it all the same is in step, or is told to come again.
    client.send(request.body_bytes());
    goes_on_or_ends(&shop, &mut client);
}

#[test]
fn a_client_that_waits_for_100_gets_the_refusal_instead() {
    let shop = Shop::open();
    let request = Request::post("/api/orders/x", SMUGGLED).field("Expect", "100-continue");
    let mut client = shop.gateway.connect();
    client.send(request.head_bytes());
    let response = client.answer();
    response.is_refusal(401, "api_key_required");
    assert!(
        response.interim.is_empty(),
        "told to go on: {:?}",
        response.interim
    );
    // It may now send the body or not; only the gateway knows what it expects, and it says so by
    // closing, or it takes the next bytes as the body.
    if response.announces_close() {
        client.is_closed();
    } else {
        client.send(request.body_bytes());
        goes_on_or_ends(&shop, &mut client);
    }
    shop.nothing_got_through();
}

/// Fails unless the connection serves the next request in step or has ended.
fn goes_on_or_ends(shop: &Shop, client: &mut Client) {
    let next = Request::get("/api/inventory/next");
    client.patience(Duration::from_secs(10)).send(next.bytes());
    match client.ending() {
        Ending::Whole(response) => {
            response.is(200);
            assert_eq!(
                response.fields.one("x-seen"),
                Some("/next"),
                "somebody else's answer"
            );
            shop.inventory.only();
        }
        Ending::Nothing(Broken::Closed | Broken::Reset) => {}
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_body_over_its_limit_is_not_read_as_a_request() {
    // The data of one chunk looks like the end of the body and another request.
    let evil = "\r\n0\r\n\r\nGET /api/inventory/evil HTTP/1.1\r\nHost: gateway.test\r\n\r\n";
    let upstream = crate::support::Upstream::echo();
    let gateway = crate::support::Gateway::start(&format!(
        "[routes]\n\"/api/inventory\" = {{ upstream = \"{}\", body_limit = \"10B\" }}",
        upstream.url()
    ));
    let mut client = gateway.connect();
    client.send(format!(
        "POST /api/inventory/x HTTP/1.1\r\nHost: gateway.test\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{evil}\r\n0\r\n\r\n",
        evil.len()
    ));
    client.answer().is_refusal(413, "body_too_large");
    client.is_closed();
    gateway
        .ask(&crate::support::Request::get("/api/inventory/y"))
        .is(200);
    let seen = upstream.take();
    assert!(
        seen.iter()
            .all(|request| !request.whole || !request.target.contains("evil"))
    );
}
