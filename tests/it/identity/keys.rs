//! A known key identifies; no key is anonymous; anything else is refused, on every route, and
//! never taken for anonymous.

use crate::support::{Gateway, KEY, Request, Shop, Upstream, each, hash_of};

/// An open and a protected target.
const TARGETS: [&str; 2] = ["/api/inventory/x", "/api/orders/x"];

#[test]
fn a_known_key_identifies_on_every_route() {
    let shop = Shop::open();
    for name in ["x-api-key", "X-API-KEY", "X-Api-Key"] {
        for (target, upstream) in [
            ("/api/inventory/x", &shop.inventory),
            ("/api/orders/x", &shop.orders),
        ] {
            shop.ask(&Request::get(target).field(name, KEY)).is(200);
            assert_eq!(
                upstream.only().fields.one("x-client-id"),
                Some("mobile-app")
            );
        }
    }
}

#[test]
fn no_key_is_anonymous() {
    let shop = Shop::open();
    shop.ask(&Request::get("/api/inventory/x")).is(200);
    assert!(!shop.inventory.only().fields.has("x-client-id"));
    let response = shop.ask(&Request::get("/api/orders/x"));
    response.is_refusal(401, "api_key_required");
    assert_eq!(
        response.fields.one("www-authenticate"),
        Some("ApiKey realm=\"tollgate\", header=\"x-api-key\"")
    );
    shop.nothing_got_through();
}

#[test]
fn any_other_key_is_refused_on_every_route() {
    let shop = Shop::open();
    let upper = KEY.to_uppercase();
    let (longer, shorter) = (format!("{KEY}x"), &KEY[..KEY.len() - 1]);
    let hash = hash_of(KEY);
    let quoted = format!("\"{KEY}\"");
    let bearer = format!("Bearer {KEY}");
    let twice = format!("{KEY}, {KEY}");
    let listed = format!("{KEY},wrong");
    let escaped = KEY.replace('-', "%2D");
    let keys = [
        "wrong",
        &upper,
        &longer,
        shorter,
        &hash,
        &hash[7..],
        &quoted,
        &bearer,
        &twice,
        &listed,
        &escaped,
        "*",
        "null",
        "a b",
        "",
        " ",
        "mobile-app",
    ];
    for target in TARGETS {
        each(keys.map(|key| (key, target)), |(key, target)| {
            let response = shop.ask(&Request::get(target).field("x-api-key", key));
            response.is_refusal(401, "invalid_api_key");
            assert_eq!(
                response.fields.one("www-authenticate"),
                Some("ApiKey realm=\"tollgate\", header=\"x-api-key\"")
            );
            assert!(!response.text().contains(KEY), "{}", response.text());
        });
    }
    shop.nothing_got_through();
}

#[test]
fn a_key_is_checked_before_there_is_a_route() {
    let shop = Shop::open();
    shop.ask(&Request::get("/nowhere").field("x-api-key", "wrong"))
        .is_refusal(401, "invalid_api_key");
    shop.ask(&Request::get("/nowhere").with_key())
        .is_refusal(404, "no_route");
    shop.ask(&Request::get("/health").field("x-api-key", "wrong"))
        .is(200);
}

#[test]
fn a_repeated_key_is_refused_even_when_equal() {
    let shop = Shop::open();
    let pairs = [
        (KEY, "wrong"),
        ("wrong", KEY),
        ("wrong", "wrong"),
        (KEY, KEY),
        (KEY, ""),
        ("", KEY),
    ];
    for target in TARGETS {
        each(pairs, |(first, second)| {
            let request = Request::get(target)
                .field("x-api-key", first)
                .field("X-Api-Key", second);
            shop.ask(&request).is_refusal(401, "invalid_api_key");
        });
    }
    shop.nothing_got_through();
}

#[test]
fn a_key_that_is_not_ascii_is_refused() {
    let shop = Shop::open();
    let keys = [
        "caf\u{e9}".to_owned(),
        format!("{KEY}\u{a0}"),
        format!("\u{c2}\u{a0}{KEY}"),
        "\u{ff}\u{fe}".into(),
        KEY.replace('e', "\u{e9}"),
    ];
    for target in TARGETS {
        each(&keys, |key| {
            shop.ask(&Request::get(target).field("x-api-key", key))
                .is_refusal(401, "invalid_api_key");
        });
        each(["\u{1}", "\0", "\u{7f}"], |control| {
            let request = Request::get(target).field("x-api-key", &format!("{KEY}{control}"));
            shop.ask(&request).is_refusal(400, "bad_request");
        });
    }
    shop.nothing_got_through();
}

#[test]
fn blanks_around_a_key_are_not_part_of_it() {
    let shop = Shop::open();
    let lines = [
        format!("x-api-key:{KEY}"),
        format!("x-api-key:   {KEY}  "),
        format!("x-api-key:\t{KEY}\t"),
    ];
    each(lines, |line| {
        let mut client = shop.gateway.connect();
        client.send(format!(
            "GET /api/orders/x HTTP/1.1\r\nHost: gateway.test\r\n{line}\r\n\r\n"
        ));
        client.answer().is(200);
    });
}

#[test]
fn a_key_elsewhere_is_no_key() {
    let shop = Shop::open();
    let requests = [
        Request::get(&format!("/api/orders/x?x-api-key={KEY}&api_key={KEY}")),
        Request::get("/api/orders/x").field("Authorization", &format!("ApiKey {KEY}")),
        Request::get("/api/orders/x").field("Cookie", &format!("x-api-key={KEY}")),
        Request::get("/api/orders/x").field("x_api_key", KEY),
        Request::get("/api/orders/x").field("x-api-key-", KEY),
        Request::post("/api/orders/x", KEY),
    ];
    each(requests, |request| {
        shop.ask(request).is_refusal(401, "api_key_required");
    });
    shop.nothing_got_through();
}

#[test]
fn a_key_has_a_lifetime_and_a_client_several_keys() {
    let upstream = Upstream::echo();
    let gateway = Gateway::start(&format!(
        r#"
[routes]
"/a" = "{}"
[access]
protected = ["/a"]
[clients.one]
keys = ["{}", "{}", {{ hash = "{}", expires_at = "2020-01-01T00:00:00Z" }}]
[clients.two]
keys = [
  {{ hash = "{}", not_before = "2100-01-01T00:00:00Z" }},
  {{ hash = "{}", not_before = "2020-01-01T00:00:00Z", expires_at = "2100-01-01T00:00:00Z" }},
]
"#,
        upstream.url(),
        hash_of("first"),
        hash_of("second"),
        hash_of("expired"),
        hash_of("future"),
        hash_of("current"),
    ));
    let rows = [
        ("first", Some("one")),
        ("second", Some("one")),
        ("expired", None),
        ("future", None),
        ("current", Some("two")),
    ];
    each(rows, |(key, client)| {
        let response = gateway.ask(&Request::get("/a").field("x-api-key", key));
        match client {
            Some(_) => {
                response.is(200);
                assert_eq!(upstream.only().fields.one("x-client-id"), *client);
            }
            None => {
                response.is_refusal(401, "invalid_api_key");
            }
        }
    });
}
