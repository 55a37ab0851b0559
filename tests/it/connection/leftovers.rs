//! What a service may leave in its connection, or put there too much, is no part of another
//! client's exchange: after such an answer the connection is not used again.

use std::sync::Mutex;
use std::sync::mpsc::{Receiver, channel};

use crate::support::{Gateway, Gone, Request, Seen, Upstream, each};

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

/// Leaves bodies unread and runs them, with the second answer only once that is asked for, unless the
/// service is told that its connection ends.
fn running_bodies(answer_to_body: Receiver<&'static str>) -> Upstream {
    let answers = Mutex::new(answer_to_body);
    Upstream::start(move |peer| {
        loop {
            let head = peer.head()?;
            peer.record(&head);
            if head.target == "/admin" {
                let answer = answers.lock().expect("no panic").recv();
                peer.send(answer.map_err(|_| Gone)?)?;
                continue;
            }
            peer.reply(&head, b"ok")?;
            if is_end_told(&head) {
                peer.close();
                return Err(Gone);
            }
        }
    })
}

const ANSWERED: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nadmin";

fn is_end_told(seen: &Seen) -> bool {
    let options = seen.fields.items("connection");
    options.iter().any(|option| option == "close")
}

fn is_told_of_end(service: &Upstream, target: &str) -> bool {
    let seen = service.take();
    let seen = seen.iter().find(|seen| seen.target == target);
    let seen = seen.unwrap_or_else(|| panic!("{target} has come"));
    is_end_told(seen)
}

#[test]
fn a_service_that_was_found_to_run_bodies_runs_no_more_of_them() {
    let (answer, answers) = channel();
    let service = running_bodies(answers);
    let gateway = Gateway::start(&format!("[routes]\n\"/\" = \"{}\"", service.url()));
    gateway.ask(&Request::post("/first", SMUGGLED)).is(200);
    assert!(!is_told_of_end(&service, "/first"), "nothing is known yet");
    answer.send(ANSWERED).unwrap();
    let warning = gateway.wait_log("the warning", |line| {
        let text = line["message"].as_str().unwrap_or_default();
        text.contains("leaves bodies unread")
    });
    assert_eq!(warning["endpoint"], service.address().to_string());
    for method in ["POST", "PUT", "PATCH"] {
        gateway
            .ask(&Request::new(method, "/next").body(SMUGGLED))
            .is(200);
        assert!(is_told_of_end(&service, "/next"), "{method}");
    }
    gateway.ask(&Request::get("/get")).is(200);
    assert!(!is_told_of_end(&service, "/get"), "that has no body");
    let warnings = gateway.log_text().matches("leaves bodies unread").count();
    assert_eq!(warnings, 1);
}

#[test]
fn an_answer_to_a_body_is_found_behind_the_one_that_was_asked_for() {
    let service = Upstream::start(|peer| {
        let head = peer.head()?;
        peer.record(&head);
        let both = format!("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok{ANSWERED}");
        peer.send(both)?;
        peer.wait_closed();
        Ok(())
    });
    let gateway = in_front_of(&service);
    for expected in [false, true] {
        gateway.ask(&Request::post("/upload", SMUGGLED)).is(200);
        assert_eq!(is_told_of_end(&service, "/upload"), expected);
    }
}

#[test]
fn what_else_comes_unasked_says_nothing_of_bodies() {
    let rows = [
        ("POST", "HTTP/1.1 408 Request Timeout\r\n\r\n"),
        ("POST", "\r\n"),
        ("GET", ANSWERED),
    ];
    each(rows, |&(method, unasked)| {
        let service = Upstream::start(move |peer| {
            let request = peer.request()?;
            peer.reply(&request, b"ok")?;
            peer.send(unasked)?;
            peer.wait_closed();
            Ok(())
        });
        let gateway = in_front_of(&service);
        let body = if method == "POST" { "hello" } else { "" };
        for _ in 0..2 {
            gateway.ask(&Request::new(method, "/a").body(body)).is(200);
            // It is found out at the latest when its connection is looked after.
            service.wait_for_open(0);
        }
        gateway.ask(&Request::post("/b", "hello")).is(200);
        assert!(!is_told_of_end(&service, "/b"));
    });
}

#[test]
fn a_service_whose_connections_are_not_kept_is_told_so() {
    let service = Upstream::echo();
    let gateway = Gateway::start(&format!(
        "[routes]\n\"/\" = \"{}\"\n[upstream_defaults]\nkeep = 0",
        service.url()
    ));
    for request in [Request::get("/a"), Request::post("/a", "hello")] {
        gateway.ask(&request).is(200);
        assert!(is_told_of_end(&service, "/a"));
    }
}
