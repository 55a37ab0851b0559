//! A service is protected from too many requests: so many at once, so many that wait, so long.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Client, Gateway, Gone, PATIENCE, Peer, Request, Upstream, eventually};

/// Lets requests for `/held` be answered once it is opened.
#[derive(Clone, Default)]
struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    fn open(&self) {
        *self.0.0.lock().expect("no test fails with it locked") = true;
        self.0.1.notify_all();
    }

    fn wait(&self) {
        let open = self.0.0.lock().expect("no test fails with it locked");
        let _ = self.0.1.wait_timeout_while(open, PATIENCE, |open| !*open);
    }

    /// A service behind it.
    fn service(&self) -> Upstream {
        let gate = self.clone();
        Upstream::start(move |peer| {
            loop {
                let request = peer.request()?;
                match &*request.target {
                    "/held" => gate.wait(),
                    "/reset" => {
                        peer.reset();
                        return Err(Gone);
                    }
                    "/swallowed" => peer.wait_closed(),
                    _ => {}
                }
                peer.reply(&request, b"")?;
            }
        })
    }
}

fn config(service: &Upstream, workers: usize, rules: &str) -> String {
    let url = service.url();
    format!(
        "[server]\nworkers = {workers}\n[routes]\n\"/\" = \"up\"\n[upstreams.up]\nendpoints = [\"{url}\"]\nbreaker = \"off\"\n{rules}"
    )
}

/// With one worker, a place is free again before the client can have read its answer, and
/// requests arrive in the order in which they were sent.
fn gateway(service: &Upstream, rules: &str) -> Gateway {
    Gateway::start(&config(service, 1, rules))
}

/// A client whose connection the gateway has accepted.
fn client(gateway: &Gateway) -> Client {
    let mut client = gateway.connect();
    client.ask(&Request::get("/health")).is(200);
    client
}

/// Sends a request that the gateway has begun to serve when this returns.
fn send(gateway: &Gateway, client: &mut Client, target: &str) {
    let mut other = self::client(gateway);
    client.send(Request::get(target).bytes());
    other.ask(&Request::get("/health")).is(200);
}

/// A client whose request is held by the service.
fn held(gateway: &Gateway, service: &Upstream) -> Client {
    let mut client = client(gateway);
    send(gateway, &mut client, "/held");
    service.wait_for("the request", |seen| seen.target == "/held");
    client
}

fn is_refused(gateway: &Gateway) {
    let refused = gateway.ask(&Request::get("/x"));
    refused.is_refusal(503, "overloaded");
    assert_eq!(refused.fields.one("retry-after"), Some("1"));
}

/// Once the gateway has noticed what frees its place, a request is served.
fn is_served_soon(gateway: &Gateway) {
    eventually("a place", || {
        (gateway.ask(&Request::get("/x")).status == 200).then_some(())
    });
}

fn details(lines: &[Value]) -> Vec<&str> {
    let refused = lines.iter().filter(|line| line["code"] == "overloaded");
    refused.filter_map(|line| line["detail"].as_str()).collect()
}

#[test]
fn a_service_has_no_more_requests_than_it_may_have() {
    let (at_once, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let service = Upstream::start({
        let (at_once, most) = (Arc::clone(&at_once), Arc::clone(&most));
        move |peer| {
            loop {
                let request = peer.request()?;
                most.fetch_max(at_once.fetch_add(1, Relaxed) + 1, Relaxed);
                sleep(Duration::from_millis(2));
                at_once.fetch_sub(1, Relaxed);
                peer.reply(&request, b"")?;
            }
        }
    });
    let rules = "max_requests = 3\nmax_waiting = 100\nqueue_timeout = \"10s\"";
    let gateway = Gateway::start(&config(&service, 2, rules));
    scope(|scope| {
        for _ in 0..20 {
            scope.spawn(|| {
                let mut client = gateway.connect();
                for _ in 0..10 {
                    client.ask_among_many(&Request::get("/x")).is(200);
                }
            });
        }
    });
    assert_eq!(most.load(Relaxed), 3);
}

#[test]
fn requests_that_wait_are_served_in_order() {
    let (gate, rules) = (Gate::default(), "max_requests = 1\nmax_waiting = 9");
    let service = gate.service();
    let gateway = gateway(&service, &format!("{rules}\nqueue_timeout = \"10s\""));
    let mut first = held(&gateway, &service);
    let mut clients: Vec<_> = (0..9).map(|_| client(&gateway)).collect();
    for (nth, client) in clients.iter_mut().enumerate() {
        send(&gateway, client, &format!("/{nth}"));
    }
    is_refused(&gateway);
    gate.open();
    for client in std::iter::once(&mut first).chain(&mut clients) {
        client.answer().is(200);
    }
    let seen: Vec<_> = service.take().into_iter().map(|seen| seen.target).collect();
    let wanted: Vec<_> = (0..9).map(|nth| format!("/{nth}")).collect();
    assert_eq!(seen[1..], wanted);
}

#[test]
fn only_so_many_wait_and_not_for_long() {
    let (gate, rules) = (Gate::default(), "max_requests = 1\nmax_waiting = 1");
    let service = gate.service();
    let gateway = gateway(&service, &format!("{rules}\nqueue_timeout = \"1500ms\""));
    let mut first = held(&gateway, &service);
    let mut second = client(&gateway);
    let begun = Instant::now();
    send(&gateway, &mut second, "/x");
    is_refused(&gateway);
    let at_once = begun.elapsed();
    second.answer().is_refusal(503, "overloaded");
    let waited = begun.elapsed();
    assert!(waited >= Duration::from_millis(1500), "{waited:?}");
    assert!(at_once < waited);
    gate.open();
    first.answer().is(200);
    second.ask(&Request::get("/x")).is(200);
    gateway.wait_log("that it is full", |line| {
        line["upstream"] == "up" && line["max_requests"] == 1 && line["level"] == "WARN"
    });
    let lines = gateway.finish();
    let why = "`up` has max_requests = 1 in flight";
    assert_eq!(
        details(&lines),
        [
            format!("{why}, and max_waiting = 1 waiting"),
            format!("{why}, and none ended within queue_timeout = 1.5s")
        ]
    );
    let refused = lines.iter().find(|line| line["code"] == "overloaded");
    let refused = refused.expect("two were");
    assert_eq!(
        (&refused["upstream"], &refused["attempts"]),
        (&json!("up"), &json!(0))
    );
}

/// The first request has its place for longer than that, for its answer has begun.
#[test]
fn the_routes_time_counts_while_a_request_waits_for_a_place() {
    let service = Upstream::start(|peer| {
        if peer.request()?.target == "/long" {
            peer.send("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n")?;
        }
        peer.wait_closed();
        Err(Gone)
    });
    let rules = "max_requests = 1\nmax_waiting = 1\nqueue_timeout = \"20s\"";
    let routes = "\"/\" = { upstream = \"up\", timeout = \"3s\" }\n\
                  \"/short\" = { upstream = \"up\", timeout = \"300ms\" }";
    let config = config(&service, 1, rules).replace("\"/\" = \"up\"", routes);
    let gateway = Gateway::start(&config);
    let mut first = client(&gateway);
    first.send(Request::get("/long").bytes());
    first.head().is(200);
    let refused = gateway.ask(&Request::post("/short", "hello"));
    refused.is_refusal(503, "overloaded");
    let mut second = client(&gateway);
    send(&gateway, &mut second, "/swallowed");
    sleep(Duration::from_millis(1500));
    first.reset();
    let begun = Instant::now();
    second.answer().is_refusal(504, "upstream_timeout");
    let left = begun.elapsed();
    assert!(left < Duration::from_millis(2900), "{left:?}");
    let why = "`up` has max_requests = 1 in flight, and none ended within timeout = 300ms";
    assert_eq!(details(&gateway.finish()), [why]);
}

#[test]
fn a_place_is_free_once_its_exchange_has_ended_in_any_way() {
    let service = Gate::default().service();
    let gateway = gateway(&service, "max_requests = 1\ntry_timeout = \"700ms\"");
    for _ in 0..3 {
        let mut asked = client(&gateway);
        asked.ask(&Request::get("/x")).is(200);
        asked.ask(&Request::post("/reset", "x")).is(502);
        asked.ask(&Request::get("/x")).is(200);
        asked.ask(&Request::get("/swallowed")).is(504);
        asked.ask(&Request::get("/x")).is(200);
        // With two more tries.
        asked.ask(&Request::get("/reset")).is(502);
        asked.ask(&Request::get("/x")).is(200);
        let leaves = held(&gateway, &service);
        is_refused(&gateway);
        leaves.reset();
        is_served_soon(&gateway);
        service.take();
    }
}

#[test]
fn a_place_is_free_after_a_retry() {
    let (bad, good) = (super::failing(Peer::reset), Upstream::echo());
    let rules = "max_requests = 1\nbreaker = \"off\"\nbalance = \"round-robin\"";
    let gateway = super::gateway(&[&bad, &good], rules);
    let mut client = gateway.connect();
    for _ in 0..6 {
        client.ask(&Request::get("/x")).is(200);
    }
    let lines = gateway.finish();
    assert!(lines.iter().any(|line| line["attempts"] == 2), "{lines:?}");
}

#[test]
fn streams_of_events_and_websockets_keep_their_places() {
    let service = Upstream::start(|peer| {
        let request = peer.request()?;
        match &*request.target {
            "/events" => peer.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n5\r\ndata:\r\n")?,
            "/socket" => peer.send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n")?,
            _ => return peer.reply(&request, b""),
        }
        peer.wait_closed();
        Ok(())
    });
    let gateway = gateway(&service, "max_requests = 1");
    let events = Request::get("/events");
    let socket = Request::websocket("/socket");
    for (request, status) in [(events, 200), (socket, 101)] {
        let mut client = client(&gateway);
        client.send(request.bytes());
        assert_eq!(client.head().status, status);
        is_refused(&gateway);
        client.reset();
        is_served_soon(&gateway);
    }
}

#[test]
fn a_client_that_leaves_waits_no_longer() {
    let (gate, rules) = (Gate::default(), "max_requests = 1\nmax_waiting = 1");
    let service = gate.service();
    let gateway = gateway(&service, &format!("{rules}\nqueue_timeout = \"10s\""));
    let mut first = held(&gateway, &service);
    let mut leaves = client(&gateway);
    send(&gateway, &mut leaves, "/left");
    is_refused(&gateway);
    leaves.reset();
    let line = eventually("its line", || {
        let lines = gateway.access_log(1);
        lines.into_iter().find(|line| line["path"] == "/left")
    });
    assert_eq!(
        (&line["status"], &line["code"]),
        (&json!(499), &json!("client_closed"))
    );
    // There is room for another one.
    let mut stays = client(&gateway);
    send(&gateway, &mut stays, "/stays");
    gate.open();
    first.answer().is(200);
    stays.answer().is(200);
    assert!(service.take().iter().all(|seen| seen.target != "/left"));
}

#[test]
fn a_client_that_has_said_all_goes_on_waiting() {
    let (gate, rules) = (Gate::default(), "max_requests = 1\nmax_waiting = 1");
    let service = gate.service();
    let gateway = gateway(&service, &format!("{rules}\nqueue_timeout = \"10s\""));
    let mut first = held(&gateway, &service);
    let mut waits = client(&gateway);
    send(&gateway, &mut waits, "/x");
    waits.half_close();
    client(&gateway);
    gate.open();
    first.answer().is(200);
    waits.answer().is(200);
}

#[test]
fn a_reload_changes_the_number() {
    let gate = Gate::default();
    let service = gate.service();
    let rules = |number: &str| {
        let rules = "max_waiting = 1\nqueue_timeout = \"10s\"";
        config(&service, 1, &format!("max_requests = {number}\n{rules}"))
    };
    let gateway = Gateway::start(&rules("1"));
    let mut first = held(&gateway, &service);
    let mut waits = client(&gateway);
    send(&gateway, &mut waits, "/waits");
    is_refused(&gateway);
    gateway.reload(&rules("2"));
    waits.answer().is(200);
    gateway.ask(&Request::get("/x")).is(200);
    gateway.reload(&rules("1"));
    send(&gateway, &mut waits, "/waits");
    is_refused(&gateway);
    gateway.reload(&rules("\"off\""));
    waits.answer().is(200);
    gateway.ask(&Request::get("/x")).is(200);
    gate.open();
    first.answer().is(200);
}

/// More of both than there are places, which all come from the time that answers take to begin.
#[test]
fn an_adaptive_limit_is_not_used_up_by_streams() {
    let gate = Gate::default();
    let held = gate.clone();
    let service = Upstream::start(move |peer| {
        loop {
            let request = peer.request()?;
            if request.target == "/events" {
                peer.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")?;
                peer.wait_closed();
                return Err(Gone);
            }
            held.wait();
            peer.reply(&request, b"")?;
        }
    });
    let gateway = gateway(&service, "max_requests = \"adaptive\"");
    let _streams: Vec<_> = (0..110)
        .map(|_| {
            let mut client = gateway.connect();
            client.send(Request::get("/events").bytes());
            assert_eq!(client.head().status, 200);
            client
        })
        .collect();
    let mut clients: Vec<_> = (0..100)
        .map(|_| {
            let mut client = gateway.connect();
            client.send(Request::get("/x").bytes());
            client
        })
        .collect();
    let mut seen = 0;
    eventually("the requests", || {
        seen += service.take().iter().filter(|s| s.target == "/x").count();
        (seen == 100).then_some(())
    });
    is_refused(&gateway);
    gate.open();
    for client in &mut clients {
        client.answer().is(200);
    }
    let lines = gateway.finish();
    assert_eq!(
        details(&lines),
        ["`up` has max_requests = 100 in flight"],
        "the limit is there, and not used up by streams"
    );
}
