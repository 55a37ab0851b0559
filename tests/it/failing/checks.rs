//! Endpoints that are checked: which of them get requests, when the port opens, what a reload keeps.

mod answers;
mod grpc;
mod reloads;

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};

use super::gateway;
use crate::support::{Gateway, Peer, Request, Seen, Upstream, eventually, folder_with, wait_gone};

/// The status of a check that is never answered.
const SILENT: u16 = 0;
const OFTEN: &str = "health = { interval = \"20ms\", up = 2, down = 3 }";

/// A service that answers requests with 200, and checks with a status that can be changed.
struct Service {
    upstream: Upstream,
    health: Arc<AtomicU16>,
}

impl Service {
    fn start(health: u16) -> Self {
        let status = Arc::new(AtomicU16::new(health));
        let health = Arc::clone(&status);
        Self {
            upstream: Upstream::start(move |peer| serve(peer, &status)),
            health,
        }
    }

    fn becomes(&self, health: u16) {
        self.health.store(health, Relaxed);
    }

    fn name(&self) -> Value {
        json!(self.upstream.address().to_string())
    }
}

fn serve(peer: &mut Peer, health: &AtomicU16) -> Result<(), crate::support::Gone> {
    loop {
        let request = peer.request()?;
        if request.target == "/busy" {
            peer.send("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")?;
            continue;
        }
        if !is_check(&request) {
            peer.reply(&request, b"")?;
            continue;
        }
        match health.load(Relaxed) {
            SILENT => peer.wait_closed(),
            status => peer.send(format!(
                "HTTP/1.1 {status} -\r\nContent-Length: 2\r\n\r\nok"
            ))?,
        }
    }
}

fn is_check(request: &Seen) -> bool {
    request.target.ends_with("/healthz")
}

/// How many of the requests seen since the last look were checks, and how many were not.
fn counts(upstream: &Upstream) -> (usize, usize) {
    let seen = upstream.take();
    let checks = seen.iter().filter(|one| is_check(one)).count();
    (checks, seen.len() - checks)
}

fn says(line: &Value, text: &str, service: &Service) -> bool {
    let message = line["message"].as_str();
    message.is_some_and(|message| message.contains(text)) && line["endpoint"] == service.name()
}

/// Sends so many requests, all of which are answered.
fn ask(gateway: &Gateway, times: usize) {
    let mut client = gateway.connect();
    for _ in 0..times {
        client.ask(&Request::get("/x")).is(200);
    }
}

#[test]
fn an_endpoint_that_fails_its_checks_gets_no_requests_until_they_pass() {
    let [bad, good] = [500, 200].map(Service::start);
    let gateway = gateway(&[&bad.upstream, &good.upstream], OFTEN);
    ask(&gateway, 20);
    assert_eq!(counts(&bad.upstream).1, 0);
    let line = gateway.wait_log("the endpoint to be down", |line| {
        says(line, "is down", &bad)
    });
    assert_eq!(line["reason"], "status_500");
    assert_eq!(line["upstream"], "up");
    assert_eq!(line["failures"], 1, "the first check decides");

    bad.becomes(204);
    let line = gateway.wait_log("it to be up", |line| says(line, "is up again", &bad));
    assert!(line["down_ms"].as_u64().is_some_and(|ms| ms > 0), "{line}");
    eventually("requests", || {
        ask(&gateway, 1);
        (counts(&bad.upstream).1 > 0).then_some(())
    });

    bad.becomes(503);
    let line = gateway.wait_log("it to be down again", |line| {
        says(line, "is down", &bad) && line["reason"] == "status_503"
    });
    assert_eq!(line["failures"], 3);
    assert_eq!(
        gateway
            .log()
            .iter()
            .filter(|l| says(l, "is down", &bad))
            .count(),
        2,
        "one line for each change"
    );
    assert!(!gateway.log().iter().any(|line| says(line, "is", &good)));
}

#[test]
fn a_check_is_a_request_of_the_gateways_own() {
    let service = Service::start(200);
    let (url, authority) = (
        service.upstream.url(),
        service.upstream.address().to_string(),
    );
    for (host, expected) in [
        ("preserve", &*authority),
        ("orders.internal", "orders.internal"),
    ] {
        let gateway = Gateway::start(&format!(
            "[routes]\n\"/\" = \"up\"\n[upstreams.up]\nendpoints = \"{url}/v1/\"\nhost = \"{host}\"\nhealth = {{ path = \"/live/healthz\" }}"
        ));
        let seen = service.upstream.only();
        assert_eq!((&*seen.method, &*seen.target), ("GET", "/v1/live/healthz"));
        assert_eq!(seen.fields.one("host"), Some(expected));
        assert_eq!(seen.fields.one("connection"), Some("close"));
        let agent = seen.fields.one("user-agent").expect("a name");
        assert!(agent.starts_with("tollgate-health/"), "{agent}");
        drop(gateway);
    }
}

#[test]
fn the_port_opens_after_the_first_checks() {
    let answered = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&answered);
    let slow = Upstream::start(move |peer| {
        let request = peer.request()?;
        std::thread::sleep(Duration::from_millis(300));
        counted.fetch_add(1, Relaxed);
        peer.reply(&request, b"")
    });
    let gateway = gateway(&[&slow, &Upstream::down(|_| Ok(()))], "health = {}");
    assert_eq!(answered.load(Relaxed), 1);
    let lines = gateway.log();
    let place = |text: &str| {
        lines.iter().position(|line| {
            let message = line["message"].as_str();
            message.is_some_and(|message| message.contains(text))
        })
    };
    assert!(place("is down").expect("one is") < place("listening").expect("it does"));
    ask(&gateway, 5);
}

#[test]
fn a_silent_endpoint_holds_the_port_up_for_the_time_of_a_check() {
    let [silent, good] = [SILENT, 200].map(Service::start);
    let begun = Instant::now();
    let rules = "health = { timeout = \"1s\", interval = \"20ms\" }";
    let gateway = gateway(&[&silent.upstream, &good.upstream], rules);
    let took = begun.elapsed();
    assert!(took >= Duration::from_secs(1), "{took:?}");
    gateway.wait_log("it to be down", |line| {
        says(line, "is down", &silent) && line["reason"] == "timeout"
    });
    ask(&gateway, 10);
    assert_eq!(counts(&silent.upstream).1, 0);
}

#[test]
fn a_start_with_checks_under_way_obeys_signals() {
    let silent = Service::start(SILENT);
    let folder = folder_with(&format!(
        "[routes]\n\"/\" = \"up\"\n[upstreams.up]\nendpoints = \"{}\"\nhealth = {{ timeout = \"1h\" }}",
        silent.upstream.url()
    ));
    let mut gateway = Gateway::begin_in(folder);
    silent.upstream.wait_for_connections(1);
    gateway.signal(Signal::TERM);
    assert_eq!(gateway.wait_exit().code(), Some(0));
}

#[test]
fn with_all_endpoints_down_requests_are_refused() {
    let services = [500, 404].map(Service::start);
    let gateway = gateway(&services.each_ref().map(|one| &one.upstream), OFTEN);
    let response = gateway.ask(&Request::get("/x"));
    response.is_refusal(503, "no_healthy_endpoint");
    let seconds = response.fields.one("retry-after");
    let seconds = seconds.and_then(|seconds| seconds.parse::<u64>().ok());
    assert!(
        seconds.is_some_and(|it| (1..=60).contains(&it)),
        "{seconds:?}"
    );
    for service in &services {
        assert_eq!(counts(&service.upstream).1, 0);
    }
}

#[test]
fn checks_alone_do_not_take_out_the_last_endpoint_that_serves() {
    for breaker in ["", "breaker = \"off\""] {
        let service = Service::start(200);
        let rules =
            format!("{OFTEN}\nretry = \"off\"\n{breaker}\n[admin]\nlisten = \"127.0.0.1:0\"");
        let gateway = gateway(&[&service.upstream], &rules);
        ask(&gateway, 1);
        service.becomes(500);
        gateway.wait_log("it to be down", |line| says(line, "is down", &service));
        ask(&gateway, 5);
        // Nor does the operator hear anything else.
        gateway.ask_admin(Request::get("/readyz")).is(200);
        let metrics = gateway.ask_admin(Request::get("/metrics"));
        let up = format!(
            "tollgate_endpoint_up{{upstream=\"up\",endpoint=\"{}\"}} 1",
            service.upstream.address()
        );
        assert!(metrics.text().contains(&up), "{}", metrics.text());
        let upstreams = gateway.admin_json("/api/v1/upstreams");
        let endpoint = &upstreams["items"][0]["endpoints"][0];
        let why = endpoint["why"].as_str().expect("what the checks say");
        assert!(
            why.starts_with("checks fail: status_500; it answers"),
            "{why}"
        );
        assert_eq!(endpoint["state"], "up");

        // One failure of the service's own is no reason either.
        gateway.ask(&Request::get("/busy")).is(503);
        std::thread::sleep(Duration::from_millis(1100));
        ask(&gateway, 5);
    }
}

#[test]
fn an_endpoint_that_serves_though_its_checks_fail_serves_after_a_hand_over() {
    let service = Service::start(200);
    let mut gateway = gateway(&[&service.upstream], OFTEN);
    ask(&gateway, 1);
    service.becomes(500);
    gateway.wait_log("it to be down", |line| says(line, "is down", &service));
    for _ in 0..2 {
        // While the old one drains it gives a connection a second to ask, which a busy machine may miss.
        wait_gone(gateway.hand_over());
        ask(&gateway, 5);
    }
}

#[test]
fn requests_that_fail_for_a_second_end_the_use_of_an_endpoint_that_is_down() {
    let health = Arc::new(AtomicU16::new(200));
    let status = Arc::clone(&health);
    let upstream = Upstream::start(move |peer| {
        let request = peer.request()?;
        match status.load(Relaxed) {
            500 if !is_check(&request) => Err(crate::support::Gone),
            status => peer.send(format!("HTTP/1.1 {status} -\r\nContent-Length: 0\r\n\r\n")),
        }
    });
    let rules = format!("{OFTEN}\nbreaker = \"off\"\nretry = \"off\"");
    let gateway = gateway(&[&upstream], &rules);
    ask(&gateway, 1);
    health.store(500, Relaxed);
    gateway.wait_log("it to be down", |line| line["reason"] == "status_500");
    gateway
        .ask(&Request::get("/x"))
        .is_refusal(502, "upstream_reset");
    let begun = Instant::now();
    let refused = eventually("a refusal", || {
        let response = gateway.ask(&Request::get("/x"));
        (response.status == 503).then_some(response)
    });
    assert!(begun.elapsed() >= Duration::from_millis(900));
    refused.is_refusal(503, "no_healthy_endpoint");
}

#[test]
fn an_endpoint_has_one_check_at_a_time() {
    let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (now, max) = (Arc::clone(&running), Arc::clone(&most));
    let slow = Upstream::start(move |peer| {
        let request = peer.request()?;
        max.fetch_max(now.fetch_add(1, Relaxed) + 1, Relaxed);
        std::thread::sleep(Duration::from_millis(50));
        now.fetch_sub(1, Relaxed);
        peer.reply(&request, b"")
    });
    let gateway = Gateway::start(&format!(
        "[server]\nworkers = 4\n[routes]\n\"/\" = \"up\"\n[upstreams.up]\nendpoints = \"{}\"\nhealth = {{ interval = \"10ms\" }}",
        slow.url()
    ));
    slow.wait_for_connections(10);
    drop(gateway);
    assert_eq!(most.load(Relaxed), 1);
}

#[test]
fn a_hung_check_delays_neither_others_nor_the_exit() {
    let [hung, other] = [200, 200].map(Service::start);
    let rules = "health = { interval = \"20ms\", timeout = \"1h\" }";
    let mut gateway = gateway(&[&hung.upstream, &other.upstream], rules);
    hung.becomes(SILENT);
    hung.upstream.take();
    let before = other.upstream.connections();
    other.upstream.wait_for_connections(before + 10);
    // The one that hangs, and one that was under way.
    assert!(counts(&hung.upstream).0 <= 2);
    gateway.signal(Signal::TERM);
    let begun = Instant::now();
    assert_eq!(gateway.wait_exit().code(), Some(0));
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_check_that_passes_closes_a_circuit() {
    let fails = Arc::new(AtomicU16::new(503));
    let status = Arc::clone(&fails);
    let service = Upstream::start(move |peer| {
        loop {
            let request = peer.request()?;
            let status = if is_check(&request) {
                200
            } else {
                status.load(Relaxed)
            };
            peer.send(format!("HTTP/1.1 {status} -\r\nContent-Length: 0\r\n\r\n"))?;
        }
    });
    let rules = "health = { interval = \"1s\" }\nretry = \"off\"";
    let gateway = gateway(&[&service], rules);
    eventually("the circuit to open", || {
        let response = gateway.ask(&Request::get("/x"));
        response.text().contains("circuit_open").then_some(())
    });
    fails.store(200, Relaxed);
    service.take();
    let begun = Instant::now();
    eventually("the circuit to close", || {
        (gateway.ask(&Request::get("/x")).status == 200).then_some(())
    });
    // A request would have waited for five seconds.
    assert!(begun.elapsed() < Duration::from_secs(4));
    assert!(is_check(&service.take()[0]));
}

#[test]
fn requests_do_not_probe_what_checks_do() {
    let bad = Upstream::start(|peer| {
        let request = peer.request()?;
        if is_check(&request) {
            return peer.reply(&request, b"");
        }
        Err(crate::support::Gone)
    });
    let good = Service::start(200);
    for (health, probed) in [("", true), ("health = { interval = \"1h\" }", false)] {
        let rules = format!(
            "balance = \"round-robin\"\nbreaker = {{ failures = 1, cool_down = \"20ms\" }}\n{health}"
        );
        let gateway = gateway(&[&bad, &good.upstream], &rules);
        eventually("the circuit to open", || {
            ask(&gateway, 1);
            gateway
                .log_text()
                .contains("a circuit has opened")
                .then_some(())
        });
        bad.take();
        for _ in 0..10 {
            std::thread::sleep(Duration::from_millis(20));
            ask(&gateway, 1);
        }
        assert_eq!(counts(&bad).1 > 0, probed, "{health}");
    }
}
