//! The harness against itself: a client talks straight to an upstream, and both notice what is
//! wrong. A harness that lets mistakes pass would make every other test here worthless.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use crate::support::{Broken, Client, Ending, Request, Upstream, each, noise};

#[test]
fn requests_arrive_as_they_were_sent() {
    let upstream = Upstream::echo();
    let mut client = Client::to(upstream.address());
    let (body, chunked) = (noise(70_000), noise(1000));
    let first = client.ask(&Request::post("/a?b", body.clone()).field("X-Case", "One"));
    let second = client.ask(&Request::post("/c", chunked.clone()).chunked(300));
    assert_eq!((first.status, first.body), (200, body.clone()));
    assert_eq!(second.body, chunked);

    let seen = upstream.take();
    assert_eq!(
        (seen[0].method.as_str(), seen[0].target.as_str()),
        ("POST", "/a?b")
    );
    assert!(
        seen[0]
            .raw
            .starts_with(b"POST /a?b HTTP/1.1\r\nHost: gateway.test\r\nX-Case: One\r\n")
    );
    assert_eq!((&seen[0].body, &seen[1].body), (&body, &chunked));
    assert_eq!((seen[0].connection, seen[1].connection), (0, 0));
}

#[test]
fn a_client_complains_of_every_malformed_answer() {
    let answers: [&str; 12] = [
        "garbage\r\n\r\n",
        "HTTP/1.1 20 OK\r\n\r\n",
        "HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX : y\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX: y\r\n z\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloX\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n+5\r\nhello\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\n\n",
        "\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    ];
    each(answers, |answer| {
        let upstream = Upstream::answering_once(*answer);
        let mut client = Client::to(upstream.address());
        let asked = catch_unwind(AssertUnwindSafe(|| client.ask(&Request::get("/"))));
        assert!(asked.is_err(), "nothing was said of it: {asked:?}");
    });
}

#[test]
fn an_upstream_complains_of_malformed_requests() {
    let upstream = Upstream::echo();
    for request in [
        "GET  / HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\n\n",
    ] {
        let mut client = Client::to(upstream.address());
        client.patience(Duration::from_millis(300)).send(request);
        let _ = client.ending();
    }
    assert!(
        catch_unwind(AssertUnwindSafe(|| drop(upstream))).is_err(),
        "no complaint"
    );
}

#[test]
fn cut_answers_and_resets_are_told_apart() {
    let short = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello";
    let upstream = Upstream::start(move |peer| {
        peer.request()?;
        peer.send(short)?;
        if peer.nth == 1 {
            peer.reset();
            return Err(crate::support::Gone);
        }
        Ok(())
    });
    let cut = |why: &Broken| {
        let mut client = Client::to(upstream.address());
        client.send(Request::get("/").bytes());
        match client.ending() {
            Ending::Cut(response, how) => {
                assert_eq!((&response.body[..], &how), (&b"hello"[..], why));
            }
            other => panic!("{other:?}"),
        }
    };
    cut(&Broken::Closed);
    cut(&Broken::Reset);
}

#[test]
fn an_upstream_goes_down_and_comes_back_on_its_port() {
    let upstream = Upstream::down(|peer| {
        let request = peer.request()?;
        peer.reply(&request, b"up")
    });
    let refused = || std::net::TcpStream::connect(upstream.address()).is_err();
    assert!(refused());
    for _ in 0..3 {
        upstream.come_up();
        let up = Client::to(upstream.address()).ask(&Request::get("/"));
        assert_eq!(up.text(), "up");
        upstream.go_down();
        assert!(refused());
    }
}

#[test]
fn a_cut_upload_is_recorded_as_such() {
    let upstream = Upstream::echo();
    let mut client = Client::to(upstream.address());
    client
        .send("POST /cut HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhello")
        .half_close();
    let seen = upstream.wait_for("the cut upload", |seen| seen.target == "/cut");
    assert!(!seen.whole && seen.body == b"hello");
}
