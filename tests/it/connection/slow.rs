//! Slowness has bounds: of a head, of a body, of an upstream's answer. What moves may take as
//! long as it likes.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use socket2::SockRef;

use crate::support::{Ending, Gateway, Gone, Request, Shop, Upstream, each};

#[test]
fn a_head_that_takes_too_long_gets_408() {
    let shop = Shop::with("[server]\nheader_timeout = \"600ms\"");
    let mut stuck = shop.gateway.connect();
    stuck.send("GET /api/inventory/x HTTP/1.1\r\nHo");
    let begun = Instant::now();
    stuck.answer().is_refusal(408, "request_timeout");
    stuck.is_closed();
    assert!(
        begun.elapsed() > Duration::from_millis(300),
        "only {:?}",
        begun.elapsed()
    );
    shop.nothing_got_through();
}

#[test]
fn a_head_that_drips_gets_408_all_the_same() {
    let shop = Shop::with("[server]\nheader_timeout = \"600ms\"");
    let mut client = shop.gateway.connect();
    let mut writer = client.writer();
    let dripping = std::thread::spawn(move || {
        let head = format!(
            "GET /api/inventory/x HTTP/1.1\r\nHost: gateway.test\r\nX: {}\r\n",
            "y".repeat(1000)
        );
        for byte in head.bytes() {
            if writer.write_all(&[byte]).is_err() {
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    let begun = Instant::now();
    client.answer().is_refusal(408, "request_timeout");
    assert!(
        begun.elapsed() < Duration::from_secs(5),
        "after {:?}",
        begun.elapsed()
    );
    drop(client);
    dripping.join().expect("the sender ends");
    shop.nothing_got_through();
}

#[test]
fn a_second_head_is_timed_from_its_own_first_byte() {
    let shop = Shop::with("[server]\nheader_timeout = \"400ms\"\nidle_timeout = \"10s\"");
    let mut client = shop.gateway.connect();
    Shop::still_serves(&mut client);
    // A rest between requests is no slow head.
    std::thread::sleep(Duration::from_millis(700));
    Shop::still_serves(&mut client);
    client.send("GET / HT");
    client.answer().is_refusal(408, "request_timeout");
    client.is_closed();
}

#[test]
fn a_body_that_stops_gets_408() {
    let shop = Shop::with("[server]\nidle_timeout = \"500ms\"");
    for chunked in [false, true] {
        let request = Request::post("/api/inventory/x", "0123456789");
        let request = if chunked { request.chunked(3) } else { request };
        let mut client = shop.gateway.connect();
        client
            .send(request.head_bytes())
            .send(&request.body_bytes()[..5]);
        client.answer().is_refusal(408, "request_timeout");
        client.is_closed();
        shop.nothing_got_through();
    }
}

#[test]
fn a_pause_in_a_body_is_the_clients_and_not_the_services() {
    let upstream = Upstream::echo();
    let gateway = Gateway::start(&format!(
        "[routes]\n\"/a\" = \"up\"\n[upstreams.up]\nendpoints = [\"{}\"]\nidle_timeout = \"1s\"",
        upstream.url()
    ));
    let request = Request::post("/a", "0123456789").chunked(3);
    let mut client = gateway.connect();
    client
        .send(request.head_bytes())
        .send(&request.body_bytes()[..5]);
    std::thread::sleep(Duration::from_millis(1_400));
    client.send(&request.body_bytes()[5..]);
    assert_eq!(client.answer().is(200).text(), "0123456789");
}

#[test]
fn a_body_that_stops_after_the_answer_has_begun_ends_it() {
    let upstream = Upstream::start(|peer| {
        let head = peer.head()?;
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nea")?;
        peer.rest_of(head).map(|_| ())
    });
    let gateway = Gateway::start(&format!(
        "[routes]\n\"/a\" = \"{}\"\n[server]\nidle_timeout = \"300ms\"",
        upstream.url()
    ));
    let mut client = gateway.connect();
    client.send("POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhel");
    assert!(matches!(client.ending(), Ending::Cut(cut, _) if cut.body == b"ea"));
    let line = &gateway.finish()[0];
    assert_eq!(
        (&line["status"], &line["code"]),
        (&200.into(), &"request_timeout".into())
    );
}

#[test]
fn the_body_of_a_refused_request_is_not_waited_for_either() {
    let shop = Shop::open();
    let request = Request::post("/api/orders/x", "0123456789").chunked(3);
    let mut client = shop.gateway.connect();
    client
        .send(request.head_bytes())
        .send(&request.body_bytes()[..5]);
    client.answer().is_refusal(401, "api_key_required");
    client.is_closed();
}

#[test]
fn a_body_that_moves_may_take_its_time() {
    let upstream = Upstream::echo();
    let gateway = Gateway::start(&format!(
        "[routes]\n\"/a\" = {{ upstream = \"{}\", timeout = \"1500ms\" }}\n[server]\nidle_timeout = \"1500ms\"\nheader_timeout = \"1500ms\"",
        upstream.url()
    ));
    let request = Request::post("/a", "0123456789");
    let mut client = gateway.connect();
    client.send(request.head_bytes());
    for byte in request.body_bytes() {
        std::thread::sleep(Duration::from_millis(200));
        client.send([byte]);
    }
    assert_eq!(client.answer().is(200).text(), "0123456789");
}

#[test]
fn an_answer_that_does_not_come_gets_504() {
    let upstream = Upstream::start(|peer| {
        peer.request()?;
        peer.wait_closed();
        Err(Gone)
    });
    let gateway = Gateway::start(&format!(
        "[routes]\n\"/a\" = {{ upstream = \"{}\", timeout = \"400ms\" }}",
        upstream.url()
    ));
    let mut client = gateway.connect();
    for request in [Request::get("/a"), Request::post("/a", "hello")] {
        let begun = Instant::now();
        client.ask(&request).is_refusal(504, "upstream_timeout");
        let took = begun.elapsed();
        assert!(
            took > Duration::from_millis(300) && took < Duration::from_secs(4),
            "{took:?}"
        );
        upstream.wait_for("the request", |_| true);
        assert_eq!(upstream.take().len(), 1, "sent again");
    }
    upstream.wait_for_open(0);
    client.ask(&Request::get("/health")).is(200);
}

#[test]
fn half_an_answers_head_and_then_silence_gets_504() {
    let upstream = Upstream::start(|peer| {
        peer.request()?;
        peer.send("HTTP/1.1 200 OK\r\nContent-")?;
        peer.wait_closed();
        Err(Gone)
    });
    let gateway = Gateway::start(&format!(
        "[routes]\n\"/a\" = {{ upstream = \"{}\", timeout = \"400ms\" }}",
        upstream.url()
    ));
    gateway
        .ask(&Request::get("/a"))
        .is_refusal(504, "upstream_timeout");
}

#[test]
fn a_stream_may_outlast_the_timeout_but_not_stand_still() {
    let upstream = Upstream::start(|peer| {
        loop {
            let request = peer.request()?;
            peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
            for _ in 0..8 {
                peer.send("1\r\nx\r\n")?;
                std::thread::sleep(Duration::from_millis(200));
            }
            if request.target == "/stands-still" {
                peer.wait_closed();
                return Err(Gone);
            }
            peer.send("0\r\n\r\n")?;
        }
    });
    let gateway = Gateway::start(&format!(
        "[routes]\n\"/a\" = {{ upstream = \"up\", timeout = \"1s\" }}\n[upstreams.up]\nendpoints = [\"{}\"]\nidle_timeout = \"1500ms\"",
        upstream.url()
    ));
    assert_eq!(
        gateway.ask(&Request::get("/a/moves")).is(200).text(),
        "xxxxxxxx"
    );
    let mut client = gateway.connect();
    client.send(Request::get("/a/stands-still").bytes());
    match client.ending() {
        Ending::Cut(response, _) => assert_eq!(response.text(), "xxxxxxxx"),
        other => panic!("{other:?}"),
    }
}

/// Reads for four seconds, steadily and slowly, and then the rest; how many bytes came in all.
fn read_slowly(gateway: &Gateway, request: &str) -> usize {
    let mut stream = TcpStream::connect(gateway.address()).expect("the gateway listens");
    let socket = SockRef::from(&stream);
    socket.set_recv_buffer_size(256 * 1024).expect("SO_RCVBUF");
    stream.write_all(request.as_bytes()).expect("it is short");
    let (begun, mut piece, mut total) = (Instant::now(), vec![0; 32 * 1024], 0);
    while begun.elapsed() < Duration::from_secs(4) {
        total += stream.read(&mut piece).expect("the connection is not cut");
        std::thread::sleep(Duration::from_millis(100));
    }
    let mut rest = Vec::new();
    let ended = stream.read_to_end(&mut rest);
    assert!(ended.is_ok(), "{ended:?} after {total} bytes");
    total + rest.len()
}

/// The kernel reports room only once a third of its buffer is free, megabytes on loopback. A reader
/// may take longer for that than `idle_timeout`.
#[test]
fn a_slow_but_steady_reader_is_not_cut() {
    const LENGTH: usize = 6_000_000;
    let plain = "GET /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let websocket = "GET /a HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\
                     Sec-WebSocket-Key: x\r\n\r\n";
    each([plain, websocket], |request| {
        let upstream = Upstream::start(|peer| {
            let request = peer.head()?;
            peer.send(if request.fields.has("upgrade") {
                "HTTP/1.1 101 S\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n".to_owned()
            } else {
                format!("HTTP/1.1 200 OK\r\nContent-Length: {LENGTH}\r\n\r\n")
            })?;
            peer.send(vec![b'x'; LENGTH])?;
            peer.half_close();
            peer.wait_closed();
            Err(Gone)
        });
        let gateway = Gateway::start(&format!(
            "[routes]\n\"/a\" = \"slow\"\n[upstreams.slow]\nendpoints = \"{}\"\nidle_timeout = \"1s\"",
            upstream.url()
        ));
        assert!(read_slowly(&gateway, request) > LENGTH);
    });
}

/// Load balancers open connections ahead.
#[test]
fn a_connection_that_has_sent_nothing_may_rest_like_any_other() {
    let shop = Shop::with("[server]\nheader_timeout = \"300ms\"\nidle_timeout = \"20s\"");
    let mut client = shop.gateway.connect();
    std::thread::sleep(Duration::from_millis(900));
    Shop::still_serves(&mut client);
}
