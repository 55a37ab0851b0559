//! Web pages of other origins: preflights end at the gateway, answers can be read by the pages that
//! are listed, and by no others.

use crate::support::{Gateway, KEY, Request, Response, Shop, Upstream, each, hash_of};

const APP: &str = "https://app.test";
const CORS: &str = "[access.cors]\norigins = [\"https://app.test\"]\n";

fn preflight(target: &str, origin: &str, method: &str) -> Request {
    Request::new("OPTIONS", target)
        .field("Origin", origin)
        .field("Access-Control-Request-Method", method)
}

/// Fails unless a page of `origin` may read the answer.
fn is_readable(response: &Response, origin: &str) {
    let allowed = response.fields.one("access-control-allow-origin");
    assert_eq!(allowed, Some(origin));
    assert!(response.fields.items("vary").contains(&"origin".into()));
    let exposed = response.fields.items("access-control-expose-headers");
    for name in [
        "retry-after",
        "ratelimit",
        "ratelimit-policy",
        "x-request-id",
    ] {
        assert!(exposed.contains(&name.to_owned()), "{name}: {exposed:?}");
    }
}

/// Fails if the answer says anything of CORS.
fn says_nothing(response: &Response) {
    let names = response.fields.names();
    let cors = names
        .iter()
        .filter(|name| name.starts_with("access-control-"));
    assert_eq!(cors.count(), 0, "{names:?}");
}

#[test]
fn a_preflight_is_answered_before_the_key_is_asked_for() {
    let shop = Shop::with(CORS);
    for target in ["/api/inventory/1", "/api/orders/1", "/nowhere"] {
        let request = preflight(target, APP, "PUT")
            .field("Access-Control-Request-Headers", "x-api-key, content-type");
        let response = shop.ask(&request);
        response.is(204);
        let one = |name| response.fields.one(name);
        assert_eq!(one("access-control-allow-origin"), Some(APP));
        assert_eq!(
            one("access-control-allow-methods"),
            Some("GET, HEAD, POST, PUT, PATCH, DELETE")
        );
        assert_eq!(
            one("access-control-allow-headers"),
            Some("x-api-key, content-type")
        );
        assert_eq!(one("access-control-max-age"), Some("600"));
        assert_eq!(one("access-control-allow-credentials"), None);
        assert_eq!(one("content-length"), None);
        assert!(response.fields.items("vary").contains(&"origin".into()));
        let wrong_key = shop.ask(&request.field("x-api-key", "wrong"));
        wrong_key.is(204);
    }
    shop.nothing_got_through();
    // Each connection has a worker, and each worker hands its lines over by itself.
    let lines = shop.gateway.finish();
    let line = lines.iter().find(|line| line["path"] == "/api/orders/1");
    let line = line.expect("a line");
    assert_eq!((&line["status"], &line["code"]), (&204.into(), &().into()));
    assert_eq!(line["route"], "/api/orders");
}

#[test]
fn preflights_spend_no_limit() {
    let shop = Shop::with(&format!(
        "{CORS}[limits]\nanonymous = {{ requests = 1, per = \"1h\" }}\n"
    ));
    for _ in 0..5 {
        shop.ask(&preflight("/api/inventory/1", APP, "GET")).is(204);
    }
    shop.ask(&Request::get("/api/inventory/1")).is(200);
    let limited = shop.ask(&Request::get("/api/inventory/1").field("Origin", APP));
    limited.is_refusal(429, "rate_limited");
    is_readable(&limited, APP);
    assert!(limited.fields.has("retry-after") && limited.fields.has("ratelimit"));
}

#[test]
fn the_gateway_s_own_answers_can_be_read_by_the_page() {
    let gone =
        "[[route]]\nprefix = \"/gone\"\nupstream = \"http://127.0.0.1:9\"\nmethods = [\"GET\"]\n";
    let shop = Shop::with(&format!("{CORS}{gone}"));
    let rows = [
        (Request::get("/api/orders/1"), 401, "api_key_required"),
        (
            Request::get("/api/inventory/1").field("x-api-key", "wrong"),
            401,
            "invalid_api_key",
        ),
        (Request::get("/nowhere"), 404, "no_route"),
        (Request::new("PUT", "/gone"), 405, "method_not_allowed"),
        (Request::get("/gone"), 502, "upstream_unreachable"),
        (Request::get("/api/inventory/%00"), 400, "ambiguous_path"),
    ];
    each(rows, |(request, status, code)| {
        let response = shop.ask(&request.clone().field("Origin", APP));
        response.is_refusal(*status, code);
        is_readable(&response, APP);
    });
}

#[test]
fn an_origin_that_is_not_listed_is_told_nothing() {
    let shop = Shop::with(CORS);
    let origins = [
        "https://evil.test",
        "http://app.test",
        "https://app.test:444",
        "https://app.test.evil.test",
        "https://APP.test",
        "null",
        "*",
        "",
    ];
    each(origins, |origin| {
        let response = shop.ask(&preflight("/api/inventory/1", origin, "PUT"));
        response.is(204);
        says_nothing(&response);
        for target in ["/api/inventory/1", "/api/orders/1"] {
            let response = shop.ask(&Request::get(target).field("Origin", origin));
            says_nothing(&response);
            assert!(response.fields.items("vary").contains(&"origin".into()));
        }
    });
    // A cache must not give to a page what was said to somebody without an origin.
    let response = shop.ask(&Request::get("/api/inventory/1"));
    says_nothing(&response);
    assert_eq!(response.fields.one("vary"), Some("Origin"));
}

#[test]
fn what_a_service_says_is_replaced_and_its_vary_kept() {
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nAccess-Control-Allow-Origin: *\r\n\
        Access-Control-Allow-Credentials: true\r\nVary: Accept\r\nVary: Accept-Language\r\n\r\n";
    let shop = Shop::selling(Upstream::answering(answer), CORS);
    let response = shop.ask(&Request::get("/api/inventory/1").field("Origin", APP));
    response.is(200);
    is_readable(&response, APP);
    assert!(!response.fields.has("access-control-allow-credentials"));
    assert_eq!(
        response.fields.all("vary"),
        ["Accept, Origin", "Accept-Language"]
    );
    let other = shop.ask(&Request::get("/api/inventory/1").field("Origin", "https://evil.test"));
    says_nothing(&other);
}

#[test]
fn a_vary_that_does_not_pass_is_no_help() {
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nVary: Origin\r\nConnection: vary\r\n\r\n";
    let shop = Shop::selling(Upstream::answering(answer), CORS);
    let response = shop.ask(&Request::get("/api/inventory/1").field("Origin", APP));
    assert_eq!(response.fields.all("vary"), ["Origin"]);
}

#[test]
fn a_vary_that_covers_the_origin_is_left_alone() {
    for vary in ["*", "accept, ORIGIN"] {
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nVary: {vary}\r\n\r\n");
        let shop = Shop::selling(Upstream::answering(answer), CORS);
        let response = shop.ask(&Request::get("/api/inventory/1").field("Origin", APP));
        assert_eq!(response.fields.all("vary"), [vary]);
    }
}

#[test]
fn without_cors_services_speak_for_themselves() {
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nAccess-Control-Allow-Origin: https://x.test\r\nVary: Accept\r\n\r\n";
    let shop = Shop::selling(Upstream::answering(answer), "");
    for request in [
        Request::get("/api/inventory/1").field("Origin", APP),
        preflight("/api/inventory/1", APP, "PUT"),
    ] {
        let response = shop.ask(&request);
        response.is(200);
        let allowed = response.fields.one("access-control-allow-origin");
        assert_eq!(allowed, Some("https://x.test"));
        assert_eq!(response.fields.all("vary"), ["Accept"]);
        let seen = shop.inventory.only();
        assert_eq!(seen.fields.one("origin"), Some(APP));
    }
    shop.ask(&preflight("/api/orders/1", APP, "PUT"))
        .is_refusal(401, "api_key_required");
}

#[test]
fn a_route_has_rules_of_its_own_or_none() {
    let upstream = Upstream::echo();
    let gateway = Gateway::start(&format!(
        r#"
[routes]
"/all" = "{url}"
"/own" = {{ upstream = "{url}", cors = {{ origins = "https://own.test", methods = "*", headers = "x-a", expose = "etag", credentials = true, max_age = "1m" }} }}
"/any" = {{ upstream = "{url}", cors = {{ origins = "*" }} }}
"/off" = {{ upstream = "{url}", cors = "off" }}
[[route]]
prefix = "/by-method"
upstream = "{url}"
methods = ["PUT"]
cors = {{ origins = "https://put.test" }}
[[route]]
prefix = "/by-method"
upstream = "{url}"
methods = ["GET"]
[access]
protected = ["/"]
[clients.a]
keys = ["{key}"]
{CORS}"#,
        url = upstream.url(),
        key = hash_of(KEY)
    ));
    let own = gateway.ask(&preflight("/own/1", "https://own.test", "PURGE"));
    let one = |name| own.fields.one(name);
    assert_eq!(one("access-control-allow-methods"), Some("PURGE"));
    assert_eq!(one("access-control-allow-headers"), Some("x-a"));
    assert_eq!(one("access-control-allow-credentials"), Some("true"));
    assert_eq!(one("access-control-max-age"), Some("60"));
    says_nothing(&gateway.ask(&preflight("/own/1", APP, "PUT")));
    let request = Request::get("/own/1")
        .with_key()
        .field("Origin", "https://own.test");
    let answer = gateway.ask(&request);
    is_readable(&answer, "https://own.test");
    let exposed = answer.fields.items("access-control-expose-headers");
    assert!(exposed.contains(&"etag".into()), "{exposed:?}");

    for request in [
        Request::get("/any/1"),
        Request::get("/any/1").field("Origin", APP),
    ] {
        let any = gateway.ask(&request);
        any.is_refusal(401, "api_key_required");
        assert_eq!(any.fields.one("access-control-allow-origin"), Some("*"));
        assert!(!any.fields.has("vary"));
    }
    let off = gateway.ask(&preflight("/off/1", APP, "PUT"));
    off.is_refusal(401, "api_key_required");
    says_nothing(&off);
    is_readable(
        &gateway.ask(&Request::get("/all/1").field("Origin", APP)),
        APP,
    );

    // The route of the request that the preflight asks about, not that of OPTIONS.
    let put = gateway.ask(&preflight("/by-method", "https://put.test", "PUT"));
    assert!(put.fields.has("access-control-allow-methods"));
    says_nothing(&gateway.ask(&preflight("/by-method", APP, "PUT")));
    let get = gateway.ask(&preflight("/by-method", APP, "GET"));
    assert!(get.fields.has("access-control-allow-methods"));
}

#[test]
fn an_options_that_is_no_preflight_goes_on() {
    let shop = Shop::with(CORS);
    shop.ask(&Request::new("OPTIONS", "/api/inventory/1").field("Origin", APP))
        .is(200);
    assert_eq!(shop.inventory.only().method, "OPTIONS");
    shop.ask(&Request::new("OPTIONS", "/api/orders/1"))
        .is_refusal(401, "api_key_required");
}

#[test]
fn a_websocket_is_not_subject_to_it() {
    let answer = "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: x\r\n\r\n";
    let shop = Shop::selling(Upstream::answering(answer), CORS);
    let request = Request::get("/api/inventory/1")
        .field("Connection", "upgrade")
        .field("Upgrade", "websocket")
        .field("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
        .field("Sec-WebSocket-Version", "13")
        .field("Origin", APP);
    let mut client = shop.gateway.connect();
    client.send(request.bytes());
    let response = client.head();
    response.is(101);
    says_nothing(&response);
}
