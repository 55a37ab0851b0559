//! Fields of one hop are removed, and so is whatever `Connection` names; but neither can remove
//! what the gateway itself sets or how a message is framed.

use crate::support::{Request, Shop, Upstream, each};

#[test]
fn fields_of_the_clients_hop_are_not_passed_on() {
    let shop = Shop::open();
    let rows: [(&str, &[&str]); 8] = [
        ("Keep-Alive: timeout=55", &["Connection: keep-alive"]),
        ("Keep-Alive: timeout=55", &[]),
        ("Proxy-Connection: keep-alive", &[]),
        ("TE: deflate;q=0.5", &["Connection: TE"]),
        ("Upgrade: foo/1", &["Connection: Upgrade"]),
        ("Upgrade: foo/1", &[]),
        ("Proxy-Authorization: Basic eA==", &["Connection: close"]),
        (
            "Upgrade: h2c",
            &[
                "Connection: Upgrade, HTTP2-Settings",
                "HTTP2-Settings: AAMAAABkAAQAAP__",
            ],
        ),
    ];
    each(rows, |(field, others)| {
        let request = [*field]
            .iter()
            .chain(*others)
            .fold(Request::get("/api/inventory/x"), add);
        shop.ask(&request).is(200);
        let seen = shop.inventory.only();
        let (name, value) = field.split_once(": ").expect("a field");
        assert!(!seen.fields.all(name).contains(&value), "{:?}", seen.fields);
        assert!(
            !seen.fields.has("http2-settings") && !seen.fields.has("upgrade"),
            "{:?}",
            seen.fields
        );
        assert!(
            !seen.fields.items("connection").contains(&"upgrade".into()),
            "{:?}",
            seen.fields
        );
    });
}

#[test]
fn fields_that_connection_names_are_removed_whatever_the_spelling() {
    let shop = Shop::open();
    let rows: [&[&str]; 7] = [
        &["Connection: x-hop"],
        &["Connection: keep-alive, X-HOP"],
        &["Connection: keep-alive", "Connection: x-hop"],
        &["connection:\t,, x-hop ,"],
        &["Connection: close, x-hop"],
        &["Connection: x-hop,x-hop"],
        &["CONNECTION: X-Hop;q=1, x-hop"],
    ];
    each(rows, |connection| {
        let request = connection
            .iter()
            .fold(Request::get("/api/inventory/x"), add);
        let request = request
            .field("X-Hop", "1")
            .field("x-hop", "2")
            .field("X-End", "3");
        shop.ask(&request).is(200);
        let seen = shop.inventory.only();
        assert!(!seen.fields.has("x-hop"), "{:?}", seen.fields);
        assert_eq!(seen.fields.one("x-end"), Some("3"));
    });
}

#[test]
fn connection_cant_remove_what_the_gateway_sets() {
    let shop = Shop::open();
    let plain = Request::get("/api/orders/x").with_key();
    shop.ask(&plain).is(200);
    let own: Vec<String> = shop.orders.only().fields.names();
    let named = [
        own.join(", "),
        "x-real-ip, forwarded, x-forwarded-prefix, x-client-id, host, via".into(),
    ];
    each(named, |list| {
        shop.ask(&plain.clone().field("Connection", list)).is(200);
        let arrived = shop.orders.only().fields.names();
        let lost: Vec<_> = own
            .iter()
            .filter(|n| *n != "connection" && !arrived.contains(n))
            .collect();
        assert!(lost.is_empty(), "lost {lost:?}");
    });
}

#[test]
fn connection_cant_remove_the_key_and_so_make_a_caller_anonymous() {
    let shop = Shop::open();
    let named = Request::get("/api/orders/x").field("Connection", "x-api-key");
    shop.ask(&named.clone().with_key()).is(200);
    assert_eq!(
        shop.orders.only().fields.one("x-client-id"),
        Some("mobile-app")
    );
    let wrong = Request::get("/api/inventory/x").field("Connection", "x-api-key");
    shop.ask(&wrong.field("x-api-key", "wrong"))
        .is_refusal(401, "invalid_api_key");
    shop.nothing_got_through();
}

#[test]
fn connection_cant_break_the_framing() {
    let shop = Shop::open();
    let named = [
        "content-length",
        "transfer-encoding",
        "content-length, transfer-encoding, host",
        "trailer",
    ];
    for chunk in [None, Some(3)] {
        each(named, |named| {
            shop.inventory.take();
            let request = Request::post("/api/inventory/x", "hello").field("Connection", named);
            let request = chunk.map_or(request.clone(), |size| request.chunked(size));
            let mut client = shop.gateway.connect();
            client.ask(&request).is(200);
            assert_eq!(shop.inventory.only().body, b"hello");
            Shop::still_serves(&mut client);
        });
    }
}

#[test]
fn fields_of_the_upstreams_hop_are_not_passed_back() {
    let answer = "HTTP/1.1 200 OK\r\nConnection: x-foo, keep-alive\r\nX-Foo: 1\r\nKeep-Alive: timeout=77\r\n\
                  Proxy-Connection: x\r\nUpgrade: h2c\r\nX-Bar: 2\r\nContent-Length: 2\r\n\r\nok";
    let shop = Shop::selling(Upstream::answering(answer), "");
    let response = shop.ask(&Request::get("/api/inventory/x"));
    assert_eq!(response.is(200).text(), "ok");
    for gone in ["x-foo", "keep-alive", "proxy-connection", "upgrade"] {
        assert!(
            !response.fields.has(gone),
            "{gone} in {:?}",
            response.fields
        );
    }
    assert_eq!(response.fields.one("x-bar"), Some("2"));
}

#[test]
fn an_upstreams_close_ends_its_own_connection_only() {
    let answer =
        "HTTP/1.1 200 OK\r\nConnection: close\r\nX-Seen: /still-here\r\nContent-Length: 0\r\n\r\n";
    let shop = Shop::selling(Upstream::answering_once(answer), "");
    let mut client = shop.gateway.connect();
    for _ in 0..3 {
        let response = client.ask(&Request::get("/api/inventory/x"));
        assert!(!response.is(200).announces_close(), "{:?}", response.fields);
    }
    assert_eq!(shop.inventory.connections(), 3);
}

fn add(request: Request, field: &&str) -> Request {
    let (name, value) = field.split_once(':').expect("a field");
    request.field(name, value.trim_start_matches(' '))
}

/// RFC 9110 section 7.6.2.
#[test]
fn options_go_as_many_hops_as_they_may() {
    let shop = Shop::open();
    let ask = |method: &str, hops: &str| {
        let request = Request::new(method, "/api/inventory/x").field("Max-Forwards", hops);
        shop.ask(&request)
    };
    let last = ask("OPTIONS", "0");
    last.is(200);
    assert!(last.body.is_empty() && last.fields.has("x-request-id"));
    assert!(shop.inventory.take().is_empty(), "it ends here");
    let rows = [
        ("OPTIONS", "1", "0"),
        ("OPTIONS", "10", "9"),
        ("OPTIONS", "many", "many"),
        // It is for OPTIONS alone.
        ("GET", "0", "0"),
    ];
    each(rows, |(method, hops, passed)| {
        ask(method, hops).is(200);
        assert_eq!(shop.inventory.only().fields.all("max-forwards"), [*passed]);
    });
}
