//! Kept connections that break when a request is sent on them: what is sent again, and where.

use serde_json::json;

use super::gateway;
use crate::support::{Gateway, Gone, Request, Upstream, eventually};

#[test]
fn a_kept_connection_that_had_died_is_listed_as_well() {
    let service = Upstream::start(|peer| {
        let first = peer.request()?;
        peer.reply(&first, b"")?;
        // Only once it is used again, so that it cannot be seen before.
        if peer.nth == 0 {
            peer.head()?;
            peer.reset();
            return Err(Gone);
        }
        peer.wait_closed();
        Err(Gone)
    });
    // One failure would open the circuit.
    let gateway = gateway(&[&service], "breaker = { failures = 1 }");
    let mut client = gateway.connect();
    client.ask(&Request::get("/x")).is(200);
    client.ask(&Request::get("/again")).is(200);
    let lines = gateway.finish();
    let line = lines.iter().find(|line| line["path"] == "/again");
    let line = line.expect("a line");
    assert_eq!(line["attempts"], json!(2), "{line}");
    let tries = line["tries"].as_array().expect("a list");
    assert_eq!(tries.len(), 1, "{line}");
    assert_eq!(tries[0]["reason"], json!("reset"));
    assert_eq!(tries[0]["endpoint"], line["endpoint"]);
}

/// Each connection takes one request, and is reset by the second once that has been read.
fn resets_the_second() -> Upstream {
    Upstream::start(|peer| {
        let first = peer.request()?;
        peer.reply(&first, b"")?;
        peer.request()?;
        peer.reset();
        Err(Gone)
    })
}

#[test]
fn what_a_kept_connection_may_have_delivered_is_a_retry() {
    let without = "breaker = \"off\"\nretry = { budget = { percent = 0, per_second = 0 } }\n[admin]\nlisten = \"127.0.0.1:0\"";
    let service = resets_the_second();
    let gateway = gateway(&[&service], without);
    let mut failed = 0;
    for _ in 0..40 {
        let response = gateway.ask(&Request::get("/x"));
        failed += usize::from(response.status == 502);
    }
    assert_eq!(service.take().len(), 40, "each is sent once");
    assert!(failed > 0);
    let count = |gateway: &Gateway, row: &str| {
        let metrics = gateway.ask_admin(Request::get("/metrics"));
        let text = metrics.text();
        let line = text.lines().find(|line| line.starts_with(row));
        let count = line.and_then(|line| line.rsplit(' ').next()?.parse::<usize>().ok());
        count.unwrap_or_else(|| panic!("no {row} in {text}"))
    };
    let no_budget = "tollgate_retries_total{upstream=\"up\",outcome=\"no_budget\"}";
    assert_eq!(count(&gateway, no_budget), failed);

    let gateway = super::gateway(
        &[&service],
        "breaker = \"off\"\nretry.budget = { percent = 0, per_second = 100 }\n[admin]\nlisten = \"127.0.0.1:0\"",
    );
    for _ in 0..20 {
        gateway.ask(&Request::get("/x")).is(200);
    }
    let again = service.take().len() - 20;
    assert!(again > 0);
    let retries = "tollgate_retries_total{upstream=\"up\",outcome=\"ok\"}";
    eventually("the retries", || {
        (count(&gateway, retries) == again).then_some(())
    });
    let resets = format!(
        "tollgate_upstream_requests_total{{upstream=\"up\",endpoint=\"{}\",outcome=\"reset\"}}",
        service.address()
    );
    eventually("the resets", || {
        (count(&gateway, &resets) == again).then_some(())
    });
}

/// A kept connection that breaks may have died unnoticed, and is replaced. But of this body the
/// middle is lost.
#[test]
fn a_body_that_is_not_kept_is_not_sent_again_on_a_new_connection() {
    let service = Upstream::start(|peer| {
        if peer.nth > 0 {
            return peer.request().map(drop);
        }
        let first = peer.request()?;
        peer.reply(&first, b"")?;
        peer.head()?;
        peer.take(200 * 1024, &mut Vec::new())?;
        peer.reset();
        Err(Gone)
    });
    let gateway = gateway(&[&service], "breaker = \"off\"");
    let mut client = gateway.connect();
    client.ask(&Request::get("/x")).is(200);
    let body = vec![b'x'; 1024 * 1024];
    let put = Request::new("PUT", "/x").body(body).chunked(16 * 1024);
    client.ask(&put).is_refusal(502, "upstream_reset");
    assert_eq!(service.take().len(), 1);
    assert_eq!(service.connections(), 1);
}

/// Rules with which no circuit opens, and a request has one more try.
const ONCE_MORE: &str = "breaker = \"off\"\nbalance = \"round-robin\"\nretry.attempts = 1";

/// The second request is on a kept connection when the service ends.
#[test]
fn what_breaks_when_a_service_is_killed_goes_to_another_one() {
    let killed = Upstream::start(|peer| {
        let first = peer.request()?;
        peer.reply(&first, b"")?;
        peer.request()?;
        peer.wait_closed();
        Err(Gone)
    });
    let good = Upstream::echo();
    let gateway = Gateway::start(&format!(
        "[server]\nworkers = 1\n[routes]\n\"/\" = \"up\"\n[upstreams.up]\n\
         endpoints = [\"{}\", {{ url = \"{}\", backup = true }}]\n{ONCE_MORE}",
        killed.url(),
        good.url()
    ));
    let mut client = gateway.connect();
    client.ask(&Request::get("/1")).is(200);
    client.send(Request::get("/2").bytes());
    killed.wait_for("the second request", |seen| seen.target == "/2");
    killed.go_down();
    client.answer().is(200);
    let lines = gateway.finish();
    let line = lines.iter().find(|line| line["path"] == "/2");
    let line = line.expect("a line");
    assert_eq!(line["attempts"], json!(2), "{line}");
    assert_eq!(line["endpoint"], json!(good.address().to_string()));
    assert_eq!(line["tries"][0]["reason"], json!("reset"), "{line}");
    let broken = &line["tries"][0]["endpoint"];
    assert_eq!(*broken, json!(killed.address().to_string()));
}

/// Each of them breaks what is sent on a kept connection, as when all restart together.
#[test]
fn what_broke_on_a_kept_connection_is_sent_on_a_new_one() {
    let services = [(); 2].map(|()| resets_the_second());
    let gateway = gateway(&services.each_ref(), ONCE_MORE);
    let mut client = gateway.connect();
    // Each may need a retry, and no more than ten of a second are free.
    for _ in 0..8 {
        client.ask(&Request::get("/x")).is(200);
    }
    let sent: usize = services.iter().map(|one| one.take().len()).sum();
    assert!(sent > 8, "some broke");
}

/// Two endpoints, of which one breaks kept connections, and a single failure opens a circuit.
#[test]
fn a_kept_connection_that_breaks_opens_no_circuit() {
    let (breaks, good) = (resets_the_second(), Upstream::echo());
    let rules = "breaker = { failures = 1 }\nbalance = \"round-robin\"";
    let gateway = gateway(&[&breaks, &good], rules);
    let mut client = gateway.connect();
    for _ in 0..8 {
        client.ask(&Request::get("/x")).is(200);
    }
    let sent = breaks.take().len() + good.take().len();
    assert!(sent > 8, "some broke");
    assert!(!gateway.log_text().contains("circuit_opened"));
}

/// The answer opens the circuit, and its connection is kept, but breaks.
#[test]
fn a_probe_is_sent_on_a_new_connection() {
    let service = Upstream::start(|peer| {
        if peer.nth == 0 {
            peer.request()?;
            peer.send("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")?;
            peer.request()?;
            peer.reset();
            return Err(Gone);
        }
        loop {
            let request = peer.request()?;
            peer.reply(&request, b"")?;
        }
    });
    let rules = "breaker = { failures = 1, cool_down = \"50ms\" }\nretry = \"off\"";
    let gateway = gateway(&[&service], rules);
    let mut client = gateway.connect();
    client.ask(&Request::get("/x")).is(503);
    eventually("the probe", || {
        let response = client.ask(&Request::get("/x"));
        let is_open = response.status == 503 && response.text().contains("circuit_open");
        (!is_open).then(|| response.is(200)).map(drop)
    });
}

/// It could not be sent again: all that is sent is sent once.
#[test]
fn nothing_is_sent_again_where_retries_are_off() {
    for off in ["retry = \"off\"", "retry.attempts = 0"] {
        let service = resets_the_second();
        let gateway = gateway(&[&service], &format!("breaker = \"off\"\n{off}"));
        let mut client = gateway.connect();
        for nth in 0..10 {
            let response = client.ask(&Request::get("/x"));
            if nth % 2 == 0 {
                response.is(200);
            } else {
                response.is_refusal(502, "upstream_reset");
            }
        }
        assert_eq!(service.take().len(), 10, "each once, with {off}");
    }
}
