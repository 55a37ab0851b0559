//! Clients that crawl: who sends or reads a body more slowly than `min_body_rate` is cut, and its
//! service is not blamed. Services may take their time, streams and tunnels may rest.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::support::{Gateway, Gone, Peer, Request, Response, Seen, Upstream};

/// Longer than any client is waited for that crawls.
const LONG: Duration = Duration::from_secs(17);
/// Longer than a client is waited for that sends.
const WHILE: Duration = Duration::from_secs(7);
const SWITCH: &str =
    "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n";

/// A service that takes its time, in the way that the target says.
fn service() -> Upstream {
    Upstream::start(|peer| {
        loop {
            let head = peer.head()?;
            match &*head.target {
                "/large" => {
                    peer.send("HTTP/1.1 200 OK\r\nContent-Length: 64000000\r\n\r\n")?;
                    peer.send(vec![b'x'; 64_000_000])?;
                }
                "/events" => {
                    let stream = "Content-Type: text/event-stream\r\nTransfer-Encoding: chunked";
                    peer.send(format!("HTTP/1.1 200 OK\r\n{stream}\r\n\r\n"))?;
                    sleep(LONG);
                    peer.send("5\r\nhello\r\n0\r\n\r\n")?;
                }
                "/websocket" => {
                    peer.send(SWITCH)?;
                    let said = peer.some()?;
                    peer.send(said)?;
                    return Ok(());
                }
                target => respond_late(peer, target, head.clone())?,
            }
        }
    })
}

/// Answers with the length of the request's body.
fn respond_late(peer: &mut Peer, target: &str, head: Seen) -> Result<(), Gone> {
    if matches!(target, "/reads-late" | "/asks-late") {
        sleep(WHILE);
    }
    if target == "/asks-late" {
        peer.send("HTTP/1.1 100 Continue\r\n\r\n")?;
    }
    let seen = peer.rest_of(head)?;
    if target == "/answers-late" {
        sleep(LONG);
    }
    let length = seen.body.len().to_string();
    peer.reply(&seen, length.as_bytes())
}

fn gateway(upstream: &Upstream, server: &str) -> Gateway {
    Gateway::start(&format!(
        "[routes]\n\"/a\" = \"{}\"\n[server]\n{server}",
        upstream.url()
    ))
}

/// Sends a body in pieces, one every quarter of a second, for a while, and then ends it. After how
/// long it was answered.
fn send_slowly(gateway: &Gateway, piece: usize) -> (Response, Duration) {
    let mut client = gateway.connect();
    let mut writer = client.writer();
    client.send("POST /a/x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
    let chunk = format!("{piece:x}\r\n{}\r\n", "x".repeat(piece));
    scope(|scope| {
        scope.spawn(move || {
            for _ in 0..4 * WHILE.as_secs() {
                sleep(Duration::from_millis(250));
                if writer.write_all(chunk.as_bytes()).is_err() {
                    return;
                }
            }
            let _ = writer.write_all(b"0\r\n\r\n");
        });
        let begun = Instant::now();
        (client.patience(LONG).answer(), begun.elapsed())
    })
}

/// Reads a large answer by so many bytes four times a second; after how long it was cut. That does
/// not show in what is read: the kernel has some of it already.
fn read_slowly(gateway: &Gateway, piece: usize, longest: Duration) -> Option<Duration> {
    let mut stream = TcpStream::connect(gateway.address()).expect("the gateway listens");
    stream
        .write_all(b"GET /a/large HTTP/1.1\r\nHost: x\r\n\r\n")
        .expect("it is short");
    stream.read_exact(&mut [0]).expect("it answers");
    let (begun, mut bytes) = (Instant::now(), vec![0; piece]);
    while begun.elapsed() < longest {
        let mut asked = [PollFd::new(&stream, PollFlags::RDHUP)];
        let told = poll(&mut asked, Some(&Timespec::default()));
        if told.expect("a socket can be asked") > 0 {
            return Some(begun.elapsed());
        }
        stream.read_exact(&mut bytes).expect("there is more");
        sleep(Duration::from_millis(250));
    }
    None
}

#[test]
fn who_crawls_is_cut() {
    let upstream = service();
    let gateway = gateway(&upstream, "min_body_rate = 240");
    scope(|scope| {
        scope.spawn(|| {
            let (answer, took) = send_slowly(&gateway, 1);
            answer.is_refusal(408, "client_slow");
            assert!(answer.announces_close());
            assert!(took > WHILE / 2 && took < LONG / 2, "{took:?}");
        });
        scope.spawn(|| {
            let took = read_slowly(&gateway, 1, Duration::from_secs(25)).expect("it is cut");
            assert!(
                took > LONG / 2 && took < Duration::from_secs(18),
                "{took:?}"
            );
        });
        // As fast as is asked for, and a little more.
        scope.spawn(|| assert_eq!(send_slowly(&gateway, 75).0.is(200).text(), "2100"));
        scope.spawn(|| assert_eq!(read_slowly(&gateway, 8192, LONG), None));
    });
    let lines = gateway.finish();
    let mut codes: Vec<_> = lines
        .iter()
        .filter(|l| l["code"] == "client_slow")
        .collect();
    codes.sort_by_key(|line| line["status"].as_u64());
    let told: Vec<_> = codes.iter().map(|l| (&l["status"], &l["detail"])).collect();
    assert_eq!(
        told,
        [
            (&200.into(), &"the answer was read too slowly".into()),
            (&408.into(), &"the request's body came too slowly".into()),
        ],
        "{lines:#?}"
    );
}

#[test]
fn who_waits_for_the_service_is_not_slow() {
    let upstream = service();
    let gateway = gateway(&upstream, "");
    let asked = |target: &str, body: usize| {
        let request = Request::post(target, "x".repeat(body));
        let mut client = gateway.connect();
        client.patience(2 * LONG).send(request.bytes());
        assert_eq!(client.answer().is(200).text(), body.to_string());
    };
    scope(|scope| {
        scope.spawn(|| asked("/a/reads-late", 20_000_000));
        scope.spawn(|| asked("/a/answers-late", 1));
        scope.spawn(|| {
            let request = Request::get("/a/events");
            let mut client = gateway.connect();
            client.patience(2 * LONG).send(request.bytes());
            assert_eq!(client.answer().is(200).text(), "hello");
        });
        scope.spawn(|| {
            let mut client = gateway.connect();
            client.send("GET /a/websocket HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\n");
            client.send("Upgrade: websocket\r\nSec-WebSocket-Key: x\r\n\r\n");
            client.head().is(101);
            sleep(LONG);
            assert_eq!(client.send("ping").take(4), b"ping");
        });
        scope.spawn(|| {
            let mut client = gateway.connect();
            client.send("POST /a/asks-late HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n");
            client.send("Expect: 100-continue\r\n\r\n");
            sleep(WHILE + Duration::from_secs(1));
            assert_eq!(client.send("hello").answer().is(200).text(), "5");
        });
        // Who was fast may pause.
        scope.spawn(|| {
            let mut client = gateway.connect();
            client.send("POST /a/x HTTP/1.1\r\nHost: x\r\nContent-Length: 20001\r\n\r\n");
            client.send(vec![b'x'; 20_000]);
            sleep(LONG);
            assert_eq!(client.send("x").answer().is(200).text(), "20001");
        });
    });
}

#[test]
fn without_a_rate_only_standing_still_is_too_slow() {
    let upstream = service();
    let gateway = gateway(&upstream, "min_body_rate = 0\nidle_timeout = \"3s\"");
    scope(|scope| {
        scope.spawn(|| assert_eq!(send_slowly(&gateway, 1).0.is(200).text(), "28"));
        scope.spawn(|| {
            let cut = read_slowly(&gateway, 1, LONG).expect("it stands still");
            assert!(cut > Duration::from_secs(2), "{cut:?}");
        });
    });
    let slow = gateway.finish();
    let slow: Vec<_> = slow.iter().filter(|l| l["code"] == "client_slow").collect();
    assert_eq!(slow.len(), 1, "{slow:#?}");
}
