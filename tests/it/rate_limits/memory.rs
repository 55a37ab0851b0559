//! Counting in the process: exact over several workers, and every kind of request counts as the
//! contract says.

use std::time::Duration;

use super::{remaining, storm};
use crate::support::{Request, Shop, Upstream, eventually, hash_of};

#[test]
fn exactly_the_limit_is_admitted_over_all_workers() {
    let shop = Shop::with(
        "[limits]\nidentified = { requests = 300, per = \"1h\" }\nanonymous = { requests = 100, per = \"1h\" }\n\
         [server]\nworkers = 4",
    );
    let identified = Request::get("/api/orders/x").with_key();
    assert_eq!(storm(&[&shop.gateway], 16, 40, &identified), (300, 340));
    let anonymous = Request::get("/api/inventory/x");
    assert_eq!(storm(&[&shop.gateway], 16, 20, &anonymous), (100, 220));
    assert_eq!(shop.orders.take().len(), 300);
}

#[test]
fn a_refusal_says_when_to_come_again_and_keeps_the_connection() {
    let shop = Shop::with("[limits]\nanonymous = { requests = 2, per = \"1m\" }");
    let mut client = shop.gateway.connect();
    client.ask(&Request::get("/api/inventory/1")).is(200);
    client.ask(&Request::get("/api/inventory/2")).is(200);
    for _ in 0..3 {
        // Its body is read, not taken for a request.
        let response = client.ask(&Request::post("/api/inventory/3", "GET / HTTP/1.1\r\n\r\n"));
        response.is_refusal(429, "rate_limited");
        let wait = response.fields.one("retry-after").expect("Retry-After");
        assert!(
            (1..=60).contains(&wait.parse::<u64>().expect("whole seconds")),
            "{wait}"
        );
    }
    client.ask(&Request::get("/health")).is(200);
    assert_eq!(shop.inventory.take().len(), 2);
}

#[test]
fn requests_that_lead_nowhere_count_and_refused_callers_do_not() {
    let shop = Shop::with(
        "[limits]\nanonymous = { requests = 4, per = \"1h\" }\nidentified = { requests = 9, per = \"1h\" }",
    );
    let ask = |request: &Request| shop.ask(request);
    assert_eq!(remaining(&ask(&Request::get("/api/inventory/x"))), 3);
    assert_eq!(remaining(ask(&Request::get("/nowhere")).is(404)), 2);
    // Neither of these has come as far as being counted.
    for request in [
        Request::get("/api/orders/x"),
        Request::get("/nowhere").field("x-api-key", "wrong"),
        Request::get("/health"),
    ] {
        assert!(!ask(&request).fields.has("ratelimit"));
    }
    assert_eq!(remaining(ask(&Request::get("/nowhere")).is(404)), 1);
    assert_eq!(remaining(&ask(&Request::get("/api/inventory/x"))), 0);
    ask(&Request::get("/nowhere")).is(429);
    assert_eq!(
        remaining(&ask(&Request::get("/api/orders/x").with_key())),
        8
    );
}

#[test]
fn a_window_ends_and_the_next_request_starts_another() {
    let shop = Shop::with("[limits]\nanonymous = { requests = 2, per = \"1s\" }");
    let request = Request::get("/api/inventory/x");
    let (served, limited) = storm(&[&shop.gateway], 1, 3, &request);
    assert!(served >= 2 && served + limited == 3);
    let response = eventually("the window to end", || {
        let response = shop.ask(&request);
        if response.status == 429 {
            let wait = response.fields.one("retry-after").expect("Retry-After");
            assert_eq!(wait, "1", "at most the window");
            std::thread::sleep(Duration::from_millis(20));
        }
        (response.status == 200).then_some(response)
    });
    assert_eq!(remaining(&response), 1);
}

#[test]
fn without_a_limit_nothing_is_counted_or_told() {
    let shop = Shop::open();
    assert_eq!(
        storm(&[&shop.gateway], 4, 50, &Request::get("/api/inventory/x")),
        (200, 0)
    );
    let response = shop.ask(&Request::get("/api/inventory/x"));
    assert!(!response.fields.has("ratelimit") && !response.fields.has("ratelimit-policy"));
}

#[test]
fn a_limit_of_one_kind_leaves_the_other_free() {
    let shop = Shop::with("[limits]\nanonymous = { requests = 1, per = \"1h\" }");
    let request = Request::get("/api/inventory/x");
    assert_eq!(storm(&[&shop.gateway], 2, 10, &request), (1, 19));
    assert_eq!(storm(&[&shop.gateway], 2, 10, &request.with_key()), (20, 0));
}

#[test]
fn all_keys_of_a_client_share_its_bucket_and_a_tier_replaces_the_limit() {
    let upstream = Upstream::echo();
    let gateway = crate::support::Gateway::start(&format!(
        r#"
[routes]
"/a" = "{}"
[clients.two-keys]
keys = ["{}", "{}"]
[clients.gold-client]
keys = ["{}"]
tier = "gold"
[limits]
identified = {{ requests = 10, per = "1h" }}
[limits.tiers.gold]
requests = 25
per = "1m"
"#,
        upstream.url(),
        hash_of("one"),
        hash_of("two"),
        hash_of("gold")
    ));
    let with = |key| Request::get("/a").field("x-api-key", key);
    assert_eq!(storm(&[&gateway], 2, 3, &with("one")), (6, 0));
    assert_eq!(storm(&[&gateway], 2, 3, &with("two")), (4, 2));
    assert_eq!(storm(&[&gateway], 2, 20, &with("gold")), (25, 15));
    let policy = gateway
        .ask(&with("gold"))
        .fields
        .one("ratelimit-policy")
        .map(str::to_owned);
    assert_eq!(policy.as_deref(), Some("\"gold\";q=25;w=60"));
}
