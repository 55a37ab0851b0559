//! Circuits that open, are probed and close.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use serde_json::json;

use super::{answering, failing, gateway};
use crate::support::{Peer, Request, Upstream, eventually};

#[test]
fn an_open_circuit_answers_for_the_service() {
    let silent = failing(Peer::wait_closed);
    let gateway = gateway(&[&silent], "try_timeout = \"500ms\"\nretry = \"off\"");
    let mut client = gateway.connect();
    for _ in 0..3 {
        client
            .ask(&Request::get("/x"))
            .is_refusal(504, "upstream_timeout");
    }
    for request in [Request::get("/x"), Request::post("/x", "hello")] {
        let begun = Instant::now();
        let response = client.ask(&request);
        response.is_refusal(503, "circuit_open");
        let seconds = response
            .fields
            .one("retry-after")
            .and_then(|s| s.parse::<u64>().ok());
        assert!(seconds.is_some_and(|s| (1..=5).contains(&s)), "{seconds:?}");
        assert!(begun.elapsed() < Duration::from_millis(500));
    }
    client.ask(&Request::get("/health")).is(200);
    assert_eq!(silent.take().len(), 3);
    gateway.wait_log("the circuit", |line| {
        line["message"]
            .as_str()
            .is_some_and(|text| text.contains("circuit has opened"))
            && line["reason"] == "timeout"
            && line["upstream"] == "up"
            && line["endpoint"] == json!(silent.address().to_string())
    });
}

#[test]
fn one_request_finds_out_whether_the_service_is_back() {
    let service = Upstream::down(|peer| {
        loop {
            let request = peer.request()?;
            peer.reply(&request, b"")?;
        }
    });
    let gateway = gateway(&[&service], "breaker = { cool_down = \"300ms\" }");
    let mut client = gateway.connect();
    client
        .ask(&Request::get("/x"))
        .is_refusal(502, "upstream_unreachable");
    client
        .ask(&Request::get("/x"))
        .is_refusal(503, "circuit_open");
    service.come_up();
    eventually("the service to be asked again", || {
        (client.ask(&Request::get("/x")).status == 200).then_some(())
    });
    for _ in 0..5 {
        client.ask(&Request::get("/x")).is(200);
    }
    gateway.wait_log("the circuit", |line| {
        line["message"]
            .as_str()
            .is_some_and(|text| text.contains("circuit has closed"))
            && line["reason"] == "refused"
            && line["open_ms"].as_u64().is_some_and(|ms| ms >= 300)
    });
}

#[test]
fn the_others_serve_while_a_circuit_is_open() {
    let (bad, good) = (Upstream::down(|_| Ok(())), Upstream::echo());
    let gateway = gateway(&[&bad, &good], "");
    let mut client = gateway.connect();
    for _ in 0..20 {
        client.ask(&Request::get("/x")).is(200);
    }
    let lines = gateway.finish();
    let tried = lines.iter().filter(|line| line["attempts"] == 2).count();
    assert!(tried <= 2, "{tried} met the one that is down");
}

#[test]
fn a_service_that_sheds_a_tenth_is_not_cut_off() {
    let turn = std::sync::atomic::AtomicUsize::new(0);
    let service = Upstream::start(move |peer| {
        loop {
            let request = peer.request()?;
            if turn.fetch_add(1, Relaxed).is_multiple_of(10) {
                peer.send("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nX-Own: yes\r\n\r\n")?;
            } else {
                peer.reply(&request, b"")?;
            }
        }
    });
    let gateway = gateway(&[&service], "");
    let mut client = gateway.connect();
    for _ in 0..200 {
        let response = client.ask(&Request::post("/x", "hello"));
        let own = response.fields.one("x-own") == Some("yes");
        assert!(response.status == 200 || own, "{}", response.text());
    }
}

#[test]
fn a_client_that_leaves_is_no_verdict() {
    let answers = Arc::new(AtomicBool::new(false));
    let good = Arc::clone(&answers);
    let service = Upstream::start(move |peer| {
        loop {
            let request = peer.request()?;
            if !good.load(Relaxed) {
                peer.wait_closed();
            }
            peer.reply(&request, b"")?;
        }
    });
    let rules = "try_timeout = \"200ms\"\nretry = \"off\"\nbreaker = { cool_down = \"300ms\" }";
    let gateway = gateway(&[&service], rules);
    for _ in 0..3 {
        gateway.ask(&Request::get("/x")).is(504);
    }
    gateway
        .ask(&Request::get("/x"))
        .is_refusal(503, "circuit_open");
    answers.store(true, Relaxed);
    let begun = Instant::now();
    // Probes that vanish free their lease.
    eventually("the circuit to close", || {
        let mut client = gateway.connect();
        client.send(Request::get("/x").bytes());
        drop(client);
        (gateway.ask(&Request::get("/x")).status == 200).then_some(())
    });
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[test]
fn circuits_outlive_a_reload() {
    let (bad, good) = (Upstream::down(|_| Ok(())), Upstream::echo());
    let gateway = gateway(&[&bad, &good], "");
    for _ in 0..10 {
        gateway.ask(&Request::get("/x")).is(200);
    }
    let weights = |weight: u32| {
        format!(
            "[server]\nworkers = 2\n[routes]\n\"/\" = \"up\"\n[upstreams.up]\nendpoints = [{{ url = \"{}\", weight = {weight} }}, \"{}\"]\n",
            bad.url(),
            good.url()
        )
    };
    for weight in [2, 3, 4] {
        gateway.reload(&weights(weight));
        for _ in 0..10 {
            gateway.ask(&Request::get("/x")).is(200);
        }
    }
    let lines = gateway.finish();
    let tried = lines.iter().filter(|line| line["attempts"] == 2).count();
    assert!(tried <= 1, "{tried} met the one that is down");
}

#[test]
fn statuses_leave_half_of_the_endpoints_in() {
    let busy = [(); 2].map(|()| answering("HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy"));
    let gateway = gateway(&busy.each_ref(), "retry = \"off\"");
    let mut client = gateway.connect();
    for _ in 0..40 {
        let response = client.ask(&Request::get("/x"));
        response.is(503);
        assert_eq!(response.body, b"busy", "the service's own");
    }
}
