//! Slowness has bounds: of a head, of a body, of an upstream's answer. What moves may take as
//! long as it likes.

use std::time::{Duration, Instant};

use crate::support::{Ending, Gateway, Gone, Request, Shop, Upstream};

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
        use std::io::Write;
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
        "[routes]\n\"/a\" = \"up\"\n[upstreams.up]\nendpoints = [\"{}\"]\nidle_timeout = \"200ms\"",
        upstream.url()
    ));
    let request = Request::post("/a", "0123456789").chunked(3);
    let mut client = gateway.connect();
    client
        .send(request.head_bytes())
        .send(&request.body_bytes()[..5]);
    std::thread::sleep(Duration::from_millis(600));
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
        "[routes]\n\"/a\" = {{ upstream = \"{}\", timeout = \"500ms\" }}\n[server]\nidle_timeout = \"500ms\"\nheader_timeout = \"500ms\"",
        upstream.url()
    ));
    let request = Request::post("/a", "0123456789");
    let mut client = gateway.connect();
    client.send(request.head_bytes());
    for byte in request.body_bytes() {
        std::thread::sleep(Duration::from_millis(100));
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
                std::thread::sleep(Duration::from_millis(100));
            }
            if request.target == "/stands-still" {
                peer.wait_closed();
                return Err(Gone);
            }
            peer.send("0\r\n\r\n")?;
        }
    });
    let gateway = Gateway::start(&format!(
        "[routes]\n\"/a\" = {{ upstream = \"up\", timeout = \"300ms\" }}\n[upstreams.up]\nendpoints = [\"{}\"]\nidle_timeout = \"600ms\"",
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
