//! 1xx answers pass through and `Expect: 100-continue` works (RFC 9110 sections 10.1.1 and 15.2).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::support::{Gateway, Gone, Request, Shop, Upstream, each, settled};

const HINTS: &str = "HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nConnection: x-hop\r\nX-Hop: 1\r\n\r\n";

/// Sends hints, an unasked 100 and the final answer.
fn hinting() -> Upstream {
    Upstream::start(|peer| {
        loop {
            let request = peer.request()?;
            peer.send(HINTS)?;
            peer.send("HTTP/1.1 100 Continue\r\n\r\n")?;
            peer.send(HINTS)?;
            peer.reply(&request, b"final")?;
        }
    })
}

#[test]
fn hints_arrive_before_the_answer_and_do_not_change_it() {
    let shop = Shop::selling(hinting(), "");
    let mut client = shop.gateway.connect();
    for _ in 0..2 {
        let response = client.ask(&Request::get("/api/inventory/x"));
        assert_eq!(response.is(200).text(), "final");
        let hints: Vec<_> = response
            .interim
            .iter()
            .filter(|(status, _)| *status == 103)
            .collect();
        assert_eq!(hints.len(), 2, "{:?}", response.interim);
        assert_eq!(hints[0].1.one("link"), Some("</a.css>; rel=preload"));
        assert!(!hints[0].1.has("x-hop"), "a field of one hop");
    }
}

#[test]
fn hints_arrive_when_they_are_sent() {
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    let upstream = Upstream::start(move |peer| {
        let request = peer.request()?;
        peer.send(HINTS)?;
        let _ = wait.lock().map(|wait| wait.recv());
        peer.reply(&request, b"final")
    });
    let shop = Shop::selling(upstream, "");
    let mut client = shop.gateway.connect();
    client.send(Request::get("/api/inventory/x").bytes());
    let early = client.some().expect("the hints, before there is an answer");
    assert!(
        early.starts_with(b"HTTP/1.1 103 "),
        "{}",
        early.escape_ascii()
    );
    go.send(()).expect("the upstream waits");
}

#[test]
fn an_http_1_0_client_gets_the_final_answer_only() {
    let shop = Shop::selling(hinting(), "");
    // The client complains of any interim answer.
    let response = shop.ask(&Request::get("/api/inventory/x").http10());
    assert_eq!(response.is(200).text(), "final");
}

#[test]
fn a_client_that_expects_100_gets_it_and_then_sends() {
    // The upstream asks for the body before it answers, as an origin may.
    let upstream = Upstream::start(|peer| {
        loop {
            let head = peer.head()?;
            if head.fields.has("expect") {
                peer.send("HTTP/1.1 100 Continue\r\n\r\n")?;
            }
            let request = peer.rest_of(head)?;
            let body = request.body.clone();
            peer.reply(&request, &body)?;
        }
    });
    let shop = Shop::selling(upstream, "");
    let mut client = shop.gateway.connect();
    for chunked in [false, true] {
        let request = Request::post("/api/inventory/x", "hello").field("Expect", "100-continue");
        let request = if chunked { request.chunked(2) } else { request };
        client.send(request.head_bytes());
        let go_on = client.some().expect("100 Continue");
        assert!(
            go_on.starts_with(b"HTTP/1.1 100 ") && go_on.ends_with(b"\r\n\r\n"),
            "{}",
            go_on.escape_ascii()
        );
        client.send(request.body_bytes());
        assert_eq!(client.answer().is(200).text(), "hello");
    }
}

#[test]
fn a_client_that_does_not_wait_for_100_is_served_too() {
    let shop = Shop::open();
    let mut client = shop.gateway.connect();
    let request = Request::post("/api/inventory/x", "hello").field("Expect", "100-continue");
    for _ in 0..2 {
        assert_eq!(client.ask(&request).is(200).text(), "hello");
    }
}

#[test]
fn a_final_answer_instead_of_100_reaches_the_client() {
    let refusal = "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno";
    let upstream = Upstream::start(move |peer| {
        let head = peer.head()?;
        if !head.fields.has("expect") {
            let request = peer.rest_of(head)?;
            return peer.reply(&request, b"");
        }
        peer.record(&head);
        peer.send(refusal)
    });
    let shop = Shop::selling(upstream, "");
    let smuggled = "GET /api/inventory/smuggled HTTP/1.1\r\nHost: x\r\n\r\n";
    let request = Request::post("/api/inventory/x", smuggled).field("Expect", "100-continue");
    let mut client = shop.gateway.connect();
    client.send(request.head_bytes());
    let response = client.answer();
    assert_eq!(response.is(403).text(), "no");
    assert!(
        response.interim.is_empty(),
        "told to go on: {:?}",
        response.interim
    );
    // What the client sends now is the body that it announced, or nothing.
    client.send(request.body_bytes()).half_close();
    client.patience(Duration::from_secs(10));
    let seen = shop.inventory.take();
    assert!(seen.iter().all(|seen| seen.target == "/x"), "{seen:?}");
    shop.nothing_got_through();
}

#[test]
fn an_expectation_that_nobody_knows_does_not_hang() {
    let shop = Shop::open();
    let response = shop.ask(&Request::get("/api/inventory/x").field("Expect", "200-maybe"));
    assert!(
        matches!(response.status, 200 | 417 | 400),
        "{}",
        response.status
    );
}

#[test]
fn interim_answers_without_end_are_no_answer() {
    let upstream = Upstream::start(|peer| {
        peer.request()?;
        loop {
            peer.send("HTTP/1.1 100 Continue\r\n\r\n")?;
            std::thread::sleep(Duration::from_millis(1));
        }
    });
    let gateway = Gateway::start(&format!(
        "[routes]\n\"/a\" = {{ upstream = \"{}\", timeout = \"500ms\" }}",
        upstream.url()
    ));
    let status = gateway.ask(&Request::get("/a")).status;
    assert!(matches!(status, 502 | 504), "{status}");
    upstream.wait_for_open(0);
}

/// Sends hints that a client which does not read has no room for, and counts their bytes.
fn hinting_without_end() -> (Upstream, Arc<AtomicUsize>) {
    let hints = format!(
        "HTTP/1.1 103 Early Hints\r\nLink: <{}>\r\n\r\n",
        "a".repeat(250_000)
    );
    let sent = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&sent);
    let upstream = Upstream::start(move |peer| {
        peer.head()?;
        for piece in hints.as_bytes().chunks(10_000).cycle().take(64 * 25) {
            peer.send(piece)?;
            counter.fetch_add(piece.len(), Ordering::Relaxed);
        }
        peer.wait_closed();
        Err(Gone)
    });
    (upstream, sent)
}

#[test]
fn no_answer_of_the_gateways_own_begins_within_another() {
    // What goes wrong once the client has stopped reading: nothing but the time, or its body.
    let rows = [
        ("", "client_slow"),
        ("5\r\nhelloX", "bad_request"),
        ("b\r\nhello world\r\n0\r\n\r\n", "body_too_large"),
    ];
    each(rows, |(body, code)| {
        let (upstream, sent) = hinting_without_end();
        let idle = if body.is_empty() { 2 } else { 20 };
        let gateway = Gateway::start(&format!(
            "[server]\nidle_timeout = \"{idle}s\"\n[routes]\n\"/a\" = {{ upstream = \"{}\", timeout = \"{}s\", body_limit = \"10B\" }}",
            upstream.url(),
            idle / 2,
        ));
        let mut client = gateway.connect();
        client.small_window();
        if body.is_empty() {
            client.send(Request::get("/a").bytes());
        } else {
            client.send("POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
            upstream.wait_for_connections(1);
            settled(&sent);
            client.send(body);
        }
        upstream.wait_for_connections(1);
        upstream.wait_for_open(0);
        let mut got = Vec::new();
        while let Ok(more) = client.some() {
            got.extend(more);
        }
        let got = String::from_utf8(got).expect("ASCII");
        assert!(!got.ends_with("\r\n\r\n"), "the client was never blocked");
        let answers: Vec<_> = got.match_indices("HTTP/1.1 ").collect();
        let statuses: Vec<_> = answers
            .iter()
            .map(|(at, _)| &got[at + 9..at + 12])
            .collect();
        assert!(statuses.iter().all(|s| *s == "103"), "{statuses:?}");
        assert_eq!(gateway.finish()[0]["code"], *code);
    });
}
