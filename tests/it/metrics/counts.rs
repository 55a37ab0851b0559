//! Counters equal what was sent and what the log says.

use std::collections::BTreeMap;

use crate::support::{Gateway, KEY, Request, Upstream, as_many_as, eventually, hash_of};

use super::{counted, start};

const CONNECTIONS: usize = 8;

/// By status, of the answers and of the log.
type ByStatus = BTreeMap<u64, usize>;

/// Five kinds of requests, each with the status that it gets; of those that are limited only some.
fn mix(nth: usize) -> Request {
    match nth % 5 {
        0 => Request::get("/api/orders/1").with_key(),
        1 => Request::get("/api/orders/1"),
        2 => Request::get("/nothing/here"),
        3 => Request::get("/api/limited/1").field("x-api-key", "the-limited-one"),
        _ => Request::get("/api/dead/1"),
    }
}

fn gateway(service: &Upstream, dead: &Upstream) -> Gateway {
    start(&format!(
        r#"
server.workers = 4
[routes]
"/api/orders" = "{service}"
"/api/limited" = {{ upstream = "{service}", limits = ["few"] }}
"/api/dead" = "{dead}"
[access]
protected = ["/api/orders"]
[clients]
mobile-app = {{ keys = ["{key}"] }}
limited = {{ keys = ["{limited}"] }}
[limits.policies]
few = {{ requests = 100, per = "1h" }}
[upstream_defaults]
breaker = "off"
retry = "off"
"#,
        service = service.url(),
        dead = dead.url(),
        key = hash_of(KEY),
        limited = hash_of("the-limited-one"),
    ))
}

/// Sends them, as many on each connection, and says what came.
fn send(gateway: &Gateway, requests: usize) -> ByStatus {
    let share = requests / CONNECTIONS;
    let connection = |number: usize| {
        let mut client = gateway.connect();
        let mut seen = ByStatus::new();
        for nth in 0..share {
            let answer = client.ask(&mix(number + nth));
            *seen.entry(answer.status.into()).or_default() += 1;
        }
        seen
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..CONNECTIONS)
            .map(|number| scope.spawn(move || connection(number)))
            .collect();
        let mut all = ByStatus::new();
        for thread in threads {
            for (status, count) in thread.join().expect("a client") {
                *all.entry(status).or_default() += count;
            }
        }
        all
    })
}

#[test]
fn all_counters_equal_what_was_sent_and_what_the_log_says() {
    let (service, dead) = (Upstream::echo(), Upstream::down(|_| Ok(())));
    let gateway = gateway(&service, &dead);
    let requests = as_many_as("TOLLGATE_COUNTED", 8_000) / CONNECTIONS * CONNECTIONS;
    let sent = send(&gateway, requests);
    let total = "tollgate_requests_total";
    let scrape = counted(&gateway, requests as f64);
    for (status, count) in &sent {
        let label = format!("status=\"{status}\"");
        assert_eq!(scrape.sum(total, &[&label]), *count as f64, "{status}");
    }
    assert_eq!(
        sent.keys().copied().collect::<Vec<_>>(),
        [200, 401, 404, 429, 502]
    );
    assert_eq!(scrape.sum(total, &[]), requests as f64);
    for (code, status) in [
        ("api_key_required", 401),
        ("no_route", 404),
        ("rate_limited", 429),
        ("upstream_unreachable", 502),
    ] {
        let series = format!("tollgate_rejections_total{{code=\"{code}\"}}");
        assert_eq!(scrape.get(&series), sent[&status] as f64, "{code}");
    }
    for family in [
        "tollgate_request_duration_seconds",
        "tollgate_gateway_overhead_seconds",
    ] {
        let count = scrape.sum(&format!("{family}_count"), &[]);
        let last = scrape.sum(&format!("{family}_bucket"), &["le=\"+Inf\""]);
        assert_eq!(
            (count, last),
            (requests as f64, requests as f64),
            "{family}"
        );
    }
    let limited = sent[&429] as f64;
    let outcome = |family: &str, labels: &[&str]| scrape.sum(family, labels);
    let decisions = "tollgate_rate_limit_decisions_total";
    assert_eq!(
        outcome(decisions, &["policy=\"few\"", "outcome=\"limited\""]),
        limited
    );
    assert_eq!(
        outcome(decisions, &["policy=\"few\"", "outcome=\"allowed\""]),
        100.0
    );
    let clients = "tollgate_client_requests_total";
    assert_eq!(
        outcome(clients, &["client=\"limited\"", "outcome=\"limited\""]),
        limited
    );
    assert_eq!(
        outcome(clients, &["client=\"limited\"", "outcome=\"served\""]),
        100.0
    );
    let tries = "tollgate_upstream_requests_total";
    assert_eq!(outcome(tries, &["outcome=\"ok\""]), sent[&200] as f64);
    assert_eq!(outcome(tries, &["outcome=\"refused\""]), sent[&502] as f64);
    assert_eq!(outcome("tollgate_requests_in_flight", &[]), 0.0);
    let mut logged = ByStatus::new();
    for line in gateway.access_log(requests) {
        let status = line["status"].as_u64().expect("a status");
        *logged.entry(status).or_default() += 1;
    }
    assert_eq!(logged, sent);
}

#[test]
fn health_checks_do_not_count() {
    let gateway = start("");
    gateway.ask(&Request::get("/health")).is(200);
    gateway.ask(&Request::get("/x")).is(404);
    assert_eq!(
        counted(&gateway, 1.0).sum("tollgate_requests_total", &[]),
        1.0
    );
}

#[test]
fn a_key_out_of_its_time_is_counted_as_refused_for_its_client() {
    let service = Upstream::echo();
    let gateway = start(&format!(
        r#"
[routes]
"/" = "{}"
[access]
key_sources = ["header", "cookie:key"]
[clients.late]
keys = [{{ hash = "{}", expires_at = "2020-01-01T00:00:00Z" }}]
[clients.early]
keys = [{{ hash = "{}", not_before = "2999-01-01T00:00:00Z" }}]
[limits]
invalid_keys = {{ requests = 5, per = "1h" }}
anonymous = {{ requests = 1, per = "1h" }}
"#,
        service.url(),
        hash_of("the-late-key"),
        hash_of("the-early-key"),
    ));
    // Out of a cookie it is no reason to refuse what is public.
    let cookie = Request::get("/x").field("cookie", "key=the-late-key");
    gateway.ask(&cookie).is(200);
    // Nor is it what another limit refuses for.
    gateway.ask(&cookie).is(429);
    let with = |key: &str| {
        gateway
            .ask(&Request::get("/x").field("x-api-key", key))
            .status
    };
    let sent = ["the-late-key", "the-early-key", "nobody's", "the-late-key"].map(with);
    assert_eq!(sent, [401, 401, 401, 429]);
    let of = |client: &str, outcome: &str| {
        let (client, outcome) = (
            format!("client=\"{client}\""),
            format!("outcome=\"{outcome}\""),
        );
        counted(&gateway, 6.0).sum("tollgate_client_requests_total", &[&client, &outcome])
    };
    assert_eq!((of("late", "refused"), of("early", "refused")), (2.0, 1.0));
    for outcome in ["served", "limited", "failed"] {
        assert_eq!(of("late", outcome), 0.0, "{outcome}");
    }
}

#[test]
fn what_is_under_way_and_connected_is_seen() {
    let service = Upstream::start(|peer| {
        peer.request()?;
        peer.wait_closed();
        Ok(())
    });
    let gateway = start(&format!("[routes]\n\"/\" = \"{}\"", service.url()));
    let mut client = gateway.connect();
    client.send(Request::get("/x").bytes());
    eventually("the request to be seen", || {
        let scrape = gateway.scrape();
        let route = scrape.get("tollgate_requests_in_flight{route=\"/\"}");
        let clients = scrape.get("tollgate_connections{side=\"client\",protocol=\"http\"}");
        let services = scrape.get("tollgate_connections{side=\"upstream\",protocol=\"http\"}");
        ((route, clients, services) == (1.0, 1.0, 1.0)).then_some(())
    });
    drop(client);
    eventually("the end to be seen", || {
        let scrape = gateway.scrape();
        let route = scrape.get("tollgate_requests_in_flight{route=\"/\"}");
        let clients = scrape.get("tollgate_connections{side=\"client\",protocol=\"http\"}");
        let left = scrape.get("tollgate_rejections_total{code=\"client_closed\"}");
        ((route, clients, left) == (0.0, 0.0, 1.0)).then_some(())
    });
}
