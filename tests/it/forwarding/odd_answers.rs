//! Answers that are not as HTTP asks for and that all peers read alike are read alike here, too. They
//! are written anew for the client, and behind a head that had to be repaired nothing is trusted.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;

use crate::support::{Gateway, Request, Shop, Upstream, each};

/// Asks three times for what an upstream answers that keeps its connections.
fn ask(answer: &str, fields: &[(&str, &str)]) -> (Shop, Vec<String>) {
    let shop = Shop::selling(Upstream::answering(answer), "");
    let mut client = shop.gateway.connect();
    let bodies = (0..3).map(|_| {
        let response = client.ask(&Request::get("/api/inventory/x"));
        response.is(200);
        for (name, value) in fields {
            assert_eq!(response.fields.one(name), Some(*value), "{answer:?}");
        }
        response.text()
    });
    let bodies = bodies.collect();
    (shop, bodies)
}

/// What the gateway has logged of answers, which it may do after they are sent.
fn reasons(mut gateway: Gateway) -> Vec<String> {
    gateway.signal(Signal::TERM);
    gateway.wait_exit();
    gateway.wait_log_end();
    let log = gateway.log();
    let is_odd = |line: &&Value| {
        let message = line["message"].as_str().unwrap_or_default();
        message.starts_with("an answer of a service")
    };
    let odd = log.iter().filter(is_odd);
    odd.filter_map(|line| line["why"].as_str())
        .map(str::to_owned)
        .collect()
}

#[test]
fn heads_that_all_peers_read_alike_are_repaired() {
    let lf = "a line ends with LF alone";
    let blanks = "blanks stand between a field's name and its colon";
    let old = "it is HTTP/1.0 and has chunks";
    let rows = [
        ("HTTP/1.1 200 OK\nX-A: b\nContent-Length: 2\n\nok", lf),
        (
            "HTTP/1.1 200 OK\r\nX-A : b\r\nContent-Length: 2\r\n\r\nok",
            blanks,
        ),
        (
            "HTTP/1.1 200 OK\r\nX-A:b\r\nContent-Length \t: 2\r\n\r\nok",
            blanks,
        ),
        (
            "HTTP/1.1 200 OK\r\nX-A: b\r\nTransfer-Encoding : chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
            blanks,
        ),
        (
            "HTTP/1.0 200 OK\r\nX-A: b\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
            old,
        ),
    ];
    each(rows, |(answer, why)| {
        let (shop, bodies) = ask(answer, &[("x-a", "b")]);
        assert_eq!(bodies, ["ok"; 3]);
        assert_eq!(
            shop.inventory.connections(),
            3,
            "{answer:?}: a connection was used again"
        );
        assert_eq!(reasons(shop.gateway), [*why], "logged once a minute");
    });
}

#[test]
fn equal_lengths_are_one_and_blanks_behind_the_size_of_a_chunk_are_skipped() {
    let chunks = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2  \r\nok\r\n0   \r\n\r\n";
    let twice = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok";
    let rows: [(_, _, &[&str]); 2] = [
        (chunks, &[][..], &[]),
        (
            twice,
            &[("content-length", "2")][..],
            &["Content-Length is there more than once"],
        ),
    ];
    each(rows, |(answer, fields, why)| {
        let (shop, bodies) = ask(answer, fields);
        assert_eq!(bodies, ["ok"; 3]);
        assert_eq!(
            shop.inventory.connections(),
            1,
            "{answer:?}: nothing is wrong with it"
        );
        assert_eq!(reasons(shop.gateway), *why);
    });
}

/// Behind this, what follows in each row is a body in chunks.
const CHUNKS: &str =
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n";

#[test]
fn chunks_and_trailers_that_all_peers_read_alike_are_written_anew() {
    let lf = "a line ends with LF alone";
    let blanks = "blanks stand between a field's name and its colon";
    let (plain, with_trailer) = ("2\r\nok\r\n0\r\n\r\n", "2\r\nok\r\n0\r\nX-T: 1\r\n\r\n");
    let rows = [
        ("2\nok\n0\n\n", plain, lf),
        ("2 \nok\r\n0\r\n\r\n", plain, lf),
        ("2\r\nok\n0\r\n\r\n", plain, lf),
        ("2\r\nok\r\n0\n\r\n", plain, lf),
        ("2\nok\n0\nX-T: 1\n\n", with_trailer, lf),
        ("2\r\nok\r\n0\r\nX-T: 1\n\n", with_trailer, lf),
        ("2\r\nok\r\n0\r\nX-T : 1\r\n\r\n", with_trailer, blanks),
        // What may be no trailer is none with blanks behind its name, either.
        (
            "2\r\nok\r\n0\r\nContent-Length : 9\r\nX-T: 1\r\n\r\n",
            with_trailer,
            blanks,
        ),
    ];
    each(rows, |(body, written, why)| {
        // An answer that nobody asked for, behind it.
        let answer = format!("{CHUNKS}{body}HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nowned");
        for answer in [format!("{CHUNKS}{body}"), answer] {
            let shop = Shop::selling(Upstream::answering(answer), "");
            let mut client = shop.gateway.connect();
            for _ in 0..2 {
                let response = client.ask(&Request::get("/api/inventory/x"));
                assert_eq!(response.is(200).text(), "ok");
            }
            client.send("GET /api/inventory/x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
            let mut raw = Vec::new();
            while let Ok(some) = client.some() {
                raw.extend(some);
            }
            let raw = String::from_utf8(raw).unwrap();
            let (head, body) = raw.split_once("\r\n\r\n").unwrap();
            assert!(!head.replace("\r\n", "").contains('\n'), "{head:?}");
            assert_eq!(body, *written);
            assert_eq!(
                shop.inventory.connections(),
                3,
                "a connection was used again"
            );
            assert_eq!(reasons(shop.gateway), [*why], "logged once a minute");
        }
    });
}

#[test]
fn chunks_and_trailers_that_two_readers_could_read_differently_are_refused() {
    let size = "in its body: A chunk's size is malformed.";
    let mixed =
        "in its body: Some lines of the trailer section end with CR LF, others with LF alone.";
    for (body, why) in [
        ("2\rok\r\n0\r\n\r\n", size),
        ("2\nok\n\n0\n\n", size),
        (
            "2;a\nok\r\n0\r\n\r\n",
            "in its body: A chunk's extensions are malformed.",
        ),
        (
            "2\r\nok\r0\r\n\r\n",
            "in its body: A chunk does not end with CR LF.",
        ),
        ("2\r\nok\r\n0\r\nX: a\nSet-Cookie: b\r\n\r\n", mixed),
        ("2\nok\n0\nX: a\n\r\n", mixed),
        (
            "2\nok\n0\nX: a\rY: b\n\n",
            "in its body: The trailer section is malformed.",
        ),
    ] {
        let shop = Shop::selling(Upstream::answering(format!("{CHUNKS}{body}")), "");
        let mut client = shop.gateway.connect();
        client.send(Request::get("/api/inventory/x").bytes());
        let _ = client.ending();
        let line = &shop.gateway.access_log(1)[0];
        assert_eq!(line["detail"].as_str(), Some(why), "{body:?}");
        assert_eq!(line["code"], "upstream_invalid", "{body:?}");
    }
}

#[test]
fn what_is_smuggled_behind_a_repaired_head_is_never_an_answer() {
    // A client that could put a LF into a field of the answer.
    let answer = "HTTP/1.1 200 OK\nX: a\nContent-Length: 2\n\nokHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nowned";
    let (shop, bodies) = ask(answer, &[]);
    assert_eq!(bodies, ["ok"; 3]);
    assert_eq!(shop.inventory.connections(), 3);
}

/// What is wrong with an answer, and where, is in the access line.
#[test]
fn an_answer_that_is_refused_says_which_part_of_it_is_wrong() {
    for (lines, body, why) in [
        (
            "Transfer-Encoding: chunked\r\nContent-Length: 2",
            "ok",
            "it has Content-Length and Transfer-Encoding",
        ),
        (
            "Content-Length: +2",
            "ok",
            "its Content-Length is not a number of bytes",
        ),
        (
            "Content-Length: 2; 2",
            "ok",
            "its Content-Length is not a number of bytes",
        ),
        (
            "Content-Length: 2\r\nContent-Length: 3",
            "ok",
            "it has Content-Length fields that differ",
        ),
        (
            "Transfer-Encoding: gzip, chunked",
            "ok",
            "its Transfer-Encoding has another coding than chunked",
        ),
        (
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
            "ok",
            "once and without parameters",
        ),
        (
            "Transfer-Encoding: chunked",
            " 2\r\nok\r\n0\r\n\r\n",
            "in its body: A chunk's size is malformed.",
        ),
        (
            "X: a\r\nX y: z",
            "",
            "A header field's name is malformed. (line 3)",
        ),
        ("X: a\r\nsecret", "", "(line 3 has no colon)"),
        ("X: a\u{0}b", "", "(line 2, the field `X`)"),
    ] {
        let answer = format!("HTTP/1.1 200 OK\r\n{lines}\r\n\r\n{body}");
        let shop = Shop::selling(Upstream::answering(answer.as_str()), "");
        let mut client = shop.gateway.connect();
        client.send(Request::get("/api/inventory/x").bytes());
        let _ = client.ending();
        let line = &shop.gateway.access_log(1)[0];
        let detail = line["detail"].as_str().unwrap_or_default();
        assert!(detail.contains(why), "{lines:?}: {detail}");
        assert_eq!(line["code"], "upstream_invalid", "{lines:?}");
    }
}

#[test]
fn a_head_whose_lines_end_in_both_ways_is_refused() {
    // A service that takes CR LF out of a value, but not LF.
    for answer in [
        "HTTP/1.1 200 OK\r\nX: a\nSet-Cookie: sid=owned\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nX: a\n\n<script>\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 103 Early Hints\r\nLink: a\nX: b\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
    ] {
        let shop = Shop::selling(Upstream::answering(answer), "");
        let mut client = shop.gateway.connect();
        let response = client.ask(&Request::get("/api/inventory/x"));
        response.is_refusal(502, "upstream_invalid");
        assert!(!response.fields.has("set-cookie"), "{answer:?}");
        let line = &shop.gateway.access_log(1)[0];
        let detail = line["detail"].as_str().unwrap_or_default();
        assert!(detail.contains("others with LF alone"), "{detail}");
    }
}

#[test]
fn requests_stay_strict() {
    let shop = Shop::open();
    for raw in [
        "GET /api/inventory/x HTTP/1.1\nHost: x\n\n",
        "GET /api/inventory/x HTTP/1.1\r\nHost : x\r\n\r\n",
        "POST /api/inventory/x HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST /api/inventory/x HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok",
        "POST /api/inventory/x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2 \r\nok\r\n0\r\n\r\n",
    ] {
        let mut client = shop.gateway.connect();
        client.send(raw);
        client.answer().is_refusal(400, "bad_request");
    }
    for body in [
        "2\nok\r\n0\r\n\r\n",
        "2\r\nok\n0\r\n\r\n",
        "2\r\nok\r\n0\n\r\n",
        "2\r\nok\r\n0\r\n\n",
        "2\r\nok\r\n0\r\nX-T: 1\n\n",
        "2\r\nok\r\n0\r\nX-T : 1\r\n\r\n",
    ] {
        let head =
            "POST /api/inventory/x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
        let mut client = shop.gateway.connect();
        client.send(format!("{head}{body}"));
        client.answer().is_refusal(400, "bad_request");
    }
    shop.nothing_got_through();
}

#[test]
fn a_426_says_which_protocol_it_asks_for() {
    let answer = "HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nContent-Length: 0\r\n\r\n";
    let shop = Shop::selling(Upstream::answering(answer), "");
    let mut client = shop.gateway.connect();
    for _ in 0..2 {
        let response = client.ask(&Request::get("/api/inventory/x"));
        assert_eq!(response.is(426).fields.one("upgrade"), Some("websocket"));
        assert_eq!(response.fields.items("connection"), ["upgrade"]);
        assert_eq!(response.fields.one("sec-websocket-version"), Some("13"));
    }
    let upgrade = answer.replace("426 Upgrade Required", "200 OK");
    let shop = Shop::selling(Upstream::answering(upgrade), "");
    let response = shop.ask(&Request::get("/api/inventory/x"));
    assert!(
        !response.is(200).fields.has("upgrade"),
        "of no other answer"
    );
}

#[test]
fn a_service_that_says_that_it_is_at_work_is_waited_for() {
    let upstream = Upstream::start(|peer| {
        let request = peer.request()?;
        for _ in 0..6 {
            std::thread::sleep(Duration::from_millis(600));
            peer.send("HTTP/1.1 102 Processing\r\n\r\n")?;
        }
        peer.reply(&request, b"done")
    });
    let gateway = Gateway::start(&format!(
        "[routes]\n\"/a\" = {{ upstream = \"{}\", timeout = \"2500ms\" }}",
        upstream.url()
    ));
    assert_eq!(gateway.ask(&Request::get("/a")).is(200).text(), "done");
}
