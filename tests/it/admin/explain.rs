//! Requests that the admin port explains: by the configuration in force, without their keys.

use serde_json::Value;

use super::api::{LIMITED, item, shop};
use crate::support::redis::Redis;
use crate::support::{
    Gateway, KEY, Request, Response, Upstream, each, eventually, hash_of, with_admin,
};

#[test]
fn a_request_is_explained_without_its_key() {
    let shop = shop(LIMITED);
    let explained = |query: &str| {
        let path = format!("/api/v1/explain?{query}");
        shop.gateway.admin_json(&path)
    };
    let refused = explained("url=/api/orders/7");
    assert_eq!(
        (&refused["status"], &refused["code"]),
        (&401.into(), &"api_key_required".into())
    );
    assert_eq!(refused["outcome"], "refused");
    assert_eq!(refused["lines"][0], "request     GET /api/orders/7");
    let keyed = explained(&format!(
        "method=POST&url=/api/orders/{KEY}&from=192.0.2.7&key={KEY}"
    ));
    assert_eq!(
        (&keyed["status"], &keyed["outcome"]),
        (&200.into(), &"forwarded".into())
    );
    assert_eq!(keyed["lines"][0], "request     POST /api/orders/[key]");
    assert!(!keyed.to_string().contains(KEY), "{keyed}");
    assert!(
        keyed
            .to_string()
            .contains("mobile-app (identified) from 192.0.2.7"),
        "{keyed}"
    );
    let as_client = explained("url=/api/orders/7&client=mobile-app");
    assert_eq!(as_client["outcome"], "forwarded");
    let by_field = |query: &str, key: &str| {
        let request = Request::get(&format!("/api/v1/explain?{query}"));
        let request = request.field("tollgate-explain-key", key);
        shop.gateway.ask_admin(request)
    };
    let keyed = by_field("url=/api/orders/7", KEY);
    assert_eq!(keyed.is(200).json()["outcome"], "forwarded");
    assert!(!keyed.text().contains(KEY), "{}", keyed.text());
    let unknown = by_field("url=/api/orders/7", "no-such-key").is(200).json();
    assert_eq!(unknown["code"], "invalid_api_key");
    assert_eq!(by_field("url=/api/orders/7", "").json()["status"], 401);
    for (query, key) in [
        ("url=/x&key=a", "a"),
        ("url=/x&client=mobile-app", "a"),
        ("url=/x", "a b"),
    ] {
        by_field(query, key).is_refusal(400, "bad_request");
    }
    // Nobody has used the key.
    let client = item(&shop.gateway, "clients", "mobile-app");
    assert_eq!(client["keys"][0]["last_used"], Value::Null);
    for wrong in [
        "",
        "url=/x&from=here",
        "url=/x&client=nobody",
        "url=/%0d%0ax",
        "url=/x&key=%0a",
        "url=/x&client=mobile-app&key=wrong",
        "url=/x&x=1",
    ] {
        let answer = shop
            .gateway
            .ask_admin(Request::get(&format!("/api/v1/explain?{wrong}")));
        answer.is_refusal(400, "bad_request");
    }
}

#[test]
fn a_key_is_explained_where_keys_are_taken_from_the_query_alone() {
    let config = format!(
        "[access]\nkey_sources = [\"query:k\"]\nprotected = [\"/\"]\n[routes]\n\"/\" = \"http://127.0.0.1:9\"\n\
         [clients.app]\nkeys = [\"{}\"]\n",
        hash_of("a+key/&=")
    );
    let gateway = Gateway::start(&with_admin(&config, ""));
    for url in ["/x", "/x?a=b"] {
        let asked = Request::get(&format!("/api/v1/explain?url={url}"));
        let answer = gateway.ask_admin(asked.field("tollgate-explain-key", "a+key/&="));
        let told = answer.is(200).json();
        assert_eq!(told["outcome"], "forwarded", "{told}");
        let text = told.to_string();
        assert!(text.contains("app (identified)"), "{text}");
        assert!(!text.contains("a+key") && !text.contains("%2B"), "{text}");
    }
}

/// A gateway for two services that are not there.
fn without_services(rules: &str) -> (Gateway, [Upstream; 2]) {
    let services = [(); 2].map(|()| Upstream::down(|_| Ok(())));
    let urls = services.each_ref().map(|one| format!("\"{}\"", one.url()));
    let config = format!(
        "[server]\nworkers = 1\n[routes]\n\"/\" = \"up\"\n[upstreams.up]\nendpoints = [{}]\n{rules}",
        urls.join(", ")
    );
    (Gateway::start(&with_admin(&config, "")), services)
}

/// Asks and explains until both say this code.
fn refused_as_explained(gateway: &Gateway, code: &str) -> Value {
    let explained = eventually("a request to be refused so", || {
        let code_of = |answer: Response| answer.json()["code"].clone();
        let told = gateway.admin_json("/api/v1/explain?url=/x");
        (code_of(gateway.ask(&Request::get("/x"))) == code && told["code"] == code).then_some(told)
    });
    assert_eq!(
        (&explained["status"], &explained["outcome"]),
        (&503.into(), &"refused".into()),
        "{explained}"
    );
    assert!(!explained.to_string().contains("picks "), "{explained}");
    explained
}

#[test]
fn endpoints_whose_checks_fail_are_explained_as_requests_find_them() {
    let (gateway, _services) =
        without_services("health = { interval = \"100ms\", down = 1 }\nbreaker = \"off\"");
    let explained = refused_as_explained(&gateway, "no_healthy_endpoint");
    let told = explained.to_string();
    assert!(told.contains("checks fail: refused"), "{told}");
    let lines = gateway.access_log(1);
    let mut lines = lines.iter();
    let line = lines.rfind(|line| line["code"] == "no_healthy_endpoint");
    let line = line.expect("a line of the refusal");
    assert_eq!(line["detail"], "endpoints: 2 whose checks fail");
}

#[test]
fn an_open_circuit_is_explained_as_requests_find_it_and_its_probe_is_left_to_them() {
    let (gateway, _services) = without_services("breaker = { failures = 1, cool_down = \"1h\" }");
    let explained = refused_as_explained(&gateway, "circuit_open");
    let told = explained.to_string();
    assert!(told.contains("requests failed: refused"), "{told}");
}

#[test]
fn what_is_refused_while_redis_is_away_is_said() {
    let told = [
        ("closed", 503, "Redis does not answer: it refuses meanwhile"),
        (
            "local",
            200,
            "Redis does not answer: it counts here meanwhile",
        ),
    ];
    each(told, |&(on_failure, status, said)| {
        let upstream = Upstream::echo();
        let mut redis = Redis::start();
        let config = format!(
            "[routes]\n\"/a\" = \"{}\"\n[server]\nworkers = 1\n\
             [limits]\nanonymous = {{ requests = 9, per = \"1h\" }}\n\
             [limits.redis]\nurl = \"{}\"\non_failure = \"{on_failure}\"\ndeadline = \"100ms\"",
            upstream.url(),
            redis.url()
        );
        let gateway = Gateway::start(&with_admin(&config, ""));
        let explained = || gateway.admin_json("/api/v1/explain?url=/a");
        let before = explained();
        assert_eq!(before["status"], 200, "{before}");
        assert!(!before.to_string().contains("Redis"), "{before}");
        redis.kill();
        gateway.wait_log("the outage", |line| line["event"] == "redis_lost");
        let without = explained();
        assert_eq!(without["status"], status, "{without}");
        assert!(without.to_string().contains(said), "{without}");
        gateway.ask(&Request::get("/a")).is(status);
        if status == 503 {
            assert_eq!(without["code"], "limiter_unavailable", "{without}");
            assert!(!without.to_string().contains("sends"), "{without}");
        }
    });
}

#[test]
fn the_endpoint_with_the_fewest_requests_is_named() {
    let services = [Upstream::echo(), Upstream::echo()];
    let urls = services.each_ref().map(Upstream::url);
    let config = format!(
        "[routes]\n\"/\" = \"up\"\n[upstreams.up]\nendpoints = [\"{}\", \"{}\"]\n",
        urls[0], urls[1]
    );
    let gateway = Gateway::start(&with_admin(&config, ""));
    let explained = || gateway.admin_json("/api/v1/explain?url=/x");
    let idle = explained().to_string();
    assert!(
        idle.contains("at the moment several may be picked"),
        "{idle}"
    );
    assert!(idle.contains("sends       GET /x\""), "{idle}");

    // A request whose body does not end is in flight.
    let mut held = gateway.connect();
    held.send(b"POST /held HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nh");
    let busy = eventually("it to reach a service", || {
        services.iter().position(|one| one.connections() > 0)
    });
    let free = &urls[1 - busy];
    let sends = format!("sends       GET {free}/x\"");
    let told = eventually("the other one to be named", || {
        Some(explained().to_string()).filter(|told| told.contains(&sends))
    });
    let picks = format!("picks       {free}, with the fewest requests in flight for its weight");
    assert!(told.contains(&picks), "{told}");
    gateway.connect().ask(&Request::get("/x")).is(200);
    assert_eq!(services[1 - busy].take().len(), 1);
}

#[test]
fn an_endpoint_that_is_left_alone_is_no_backup() {
    let [down, good] = [Upstream::down(|_| Ok(())), Upstream::echo()];
    let gateway = Gateway::start(&with_admin(
        &format!(
            "[routes]\n\"/\" = \"up\"\n[upstreams.up]\nendpoints = [\"{}\", \"{}\"]\nbalance = \"round-robin\"\nbreaker = {{ failures = 1 }}\n",
            down.url(),
            good.url()
        ),
        "",
    ));
    let picks = format!(
        "picks       {}: the other is left alone for now",
        good.url()
    );
    eventually("the circuit to open", || {
        gateway.ask(&Request::get("/x")).is(200);
        let told = gateway.admin_json("/api/v1/explain?url=/x").to_string();
        told.contains(&picks).then_some(())
    });
}
