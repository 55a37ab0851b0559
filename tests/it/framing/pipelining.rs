//! Requests sent without waiting for answers: answered in order, each judged by itself.

use super::SMUGGLED;
use crate::support::{KEY, Request, Shop};

#[test]
fn answers_come_in_the_order_of_the_requests() {
    let shop = Shop::open();
    let mut client = shop.gateway.connect();
    let many: Vec<u8> = (0..50)
        .flat_map(|i| match i % 3 {
            0 => Request::get(&format!("/api/inventory/{i}")).bytes(),
            1 => Request::post(&format!("/api/inventory/{i}"), format!("body {i}")).bytes(),
            _ => Request::post(&format!("/api/inventory/{i}"), format!("body {i}"))
                .chunked(3)
                .bytes(),
        })
        .collect();
    client.send(many);
    for i in 0..50 {
        let response = client.answer();
        response.is(200);
        assert_eq!(
            response.fields.one("x-seen"),
            Some(format!("/{i}").as_str())
        );
        let body = if i % 3 == 0 {
            String::new()
        } else {
            format!("body {i}")
        };
        assert_eq!(response.text(), body);
    }
    assert_eq!(shop.inventory.take().len(), 50);
}

#[test]
fn each_is_judged_by_itself() {
    let shop = Shop::open();
    let mut client = shop.gateway.connect();
    let requests = [
        (Request::get("/api/orders/1").with_key(), 200),
        (Request::get("/api/orders/2"), 401),
        (Request::get("/nowhere"), 404),
        (Request::get("/api/inventory/3"), 200),
        (Request::get("/health"), 200),
        (
            Request::get("/api/orders/4").field("x-api-key", "wrong"),
            401,
        ),
        (Request::get("/api/orders/5").with_key(), 200),
    ];
    client.send(
        requests
            .iter()
            .flat_map(|(request, _)| request.bytes())
            .collect::<Vec<_>>(),
    );
    for (request, status) in &requests {
        client.answer_to(request).is(*status);
    }
    let orders: Vec<_> = shop
        .orders
        .take()
        .into_iter()
        .map(|seen| seen.target)
        .collect();
    assert_eq!(orders, ["/1", "/5"]);
}

#[test]
fn nothing_is_served_behind_a_malformed_one() {
    let shop = Shop::open();
    let mut client = shop.gateway.connect();
    client.send(format!(
        "GET /api/inventory/first HTTP/1.1\r\nHost: gateway.test\r\n\r\n\
         GET /api/inventory/bad HTTP/1.1\r\nHost : gateway.test\r\n\r\n{SMUGGLED}"
    ));
    client.answer().is(200);
    client.answer().is_refusal(400, "bad_request");
    client.is_closed();
    assert_eq!(shop.inventory.only().target, "/first");
    shop.nothing_got_through();
}

#[test]
fn nothing_is_served_behind_one_that_closes() {
    let shop = Shop::open();
    for option in ["close", "Close", "keep-alive, close", "x-y, CLOSE"] {
        let mut client = shop.gateway.connect();
        let last = Request::get("/api/inventory/last").field("Connection", option);
        client.send([last.bytes(), SMUGGLED.into()].concat());
        let response = client.answer();
        assert!(
            response.is(200).announces_close(),
            "{option}: {:?}",
            response.fields
        );
        client.is_closed();
        assert_eq!(shop.inventory.only().target, "/last");
        shop.nothing_got_through();
    }
}

#[test]
fn a_key_counts_for_its_own_request_only() {
    let shop = Shop::open();
    let mut client = shop.gateway.connect();
    let keys = [
        Some(KEY),
        None,
        Some(KEY),
        Some("wrong"),
        None,
        Some(KEY),
        None,
    ];
    for (i, key) in keys.into_iter().enumerate() {
        let request = Request::get(&format!("/api/orders/{i}"));
        let request = match key {
            Some(key) => request.field("x-api-key", key),
            None => request,
        };
        client
            .ask(&request)
            .is(if key == Some(KEY) { 200 } else { 401 });
    }
    let served: Vec<_> = shop
        .orders
        .take()
        .into_iter()
        .map(|seen| seen.target)
        .collect();
    assert_eq!(served, ["/0", "/2", "/5"]);
}
