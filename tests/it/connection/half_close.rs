//! A client that says it will send no more still wants its answer; one that has left does not.

use std::io::Write;
use std::time::Duration;

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
                        std::thread::sleep(Duration::from_millis(40));
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

/// Begins an answer if asked for a stream, and then says nothing more.
fn quiet() -> Upstream {
    Upstream::start(|peer| {
        let head = peer.head()?;
        if head.target == "/stream" {
            peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")?;
        }
        peer.record(&head);
        peer.wait_closed();
        Err(Gone)
    })
}

#[test]
fn a_client_that_closed_is_gone_once_nothing_has_moved_for_seconds() {
    let (shop, behind) = (Shop::selling(quiet(), ""), "x".repeat(60_000));
    let rows = [("/never", ""), ("/never", behind.as_str()), ("/stream", "")];
    for (target, behind) in rows {
        let mut client = shop.gateway.connect();
        client.send(Request::get(&format!("/api/inventory{target}")).bytes());
        client.send(behind);
        if target == "/stream" {
            client.head().is(200);
            client.take(10);
        }
        shop.inventory
            .wait_for("the request", |seen| seen.target == target);
        shop.inventory.take();
    }
    // All of them at once: each has to wait for seconds.
    shop.inventory.wait_for_open(0);
}

#[test]
fn a_client_that_resets_while_its_upload_is_blocked_is_noticed() {
    let (end, ended) = std::sync::mpsc::channel::<()>();
    let ended = std::sync::Mutex::new(ended);
    let upstream = Upstream::start(move |peer| {
        peer.head()?;
        let _ = ended.lock().map(|ended| ended.recv());
        Err(Gone)
    });
    let shop = Shop::selling(upstream, "");
    let mut client = shop.gateway.connect();
    let mut writer = client.writer();
    writer
        .set_write_timeout(Some(Duration::from_millis(500)))
        .expect("a time-out above zero");
    client.send("POST /api/inventory/x HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n");
    let piece = vec![b'x'; 1 << 20];
    let blocked = (0..200).any(|_| writer.write_all(&piece).is_err());
    assert!(blocked, "the gateway reads for nobody");
    drop(writer);
    client.reset();
    assert_eq!(shop.gateway.access_log(1)[0]["code"], "client_closed");
    drop(end);
}

#[test]
fn a_client_that_says_it_sends_no_more_may_wait_as_long_as_its_upload_moves() {
    let upstream = Upstream::start(|peer| {
        peer.head()?;
        // Slower than a client that has left is taken to be gone, and never still for that long.
        for _ in 0..14 {
            std::thread::sleep(Duration::from_millis(500));
            peer.take(4_000_000, &mut Vec::new())?;
        }
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone")
    });
    let shop = Shop::selling(upstream, "");
    let request = Request::post("/api/inventory/x", noise(56_000_000));
    let mut client = shop.gateway.connect();
    client.send(request.bytes()).half_close();
    assert_eq!(client.answer().is(200).text(), "done");
}
