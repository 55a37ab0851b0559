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
