//! Nothing is buffered whole: each piece goes on when it comes, in both directions at once.

use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};

use crate::support::{Request, Shop, Upstream};

/// An upstream that sends an event each time it is told to.
fn event_stream(framing: &'static str) -> (Upstream, Sender<()>) {
    let (tell, told): (Sender<()>, Receiver<()>) = channel();
    let told = Mutex::new(told);
    let upstream = Upstream::start(move |peer| {
        peer.request()?;
        peer.send(format!(
            "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n{framing}\r\n"
        ))?;
        let told = told
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut nth = 0;
        while told.recv().is_ok() {
            let event = format!("data: {nth}\n\n");
            nth += 1;
            if framing.is_empty() {
                peer.send(event)?;
            } else {
                peer.send(format!("{:x}\r\n{event}\r\n", event.len()))?;
            }
        }
        if framing.is_empty() {
            Ok(())
        } else {
            peer.send("0\r\n\r\n")
        }
    });
    (upstream, tell)
}

#[test]
fn events_arrive_one_by_one() {
    for framing in ["Transfer-Encoding: chunked\r\n", ""] {
        let (upstream, tell) = event_stream(framing);
        let shop = Shop::selling(upstream, "");
        let mut client = shop.gateway.connect();
        client.send(
            Request::get("/api/inventory/events")
                .field("Accept", "text/event-stream")
                .bytes(),
        );
        client.head().is(200);
        for nth in 0..5 {
            // The next event is sent only after this one has arrived: any buffering would hang.
            tell.send(()).expect("the upstream waits");
            let mut came = String::new();
            while !came.contains(&format!("data: {nth}\n\n")) {
                came += &String::from_utf8_lossy(&client.some().expect("an event"));
            }
        }
        drop(tell);
    }
}

#[test]
fn the_head_arrives_before_there_is_a_body() {
    let (upstream, tell) = event_stream("Transfer-Encoding: chunked\r\n");
    let shop = Shop::selling(upstream, "");
    let mut client = shop.gateway.connect();
    client.send(Request::get("/api/inventory/events").bytes());
    assert_eq!(
        client.head().is(200).fields.one("content-type"),
        Some("text/event-stream")
    );
    drop(tell);
}

#[test]
fn an_upload_arrives_piece_by_piece() {
    let (got, arrived) = channel();
    let upstream = Upstream::start(move |peer| {
        let head = peer.head()?;
        let mut came = Vec::new();
        for _ in 0..5 {
            let mut chunk = Vec::new();
            peer.take("4\r\npart\r\n".len(), &mut chunk)?;
            came.extend_from_slice(&chunk);
            let _ = got.send(chunk);
        }
        peer.rest_of(head.clone())?;
        peer.reply(&head, &came)
    });
    let shop = Shop::selling(upstream, "");
    let mut client = shop.gateway.connect();
    client.send(
        Request::post("/api/inventory/x", "")
            .chunked(1)
            .head_bytes(),
    );
    for _ in 0..5 {
        client.send("4\r\npart\r\n");
        let chunk = arrived
            .recv_timeout(crate::support::PATIENCE)
            .expect("the piece, at once");
        assert_eq!(chunk, b"4\r\npart\r\n");
    }
    client.send("0\r\n\r\n");
    client.answer().is(200);
}

#[test]
fn both_directions_flow_at_once() {
    // Answers each piece of the upload with a piece of its own, long before the upload ends.
    let upstream = Upstream::start(|peer| {
        let head = peer.head()?;
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n")?;
        for _ in 0..10 {
            let mut piece = Vec::new();
            peer.take(5, &mut piece)?;
            peer.send(&piece)?;
        }
        peer.record(&head);
        peer.wait_closed();
        Ok(())
    });
    let shop = Shop::selling(upstream, "");
    let mut client = shop.gateway.connect();
    client.send(Request::post("/api/inventory/x", vec![b'-'; 50]).head_bytes());
    client.send("ping0");
    client.head().is(200);
    assert_eq!(client.take(5), b"ping0");
    for i in 1..10 {
        let piece = format!("ping{i}");
        client.send(&piece);
        assert_eq!(client.take(5), piece.as_bytes());
    }
}
