//! Upstreams that are not there, and that come back.

use std::time::{Duration, Instant};

use crate::support::{Gateway, Request, Shop, Silent, UNGUARDED, Upstream, eventually, with_admin};

#[test]
fn an_upstream_that_does_not_listen_gets_502_at_once() {
    let shop = Shop::selling(Upstream::down(|_| Ok(())), UNGUARDED);
    let mut client = shop.gateway.connect();
    for request in [
        Request::get("/api/inventory/x"),
        Request::post("/api/inventory/x", "hello"),
    ] {
        let begun = Instant::now();
        let response = client.ask(&request);
        response.is_refusal(502, "upstream_unreachable");
        assert!(
            begun.elapsed() < Duration::from_secs(2),
            "took {:?}",
            begun.elapsed()
        );
        let text = response.text();
        let port = shop.inventory.address().port().to_string();
        assert!(
            !text.contains(&port) && !text.contains("os error"),
            "internal detail in {text}"
        );
    }
    client
        .ask(&Request::get("/api/orders/x").with_key())
        .is(200);
}

#[test]
fn a_shortage_of_files_is_not_the_services_fault() {
    let shop = Shop::with(&with_admin("", ""));
    is_told_as_a_shortage(&shop.gateway, "/api/inventory/x");
}

/// The system's resolver says of a shortage that nobody knows the name.
#[test]
fn a_shortage_of_files_is_not_taken_for_a_name_that_nobody_knows() {
    let upstream = Upstream::echo();
    let url = upstream.url().replace("127.0.0.1", "localhost");
    let gateway = Gateway::start(&with_admin(&format!("[routes]\n\"/a\" = \"{url}\""), ""));
    is_told_as_a_shortage(&gateway, "/a");
    let limit = "may have 7 files and sockets open";
    gateway.wait_log("the lookup", |line| {
        line["name"] == "localhost" && line["error"].as_str().is_some_and(|e| e.contains(limit))
    });
}

/// Fails unless a request for which no file is left says so.
fn is_told_as_a_shortage(gateway: &Gateway, target: &str) {
    let mut client = gateway.connect();
    client.ask(&Request::get("/health")).is(200);
    // The last thread to have what it needs. What is open stays open; nothing more can be.
    gateway.ask_admin(Request::get("/livez")).is(200);
    gateway.limit_files(7);
    let response = client.ask(&Request::get(target));
    response.is_refusal(503, "overloaded");
    assert_eq!(response.fields.one("retry-after"), Some("1"));
    let limit = "may have 7 files and sockets open";
    gateway.wait_log("the shortage", |line| {
        line["level"] == "ERROR" && line["error"].as_str().is_some_and(|e| e.contains(limit))
    });
    let lines = gateway.access_log(1);
    let detail = lines[0]["detail"].as_str();
    assert!(
        detail.is_some_and(|told| told.contains(limit)),
        "{lines:#?}"
    );
}

#[test]
fn an_upstream_that_comes_back_is_used_again() {
    let shop = Shop::with(UNGUARDED);
    let mut client = shop.gateway.connect();
    for _ in 0..3 {
        Shop::still_serves(&mut client);
        shop.inventory.go_down();
        for request in [
            Request::get("/api/inventory/x"),
            Request::post("/api/inventory/x", "hello"),
        ] {
            client.ask(&request).is(502);
        }
        client.ask(&Request::get("/health")).is(200);
        shop.inventory.come_up();
        eventually("the upstream to be used again", || {
            let response = client.ask(&Request::get("/api/inventory/x"));
            (response.status == 200).then_some(())
        });
    }
}

#[test]
fn a_name_that_does_not_resolve_gets_502() {
    let gateway = Gateway::start("[routes]\n\"/a\" = \"http://no-such-name.invalid:80\"");
    let response = gateway.ask(&Request::get("/a"));
    response.is_refusal(502, "upstream_unreachable");
    assert!(
        !response.text().contains("no-such-name"),
        "{}",
        response.text()
    );
}

#[test]
fn a_name_with_several_addresses_is_reached_on_any() {
    // `localhost` is ::1 first where there is IPv6; the upstream listens on 127.0.0.1 only.
    let upstream = Upstream::echo();
    let url = upstream.url().replace("127.0.0.1", "localhost");
    let gateway = Gateway::start(&format!("[routes]\n\"/a\" = \"{url}\""));
    for _ in 0..3 {
        gateway.ask(&Request::get("/a")).is(200);
    }
}

#[test]
fn a_connection_that_is_not_accepted_times_out() {
    let silent = Silent::on(([127, 0, 0, 1], 0).into());
    let address = silent.address();
    let gateway = Gateway::start(&format!(
        "[routes]\n\"/a\" = \"up\"\n[upstreams.up]\nendpoints = [\"http://{address}\"]\nconnect_timeout = \"300ms\""
    ));
    let begun = Instant::now();
    let response = gateway.ask(&Request::get("/a"));
    assert!(matches!(response.status, 502 | 504), "{}", response.text());
    assert!(
        begun.elapsed() < Duration::from_secs(3),
        "took {:?}",
        begun.elapsed()
    );
}
