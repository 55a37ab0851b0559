//! Request ids: accepted when sane, made otherwise; sent downstream, back, and into the log.

use crate::support::{Request, Shop, each};

#[test]
fn a_sane_id_is_kept() {
    let shop = Shop::open();
    let long = "x".repeat(128);
    let ids = [
        "r-1",
        "A.b_C-9",
        "0af7651916cd43dd8448eb211c80319c",
        long.as_str(),
    ];
    each(ids.iter().enumerate(), |(nth, id)| {
        let response = shop.ask(&Request::get("/api/inventory/x").field("X-Request-Id", id));
        assert_eq!(response.fields.one("x-request-id"), Some(**id));
        assert_eq!(shop.inventory.only().fields.one("x-request-id"), Some(**id));
        assert_eq!(shop.gateway.access_log(nth + 1)[*nth]["request_id"], **id);
    });
}

#[test]
fn any_other_id_is_replaced() {
    let shop = Shop::open();
    let long = "x".repeat(129);
    each(
        [
            "",
            "a b",
            "a\tb",
            "a\"b",
            "a/b",
            "<script>",
            "caf\u{e9}",
            "a,b",
            &long,
        ],
        |id| {
            let response = shop.ask(&Request::get("/api/inventory/x").field("X-Request-Id", id));
            is_made_by_the_gateway(response.is(200).fields.one("x-request-id"), id);
            let seen = shop.inventory.only();
            assert_eq!(
                seen.fields.one("x-request-id"),
                response.fields.one("x-request-id")
            );
        },
    );
    let twice = Request::get("/api/inventory/x")
        .field("X-Request-Id", "r-1")
        .field("x-request-id", "r-2");
    let response = shop.ask(&twice);
    assert_eq!(response.fields.all("x-request-id").len(), 1);
    assert_eq!(shop.inventory.only().fields.all("x-request-id").len(), 1);
}

#[test]
fn every_request_has_one_and_no_two_are_equal() {
    let shop = Shop::open();
    let mut ids = Vec::new();
    for _ in 0..4 {
        let mut client = shop.gateway.connect();
        for target in ["/api/inventory/x", "/nowhere", "/api/orders/x"] {
            let response = client.ask(&Request::get(target));
            let id = response.fields.one("x-request-id").expect("an id");
            if response.status >= 400 {
                assert_eq!(response.json()["request_id"], id);
            }
            ids.push(id.to_owned());
        }
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 12);
}

#[test]
fn the_field_can_be_named_otherwise() {
    let shop = Shop::with("[server]\nrequest_id_header = \"X-Correlation-Id\"");
    let request = Request::get("/api/inventory/x")
        .field("x-correlation-id", "c-1")
        .field("x-request-id", "r-1");
    let response = shop.ask(&request);
    assert_eq!(response.fields.one("x-correlation-id"), Some("c-1"));
    let seen = shop.inventory.only();
    assert_eq!(seen.fields.one("x-correlation-id"), Some("c-1"));
    // The other name is now an ordinary field.
    assert_eq!(seen.fields.one("x-request-id"), Some("r-1"));
}

fn is_made_by_the_gateway(id: Option<&str>, not: &str) {
    let id = id.expect("an id");
    assert!(id != not && (8..=128).contains(&id.len()), "{id:?}");
    assert!(
        id.bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b)),
        "{id:?}"
    );
}
