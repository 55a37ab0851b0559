//! What a line says: every member of the contract, for served and refused requests alike.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::{Gateway, KEY, Request, Shop, Upstream, each, hash_of};

const MEMBERS: [&str; 26] = [
    "time",
    "request_id",
    "client",
    "client_kind",
    "tier",
    "key_id",
    "ip",
    "method",
    "host",
    "path",
    "route",
    "status",
    "code",
    "detail",
    "limit",
    "limit_source",
    "upstream",
    "endpoint",
    "attempts",
    "duration_ms",
    "limit_ms",
    "upstream_ms",
    "bytes_in",
    "bytes_out",
    "protocol",
    "user_agent",
];

#[test]
fn a_served_request_has_a_line_with_everything() {
    let shop = Shop::open();
    let request = Request::post("/api//orders/7?secret=in-the-query", "hello")
        .host("shop.test:80")
        .field("User-Agent", "tests \"quoted\" \\ \u{e9}")
        .field("X-Request-Id", "r-1")
        .with_key();
    shop.ask(&request).is(200);
    let endpoint = shop.orders.address().to_string();
    let lines = shop.gateway.finish();
    assert_eq!(lines.len(), 1);
    let line = &lines[0];
    has_all_members(line);
    let expected = json!({
        "request_id": "r-1", "client": "mobile-app", "client_kind": "identified", "ip": "127.0.0.1",
        "method": "POST", "path": "/api/orders/7", "route": "/api/orders", "status": 200, "code": null,
        "attempts": 1, "protocol": "HTTP/1.1", "endpoint": endpoint, "key_id": hash_of(KEY)[7..15],
        "detail": null, "tier": null, "limit": null, "limit_source": null, "limit_ms": null,
    });
    for (member, value) in expected.as_object().expect("an object") {
        assert_eq!(&line[member], value, "{member} in {line}");
    }
    assert!(
        line["host"]
            .as_str()
            .is_some_and(|host| host.starts_with("shop.test")),
        "{line}"
    );
    assert!(
        line["upstream"]
            .as_str()
            .is_some_and(|name| name.contains(&endpoint)),
        "{line}"
    );
    assert!(
        line["user_agent"]
            .as_str()
            .is_some_and(|agent| agent.starts_with("tests \"quoted\" \\ ")),
        "{line}"
    );
    let number = |member: &str| {
        line[member]
            .as_f64()
            .unwrap_or_else(|| panic!("{member} in {line}"))
    };
    assert!(
        number("bytes_in") >= 5.0 && number("bytes_out") >= 5.0,
        "{line}"
    );
    assert!(
        number("duration_ms") >= number("upstream_ms") && number("upstream_ms") > 0.0,
        "{line}"
    );
    assert!(
        line["time"]
            .as_str()
            .is_some_and(|time| time.starts_with("20") && time.ends_with('Z')),
        "{line}"
    );
}

#[test]
fn a_refusal_names_the_route_that_it_was_for() {
    let gateway = Gateway::start(
        r#"
[[route]]
name = "orders"
prefix = "/orders"
upstream = "http://127.0.0.1:9"
methods = ["GET", "PUT"]
allow = "client:a"
[[route]]
prefix = "/internal"
upstream = "http://127.0.0.1:9"
ip_deny = "127.0.0.1"
[[route]]
name = "one"
prefix = "/both"
upstream = "http://127.0.0.1:9"
methods = "GET"
[[route]]
name = "two"
prefix = "/both"
upstream = "http://127.0.0.1:9"
methods = "PUT"
[clients.a]
[server]
workers = 1
"#,
    );
    let rows = [
        ("GET", "/orders", "", 401, json!("orders")),
        ("GET", "/orders/7", "wrong", 401, json!("orders")),
        ("POST", "/orders", "", 405, json!("orders")),
        ("GET", "/internal", "", 403, json!("/internal")),
        ("POST", "/both", "", 405, Value::Null),
        ("GET", "/elsewhere", "", 404, Value::Null),
    ];
    for (method, target, key, status, _) in &rows {
        let request = Request::new(method, target);
        let request = if key.is_empty() {
            request
        } else {
            request.field("x-api-key", key)
        };
        gateway.ask(&request).is(*status);
    }
    let lines = gateway.finish();
    for (line, (.., status, route)) in lines.iter().zip(&rows) {
        assert_eq!((&line["status"], &line["route"]), (&json!(status), route));
    }
    assert_eq!(lines.len(), rows.len());
}

/// A name, what is sent, and the status and code of its answer and its line.
type Row = (&'static str, Vec<u8>, u16, Value);

#[rustfmt::skip] // One request, one line.
fn rows() -> [Row; 13] {
    let get = |target| Request::get(target).bytes();
    let keyed = |target| Request::get(target).with_key().bytes();
    [
        ("served", keyed("/api/orders/1"), 200, Value::Null),
        ("HEAD", Request::new("HEAD", "/api/orders/2").with_key().bytes(), 200, Value::Null),
        ("no route", keyed("/nowhere"), 404, json!("no_route")),
        ("over the limit", keyed("/api/orders/3"), 429, json!("rate_limited")),
        ("no key", get("/api/orders/4"), 401, json!("api_key_required")),
        ("bad key", Request::get("/api/orders/5").field("x-api-key", "x").bytes(), 401, json!("invalid_api_key")),
        ("no upstream", get("/api/inventory/6"), 502, json!("upstream_unreachable")),
        ("ambiguous", get("/api/inventory/%00"), 400, json!("ambiguous_path")),
        ("malformed", b"GET / HTTP/1.1\r\nHost : x\r\n\r\n".to_vec(), 400, json!("bad_request")),
        ("garbage", b"\x16\x03\x01".to_vec(), 400, json!("bad_request")),
        ("version", b"GET / HTTP/2.0\r\nHost: x\r\n\r\n".to_vec(), 505, json!("version_not_supported")),
        ("too long", format!("GET /{}", "x".repeat(100_000)).into_bytes(), 414, json!("uri_too_long")),
        ("CONNECT", b"CONNECT x:1 HTTP/1.1\r\nHost: x:1\r\n\r\n".to_vec(), 501, json!("not_implemented")),
    ]
}

#[test]
fn every_kind_of_request_has_exactly_one_line() {
    // One worker: lines of several come in the order in which they are handed over.
    let limit = "[limits]\nidentified = { requests = 3, per = \"1h\" }\n[server]\nworkers = 1";
    let shop = Shop::selling(Upstream::down(|_| Ok(())), limit);
    let rows = rows();
    for (name, raw, status, _) in &rows {
        let mut client = shop.gateway.connect();
        client.send(raw);
        let method = if *name == "HEAD" { "HEAD" } else { "GET" };
        client.answer_to(&Request::new(method, "/")).is(*status);
    }
    shop.ask(&Request::get("/health")).is(200);

    let lines = shop.gateway.finish();
    assert_eq!(lines.len(), rows.len(), "{lines:#?}");
    each(
        rows.iter().zip(&lines),
        |((name, _, status, code), line)| {
            has_all_members(line);
            let told = (&line["status"], &line["code"]);
            assert_eq!(told, (&json!(status), code), "{name}: {line}");
        },
    );
    each([(3, "identified"), (4, "anonymous")], |&(nth, kind)| {
        assert_eq!(lines[nth]["client_kind"], kind);
    });
}

#[test]
fn a_connections_requests_have_a_line_each() {
    let shop = Shop::open();
    let mut client = shop.gateway.connect();
    client.send(
        (0..10)
            .flat_map(|i| Request::get(&format!("/api/inventory/{i}")).bytes())
            .collect::<Vec<_>>(),
    );
    for _ in 0..10 {
        client.answer().is(200);
    }
    drop(client);
    let lines = shop.gateway.finish();
    let paths: Vec<_> = lines.iter().map(|line| line["path"].clone()).collect();
    assert_eq!(
        paths,
        (0..10)
            .map(|i| json!(format!("/api/inventory/{i}")))
            .collect::<Vec<_>>()
    );
    let ids: BTreeSet<_> = lines
        .iter()
        .map(|line| line["request_id"].to_string())
        .collect();
    assert_eq!(ids.len(), 10);
}

#[test]
fn secrets_and_queries_stay_out_of_every_log() {
    let inventory = Upstream::down(|_| Ok(()));
    let orders = Upstream::echo();
    let more = "[log]\nlevel = \"trace\"\nformat = \"json\"\naccess = \"access.log\"";
    let gateway = crate::support::Gateway::start(&Shop::config(&inventory, &orders, more));
    let query = "?token=in-the-query";
    let requests = [
        Request::get(&format!("/api/orders/x{query}")).with_key(),
        Request::get(&format!("/api/inventory/x{query}")).with_key(),
        Request::get(&format!("/nowhere{query}")).with_key(),
        Request::get(&format!("/api/orders/x{query}")).field("x-api-key", "a-wrong-secret-key"),
        Request::get(&format!("/api/orders/x{query}"))
            .field("Authorization", "Bearer in-the-header"),
        Request::get(&format!("/api/orders/\\{query}")).with_key(),
        Request::get(&format!("http://gateway.test/api/orders/x{query}")).with_key(),
        Request::new("CONNECT", &format!("/x{query}")).with_key(),
    ];
    for request in &requests {
        gateway.ask(request);
    }
    let lines = gateway.access_log(requests.len());
    let access = lines.iter().map(Value::to_string).collect::<String>();
    let everything = access + &gateway.log_text();
    for secret in [
        KEY,
        "in-the-query",
        "a-wrong-secret-key",
        "in-the-header",
        &hash_of(KEY)[7..],
    ] {
        assert!(!everything.contains(secret), "{secret} was logged");
    }
}

/// Whoever can choose how long a line gets can fill a disk.
#[test]
fn a_line_is_short_whatever_was_sent() {
    let shop = Shop::open();
    let long = 14_000;
    let requests = [
        Request::get("/api/inventory/x").field("User-Agent", &"\u{85}".repeat(long)),
        Request::get("/api/inventory/x").field("User-Agent", &"\t\"".repeat(long)),
        Request::get(&format!("/api/inventory/{}", "|".repeat(long))),
        Request::new(&"M".repeat(long), "/api/inventory/x"),
        Request::get("/api/inventory/x").field("x-api-key", &"k".repeat(long)),
    ];
    for request in &requests {
        shop.ask(request);
    }
    for line in shop.gateway.access_log(requests.len()) {
        let length = line.to_string().len();
        assert!(length < 2200, "{length} bytes");
    }
}

fn has_all_members(line: &Value) {
    let mut members: BTreeSet<_> = line
        .as_object()
        .expect("an object")
        .keys()
        .map(String::as_str)
        .collect();
    // Only where attempts have failed.
    members.remove("tries");
    assert_eq!(members, MEMBERS.into_iter().collect(), "{line}");
}
