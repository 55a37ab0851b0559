//! What a service may leave in its connection, or put there too much, is no part of another
//! client's exchange: after such an answer the connection is not used again.

use crate::support::{Gateway, Request, Upstream, each};

const SMUGGLED: &str = "GET /admin HTTP/1.1\r\nHost: x\r\nX-Client-Id: root\r\n\r\n";

/// Answers a request as soon as it has the head, and takes what follows for the next request.
fn refusing(answer: &'static str) -> Upstream {
    Upstream::start(move |peer| {
        loop {
            let head = peer.head()?;
            peer.record(&head);
            if head.target == "/upload" {
                peer.send(answer)?;
            } else {
                peer.reply(&head, head.target.as_bytes())?;
            }
        }
    })
}

fn in_front_of(service: &Upstream) -> Gateway {
    Gateway::start(&format!(
        "[routes]\n\"/\" = \"{}\"\n[server]\nworkers = 1",
        service.url()
    ))
}

#[test]
fn a_body_that_a_refusal_left_unread_is_no_request() {
    let rows = [
        ("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", false),
        ("HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n", false),
        ("HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n", true),
        ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", true),
    ];
    each(rows, |&(answer, expects)| {
        for method in ["POST", "PUT", "PATCH"] {
            let service = refusing(answer);
            let gateway = in_front_of(&service);
            let mut request = Request::new(method, "/upload").body(SMUGGLED);
            if expects {
                request = request.field("Expect", "100-continue");
            }
            gateway.connect().ask(&request);
            for _ in 0..2 {
                let victim = gateway.ask(&Request::get("/victim"));
                assert_eq!(victim.is(200).text(), "/victim");
            }
            let seen = service.take();
            assert!(
                seen.iter()
                    .all(|seen| seen.target != "/admin" || seen.connection == 0),
                "the body was run where others are served"
            );
            let victims = seen.iter().filter(|seen| seen.target == "/victim");
            assert!(victims.clone().count() == 2 && victims.clone().all(|v| v.connection != 0));
        }
    });
}

#[test]
fn a_body_that_was_asked_for_does_not_cost_its_connection() {
    let service = Upstream::start(|peer| {
        loop {
            let head = peer.head()?;
            if head.fields.has("expect") {
                peer.send("HTTP/1.1 100 Continue\r\n\r\n")?;
            }
            let request = peer.rest_of(head)?;
            peer.reply(&request, b"ok")?;
        }
    });
    let gateway = in_front_of(&service);
    let expecting = Request::post("/a", "hello").field("Expect", "100-continue");
    for request in [expecting, Request::get("/b")] {
        gateway.connect().ask(&request).is(200);
    }
    assert_eq!(service.connections(), 1);
}

#[test]
fn an_answer_that_announces_a_body_it_may_not_have_ends_its_connection() {
    let rows = [
        ("HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"),
        (
            "HEAD",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        ),
        (
            "GET",
            "HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\n",
        ),
    ];
    each(rows, |&(method, answer)| {
        let service = refusing(answer);
        let gateway = in_front_of(&service);
        gateway.ask(&Request::new(method, "/upload"));
        gateway.ask(&Request::get("/next")).is(200);
        let seen = service.take();
        assert_eq!((seen[0].connection, seen[1].connection), (0, 1));
    });
}

#[test]
fn an_answer_that_announces_nothing_does_not_cost_its_connection() {
    let rows = [
        ("HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
        ("GET", "HTTP/1.1 304 Not Modified\r\n\r\n"),
        ("GET", "HTTP/1.1 204 No Content\r\n\r\n"),
    ];
    each(rows, |&(method, answer)| {
        let service = refusing(answer);
        let gateway = in_front_of(&service);
        gateway.ask(&Request::new(method, "/upload"));
        gateway.ask(&Request::get("/next")).is(200);
        assert_eq!(service.connections(), 1);
    });
}
