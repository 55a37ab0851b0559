//! Bodies arrive byte-identical, both ways, whatever their size and framing.

use crate::support::{Peer, Request, Shop, Upstream, each, noise};

const SIZES: [usize; 9] = [0, 1, 1000, 4095, 4096, 16_384, 65_535, 65_536, 1_000_003];

#[test]
fn uploads() {
    let shop = Shop::open();
    let mut client = shop.gateway.connect();
    each(SIZES, |&size| {
        for chunk in [None, Some(1 + size / 7)] {
            let body = noise(size);
            let request = Request::post("/api/inventory/x", body.clone());
            let request = chunk.map_or(request.clone(), |size| request.chunked(size));
            let response = client.ask(&request);
            assert!(response.is(200).body == body, "what came back differs");
            let seen = shop.inventory.only();
            assert!(
                seen.body == body,
                "what arrived differs: {} bytes",
                seen.body.len()
            );
            let framed = seen.fields.has("content-length") || seen.fields.has("transfer-encoding");
            assert!(framed, "a body of {size} bytes without framing");
        }
    });
}

#[test]
fn downloads() {
    // The target says how large and how framed: /SIZE/CHUNK, with no chunks if CHUNK is 0.
    let upstream = Upstream::start(|peer| {
        loop {
            let request = peer.request()?;
            let mut parts = request.target[1..]
                .split('/')
                .map(|n| n.parse().unwrap_or(0));
            let (size, chunk) = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
            send(peer, &noise(size), chunk)?;
        }
    });
    let shop = Shop::selling(upstream, "");
    let mut client = shop.gateway.connect();
    each(SIZES, |&size| {
        for chunk in [0, 1 + size / 7] {
            let response = client.ask(&Request::get(&format!("/api/inventory/{size}/{chunk}")));
            assert!(
                response.is(200).body == noise(size),
                "what came differs: {}",
                response.body.len()
            );
            if chunk == 0 {
                assert_eq!(
                    response.fields.one("content-length"),
                    Some(size.to_string().as_str())
                );
            }
        }
    });
}

#[test]
fn ten_mebibytes_in_many_pieces() {
    let upstream = Upstream::start(|peer| {
        loop {
            let request = peer.request()?;
            send(peer, &request.body, 65_536)?;
        }
    });
    let shop = Shop::selling(upstream, "");
    let body = noise(10 << 20);
    for chunk in [None, Some(1_000), Some(300_000)] {
        let request = Request::post("/api/inventory/x", body.clone());
        let request = chunk.map_or(request.clone(), |size| request.chunked(size));
        let mut client = shop.gateway.connect();
        let response = client.ask(&request);
        assert!(
            response.is(200).body == body,
            "what came back differs: {}",
            response.body.len()
        );
    }
}

#[test]
fn an_answer_without_framing_ends_with_its_connection() {
    let head = "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\n";
    for version in ["HTTP/1.0", "HTTP/1.1"] {
        let answer = [
            head.replace("HTTP/1.0", version).as_bytes(),
            &noise(200_000),
        ]
        .concat();
        let shop = Shop::selling(Upstream::answering_once(answer), "");
        let mut client = shop.gateway.connect();
        for _ in 0..2 {
            // The client's own connection lives on: the gateway frames the answer for it.
            let response = client.ask(&Request::get("/api/inventory/x"));
            assert!(response.is(200).body == noise(200_000), "{version}");
        }
        let response = shop.ask(&Request::get("/api/inventory/x").http10());
        assert!(
            response.is(200).body == noise(200_000),
            "{version} to HTTP/1.0"
        );
    }
}

#[test]
fn chunks_reach_an_http_1_0_client_as_plain_bytes() {
    let upstream = Upstream::start(|peer| {
        peer.request()?;
        send(peer, &noise(100_000), 777)
    });
    let shop = Shop::selling(upstream, "");
    let mut client = shop.gateway.connect();
    let response = client.ask(
        &Request::get("/api/inventory/x")
            .http10()
            .field("Connection", "keep-alive"),
    );
    assert!(response.is(200).body == noise(100_000));
    client.is_closed();
}

#[test]
fn an_encoded_body_is_not_touched() {
    let gzip = b"\x1f\x8b\x08\0\0\0\0\0\x02\xff\xcbH\xcd\xc9\xc9\x07\0\x86\xa6\x106\x05\0\0\0";
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\n\r\n",
        gzip.len()
    );
    let shop = Shop::selling(Upstream::answering([head.as_bytes(), gzip].concat()), "");
    for accept in ["gzip", "identity"] {
        let response = shop.ask(&Request::get("/api/inventory/x").field("Accept-Encoding", accept));
        assert_eq!(response.fields.one("content-encoding"), Some("gzip"));
        assert_eq!(response.body, gzip);
    }
}

/// Sends a body with its length, or in chunks.
fn send(peer: &mut Peer, body: &[u8], chunk: usize) -> Result<(), crate::support::Gone> {
    if chunk == 0 {
        peer.send(format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n",
            body.len()
        ))?;
        return peer.send(body);
    }
    peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
    for piece in body.chunks(chunk) {
        peer.send(
            [
                format!("{:X};n=1\r\n", piece.len()).as_bytes(),
                piece,
                b"\r\n",
            ]
            .concat(),
        )?;
    }
    peer.send("0\r\n\r\n")
}
