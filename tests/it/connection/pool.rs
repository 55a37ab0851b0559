//! Kept connections to upstreams: used again, never for a request that they can't serve, and
//! never a source of somebody else's answer.

use crate::support::{Client, Gateway, Gone, PATIENCE, Request, Shop, UNGUARDED, Upstream, each};

#[test]
fn a_connection_that_the_upstream_closed_costs_no_error() {
    let (closed, has_closed) = std::sync::mpsc::channel();
    // Promises to keep the connection, and closes it after each answer.
    let upstream = Upstream::start(move |peer| {
        let request = peer.request()?;
        let body = request.body.clone();
        peer.reply(&request, &body)?;
        peer.half_close();
        let _ = closed.send(());
        Ok(())
    });
    let shop = Shop::selling(upstream, "");
    let mut client = shop.gateway.connect();
    for i in 0..40 {
        let body = format!("body {i}");
        let request = match i % 2 {
            0 => Request::get("/api/inventory/x").body(body.clone()),
            _ => Request::post("/api/inventory/x", body.clone()),
        };
        assert_eq!(client.ask(&request).is(200).text(), body);
        // The end of the pooled connection is there before the next request is sent.
        has_closed
            .recv_timeout(PATIENCE)
            .expect("the upstream closes");
    }
    assert_eq!(shop.inventory.take().len(), 40, "each exactly once");
}

#[test]
fn a_get_survives_a_connection_that_dies_under_it() {
    // More than the usual budget for retries has room for.
    let rules = "[upstream_defaults]\nretry.budget = { percent = 100, per_second = 100 }";
    let shop = Shop::selling(dies_on_its_second_request(), rules);
    let mut client = shop.gateway.connect();
    for method in ["GET", "PUT", "PROPFIND", "REPORT", "SEARCH"] {
        for _ in 0..4 {
            client
                .ask(&Request::new(method, "/api/inventory/x"))
                .is(200);
        }
    }
}

#[test]
fn a_post_is_never_sent_twice() {
    let shop = Shop::selling(dies_on_its_second_request(), "");
    let mut client = shop.gateway.connect();
    for _ in 0..5 {
        client.ask(&Request::get("/api/inventory/warm")).is(200);
        let response = client.ask(&Request::post("/api/inventory/once", "hello"));
        let seen = shop.inventory.take();
        let times = seen.iter().filter(|seen| seen.target == "/once").count();
        assert!(
            matches!((response.status, times), (200 | 502, 1)),
            "{} after {times}",
            response.status
        );
    }
}

#[test]
fn a_request_without_an_answer_gets_502() {
    for reset in [false, true] {
        let upstream = Upstream::start(move |peer| {
            loop {
                let request = peer.request()?;
                if request.target == "/warm" {
                    peer.reply(&request, b"")?;
                    continue;
                }
                if reset {
                    peer.reset();
                }
                return Err(Gone);
            }
        });
        let shop = Shop::selling(upstream, UNGUARDED);
        let mut client = shop.gateway.connect();
        for warm in [false, true] {
            for request in [
                Request::get("/api/inventory/x"),
                Request::post("/api/inventory/x", "hello"),
            ] {
                if warm {
                    client.ask(&Request::get("/api/inventory/warm")).is(200);
                }
                shop.inventory.take();
                client.ask(&request).is_refusal(502, "upstream_reset");
                let times = shop.inventory.take().len();
                assert!(times == 1 || warm && times == 2, "sent {times} times");
            }
        }
    }
}

#[test]
fn bytes_behind_an_answer_are_nobodys_answer() {
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n";
    let poisons = [
        format!("{head}X-Seen: /still-here\r\n\r\nok{head}\r\nNO"),
        format!("{head}\r\nokX"),
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\nHTTP/1.1 500 No\r\n\r\n".into(),
        "HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 500 No\r\n\r\n".into(),
    ];
    for poison in poisons {
        let shop = Shop::selling(Upstream::answering(poison), "");
        let mut client = shop.gateway.connect();
        for round in 0..6 {
            let mut other = shop.gateway.connect();
            let client = if round % 2 == 0 {
                &mut client
            } else {
                &mut other
            };
            let response = client.ask(&Request::get("/api/inventory/x"));
            let fine = matches!(
                (response.status, response.body.as_slice()),
                (200, b"ok") | (204, b"") | (502, _)
            );
            assert!(fine, "{} {}", response.status, response.text());
        }
    }
}

#[test]
fn a_body_where_none_may_be_is_nobodys_answer() {
    let body = "HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n";
    let length = format!("Content-Length: {}\r\n\r\n{body}", body.len());
    let rows = [
        ("HEAD", format!("HTTP/1.1 200 OK\r\n{length}")),
        ("GET", format!("HTTP/1.1 304 Not Modified\r\n{length}")),
        ("GET", format!("HTTP/1.1 204 No Content\r\n{length}")),
    ];
    for (method, answer) in rows {
        let shop = Shop::selling(Upstream::answering(answer.as_str()), "");
        let mut client = shop.gateway.connect();
        for _ in 0..4 {
            let status = client.ask(&Request::new(method, "/api/inventory/x")).status;
            assert!(
                matches!(status, 200 | 204 | 304 | 502),
                "{status} after {answer:?}"
            );
        }
    }
}

#[test]
fn bytes_that_come_while_a_connection_rests_are_nobodys_answer() {
    let (poisoned, told) = std::sync::mpsc::channel();
    let upstream = Upstream::start(move |peer| {
        loop {
            let request = peer.request()?;
            peer.reply(&request, b"ok")?;
            // Late enough that the gateway has pooled the connection.
            std::thread::sleep(std::time::Duration::from_millis(50));
            let sent = peer.send("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison");
            let _ = poisoned.send(());
            sent?;
        }
    });
    let shop = Shop::selling(upstream, "");
    for round in 0..3 {
        let response = shop.ask(&Request::get("/api/inventory/x"));
        assert_eq!(response.is(200).text(), "ok", "round {round}");
        told.recv_timeout(PATIENCE).expect("it has sent them");
    }
}

#[test]
fn a_connection_rests_no_longer_than_it_may() {
    let upstream = Upstream::echo();
    let gateway = Gateway::start(&format!(
        "[routes]\n\"/a\" = \"up\"\n[upstreams.up]\nendpoints = [\"{}\"]\nidle_timeout = \"300ms\"",
        upstream.url()
    ));
    gateway.ask(&Request::get("/a")).is(200);
    upstream.wait_for_open(0);
    gateway.ask(&Request::get("/a")).is(200);
    assert_eq!(upstream.connections(), 2);
}

#[test]
fn hundreds_of_busy_connections_are_all_kept() {
    let (upstream, gateway) = one_worker(400, "");
    let mut clients: Vec<_> = (0..400).map(|_| gateway.connect()).collect();
    for _ in 0..3 {
        burst(&mut clients);
    }
    assert_eq!(upstream.connections(), 400);
}

#[test]
fn no_more_idle_connections_are_kept_than_configured() {
    for (keep, connections) in [(0, 8), (3, 5)] {
        let (upstream, gateway) = one_worker(4, &format!("keep = {keep}"));
        let mut clients: Vec<_> = (0..4).map(|_| gateway.connect()).collect();
        burst(&mut clients);
        upstream.wait_for_open(keep);
        burst(&mut clients);
        assert_eq!(upstream.connections(), connections, "keep = {keep}");
    }
}

#[test]
fn a_connection_whose_upload_did_not_end_is_not_kept() {
    // Answers as soon as it has the head, and takes what follows for the next request.
    let upstream = Upstream::start(|peer| {
        loop {
            let head = peer.head()?;
            peer.reply(&head, b"early")?;
            peer.record(&head);
            if head.method == "POST" {
                peer.wait_closed();
                return Err(Gone);
            }
        }
    });
    let shop = Shop::selling(upstream, "");
    let request = Request::post("/api/inventory/x", "0123456789");
    let mut client = shop.gateway.connect();
    client.send(request.head_bytes()).send("01234");
    assert_eq!(client.answer().is(200).text(), "early");
    drop(client);
    shop.inventory.wait_for_open(0);
    for _ in 0..3 {
        Shop::still_serves(&mut shop.gateway.connect());
    }
}

/// Answers each request as soon as it has the head, and takes what follows for the next request.
fn ignoring_bodies() -> Upstream {
    Upstream::start(|peer| {
        loop {
            let head = peer.head()?;
            peer.record(&head);
            peer.reply(&head, head.target.as_bytes())?;
            if head.fields.items("connection").contains(&"close".into()) {
                return Ok(());
            }
        }
    })
}

#[test]
fn a_body_that_its_service_ignores_is_no_request_of_the_next_client() {
    let smuggled = "GET /admin HTTP/1.1\r\nHost: x\r\nX-Client-Id: root\r\n\r\n";
    let methods = ["GET", "HEAD", "DELETE", "OPTIONS", "PROPFIND", "BREW"];
    for warm in [false, true] {
        let (service, gateway) = sending_to(ignoring_bodies());
        each(
            methods
                .map(|m| (m, false))
                .into_iter()
                .chain(methods.map(|m| (m, true))),
            |&(method, chunked)| {
                if warm {
                    gateway.ask(&Request::get("/warm")).is(200);
                }
                let request = Request::new(method, "/first").body(smuggled);
                let request = if chunked {
                    request.chunked(20)
                } else {
                    request
                };
                let response = gateway.connect().ask(&request);
                assert_eq!(
                    response.is(200).text(),
                    if method == "HEAD" { "" } else { "/first" }
                );
                for _ in 0..2 {
                    assert_eq!(
                        gateway.ask(&Request::get("/victim")).is(200).text(),
                        "/victim"
                    );
                }
                let seen = service.take();
                assert!(
                    seen.iter().all(|seen| seen.target != "/admin"),
                    "the body was run as a request"
                );
                let first = seen
                    .iter()
                    .find(|seen| seen.target == "/first")
                    .expect("recorded");
                assert_eq!(first.fields.items("connection"), ["close"]);
            },
        );
    }
}

#[test]
fn what_is_certain_to_be_read_does_not_cost_its_connection() {
    let (service, gateway) = sending_to(Upstream::echo());
    let mut client = gateway.connect();
    for request in [
        Request::get("/a"),
        Request::get("/a").body(""),
        Request::new("DELETE", "/a").body(""),
        Request::post("/a", "hello"),
        Request::post("/a", "hello").chunked(2),
        Request::new("PUT", "/a").body("hello"),
        Request::new("PATCH", "/a").body("hello"),
    ] {
        client.ask(&request).is(200);
        assert!(!service.only().fields.has("connection"), "{request:?}");
    }
    assert_eq!(service.connections(), 1);
}

#[test]
fn a_service_that_answers_before_the_upload_has_ended_is_connected_to_anew() {
    let (go_on, may_go_on) = std::sync::mpsc::channel::<()>();
    let may_go_on = std::sync::Mutex::new(may_go_on);
    // Begins its answer when it has the head, and ends it when it has the body.
    let (service, gateway) = sending_to(Upstream::start(move |peer| {
        loop {
            let head = peer.head()?;
            peer.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nea")?;
            if head.method == "POST" {
                let _ = may_go_on.lock().map(|wait| wait.recv());
            }
            peer.rest_of(head)?;
            peer.send("rly")?;
        }
    }));
    let mut client = gateway.connect();
    client.send("POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhel");
    assert!(client.head().is(200).announces_close());
    client.send("lo");
    go_on.send(()).expect("the service waits");
    assert_eq!(client.take(5), b"early");
    client.is_closed();
    gateway.ask(&Request::get("/next")).is(200);
    let seen = service.take();
    assert!(seen.iter().all(|seen| seen.whole), "{seen:?}");
    assert_eq!((seen[0].connection, seen[1].connection), (0, 1));
}

/// A gateway with one worker, so that its kept connections are those of every request.
fn sending_to(service: Upstream) -> (Upstream, Gateway) {
    let gateway = Gateway::start(&format!(
        "[routes]\n\"/\" = \"{}\"\n[server]\nworkers = 1",
        service.url()
    ));
    (service, gateway)
}

/// A gateway with one worker, and a service that answers once `together` requests are there.
fn one_worker(together: usize, keys: &str) -> (Upstream, Gateway) {
    let all_here = std::sync::Barrier::new(together);
    let upstream = Upstream::start(move |peer| {
        loop {
            let request = peer.request()?;
            all_here.wait();
            peer.reply(&request, b"")?;
        }
    });
    let gateway = Gateway::start(&format!(
        "[routes]\n\"/\" = \"up\"\n[upstreams.up]\nendpoints = [\"{}\"]\n{keys}\n[server]\nworkers = 1",
        upstream.url()
    ));
    (upstream, gateway)
}

/// One request of each client, all at the same time.
fn burst(clients: &mut [Client]) {
    let request = Request::get("/");
    std::thread::scope(|scope| {
        for client in clients {
            let request = &request;
            scope.spawn(move || _ = client.ask_among_many(request).is(200));
        }
    });
}

/// Serves one request on each connection, reads a second one, and closes without a word.
fn dies_on_its_second_request() -> Upstream {
    Upstream::start(|peer| {
        let request = peer.request()?;
        peer.reply(&request, b"")?;
        peer.request()?;
        Err(Gone)
    })
}
