//! A client that says it will send no more still wants its answer; one that has left does not.

use crate::support::{Gone, Request, Shop, Upstream, noise};

#[test]
fn a_half_closed_client_gets_its_whole_answer() {
    let upstream = Upstream::start(|peer| {
        loop {
            let request = peer.request()?;
            match request.target.as_str() {
                "/large" => peer.reply(&request, &noise(2 << 20))?,
                "/stream" => {
                    peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
                    for _ in 0..5 {
                        std::thread::sleep(std::time::Duration::from_millis(40));
                        peer.send("5\r\nhello\r\n")?;
                    }
                    peer.send("0\r\n\r\n")?;
                }
                _ => peer.reply(&request, b"small")?,
            }
        }
    });
    let shop = Shop::selling(upstream, "");
    for (target, len) in [("/small", 5), ("/large", 2 << 20), ("/stream", 25)] {
        let mut client = shop.gateway.connect();
        client
            .send(Request::get(&format!("/api/inventory{target}")).bytes())
            .half_close();
        let response = client.answer();
        assert_eq!(response.is(200).body.len(), len, "{target}");
        client.is_closed();
    }
}

#[test]
fn pipelined_requests_before_a_half_close_are_all_answered() {
    let shop = Shop::open();
    let mut client = shop.gateway.connect();
    for i in 0..3 {
        client.send(Request::get(&format!("/api/inventory/{i}")).bytes());
    }
    client.half_close();
    for i in 0..3 {
        assert_eq!(
            client.answer().fields.one("x-seen"),
            Some(format!("/{i}").as_str())
        );
    }
    client.is_closed();
}

#[test]
fn a_client_that_resets_while_it_waits_frees_the_upstream() {
    let upstream = Upstream::start(|peer| {
        let head = peer.head()?;
        if head.target == "/never" {
            peer.record(&head);
            peer.wait_closed();
            return Err(Gone);
        }
        let request = peer.rest_of(head)?;
        peer.reply(&request, b"")
    });
    let shop = Shop::selling(upstream, "");
    let mut client = shop.gateway.connect();
    client.send(Request::get("/api/inventory/never").bytes());
    shop.inventory
        .wait_for("the request", |seen| seen.target == "/never");
    client.reset();
    shop.inventory.wait_for_open(0);
}

#[test]
fn a_client_that_leaves_a_download_stops_it() {
    let upstream = Upstream::start(|peer| {
        peer.request()?;
        peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
        loop {
            // Ends with an error once the gateway has closed its side.
            peer.send([b"1000\r\n", &[b'x'; 0x1000][..], b"\r\n"].concat())?;
        }
    });
    let shop = Shop::selling(upstream, "");
    let mut client = shop.gateway.connect();
    client.send(Request::get("/api/inventory/endless").bytes());
    client.head().is(200);
    client.take(100_000);
    client.reset();
    shop.inventory.wait_for_open(0);
}
