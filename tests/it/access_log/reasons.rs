//! What a line says of the reason: which limit refused and where it was counted, whose key is over,
//! what was malformed, what a service did wrong, and where the time went.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::redis::Redis;
use crate::support::{Gateway, Gone, Request, Shop, UNGUARDED, Upstream, each, hash_of, tollgate};

#[test]
fn a_429_names_its_limit_and_where_that_was_counted() {
    let redis = Redis::start();
    let limits = "[limits]\nidentified = { requests = 1, per = \"1h\" }\n";
    let in_redis = format!(
        "{limits}[limits.redis]\nurl = \"{}\"\ndeadline = \"2s\"",
        redis.url()
    );
    // That Redis would refuse is known from the answer to the last request that it admitted.
    for (config, source, refused_by) in
        [(limits, "memory", "memory"), (&in_redis, "redis", "cache")]
    {
        let shop = Shop::with(&format!("{config}\n[server]\nworkers = 1"));
        let request = Request::get("/api/orders/x").with_key();
        shop.ask(&request).is(200);
        let refused = shop.ask(&request);
        let problem = refused.is_refusal(429, "rate_limited").json();
        let told = json!([problem["limit"], problem["limit_source"], problem["detail"]]);
        let detail = "The limit `identified` is used up; the Retry-After field says in how many seconds to try again.";
        assert_eq!(told, json!(["identified", refused_by, detail]));
        shop.ask(&Request::get("/api/inventory/x")).is(200);
        let lines = shop.gateway.finish();
        let told = |line: &Value| json!([line["limit"], line["limit_source"]]);
        let told: Vec<_> = lines.iter().map(told).collect();
        let expected = [
            json!(["identified", source]),
            json!(["identified", refused_by]),
            json!([null, null]),
        ];
        assert_eq!(told, expected, "{lines:#?}");
        let took = |nth: usize| lines[nth]["limit_ms"].as_f64();
        assert_eq!(took(0).map(|ms| ms > 0.0), Some(source == "redis"));
        assert_eq!((took(1), took(2)), (Some(0.0), None));
    }
}

#[test]
fn what_redis_takes_is_not_the_services() {
    let redis = Redis::start();
    let config = format!(
        "[limits]\nanonymous = {{ requests = 100, per = \"1h\" }}\n\
         [limits.redis]\nurl = \"{}\"\ndeadline = \"400ms\"\n[server]\nworkers = 1",
        redis.url()
    );
    let shop = Shop::with(&config);
    let request = Request::get("/api/inventory/x");
    shop.ask(&request).is(200);
    redis.pause();
    // Permits that have been granted are spent first, so ask as another caller.
    shop.ask(&Request::get("/api/orders/x").with_key()).is(200);
    shop.ask(&request).is(200);
    redis.resume();
    let lines = shop.gateway.finish();
    assert_eq!(
        lines[1]["limit_ms"],
        Value::Null,
        "a client without a limit: {lines:#?}"
    );
    let of = |member: &str| {
        lines[2][member]
            .as_f64()
            .unwrap_or_else(|| panic!("{}", lines[2]))
    };
    assert!(of("limit_ms") >= 400.0, "{}", lines[2]);
    assert!(
        of("duration_ms") - of("upstream_ms") >= 400.0,
        "{}",
        lines[2]
    );
    assert_eq!(lines[2]["limit_source"], "memory");
}

/// Wrong keys are counted, too, and a cookie's on top of the request.
#[test]
fn what_redis_takes_for_a_wrong_key_is_told() {
    let redis = Redis::start();
    let config = format!(
        "[limits]\ninvalid_keys = {{ requests = 100, per = \"1h\" }}\n\
         [limits.redis]\nurl = \"{}\"\ndeadline = \"400ms\"\n[server]\nworkers = 1",
        redis.url()
    );
    let sources = "[access]\nkey_sources = [\"header\", \"cookie:key\"]";
    for (field, status) in [("x-api-key", 401), ("cookie", 200)] {
        let upstream = Upstream::echo();
        let routes = format!("[routes]\n\"/a\" = \"{}\"", upstream.url());
        let gateway = Gateway::start(&format!("{routes}\n{sources}\n{config}"));
        redis.pause();
        gateway
            .ask(&Request::get("/a").field(field, "key=wrong"))
            .is(status);
        redis.resume();
        let line = &gateway.finish()[0];
        let took = line["limit_ms"].as_f64();
        assert!(took.is_some_and(|ms| ms >= 400.0), "{line}");
    }
}

#[test]
fn what_an_upload_takes_is_not_the_services() {
    const PAUSE: Duration = Duration::from_millis(400);
    let shop = Shop::open();
    let upload = Request::post("/api/inventory/x", [b'x'; 1000]).bytes();
    let mut client = shop.gateway.connect();
    client.send(&upload[..upload.len() - 1]);
    shop.inventory.wait_for_connections(1);
    std::thread::sleep(PAUSE);
    client.send(&upload[upload.len() - 1..]);
    client.answer().is(200);
    let line = &shop.gateway.finish()[0];
    let of = |member: &str| line[member].as_f64().unwrap_or_else(|| panic!("{line}"));
    assert!(of("duration_ms") - of("upstream_ms") >= 400.0, "{line}");
    assert!(of("upstream_ms") > 0.0, "{line}");
}

#[test]
fn a_switch_of_protocols_has_its_times() {
    let upstream = Upstream::answering_once(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    );
    let limit = "[limits]\nanonymous = { requests = 100, per = \"1h\" }";
    let shop = Shop::selling(upstream, limit);
    let mut client = shop.gateway.connect();
    client.send(Request::websocket("/api/inventory/ws").bytes());
    client.head().is(101);
    drop(client);
    let line = &shop.gateway.finish()[0];
    assert!(
        line["upstream_ms"].as_f64().is_some_and(|ms| ms > 0.0),
        "{line}"
    );
    assert!(
        line["limit_ms"].is_f64() && line["limit"] == "anonymous",
        "{line}"
    );
}

const OVER: &str = "the key of `app` expired at 2026-01-01T00:00:00Z";
const EARLY: &str = "the key of `app` is not valid before 2999-01-01T00:00:00Z";

/// A service for the client `app` with the keys `old` and `new`, and two that are not in force.
fn with_keys(upstream: &Upstream) -> Gateway {
    let [old, new, over, early] = ["old", "new", "over", "early"].map(hash_of);
    Gateway::start(&format!(
        "[routes]\n\"/a\" = \"{}\"\n[server]\nworkers = 1\n[clients.app]\n\
         keys = [\"{old}\", \"{new}\", {{ hash = \"{over}\", expires_at = \"2026-01-01T00:00:00Z\" }}, \
         {{ hash = \"{early}\", not_before = \"2999-01-01T00:00:00Z\" }}]",
        upstream.url()
    ))
}

#[test]
fn keys_are_told_apart_and_those_out_of_force_are_named() {
    let upstream = Upstream::echo();
    let gateway = with_keys(&upstream);
    let id = |key: &str| hash_of(key)[7..15].to_owned();
    let malformed = "the key is empty, longer than 4096 bytes, or not visible ASCII";
    #[rustfmt::skip] // One key, one line.
    let rows = [
        ("old", 200, json!(["app", "identified", id("old"), null])),
        ("new", 200, json!(["app", "identified", id("new"), null])),
        ("over", 401, json!(["app", "invalid", id("over"), OVER])),
        ("early", 401, json!(["app", "invalid", id("early"), EARLY])),
        ("none", 401, json!([null, "invalid", id("none"), "no client has this key"])),
        ("", 401, json!([null, "invalid", null, malformed])),
        // It is not even hashed.
        (&*"x".repeat(4097), 401, json!([null, "invalid", null, malformed])),
    ];
    for (key, status, _) in &rows {
        let response = gateway.ask(&Request::get("/a").field("x-api-key", key));
        response.is(*status);
        if *status == 401 {
            // What a caller could learn about the keys of others stays in the log.
            let detail = "The API key in the x-api-key field is not one that is accepted.";
            assert_eq!(response.json()["detail"], detail, "{key}");
        }
    }
    let lines = gateway.finish();
    each(rows.iter().zip(&lines), |((key, _, expected), line)| {
        let told = ["client", "client_kind", "key_id", "detail"].map(|member| &line[member]);
        assert_eq!(json!(told), *expected, "{key}: {line}");
    });
}

#[test]
fn explain_names_a_key_that_is_out_of_force() {
    let upstream = Upstream::echo();
    let gateway = with_keys(&upstream);
    let file = gateway.dir().join("tollgate.toml");
    let file = file.to_str().expect("UTF-8");
    let field = "x-api-key: over";
    let explain = ["explain", "GET", "/a", "-H", field, "-c", file];
    let told = tollgate(&explain).stdout;
    let names = told.contains(OVER) && told.contains("app (invalid)");
    assert!(names, "{told}");
    let told = tollgate(&[&explain[..], &["--json"]].concat()).stdout;
    let told: Value = serde_json::from_str(&told).expect("JSON");
    assert_eq!(
        (&told["client"], &told["key_fault"]),
        (&json!("app"), &json!(OVER))
    );
}

#[test]
fn a_refusal_says_what_is_wrong_with_the_request() {
    let shop = Shop::with("[server]\nworkers = 1");
    #[rustfmt::skip] // One request, one line.
    let rows: [(&[u8], &str, &str); 5] = [
        (b"GET /api/inventory/%00 HTTP/1.1\r\nHost: x\r\n\r\n", "ambiguous_path", "control"),
        (b"GET / HTTP/1.1\r\nHost : x\r\n\r\n", "bad_request", "field's name"),
        (b"CONNECT x:1 HTTP/1.1\r\nHost: x:1\r\n\r\n", "not_implemented", "CONNECT"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "bad_request", "TLS handshake"),
        (b"GET / HTTP/3.0\r\nHost: x\r\n\r\n", "version_not_supported", "HTTP/1.1 and HTTP/1.0"),
    ];
    let mut told = Vec::new();
    for (bytes, _, _) in &rows {
        let mut client = shop.gateway.connect();
        client.send(bytes);
        told.push(client.answer().json()["detail"].clone());
    }
    let lines = shop.gateway.finish();
    each(
        rows.iter().zip(&lines).zip(&told),
        |(((_, code, part), line), told)| {
            assert_eq!(
                (&line["code"], &line["detail"]),
                (&json!(code), *told),
                "{line}"
            );
            assert!(
                told.as_str().is_some_and(|told| told.contains(part)),
                "{line}"
            );
        },
    );
}

#[test]
fn each_failure_of_a_service_has_its_cause() {
    let down = Upstream::down(|_| Ok(()));
    let ending = Upstream::start(|peer| {
        peer.request()?;
        Err(Gone)
    });
    let half = Upstream::answering_once("HTTP/1.1 200 OK\r\nContent-");
    let garbage = Upstream::answering_once("HTTP/1.1 OK\r\n\r\n");
    let silent = Upstream::start(|peer| {
        peer.request()?;
        peer.wait_closed();
        Err(Gone)
    });
    let cut = Upstream::answering_once("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf");
    let services = [&down, &down, &ending, &half, &garbage, &silent, &cut];
    let mut config = format!("{UNGUARDED}[server]\nworkers = 1\n[routes]\n");
    for (nth, service) in services.iter().enumerate() {
        let url = service.url();
        let route = format!("\"/{nth}\" = {{ upstream = \"{url}\", timeout = \"1s\" }}\n");
        config.push_str(&route);
    }
    let gateway = Gateway::start(&config);
    for nth in 0..services.len() {
        let mut client = gateway.connect();
        client.send(Request::get(&format!("/{nth}")).bytes());
        let _ = client.ending();
    }
    let refused = format!("cannot connect to {}: ", down.address());
    let causes = [
        ("upstream_unreachable", &*refused),
        ("upstream_unreachable", &*refused),
        ("upstream_reset", "without an answer, with the request sent"),
        ("upstream_reset", "within the head of its answer"),
        ("upstream_invalid", "status line"),
        (
            "upstream_timeout",
            "within timeout = 1s, with the request sent",
        ),
        ("upstream_reset", "within its answer"),
    ];
    let lines = gateway.finish();
    each(causes.iter().zip(&lines), |((code, cause), line)| {
        assert_eq!(line["code"], *code, "{line}");
        assert!(
            line["detail"]
                .as_str()
                .is_some_and(|told| told.contains(cause)),
            "{line}"
        );
    });
}
