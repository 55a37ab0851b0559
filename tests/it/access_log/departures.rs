//! Lines of requests that somebody left: the client while it waits, uploads or downloads, or the
//! upstream. A client that left is logged as 499 `client_closed`.

use serde_json::json;

use crate::support::{Ending, Gateway, Gone, Request, Shop, Upstream, noise};

#[test]
fn a_client_that_leaves_while_it_waits() {
    let shop = Shop::selling(silent(), "");
    for reset in [false, true] {
        let mut client = shop.gateway.connect();
        client.send(Request::get("/api/inventory/x").bytes());
        shop.inventory.wait_for("the request", |_| true);
        shop.inventory.take();
        if reset {
            client.reset();
        } else {
            drop(client);
        }
        // The upstream is not kept waiting for a client that has gone.
        shop.inventory.wait_for_open(0);
    }
    let lines = shop.gateway.finish();
    assert_eq!(lines.len(), 2, "{lines:#?}");
    for line in lines {
        assert_eq!(
            (&line["status"], &line["code"]),
            (&json!(499), &json!("client_closed")),
            "{line}"
        );
        assert_eq!(
            (&line["path"], &line["attempts"]),
            (&json!("/api/inventory/x"), &json!(1)),
            "{line}"
        );
    }
}

#[test]
fn a_client_that_leaves_an_upload() {
    let shop = Shop::open();
    for chunked in [false, true] {
        let request = Request::post("/api/inventory/x", noise(100_000));
        let request = if chunked {
            request.chunked(1000)
        } else {
            request
        };
        let mut client = shop.gateway.connect();
        client.send(&request.bytes()[..50_000]);
        shop.inventory.wait_for_connections(1);
        client.reset();
        let cut = shop
            .inventory
            .wait_for("the cut upload", |seen| !seen.whole);
        assert_eq!(cut.target, "/x");
        shop.inventory.take();
    }
    let lines = shop.gateway.finish();
    assert_eq!(lines.len(), 2, "{lines:#?}");
    for line in lines {
        assert_eq!(
            (&line["status"], &line["code"]),
            (&json!(499), &json!("client_closed")),
            "{line}"
        );
    }
}

#[test]
fn a_client_that_leaves_a_download() {
    let upstream = Upstream::start(|peer| {
        peer.request()?;
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n")?;
        loop {
            peer.send([b'x'; 10_000])?;
        }
    });
    let shop = Shop::selling(upstream, "");
    let mut client = shop.gateway.connect();
    client.send(Request::get("/api/inventory/x").bytes());
    client.head().is(200);
    client.take(50_000);
    client.reset();
    shop.inventory.wait_for_open(0);
    let lines = shop.gateway.finish();
    assert_eq!(lines.len(), 1, "{lines:#?}");
    // The status that was sent, and that it was not the whole answer.
    assert_eq!(
        (&lines[0]["status"], &lines[0]["code"]),
        (&json!(200), &json!("client_closed")),
        "{}",
        lines[0]
    );
    assert!(
        lines[0]["bytes_out"]
            .as_u64()
            .is_some_and(|bytes| bytes >= 50_000),
        "{}",
        lines[0]
    );
}

#[test]
fn an_upstream_that_leaves_in_the_middle() {
    let shop = Shop::selling(
        Upstream::answering_once("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nonly this"),
        "",
    );
    let mut client = shop.gateway.connect();
    client.send(Request::get("/api/inventory/x").bytes());
    assert!(!matches!(client.ending(), Ending::Whole(response) if response.status == 200));
    let lines = shop.gateway.finish();
    assert_eq!(lines.len(), 1, "{lines:#?}");
    // Not the client's doing, and not a success without a remark.
    assert_eq!(lines[0]["code"], "upstream_reset", "{}", lines[0]);
}

#[test]
fn a_head_that_never_ends() {
    let shop = Shop::with("[server]\nworkers = 1\nheader_timeout = \"400ms\"");
    let mut client = shop.gateway.connect();
    client.send("GET /api/inventory/x HTTP/1.1\r\nHo");
    client.answer().is(408);
    let mut client = shop.gateway.connect();
    client
        .send("GET /api/inventory/x HTTP/1.1\r\nHo")
        .half_close();
    let _ = client.ending();
    let lines = shop.gateway.finish();
    assert_eq!(lines[0]["status"], 408, "{lines:#?}");
    assert_eq!(lines[0]["code"], "request_timeout", "{lines:#?}");
    assert_eq!(lines.len(), 2, "{lines:#?}");
}

#[test]
fn connections_without_a_request_have_no_line() {
    let shop = Shop::open();
    drop(shop.gateway.connect());
    shop.gateway.connect().reset();
    shop.gateway.connect().half_close().is_closed();
    Shop::still_serves(&mut shop.gateway.connect());
    assert_eq!(shop.gateway.finish().len(), 1);
}

#[test]
fn a_tunnel_has_one_line_at_its_end() {
    let upstream = Upstream::start(|peer| {
        peer.head()?;
        peer.send(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        )?;
        loop {
            let bytes = peer.some()?;
            peer.send(&bytes)?;
        }
    });
    let shop = Shop::selling(upstream, "");
    let mut client = shop.gateway.connect();
    let handshake = Request::websocket("/api/inventory/ws");
    client.send(handshake.bytes());
    client.head().is(101);
    client.send(noise(3000));
    client.take(3000);
    drop(client);
    shop.inventory.wait_for_open(0);
    let lines = shop.gateway.finish();
    assert_eq!(lines.len(), 1, "{lines:#?}");
    assert_eq!(lines[0]["status"], 101, "{}", lines[0]);
    for member in ["bytes_in", "bytes_out"] {
        assert!(
            lines[0][member].as_u64().is_some_and(|bytes| bytes >= 3000),
            "{member}: {}",
            lines[0]
        );
    }
}

#[test]
fn a_tunnel_that_was_idle_for_too_long_says_so() {
    let upstream = Upstream::start(|peer| {
        peer.head()?;
        peer.send(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        )?;
        peer.wait_closed();
        Err(Gone)
    });
    let config = format!(
        "[routes]\n\"/a\" = \"up\"\n[upstreams.up]\nendpoints = [\"{}\"]\nidle_timeout = \"300ms\"",
        upstream.url()
    );
    let gateway = Gateway::start(&config);
    let mut client = gateway.connect();
    client.send(Request::websocket("/a").bytes());
    client.head().is(101);
    client.is_closed();
    drop(client);
    let line = &gateway.finish()[0];
    assert_eq!(
        (&line["status"], &line["code"]),
        (&json!(101), &json!("idle_timeout")),
        "{line}"
    );
}

/// Takes a request and never answers it.
fn silent() -> Upstream {
    Upstream::start(|peer| {
        peer.request()?;
        peer.wait_closed();
        Err(Gone)
    })
}
