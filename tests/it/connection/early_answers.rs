//! Answers that come before the upload has ended reach the client, whole.

use std::io::Write;

use crate::support::{Gone, Request, Shop, Upstream, noise};

#[test]
fn an_early_refusal_reaches_a_client_that_is_still_sending() {
    let answer =
        "HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 9\r\n\r\ntoo large";
    let upstream = Upstream::start(move |peer| {
        loop {
            let head = peer.head()?;
            if head.target != "/still-here" {
                peer.record(&head);
                return peer.send(answer);
            }
            let request = peer.rest_of(head)?;
            peer.reply(&request, b"")?;
        }
    });
    let shop = Shop::selling(upstream, "");
    for chunked in [false, true] {
        let request = Request::post("/api/inventory/x", noise(20 << 20));
        let request = if chunked {
            request.chunked(10_000)
        } else {
            request
        };
        let mut client = shop.gateway.connect();
        let mut writer = client.writer();
        let bytes = request.bytes();
        let sending = std::thread::spawn(move || {
            let _ = writer.write_all(&bytes);
        });
        assert_eq!(client.answer().is(413).text(), "too large");
        drop(client);
        sending.join().expect("the sender ends");
        shop.nothing_got_through();
    }
}

/// What the client sends after the answer could be taken for a request by a service that does not read
/// it, so neither connection is used again, and both sides are told.
#[test]
fn an_early_answer_ends_both_connections() {
    let upstream = Upstream::start(|peer| {
        let head = peer.head()?;
        peer.record(&head);
        peer.reply(&head, b"early")?;
        peer.wait_closed();
        Err(Gone)
    });
    let shop = Shop::selling(upstream, "");
    let request = Request::post("/api/inventory/x", noise(300_000));
    let body = request.body_bytes();
    let mut client = shop.gateway.connect();
    client.send(request.head_bytes()).send(&body[..1000]);
    let response = client.answer();
    assert_eq!(response.is(200).text(), "early");
    assert!(response.announces_close());
    // The rest is taken for as long as the client may need to see that, and no answer follows.
    let _ = client.try_send(&body[1000..]);
    client.half_close().is_closed();
    shop.gateway
        .ask(&Request::get("/api/inventory/next"))
        .is(200);
    shop.inventory.wait_for_connections(2);
}

#[test]
fn a_body_limit_is_known_at_once_or_found_on_the_way() {
    let upstream = Upstream::echo();
    let gateway = crate::support::Gateway::start(&format!(
        "[routes]\n\"/a\" = {{ upstream = \"{}\", body_limit = \"1KiB\" }}",
        upstream.url()
    ));
    gateway.ask(&Request::post("/a", noise(1024))).is(200);
    gateway
        .ask(&Request::post("/a", noise(1024)).chunked(100))
        .is(200);
    upstream.take();

    // Told by Content-Length: refused before anything is sent.
    let mut client = gateway.connect();
    client.send(Request::post("/a", noise(1025)).head_bytes());
    client.answer().is_refusal(413, "body_too_large");
    // Found out on the way: the upstream sees a cut request, the client a refusal.
    let request = Request::post("/a", noise(100_000)).chunked(1000);
    let mut client = gateway.connect();
    client.send(request.bytes());
    client.answer().is_refusal(413, "body_too_large");
    gateway.ask(&Request::get("/a/end")).is(200);
    let whole: Vec<_> = upstream
        .take()
        .into_iter()
        .filter(|seen| seen.whole)
        .map(|s| s.target)
        .collect();
    assert_eq!(whole, ["/end"]);
}
