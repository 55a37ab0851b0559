//! Names that only the gateway gives: what a client sends under them, or under anything that an
//! upstream could read as them, never arrives.

use crate::support::{Request, Shop, each};

const NAMES: [&str; 3] = ["x-client-id", "x-client-name", "x-consumer-username"];

/// Every way to write the name with some of its dashes as underscores.
fn twins(name: &str) -> Vec<String> {
    let dashes: Vec<usize> = name.match_indices('-').map(|(at, _)| at).collect();
    let spell = |mask: usize| {
        let mut twin = name.to_owned();
        for (nth, &at) in dashes.iter().enumerate() {
            if mask >> nth & 1 == 1 {
                twin.replace_range(at..=at, "_");
            }
        }
        twin
    };
    (0..1 << dashes.len()).map(spell).collect()
}

#[test]
fn identity_fields_of_a_client_never_arrive() {
    let shop = Shop::open();
    let spellings = NAMES.iter().flat_map(|name| twins(name));
    let spellings = spellings.flat_map(|twin| [twin.clone(), twin.to_uppercase(), camel(&twin)]);
    each(spellings, |name| {
        for connection in ["keep-alive", name] {
            let request = |target| {
                Request::get(target)
                    .field(name, "spoofed")
                    .field("Connection", connection)
                    .field(name, "spoofed")
            };
            shop.ask(&request("/api/inventory/x")).is(200);
            let seen = shop.inventory.only();
            assert!(
                !format!("{:?}", seen.fields).contains("spoofed"),
                "anonymous: {:?}",
                seen.fields
            );
            assert!(
                !seen.fields.has("x-client-id"),
                "anonymous callers have no name"
            );

            shop.ask(&request("/api/orders/x").with_key()).is(200);
            let seen = shop.orders.only();
            assert!(
                !format!("{:?}", seen.fields).contains("spoofed"),
                "identified: {:?}",
                seen.fields
            );
            assert_eq!(seen.fields.one("x-client-id"), Some("mobile-app"));
        }
    });
}

#[test]
fn an_identity_field_does_not_identify() {
    let shop = Shop::open();
    each(NAMES, |name| {
        shop.ask(&Request::get("/api/orders/x").field(name, "mobile-app"))
            .is_refusal(401, "api_key_required");
    });
    shop.nothing_got_through();
}

#[test]
fn a_field_of_another_name_is_nobodys_business() {
    let shop = Shop::open();
    let request = Request::get("/api/inventory/x")
        .field("x-client-identity", "1")
        .field("client-id", "2");
    shop.ask(&request).is(200);
    let seen = shop.inventory.only();
    assert_eq!(seen.fields.one("x-client-identity"), Some("1"));
    assert_eq!(seen.fields.one("client-id"), Some("2"));
}

/// gunicorn takes `SCRIPT_NAME` of a peer on the same machine for a part of the path, and CGI makes
/// `HTTP_X_CLIENT_ID` of `X.Client.Id`.
#[test]
fn fields_with_odd_names_do_not_arrive_unless_they_may() {
    let names = "!#$%&'*+.^`|~_".chars().map(|c| format!("Script{c}Name"));
    let passing = "[server]\nodd_field_names = \"pass\"";
    for (more, arrives) in [("", false), (passing, true)] {
        let shop = Shop::with(more);
        let mut client = shop.gateway.connect();
        each(names.clone(), |name| {
            client.send(format!(
                "POST /api/inventory/x HTTP/1.1\r\nHost: gateway.test\r\n{name}: 1\r\nProxy: evil\r\n\
                 X.Client.Id: evil\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n{name}: 2\r\nProxy: evil\r\n\
                 X.Client.Id: evil\r\nX-Good: 3\r\n\r\n"
            ));
            client.answer().is(200);
            let seen = shop.inventory.only();
            assert_eq!(seen.fields.has(name), arrives, "{:?}", seen.fields);
            assert_eq!(seen.trailers.has(name), arrives, "{:?}", seen.trailers);
            assert_eq!(seen.trailers.one("x-good"), Some("3"));
            let all = format!("{:?} {:?}", seen.fields, seen.trailers);
            assert!(!all.contains("evil"), "{all}");
        });
    }
}

#[test]
fn the_configured_name_is_guarded_like_the_usual_one() {
    let (inventory, orders) = (
        crate::support::Upstream::echo(),
        crate::support::Upstream::echo(),
    );
    let config = Shop::config(&inventory, &orders, "")
        .replace("[access]", "[access]\nclient_header = \"X-Acme-Caller\"");
    let gateway = crate::support::Gateway::start(&config);
    let spellings = twins("x-acme-caller")
        .into_iter()
        .chain(NAMES.map(str::to_owned));
    each(spellings, |name| {
        gateway
            .ask(
                &Request::get("/api/orders/x")
                    .field(name, "spoofed")
                    .with_key(),
            )
            .is(200);
        let seen = orders.only();
        assert!(
            !format!("{:?}", seen.fields).contains("spoofed"),
            "{:?}",
            seen.fields
        );
        assert_eq!(seen.fields.one("x-acme-caller"), Some("mobile-app"));
    });
}

/// `x-client-id` as `X-Client-Id`.
fn camel(name: &str) -> String {
    let mut up = true;
    let letter = |c: char| {
        let letter = if up { c.to_ascii_uppercase() } else { c };
        up = matches!(c, '-' | '_');
        letter
    };
    name.chars().map(letter).collect()
}

#[test]
fn fields_that_frameworks_take_for_the_path_never_arrive() {
    let shop = Shop::open();
    for name in ["X-Original-URL", "x-rewrite-url"] {
        let request = Request::get("/api/inventory/x").field(name, "/api/orders");
        shop.ask(&request).is(200);
        assert!(!shop.inventory.only().fields.has(&name.to_lowercase()));
    }
}
