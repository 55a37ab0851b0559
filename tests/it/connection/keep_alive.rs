//! Client connections persist, in step, until somebody says `close` or they rest for too long.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::support::{Broken, Client, Ending, Request, Shop};

#[test]
fn a_connection_serves_request_after_request() {
    let shop = Shop::open();
    let mut client = shop.gateway.connect();
    for round in 0..20 {
        let body = "x".repeat(round * 100);
        let targets = ["/api/inventory/a", "/api/inventory/b?q"];
        for target in targets {
            assert_eq!(
                client
                    .ask(&Request::post(target, body.clone()))
                    .is(200)
                    .text(),
                body
            );
            client
                .ask(&Request::post(target, body.clone()).chunked(7))
                .is(200);
        }
        client.ask(&Request::get("/nowhere")).is(404);
        client.ask(&Request::get("/api/orders/x")).is(401);
        client.ask(&Request::get("/health")).is(200);
    }
    assert_eq!(
        shop.inventory.connections(),
        1,
        "one pooled connection was enough"
    );
}

#[test]
fn a_resting_connection_is_closed_without_a_word() {
    let shop = Shop::with("[server]\nidle_timeout = \"500ms\"\nheader_timeout = \"500ms\"");
    let mut served = shop.gateway.connect();
    Shop::still_serves(&mut served);
    let mut silent = shop.gateway.connect();
    served.is_closed();
    silent.is_closed();
    // No request, no line.
    assert_eq!(shop.gateway.finish().len(), 1);
}

#[test]
fn an_http_1_0_client_may_ask_for_a_connection_that_stays() {
    let shop = Shop::open();
    let mut client = shop.gateway.connect();
    let request = Request::get("/api/inventory/x")
        .http10()
        .field("Connection", "keep-alive");
    let response = client.ask(&request);
    response.is(200);
    if response
        .fields
        .items("connection")
        .contains(&"keep-alive".into())
    {
        client.ask(&request).is(200);
    } else {
        client.is_closed();
    }
}

#[test]
fn a_client_that_asks_for_the_end_gives_its_place_free_at_once() {
    let shop = Shop::with("[server]\nmax_connections = 1");
    let requests = [
        Request::get("/api/inventory/x"),
        Request::post("/api/inventory/x", "hello"),
        Request::post("/api/inventory/x", "hello").chunked(2),
        Request::get("/health"),
        Request::get("/nowhere"),
    ];
    for request in requests {
        // The client keeps its side open: only what the gateway does makes room for the next.
        let mut first = shop.gateway.connect();
        first.ask(&request.field("Connection", "close"));
        let mut second = shop.gateway.connect();
        second.patience(Duration::from_secs(3));
        second
            .ask(&Request::get("/api/inventory/x").http10())
            .is(200);
        first.is_closed();
    }
}

#[test]
fn what_follows_a_last_request_does_not_cost_its_answer() {
    let shop = Shop::open();
    let body = crate::support::noise(300_000);
    let last = Request::post("/api/inventory/x", body.clone()).field("Connection", "close");
    for after in ["\r\n".to_owned(), "GET /x HTTP/1.1\r\n".repeat(20_000)] {
        let mut client = shop.gateway.connect();
        let mut writer = client.writer();
        let sent = [last.bytes(), after.into_bytes()].concat();
        let sending = std::thread::spawn(move || {
            // The gateway need not take what it will not serve.
            let _ = std::io::Write::write_all(&mut writer, &sent);
        });
        assert!(client.answer().is(200).body == body);
        client.is_closed();
        sending.join().expect("the sender");
    }
}

#[test]
fn a_request_whose_end_is_not_known_is_read_on_after_its_answer() {
    let shop = Shop::open();
    let mut client = shop.gateway.connect();
    client.send(
        "POST /api/inventory/x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\
         Content-Length: 20\r\nTransfer-Encoding: chunked\r\n\r\n",
    );
    client.answer().is(400);
    // Closed at once, the connection would be reset by what is on its way, and on another network
    // the reset might overtake the answer.
    for _ in 0..3 {
        client.try_send("more").expect("the gateway reads");
        std::thread::sleep(Duration::from_millis(2));
    }
    match client.some() {
        Err(Broken::Closed) => {}
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_refused_client_that_stays_gives_way() {
    // The first is refused and keeps its side open; it would be read from for five seconds.
    let refused = [
        "GET /api/inventory/x HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        "POST /nowhere HTTP/1.1\r\nHost: a\r\nContent-Length: 5000000\r\n\r\n",
    ];
    let shop = Shop::with("[server]\nmax_connections = 1\nheader_timeout = \"200ms\"");
    for head in refused.into_iter().chain(["GET /"]) {
        let mut first = shop.gateway.connect();
        first.send(head);
        assert!(first.answer().status >= 400);
        let mut second = shop.gateway.connect();
        second.patience(Duration::from_secs(3));
        let last = Request::get("/api/inventory/x").field("Connection", "close");
        second.ask(&last).is(200);
        first.is_closed();
    }
}

#[test]
fn connections_beyond_the_bound_wait_while_all_others_are_busy() {
    let shop = Shop::with("[server]\nmax_connections = 4\nworkers = 2");
    let mut first: Vec<_> = (0..4).map(|_| shop.gateway.connect()).collect();
    let upload = Request::post("/api/inventory/x", "hello");
    let bytes = upload.bytes();
    let (begun, rest) = bytes.split_at(bytes.len() - 1);
    for client in &mut first {
        client.send(begun);
    }
    shop.inventory.wait_for_connections(4);
    let mut fifth = shop.gateway.connect();
    fifth
        .send(Request::get("/health").bytes())
        .patience(Duration::from_millis(300));
    match fifth.ending() {
        Ending::Nothing(Broken::Silent) => {}
        other => panic!("served beyond the bound: {other:?}"),
    }
    shop.gateway.wait_log("that there is no room", |line| {
        line["level"] == "WARN" && line["connections"] == 4
    });
    // None of them is disturbed, and the first that is done gives way: it keeps its side open.
    fifth.patience(crate::support::PATIENCE);
    first[2].send(rest);
    first[2].answer().is(200);
    fifth.answer().is(200);
    first[2].is_closed();
    for n in [0, 1, 3] {
        first[n].send(rest);
        first[n].answer().is(200);
    }
}

#[test]
fn the_longest_idle_connections_give_way() {
    let shop = Shop::with("[server]\nmax_connections = 4\nworkers = 1");
    let mut idle: Vec<_> = (0..4).map(|_| shop.gateway.connect()).collect();
    for n in [2, 0, 3, 1] {
        Shop::still_serves(&mut idle[n]);
    }
    let mut fifth = shop.gateway.connect();
    Shop::still_serves(&mut fifth);
    idle[2].is_closed();
    Shop::still_serves(&mut idle[0]);
    let mut sixth = shop.gateway.connect();
    sixth.ask(&Request::get("/health")).is(200);
    idle[3].is_closed();
    for n in [0, 1] {
        Shop::still_serves(&mut idle[n]);
    }
}

#[test]
fn idle_connections_give_way_on_whichever_worker_they_are() {
    let shop = Shop::with("[server]\nmax_connections = 16\nworkers = 4");
    let (mut all, begun) = (Vec::new(), Instant::now());
    for round in 0..200 {
        // Silent ones and such that have been served.
        let mut client = shop.gateway.connect();
        if round % 3 > 0 {
            Shop::still_serves(&mut client);
        }
        all.push(client);
    }
    // The log is not flooded with it: a line in ten seconds.
    let full = |line: &serde_json::Value| line["level"] == "WARN" && line["connections"] == 16;
    shop.gateway.wait_log("that there is no room", full);
    let told = shop.gateway.log().iter().filter(|line| full(line)).count();
    assert!(told as u64 <= 1 + begun.elapsed().as_secs() / 10, "{told}");
}

#[test]
fn a_connection_that_is_opened_ahead_is_kept_as_long_as_others() {
    let shop = Shop::with("[server]\nheader_timeout = \"200ms\"");
    let mut ahead = shop.gateway.connect();
    ahead.patience(Duration::from_millis(500));
    assert!(matches!(ahead.ending(), Ending::Nothing(Broken::Silent)));
    ahead.patience(crate::support::PATIENCE);
    Shop::still_serves(&mut ahead);
}

/// A connection on which nothing has come but an empty line, alone or behind a request's body.
fn with_an_empty_line(shop: &Shop, behind_a_body: bool) -> Client {
    let mut client = shop.gateway.connect();
    if behind_a_body {
        let posted = Request::post("/api/inventory/x", "hello").bytes();
        client.send([&posted[..], b"\r\n"].concat());
        client.answer().is(200);
        return client;
    }
    client.send("\r").send("\n");
    client
}

#[test]
fn an_empty_line_begins_no_request() {
    let shop = Shop::with("[server]\nheader_timeout = \"200ms\"");
    let mut all = [true, false].map(|behind| with_an_empty_line(&shop, behind));
    for client in &mut all {
        client.patience(Duration::from_millis(500));
        assert!(matches!(client.ending(), Ending::Nothing(Broken::Silent)));
        client.patience(crate::support::PATIENCE);
        Shop::still_serves(client);
    }
}

#[test]
fn a_connection_with_an_empty_line_ends_as_one_that_rests() {
    for behind in [true, false] {
        // One worker, which takes connections in the order in which they were made.
        let shop =
            Shop::with("[server]\nmax_connections = 1\nheader_timeout = \"1m\"\nworkers = 1");
        let mut first = with_an_empty_line(&shop, behind);
        let mut second = shop.gateway.connect();
        second.ask(&Request::get("/health")).is(200);
        first.is_closed();
        second.send("\r\n");
        shop.gateway.signal(Signal::TERM);
        second.is_closed();
        let Shop { mut gateway, .. } = shop;
        assert_eq!(gateway.wait_exit().code(), Some(0));

        let shop = Shop::with("[server]\nidle_timeout = \"2s\"\nheader_timeout = \"1m\"");
        with_an_empty_line(&shop, behind).is_closed();
    }
}

#[test]
fn nobody_stays_by_empty_lines() {
    let shop = Shop::open();
    let mut client = shop.gateway.connect();
    let mut writer = client.writer();
    let sending = std::thread::spawn(move || {
        let sent = (0..40).take_while(|_| {
            std::thread::sleep(Duration::from_millis(5));
            std::io::Write::write_all(&mut writer, b"\r\n").is_ok()
        });
        sent.count()
    });
    client.answer().is_refusal(400, "bad_request");
    sending.join().expect("the sender");
}

#[test]
fn many_connections_at_once_are_served() {
    let shop = Shop::open();
    let mut clients: Vec<_> = (0..200).map(|_| shop.gateway.connect()).collect();
    std::thread::scope(|scope| {
        for (i, client) in clients.iter_mut().enumerate() {
            scope.spawn(move || {
                let body = format!("body {i}");
                let request = Request::post(&format!("/api/inventory/{i}"), body.clone());
                let response = client.ask_among_many(&request);
                assert_eq!(response.is(200).text(), body);
                let path = format!("/{i}");
                assert_eq!(response.fields.one("x-seen"), Some(&*path));
            });
        }
    });
}
