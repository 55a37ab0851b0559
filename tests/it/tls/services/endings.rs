//! How answers end: one that only the end of the connection ends is whole if the service says so in TLS.
//! And tunnels.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use rustls::{ServerConnection, StreamOwned};

use super::authority::{Authority, Signed};
use super::front::Front;
use super::{Site, config, trusts};
use crate::support::{Ending, Gateway, Request, Upstream, noise};

/// An answer, and how its client sees it end when the service closes without and with a goodbye.
fn endings(answer: &str) -> [(Gateway, Ending); 2] {
    let authority = Authority::new();
    let signed = authority.signs(&["127.0.0.1"]);
    [Front::without_goodbye, Front::of].map(|start| {
        let upstream = Upstream::answering_once(answer);
        let front = start(&upstream, signed.server());
        let gateway = Gateway::start(&config(&front.url(), &trusts(&authority)));
        let mut client = gateway.connect();
        client.send(Request::get("/a").bytes());
        let ending = client.ending();
        drop((front, upstream));
        (gateway, ending)
    })
}

#[track_caller]
fn assert_cut((gateway, ending): (Gateway, Ending)) {
    let Ending::Cut(response, _) = ending else {
        panic!("{ending:?}");
    };
    assert_eq!(response.text(), "hello");
    assert_eq!(gateway.access_log(1)[0]["code"], "upstream_reset");
}

#[track_caller]
fn assert_whole((gateway, ending): (Gateway, Ending)) {
    let Ending::Whole(response) = ending else {
        panic!("{ending:?}");
    };
    assert_eq!(response.text(), "hello");
    let line = gateway.access_log(1).remove(0);
    assert!(line["code"].is_null(), "{line:#}");
}

#[test]
fn an_answer_until_the_end_needs_a_goodbye() {
    let [without, with] = endings("HTTP/1.1 200 OK\r\n\r\nhello");
    assert_cut(without);
    assert_whole(with);
}

#[test]
fn a_length_that_is_not_reached_is_cut_either_way() {
    for ending in endings("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello") {
        assert_cut(ending);
    }
    for ending in endings("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n") {
        assert_cut(ending);
    }
}

#[test]
fn what_ends_by_itself_needs_no_goodbye() {
    for ending in endings("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello") {
        assert_whole(ending);
    }
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
    for ending in endings(chunked) {
        assert_whole(ending);
    }
}

#[test]
fn an_http_1_0_client_sees_a_reset_instead_of_an_end() {
    let authority = Authority::new();
    let upstream = Upstream::answering_once("HTTP/1.1 200 OK\r\n\r\nhello");
    let signed = authority.signs(&["127.0.0.1"]);
    let front = Front::without_goodbye(&upstream, signed.server());
    let gateway = Gateway::start(&config(&front.url(), &trusts(&authority)));
    let (mut client, request) = (gateway.connect(), Request::get("/a").http10());
    client.send(request.bytes());
    let ending = client.ending_of(&request);
    assert!(
        matches!(&ending, Ending::Cut(_, crate::support::Broken::Reset)),
        "{ending:?}"
    );
}

#[test]
fn a_web_socket_goes_through_tls() {
    let upstream = Upstream::start(|peer| {
        let head = peer.head()?;
        peer.record(&head);
        peer.send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nhi")?;
        loop {
            let bytes = peer.some()?;
            peer.send(&bytes)?;
            if bytes.ends_with(b"BYE") {
                return Ok(());
            }
        }
    });
    let site = Site::of(upstream, Signed::server);
    let mut client = site.gateway.connect();
    client.send(Request::websocket("/a/ws").bytes());
    client.head().is(101);
    assert_eq!(client.take(2), b"hi");
    for size in [1, 1000, 300_000] {
        let bytes = noise(size);
        let (mut writer, sent) = (client.writer(), bytes.clone());
        let sending = std::thread::spawn(move || std::io::Write::write_all(&mut writer, &sent));
        assert!(client.take(size) == bytes, "{size}");
        sending.join().expect("no panic").expect("it is sent");
    }
    client.send("BYE");
    assert_eq!(client.take(3), b"BYE");
    client.is_closed();
}

#[test]
fn an_early_answer_arrives_though_the_service_reads_no_more() {
    let authority = Authority::new();
    let signed = authority.signs(&["127.0.0.1"]);
    // It reads the head, answers, and closes with most of the body unread, which is a reset.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let config_of_service = Arc::new(signed.server());
    std::thread::spawn(move || {
        for socket in listener.incoming() {
            let session = ServerConnection::new(Arc::clone(&config_of_service)).unwrap();
            let mut tls = StreamOwned::new(session, socket.unwrap());
            let mut head = [0; 1024];
            if tls.read(&mut head).is_ok_and(|n| n > 0) {
                let answer =
                    "HTTP/1.1 413 Too much\r\nContent-Length: 3\r\nConnection: close\r\n\r\nno\n";
                let _ = tls.write_all(answer.as_bytes());
                tls.conn.send_close_notify();
                let _ = tls.flush();
                // It lingers for a moment, as services do, and then what it has not read is a reset.
                std::thread::sleep(Duration::from_millis(300));
            }
        }
    });
    let gateway = Gateway::start(&config(&url, &trusts(&authority)));
    for _ in 0..3 {
        let mut client = gateway.connect();
        let answer = client.ask(&Request::post("/a", vec![b'x'; 8_000_000]));
        assert_eq!((answer.status, answer.text().as_str()), (413, "no\n"));
    }
}
