//! What the admin port says of a limit store that is a real Redis: there, away, and back.

use serde_json::Value;

use crate::support::redis::Redis;
use crate::support::{Gateway, Request, eventually, with_admin};

const REQUESTS: usize = 20;

fn ask(gateway: &Gateway) {
    for _ in 0..REQUESTS {
        gateway.ask(&Request::get("/x")).is(200);
    }
}

/// The status, once its limit store fits.
fn store(gateway: &Gateway, fits: impl Fn(&Value) -> bool) -> (Value, Value) {
    eventually("the limit store", || {
        let status = gateway.admin_json("/api/v1/status");
        let store = status["limit_store"].clone();
        fits(&store).then_some((status, store))
    })
}

/// What the only limit has decided, once it has so many outcomes of this name.
fn limit(gateway: &Gateway, outcome: &str, number: usize) -> Value {
    eventually(outcome, || {
        let listed = gateway.admin_json("/api/v1/limits");
        let limit = listed["items"][0].clone();
        (limit[outcome] == number).then_some(limit)
    })
}

#[test]
fn redis_is_shown_while_it_is_there_away_and_back() {
    let mut redis = Redis::start();
    let config = format!(
        "server.workers = 1\n[routes]\n\"/x\" = {{ respond = {{ status = 200 }} }}\n\
         [limits]\nanonymous = {{ requests = 1000, per = \"1h\" }}\n\
         [limits.redis]\nurl = \"{}\"\non_failure = \"local\"\n",
        redis.url()
    );
    let gateway = Gateway::start(&with_admin(&config, ""));
    ask(&gateway);
    let (status, shown) = store(&gateway, |it| it["calls_per_request"].as_f64() > Some(0.0));
    for (member, value) in [
        ("kind", Value::from("redis")),
        ("up", true.into()),
        ("since", Value::Null),
        ("breaker", "closed".into()),
        ("fleet", 1.into()),
    ] {
        assert_eq!(shown[member], value, "{member}: {shown}");
    }
    assert!(
        shown["leases"].is_u64() && shown["p99_ms"].is_number(),
        "{shown}"
    );
    assert_eq!(status["state"], "ok", "{status}");
    let decided = limit(&gateway, "allowed", REQUESTS);
    assert_eq!(
        (&decided["policy"], &decided["degraded"]),
        (&"anonymous".into(), &0.into())
    );

    redis.kill();
    gateway.ask(&Request::get("/x")).is(200);
    let (status, shown) = store(&gateway, |it| it["up"] == false);
    assert!(shown["since"].is_string(), "{shown}");
    assert_eq!(
        (&shown["kind"], &shown["breaker"]),
        (&"redis".into(), &"open".into())
    );
    assert_eq!(status["state"], "warning", "{status}");
    let sentence = status["sentence"].as_str().expect("a sentence");
    assert!(sentence.contains("Redis away"), "{sentence}");
    let reason = status["reasons"][0]["text"].as_str().expect("a text");
    // How the connection ended depends on who notices it first.
    assert!(reason.starts_with("Redis does not answer ("), "{reason}");
    assert!(reason.ends_with("): counting here."), "{reason}");
    // Requests are counted here, so that the gateway is ready all the same.
    assert_eq!(status["ready"], true);
    ask(&gateway);
    let decided = eventually("what was decided here", || {
        let listed = gateway.admin_json("/api/v1/limits");
        let limit = listed["items"][0].clone();
        (limit["degraded"].as_u64() >= Some(REQUESTS as u64)).then_some(limit)
    });
    assert_eq!(decided["limited"], 0);

    redis.restart();
    let (_, shown) = store(&gateway, |it| it["up"] == true);
    assert_eq!(
        (&shown["since"], &shown["breaker"]),
        (&Value::Null, &"closed".into())
    );
    for kind in ["redis_lost", "redis_back"] {
        let events = gateway.admin_json(&format!("/api/v1/events?kind={kind}"));
        assert_eq!(events["total"], 1, "{kind}: {events}");
    }
}
