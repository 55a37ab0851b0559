//! Upstreams: what is written of one becomes its rules, and what is written of all.

use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::route::SentHost;
use crate::upstream::{
    Balance, BreakerRules, CapacityRules, HashBy, HealthCall, HealthRules, MaxRequests, RetryRules,
    Rules, Statuses, Upstream,
};
use crate::wire::proxy_protocol::Version;

const MS: Duration = Duration::from_millis(1);

/// The upstream called `u` in a configuration.
fn upstream(text: &str) -> Arc<Upstream> {
    named(&good(text), "u")
}

fn named(loaded: &Loaded, name: &str) -> Arc<Upstream> {
    let mut upstreams = loaded.snapshot.upstreams.iter();
    let found = upstreams.find(|one| &*one.name == name);
    Arc::clone(found.expect("an upstream of that name"))
}

/// The rules of an upstream with these lines.
fn rules(lines: &str) -> Rules {
    let text = format!("[upstreams.u]\nendpoints = \"http://h\"\n{lines}\n");
    upstream(&text).rules.clone()
}

#[track_caller]
fn assert_defaults(rules: &Rules) {
    let Rules {
        balance,
        connect_timeout,
        try_timeout,
        idle_timeout,
        max_idle,
        slow_start,
        breaker,
        retry,
        health,
        capacity,
        proxy_protocol,
    } = Rules::default();
    assert_eq!(rules.balance, balance);
    assert_eq!(rules.connect_timeout, connect_timeout);
    assert_eq!(rules.try_timeout, try_timeout);
    assert_eq!(rules.idle_timeout, idle_timeout);
    assert_eq!(rules.max_idle, max_idle);
    assert_eq!(rules.slow_start, slow_start);
    assert_eq!(rules.breaker, breaker);
    assert_eq!(rules.retry, retry);
    assert_eq!(rules.health, health);
    assert_eq!(rules.capacity, capacity);
    assert_eq!(rules.proxy_protocol, proxy_protocol);
}

#[test]
fn without_a_word_the_defaults_hold() {
    assert_defaults(&rules(""));
    assert_defaults(&rules(
        "[upstreams.u.breaker]\n[upstreams.u.retry.budget]\n",
    ));
    let loaded = good("[routes]\n\"/a\" = \"http://h\"\n");
    assert_defaults(&loaded.snapshot.upstreams[0].rules);
}

const WRITTEN: &str = r#"
    [upstreams.u]
    endpoints = [
      "http://a:1/v",
      { url = "http://b:1/v", weight = 2 },
      { url = "http://c:1/v", weight = 0, backup = true },
    ]
    balance = "hash"
    hash_by = "cookie:session"
    connect_timeout = "1s"
    try_timeout = "2s"
    idle_timeout = "3s"
    protocol = "http1"
    keep = 4
    max_requests = 5
    max_waiting = 6
    queue_timeout = "7s"
    slow_start = "8s"
    proxy_protocol = "v2"
    [upstreams.u.health]
    path = "/up?deep=1"
    interval = "100ms"
    timeout = "50ms"
    up = 1
    down = 9
    statuses = [204, "300-301"]
    [upstreams.u.breaker]
    failures = 5
    cool_down = "10s"
    statuses = "500-599"
    [upstreams.u.retry]
    attempts = 1
    budget = { percent = 50, per_second = 0 }
    body = "64MiB"
    statuses = []
"#;

#[test]
fn endpoints_are_as_written() {
    let upstream = upstream(WRITTEN);
    let endpoints = upstream.endpoints.iter();
    let endpoints: Vec<_> = endpoints
        .map(|one| (one.url.to_string(), one.weight, one.backup))
        .collect();
    assert_eq!(
        endpoints,
        [
            ("http://a:1/v".to_owned(), 1, false),
            ("http://b:1/v".to_owned(), 2, false),
            ("http://c:1/v".to_owned(), 0, true),
        ]
    );
}

#[test]
fn rules_are_as_written() {
    let rules = upstream(WRITTEN).rules.clone();
    assert_eq!(
        rules.balance,
        Balance::Hash(HashBy::Cookie("session".into()))
    );
    assert_eq!(rules.connect_timeout, 1000 * MS);
    assert_eq!(rules.try_timeout, Some(2000 * MS));
    assert_eq!(rules.idle_timeout, 3000 * MS);
    assert_eq!(rules.max_idle, 4);
    assert_eq!(rules.slow_start, Some(8000 * MS));
    assert_eq!(rules.proxy_protocol, Some(Version::V2));
    let capacity = CapacityRules {
        max_requests: MaxRequests::Fixed(5),
        max_waiting: 6,
        queue_timeout: 7000 * MS,
    };
    assert_eq!(rules.capacity, Some(capacity));
    let health = HealthRules {
        call: HealthCall::Http {
            path: "/up?deep=1".into(),
            statuses: Statuses::of(&[204, 300, 301]),
        },
        interval: 100 * MS,
        timeout: 50 * MS,
        up: 1,
        down: 9,
        host: None,
    };
    assert_eq!(rules.health.as_deref(), Some(&health));
    let mut statuses = Statuses::default();
    statuses.add(500, 599);
    let breaker = BreakerRules {
        failures: 5,
        cool_down: 10_000 * MS,
        statuses,
    };
    assert_eq!(rules.breaker, Some(breaker));
    let retry = RetryRules {
        attempts: 1,
        percent: 50,
        per_second: 0,
        body: 64 * 1024 * 1024,
        statuses: Statuses::default(),
    };
    assert_eq!(rules.retry, Some(retry));
}

#[test]
fn what_is_off_is_not_there() {
    let off = rules(
        "max_requests = \"off\"\nslow_start = \"off\"\nproxy_protocol = \"off\"\ntry_timeout = \"off\"\nhealth = \"off\"\nbreaker = \"off\"\nretry = \"off\"",
    );
    assert!(off.capacity.is_none() && off.slow_start.is_none() && off.try_timeout.is_none());
    assert!(off.proxy_protocol.is_none());
    assert!(off.health.is_none() && off.breaker.is_none() && off.retry.is_none());
    assert!(rules("retry = { attempts = 0 }").retry.is_none());
    let adaptive = rules("max_requests = \"adaptive\"").capacity.unwrap();
    assert_eq!(adaptive.max_requests, MaxRequests::Adaptive);
}

#[test]
fn an_endpoint_is_picked_as_is_written() {
    for (lines, balance) in [
        ("balance = \"least-requests\"", Balance::LeastRequests),
        ("balance = \"round-robin\"", Balance::RoundRobin),
        ("balance = \"hash\"", Balance::Hash(HashBy::Client)),
        (
            "balance = \"hash\"\nhash_by = \"ip\"",
            Balance::Hash(HashBy::Ip),
        ),
        (
            "balance = \"hash\"\nhash_by = \"header:X-Tenant\"",
            Balance::Hash(HashBy::Header("x-tenant".parse().unwrap())),
        ),
    ] {
        assert_eq!(rules(lines).balance, balance, "{lines}");
    }
}

const INHERITED: &str = r#"
    [routes]
    "/u" = "u"
    "/own" = "own"
    "/url" = "http://url"
    [upstream_defaults]
    keep = 7
    host = "endpoint"
    [upstream_defaults.health]
    interval = "1s"
    timeout = "100ms"
    statuses = 204
    [upstream_defaults.retry]
    budget = { percent = 5 }
    [upstreams.u]
    endpoints = "http://h"
    [upstreams.own]
    endpoints = "http://own"
    keep = 8
    host = "name.test"
    health = { timeout = "200ms", statuses = [200] }
    breaker = "off"
    retry = { budget = { per_second = 1 } }
    [upstreams.off]
    endpoints = "http://off"
    health = "off"
    retry = "off"
"#;

fn statuses(health: &HealthRules) -> &Statuses {
    match &health.call {
        HealthCall::Http { statuses, .. } => statuses,
        other @ HealthCall::Grpc { .. } => panic!("{other:?}"),
    }
}

#[test]
fn what_is_said_of_all_holds_where_an_upstream_says_nothing() {
    let loaded = good(INHERITED);
    for name in ["u", "http://url:80"] {
        let Rules {
            max_idle,
            health,
            retry,
            breaker,
            ..
        } = named(&loaded, name).rules.clone();
        assert_eq!(max_idle, 7, "{name}");
        let health = health.expect("checks");
        assert_eq!(health.interval, 1000 * MS);
        assert_eq!(health.timeout, 100 * MS);
        assert_eq!(statuses(&health), &Statuses::of(&[204]));
        let retry = retry.expect("retries");
        assert_eq!((retry.percent, retry.per_second), (5, 10));
        assert_eq!(breaker, Some(BreakerRules::default()));
    }
    let own = named(&loaded, "own").rules.clone();
    assert_eq!(own.max_idle, 8);
    let health = own.health.expect("checks");
    assert_eq!(health.interval, 1000 * MS);
    assert_eq!(health.timeout, 200 * MS);
    assert_eq!(statuses(&health), &Statuses::of(&[200]));
    assert_eq!(health.host.as_deref(), Some("name.test"));
    let retry = own.retry.expect("retries");
    assert_eq!((retry.percent, retry.per_second), (5, 1));
    assert!(own.breaker.is_none());
    let off = named(&loaded, "off").rules.clone();
    assert!(off.health.is_none() && off.retry.is_none());
}

#[test]
fn what_is_off_for_all_may_be_on_for_one() {
    let loaded = good(
        "[upstream_defaults]\nbreaker = \"off\"\nhealth = \"off\"\n\
         [upstreams.u]\nendpoints = \"http://h\"\nbreaker = { failures = 9 }\nhealth = {}\n\
         [upstreams.v]\nendpoints = \"http://h\"\n",
    );
    let rules = named(&loaded, "u").rules.clone();
    assert_eq!(rules.breaker.map(|it| it.failures), Some(9));
    assert!(rules.health.is_some());
    assert!(named(&loaded, "v").rules.breaker.is_none());
}

#[test]
fn a_route_says_which_host_is_sent_or_else_its_upstream() {
    let text = format!(
        "{INHERITED}[[route]]\nprefix = \"/mine\"\nupstream = \"own\"\nhost = \"preserve\"\n[[route]]\nprefix = \"/moved\"\nredirect = \"/u\"\n"
    );
    let loaded = good(&text);
    for (prefix, host) in [
        ("/u", SentHost::Endpoint),
        ("/url", SentHost::Endpoint),
        ("/own", SentHost::Name("name.test".into())),
        ("/mine", SentHost::Preserve),
        ("/moved", SentHost::Preserve),
    ] {
        let mut routes = loaded.snapshot.routes.routes().iter();
        let route = routes
            .find(|route| route.prefix.as_str() == prefix)
            .unwrap();
        assert_eq!(route.host, host, "{prefix}");
    }
}

/// What is logged when one text is replaced by another.
fn between(old: &str, new: &str) -> Vec<String> {
    reload(&good(old), &good(new))
}

#[test]
fn a_reload_says_which_rules_changed() {
    let with =
        |lines: &str| format!("[upstreams.u]\nendpoints = [\"http://a\", \"http://b\"]\n{lines}\n");
    let old = with("");
    for (lines, said) in table(
        r#"
        balance = "round-robin" => `upstreams.u.balance`: least-requests -> round-robin
        hash_by = "ip" => `upstreams.u.hash_by`: client -> ip
        host = "endpoint" => `upstreams.u.host`: preserve -> endpoint
        protocol = "http1" => `upstreams.u.protocol`: auto -> http1
        try_timeout = "1s" => `upstreams.u.try_timeout`: off -> 1s
        slow_start = "1m" => `upstreams.u.slow_start`: off -> 1m
        proxy_protocol = "v1" => `upstreams.u.proxy_protocol`: off -> v1
        max_requests = "adaptive" => `upstreams.u.max_requests`: off -> adaptive
        max_requests = 10 => `upstreams.u.max_requests`: off -> 10
        max_waiting = 10 => `upstreams.u.max_waiting`: 0 -> 10
        queue_timeout = "2s" => `upstreams.u.queue_timeout`: 1s -> 2s
        health = {} => `upstreams.u.health`: off -> {}
        health = { grpc = "a.B" } => `upstreams.u.health`: off -> { grpc = a.B }
        breaker = "off" => `upstreams.u.breaker`: {} -> off
        breaker = { failures = 5 } => `upstreams.u.breaker.failures`: 3 -> 5
        breaker = { statuses = [502, "503-504"] } => `upstreams.u.breaker.statuses`: added 503-504; removed 503, 504
        retry = { budget = { percent = 30 } } => `upstreams.u.retry.budget.percent`: 20 -> 30
        retry = { body = "1MiB" } => `upstreams.u.retry.body`: 64KiB -> 1MiB
        "#,
    ) {
        assert_eq!(between(&old, &with(&lines)), [format!("Applied: {said}")]);
    }
    let weighted = old.replace("\"http://b\"", "{ url = \"http://b\", weight = 3 }");
    assert_eq!(
        between(&old, &weighted),
        ["Applied: `upstreams.u.endpoints`: http://b:80: weight 1 -> 3"]
    );
}

#[test]
fn what_changes_for_all_is_said_once() {
    let new = INHERITED
        .replace("keep = 7", "keep = 9")
        .replace("204", "205");
    assert_eq!(
        between(INHERITED, &new),
        [
            "Applied: `upstream_defaults.keep`: 7 -> 9",
            "Applied: `upstream_defaults.health.statuses`: 204 -> 205",
        ]
    );
    // The upstream that says it itself changes alone.
    let own = INHERITED.replace("keep = 8", "");
    assert_eq!(
        between(INHERITED, &own),
        ["Applied: `upstreams.own.keep`: 8 -> 7"]
    );
}
