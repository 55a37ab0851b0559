//! What is tried again, where, and what is not.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{answering, failing, gateway};
use crate::support::{Gateway, Gone, Peer, Request, Silent, Upstream};

const BUSY: &str = "HTTP/1.1 503 Busy\r\nContent-Length: 4\r\nX-Own: yes\r\n\r\nbusy";

/// Rules with which no circuit opens, so that each request meets the failing service.
const ALWAYS: &str = "breaker = \"off\"\nbalance = \"round-robin\"\ntry_timeout = \"1s\"";

#[test]
fn whatever_fails_is_tried_elsewhere() {
    let failures: Vec<(&str, Upstream)> = vec![
        ("refused", Upstream::down(|_| Ok(()))),
        ("reset", failing(Peer::reset)),
        (
            "reset",
            failing(|peer| drop(peer.send("HTTP/1.1 200 OK\r\nContent-Le"))),
        ),
        ("invalid", failing(|peer| drop(peer.send("what?\r\n\r\n")))),
        ("timeout", failing(Peer::wait_closed)),
        ("status_503", answering(BUSY)),
    ];
    for (reason, bad) in failures {
        let good = Upstream::echo();
        let gateway = gateway(&[&bad, &good], ALWAYS);
        for _ in 0..4 {
            gateway.ask(&Request::get("/x")).is(200);
        }
        let lines = gateway.finish();
        let retried: Vec<_> = lines.iter().filter(|line| line["attempts"] == 2).collect();
        assert!(!retried.is_empty(), "{lines:#?}");
        for line in retried {
            let tries = &line["tries"];
            assert_eq!(tries[0]["endpoint"], json!(bad.address().to_string()));
            assert_eq!(tries[0]["reason"], json!(reason));
            assert!(tries[0]["ms"].is_number(), "{line}");
            assert_eq!(line["endpoint"], json!(good.address().to_string()));
            assert_eq!(line["code"], json!(null));
        }
    }
}

#[test]
fn what_may_have_been_done_is_not_done_again() {
    let failures: Vec<(u16, Upstream)> = vec![
        (502, failing(Peer::reset)),
        (502, failing(|peer| drop(peer.send("what?\r\n\r\n")))),
        (504, failing(Peer::wait_closed)),
        (503, answering(BUSY)),
    ];
    for (status, bad) in failures {
        let good = Upstream::echo();
        let gateway = gateway(&[&bad, &good], ALWAYS);
        let statuses: Vec<_> = (0..4)
            .map(|_| gateway.ask(&Request::post("/x", "hello")).status)
            .collect();
        assert!(statuses.contains(&status), "{statuses:?}");
        let sent = bad.take().len() + good.take().len();
        assert_eq!(sent, 4, "each once");
    }
}

#[test]
fn a_post_of_which_nothing_was_sent_is_sent_elsewhere() {
    let (bad, good) = (Upstream::down(|_| Ok(())), Upstream::echo());
    let gateway = gateway(&[&bad, &good], ALWAYS);
    for _ in 0..4 {
        gateway.ask(&Request::post("/x", "hello")).is(200);
    }
    let bodies: Vec<_> = good.take().into_iter().map(|seen| seen.body).collect();
    assert_eq!(bodies, vec![b"hello".to_vec(); 4]);
}

/// However little of a body is kept for another try: it is all still at hand.
#[test]
fn a_body_of_which_nothing_was_sent_may_be_larger_than_what_is_kept() {
    let (bad, good) = (Upstream::down(|_| Ok(())), Upstream::echo());
    for (method, size) in [("POST", 5_000), ("PUT", 5_000), ("POST", 500_000)] {
        let gateway = Gateway::start(&format!(
            "[routes]\n\"/\" = \"up\"\n[upstreams.up]\n\
             endpoints = [\"{}\", {{ url = \"{}\", backup = true }}]\nretry.body = \"1KiB\"",
            bad.url(),
            good.url()
        ));
        let body = vec![b'x'; size];
        gateway.ask(&Request::new(method, "/x").body(body)).is(200);
        assert_eq!(good.only().body.len(), size, "{method}");
    }
}

/// The service reads so much of a body, and is gone.
fn reads(bytes: usize) -> Upstream {
    Upstream::start(move |peer| {
        peer.head()?;
        let mut read = Vec::new();
        peer.take(bytes, &mut read)?;
        peer.reset();
        Err(Gone)
    })
}

#[test]
fn a_body_that_is_kept_is_sent_again() {
    let (bad, good) = (reads(20 * 1024), Upstream::echo());
    let gateway = gateway(&[&bad, &good], ALWAYS);
    let body: Vec<u8> = (0..48 * 1024_u32).map(|n| (n % 251) as u8).collect();
    for _ in 0..2 {
        let mut client = gateway.connect();
        let request = Request::new("PUT", "/x").body(&body[..]).bytes();
        let (head, rest) = request.split_at(request.len() - body.len());
        client.send(head);
        for piece in rest.chunks(6 * 1024) {
            client.send(piece);
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        client.answer().is(200);
        assert_eq!(good.take().pop().expect("it got there").body, body);
    }
}

#[test]
fn a_body_that_is_too_large_to_be_kept_is_sent_once() {
    let (bad, good) = (reads(200 * 1024), Upstream::echo());
    let gateway = gateway(&[&bad, &good], ALWAYS);
    let body = vec![b'x'; 1024 * 1024];
    let put = || {
        gateway
            .ask(&Request::new("PUT", "/x").body(&body[..]))
            .status
    };
    let statuses: Vec<_> = (0..8).map(|_| put()).collect();
    assert!(statuses.contains(&502), "{statuses:?}");
    let whole = statuses.iter().filter(|status| **status == 200).count();
    assert_eq!(good.take().len(), whole);
}

#[test]
fn an_answer_passes_when_it_is_the_last() {
    let services = [(); 4].map(|()| answering(BUSY));
    let gateway = gateway(&services.each_ref(), ALWAYS);
    let response = gateway.ask(&Request::get("/x"));
    response.is(503);
    assert_eq!(response.fields.one("x-own"), Some("yes"));
    assert_eq!(response.body, b"busy");
    let asked: Vec<_> = services.iter().map(|one| one.take().len()).collect();
    assert_eq!(asked.iter().sum::<usize>(), 3, "two more tries");
    assert!(asked.iter().all(|times| *times <= 1), "{asked:?}");
    let line = gateway.finish().remove(0);
    assert_eq!(
        (&line["attempts"], &line["code"]),
        (&json!(3), &json!(null))
    );
}

#[test]
fn the_budget_bounds_what_is_tried_again() {
    let busy = answering(BUSY);
    let rules = "breaker = \"off\"\nretry = { budget = { percent = 20, per_second = 0 } }";
    let gateway = gateway(&[&busy], rules);
    let mut client = gateway.connect();
    for _ in 0..100 {
        let response = client.ask(&Request::get("/x"));
        response.is(503);
        assert_eq!(response.body, b"busy");
    }
    let asked = busy.take().len();
    assert!((110..=120).contains(&asked), "{asked}");
}

#[test]
fn nothing_is_tried_again_where_that_is_off() {
    let (busy, good) = (answering(BUSY), Upstream::echo());
    let gateway = gateway(&[&busy, &good], &format!("{ALWAYS}\nretry = \"off\""));
    let mut statuses: Vec<_> = (0..4)
        .map(|_| gateway.ask(&Request::get("/x")).status)
        .collect();
    statuses.sort_unstable();
    assert!(statuses.contains(&503), "{statuses:?}");
    assert_eq!(busy.take().len() + good.take().len(), 4);
}

#[test]
fn all_tries_together_have_the_routes_time() {
    let silent = [(); 3].map(|()| failing(Peer::wait_closed));
    let gateway = crate::support::Gateway::start(&format!(
        "[routes]\n\"/\" = {{ upstream = \"up\", timeout = \"2500ms\" }}\n[upstreams.up]\nendpoints = [{}]\ntry_timeout = \"1500ms\"",
        silent
            .each_ref()
            .map(|one| format!("\"{}\"", one.url()))
            .join(", ")
    ));
    let begun = std::time::Instant::now();
    gateway
        .ask(&Request::get("/x"))
        .is_refusal(504, "upstream_timeout");
    let took = begun.elapsed().as_millis();
    assert!((2500..4400).contains(&took), "{took} ms");
    assert_eq!(gateway.finish()[0]["attempts"], json!(2));
}

/// The first has used up nearly all of the time, and there is no time for a try.
#[test]
fn the_last_try_has_what_is_left_of_the_routes_time() {
    let late = Upstream::start(|peer| {
        peer.request()?;
        std::thread::sleep(Duration::from_millis(1_500));
        peer.send(BUSY)?;
        peer.wait_closed();
        Err(Gone)
    });
    let gateway = crate::support::Gateway::start(&format!(
        "[routes]\n\"/\" = {{ upstream = \"up\", timeout = \"2500ms\" }}\n[upstreams.up]\nendpoints = [\"{}\"]\nretry = {{ attempts = 5 }}",
        late.url()
    ));
    let begun = Instant::now();
    gateway
        .ask(&Request::get("/x"))
        .is_refusal(504, "upstream_timeout");
    let took = begun.elapsed().as_millis();
    // Less than a whole time for the first try and another for the second.
    assert!((2500..4000).contains(&took), "{took} ms");
    let line = gateway.finish().remove(0);
    assert_eq!(line["attempts"], json!(2));
    assert_eq!(line["upstream_ms"], json!(null), "it got no answer");
}

/// What an interim answer says is of the endpoint that has sent it.
#[test]
fn nothing_is_tried_again_after_an_interim_answer() {
    let hints = failing(reset_after_hints);
    let good = Upstream::echo();
    let gateway = gateway(&[&hints, &good], ALWAYS);
    for _ in 0..4 {
        let response = gateway.ask(&Request::get("/x"));
        let expected = if response.interim.is_empty() {
            200
        } else {
            502
        };
        response.is(expected);
    }
    assert_eq!(hints.take().len() + good.take().len(), 4, "each once");
}

/// RFC 9110 section 15.2: a client of HTTP/1.0 gets no interim answers, so none binds its answer.
#[test]
fn an_interim_answer_that_is_not_passed_on_binds_nobody() {
    let hints = failing(reset_after_hints);
    let good = Upstream::echo();
    let gateway = gateway(&[&hints, &good], ALWAYS);
    for _ in 0..4 {
        let mut client = gateway.connect();
        client.send("GET /x HTTP/1.0\r\nHost: a.test\r\n\r\n");
        client.answer().is(200);
    }
    assert!(!hints.take().is_empty(), "it was asked");
    assert_eq!(good.take().len(), 4);
}

fn reset_after_hints(peer: &mut Peer) {
    drop(peer.send("HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n"));
    std::thread::sleep(Duration::from_millis(50));
    peer.reset();
}

#[test]
fn chunks_and_trailers_are_sent_again() {
    let bad = failing(Peer::reset);
    let good = Upstream::echo();
    let gateway = gateway(&[&bad, &good], ALWAYS);
    for _ in 0..2 {
        let mut client = gateway.connect();
        client.send("PUT /x HTTP/1.1\r\nHost: a.test\r\nExpect: 100-continue\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n");
        client.send("5\r\nhello\r\n");
        std::thread::sleep(Duration::from_millis(20));
        client.send(
            "3;a=b\r\n, x\r\n0\r\nX-Sum: 8\r\n\r\nGET /next HTTP/1.1\r\nHost: a.test\r\n\r\n",
        );
        client.answer().is(200);
        client.answer().is(200);
        let seen = good.take();
        let put = seen.iter().find(|seen| seen.method == "PUT").expect("it");
        assert_eq!((&put.body[..], put.whole), (&b"hello, x"[..], true));
        assert_eq!(put.trailers.one("x-sum"), Some("8"));
    }
    for line in gateway.finish() {
        let expected = if line["method"] == "PUT" { 8 } else { 0 };
        assert_eq!(line["bytes_in"], json!(expected), "{line}");
    }
}

/// The first endpoint takes no connection, the second never answers.
#[test]
fn connecting_counts_towards_the_routes_time() {
    let takes_none = Silent::on(([127, 0, 0, 1], 0).into());
    let hangs = failing(Peer::wait_closed);
    let gateway = Gateway::start(&format!(
        "[server]\nworkers = 1\n[routes]\n\"/\" = {{ upstream = \"up\", timeout = \"3s\" }}\n\
         [upstreams.up]\nendpoints = [\"http://{}\", {{ url = \"{}\", backup = true }}]\n\
         connect_timeout = \"1s\"",
        takes_none.address(),
        hangs.url()
    ));
    let begun = Instant::now();
    let refused = gateway.ask(&Request::get("/x"));
    let took = begun.elapsed();
    refused.is_refusal(504, "upstream_timeout");
    let bounds = Duration::from_millis(2900)..Duration::from_millis(3900);
    assert!(bounds.contains(&took), "{took:?}");
    let line = gateway.finish().remove(0);
    assert_eq!(line["attempts"], 2, "{line}");
    assert_eq!(line["tries"][0]["reason"], "no_connection", "{line}");
}

/// Also the last one, whose answer the client gets.
#[test]
fn each_failed_try_is_listed() {
    let missing = "HTTP/1.1 404 Not Here\r\nContent-Length: 0\r\n\r\n";
    let broken = "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n";
    let alone = "breaker = \"off\"\nretry = \"off\"";
    let cases = [
        ("", "GET", BUSY, 3),
        (ALWAYS, "GET", BUSY, 3),
        ("retry = \"off\"", "GET", BUSY, 1),
        (alone, "GET", BUSY, 1),
        (alone, "POST", broken, 1),
        ("", "POST", BUSY, 1),
        ("", "GET", broken, 1),
        ("", "GET", missing, 0),
        ("retry.statuses = 404", "GET", missing, 3),
        ("retry.statuses = 404", "POST", missing, 1),
        ("breaker.statuses = 404", "GET", missing, 1),
        (alone, "GET", missing, 0),
    ];
    for (rules, method, answer, failed) in cases {
        let bad = answering(answer);
        let gateway = gateway(&[&bad], rules);
        let answered = gateway.ask(&Request::new(method, "/x"));
        let line = &gateway.finish()[0];
        let case = format!("{rules} {method}: {line}");
        assert_eq!(line["attempts"], failed.max(1), "{case}");
        let tries = line["tries"].as_array().cloned().unwrap_or_default();
        assert_eq!(tries.len(), failed, "{case}");
        let reason = format!("status_{}", answered.status);
        for one in &tries {
            assert_eq!(one["reason"], reason, "{case}");
            assert_eq!(one["endpoint"], bad.address().to_string(), "{case}");
        }
    }
}

/// It is one try that has failed.
#[test]
fn an_error_that_breaks_off_is_listed_once() {
    let bad = failing(|peer| {
        drop(peer.send("HTTP/1.1 503 Busy\r\nContent-Length: 100\r\n\r\nbusy"));
    });
    let gateway = gateway(&[&bad], "retry = \"off\"");
    let request = Request::get("/x");
    drop(gateway.connect().send(request.bytes()).ending_of(&request));
    let line = &gateway.finish()[0];
    assert_eq!(line["status"], 503, "{line}");
    assert_eq!(line["code"], "upstream_reset", "{line}");
    let tries = line["tries"].as_array().expect("a list");
    assert_eq!(tries.len(), 1, "{line}");
    assert_eq!(tries[0]["reason"], "reset", "{line}");
}
