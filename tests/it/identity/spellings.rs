//! A protected prefix can't be reached by another spelling of its path. Without a key the
//! protected service sees nothing, and the open one nothing that any origin could take for the
//! protected one's paths.

use crate::support::{Request, Shop, each, latin1};

const SPELLINGS: &str = "
/api//orders //api/orders /api/./orders /./api/orders/1 /api///orders/1 /api/.//orders /api/inventory/../orders
/api/inventory//orders/../../orders /x/../api/orders /api/orders/. /api/orders/../orders /../api/orders
/api/inventory/%2e%2e/orders /api/inventory/.%2E/orders /api/inventory/%2E./orders /api/inventory/..%2forders
/api/inventory%2f..%2forders /api/inventory/%2e%2e%2forders/1 /api/inventory/x%2f..%2f..%2forders /api/%6frders /%61pi/orders
/API/orders /api/ORDERS /Api/Orders/1 /api/oRders;x=1/1 /api/orders; /api/orders;x /api;x/orders /api/orders%3bx /api/;/orders
/api/inventory/..;/orders /api/inventory/..;x=y/orders /api/inventory/.;/orders /api/inventory/..%3b/orders
/api/orders%2f1 /api/orders%2F /api%2forders /api%2Forders%2F1 /api/orders%00 /api/orders%00/1 /api/orders%0d%0aX-A:%20b
/api/orders%20 /api/orders. /api./orders/1 /api/orders+ /api/orders%3Fx /api/orders%23x /api/orders%2500
/api/order%C5%BF /ap%C4%B1/orders /%EF%BD%81pi/orders /api%EF%BC%8Forders /api/%FForders /ap%EC/orders /api/%25FForders /api/orders%09 /api/inventory%00/../orders /api/orders? /api/orders?x=/api/inventory /api/orders#/api/inventory
/api/%256frders /api/inventory/%252e%252e/orders /api/inventory/..%252forders /api/inventory/%25%32%65./orders
/api/inventory/%c0%ae%c0%ae/orders /api/inventory/..%c0%aforders /api/inventory/%u002e%u002e/orders
/api/inventory/%e0%80%ae%e0%80%ae/orders /api/inventory/\\..\\orders /api\\orders /api/inventory/..\\orders /api/inventory/..%5corders
/health/../api/orders /health/%2e%2e/api/orders /health;/../api/orders /health/..;/api/orders
http://gateway.test/api/orders HTTP://gateway.test/api/orders/1 http://gateway.test//api/orders https://gateway.test/api/orders
http://gateway.test/api/inventory/../orders http://gateway.test?/api/orders http://x@gateway.test/api/orders http:///api/orders
//gateway.test/api/orders //api/inventory/../../api/orders http://gateway.test/health/../api/orders";

#[test]
fn no_spelling_leads_past_the_gate() {
    let shop = Shop::open();
    let spellings = SPELLINGS
        .split_whitespace()
        .map(|s| s.replace("\\\\", "\\"));
    each(
        spellings.chain([
            "/api/\u{ff}orders".to_owned(),
            "/api/order\u{a7}".to_owned(),
            "/api/orders\u{e9}".to_owned(),
        ]),
        |target| {
            for key in [None, Some("wrong")] {
                let request = Request::get(target);
                let request = match key {
                    Some(key) => request.field("x-api-key", key),
                    None => request,
                };
                let mut client = shop.gateway.connect();
                client.send(request.bytes());
                let response = client.answer();
                assert!(
                    (200..500).contains(&response.status),
                    "{} {}",
                    response.status,
                    response.text()
                );
                let orders = shop.orders.take();
                assert!(
                    orders.is_empty(),
                    "the protected service saw {:?}",
                    orders[0].target
                );
                for seen in shop.inventory.take() {
                    assert_eq!(
                        key, None,
                        "served in spite of a wrong key: {:?}",
                        seen.target
                    );
                    let reading = boldest_reading(&format!("/api/inventory{}", seen.target));
                    assert!(
                        !reading.starts_with("/api/orders"),
                        "{:?} may be read as {reading}",
                        seen.target
                    );
                    let reading = boldest_reading(&seen.target);
                    assert!(
                        !reading.starts_with("/api/orders"),
                        "{:?} may be read as {reading}",
                        seen.target
                    );
                }
            }
        },
    );
}

#[test]
fn with_a_key_a_canonical_spelling_is_served_and_no_other() {
    let shop = Shop::open();
    for target in [
        "/api//orders/1",
        "/api/./orders/1",
        "/api/inventory/../orders/1",
        "/api/%6frders/1",
        "/x/%2e%2e/api/orders/1",
    ] {
        shop.ask(&Request::get(target).with_key()).is(200);
        assert_eq!(shop.orders.only().target, "/1", "{target}");
    }
    // Protection is wider than routing: these need a key, and then lead nowhere.
    each(
        [
            "/API/orders",
            "/api/ORDERS/1",
            "/api/orders;x=1",
            "/api;v=1/orders",
            "/api/orders.",
            "/api/orders%3Fx",
            "/api/order%C5%BF",
            "/api/%EF%BD%8Frders",
            "/api/%FForders",
        ],
        |target| {
            shop.ask(&Request::get(target))
                .is_refusal(401, "api_key_required");
            shop.ask(&Request::get(target).with_key())
                .is_refusal(404, "no_route");
        },
    );
    shop.nothing_got_through();
}

#[test]
fn health_is_that_very_path() {
    let shop = Shop::open();
    for target in ["/health", "/health?x=1"] {
        let response = shop.ask(&Request::get(target));
        assert_eq!(response.is(200).json(), serde_json::json!({"status": "ok"}));
    }
    for target in ["/healthy", "/health/x", "/Health"] {
        shop.ask(&Request::get(target)).is_refusal(404, "no_route");
    }
}

/// What the most lenient origin might make of a path: decodes again and again, takes a backslash
/// for a slash, cuts at `;` and NUL, has no case, and resolves dots at the end.
fn boldest_reading(target: &str) -> String {
    let path = target.split(['?', '#']).next().unwrap_or_default();
    let mut bytes = latin1(path);
    for _ in 0..3 {
        bytes = decoded(&bytes);
    }
    let mut text: String = bytes.iter().map(|&b| char::from(b)).collect();
    text = text
        .replace("\u{c0}\u{ae}", ".")
        .replace("\u{c0}\u{af}", "/")
        .replace('\\', "/")
        .to_lowercase();
    let mut segments = Vec::new();
    for segment in text.split('\0').next().unwrap_or_default().split('/') {
        match segment.split(';').next().unwrap_or_default() {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            other => segments.push(other),
        }
    }
    format!("/{}", segments.join("/"))
}

fn decoded(bytes: &[u8]) -> Vec<u8> {
    let (mut out, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        let escape = (bytes[at] == b'%')
            .then(|| bytes.get(at + 1..at + 3))
            .flatten();
        let value = escape
            .and_then(|hex| std::str::from_utf8(hex).ok())
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        out.push(value.unwrap_or(bytes[at]));
        at += if value.is_some() { 3 } else { 1 };
    }
    out
}

#[test]
fn the_boldest_reading_is_bold() {
    let rows = [
        ("/api/inventory/..;x/orders", "/api/orders"),
        ("/api/inventory/%252e%252e%255cORDERS/1?q", "/api/orders/1"),
        ("/api/inventory/7", "/api/inventory/7"),
    ];
    each(rows, |(target, reading)| {
        assert_eq!(boldest_reading(target), *reading);
    });
}
