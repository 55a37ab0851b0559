//! Too much at once: a worker that cannot keep up refuses requests before it has done anything for
//! them, and an address has no more connections than it may have.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{scope, sleep};
use std::time::Duration;

use rustix::process::Signal;

use crate::support::{Client, Gateway, PATIENCE, Request, Upstream, eventually};

const RESPOND: &str = "[[route]]\nprefix = \"/a\"\nrespond = { body = \"here\" }\n\
                       [limits]\nanonymous = { requests = 1_000_000, per = \"1h\" }\n";
/// How many ask at once: more if those are served in time.
const FLOODS: [usize; 4] = [50, 100, 200, 400];
const EACH: usize = 60;

/// Opens so many connections that all ask these at once, many times; the answers, as they came.
fn flood(connections: usize, gateway: &Gateway, requests: &[Request]) -> String {
    let all: Vec<_> = requests.iter().flat_map(Request::bytes).collect();
    let all = all.repeat(EACH / requests.len());
    let mut open: Vec<_> = (0..connections)
        .map(|_| TcpStream::connect(gateway.address()).expect("the gateway listens"))
        .collect();
    for stream in &mut open {
        stream.write_all(&all).expect("it is short");
    }
    let mut answers = Vec::new();
    for mut stream in open {
        let last = requests[0].clone().field("Connection", "close").bytes();
        let _ = stream.write_all(&last);
        stream.read_to_end(&mut answers).expect("all are answered");
    }
    String::from_utf8_lossy(&answers).into_owned()
}

#[test]
fn a_worker_that_cannot_keep_up_refuses_at_once() {
    let gateway = Gateway::start(&format!("{RESPOND}[server]\nworkers = 1"));
    let (ended, mut asked) = (AtomicBool::new(false), 0);
    let answers = scope(|scope| {
        let healthy = scope.spawn(|| {
            let mut client = gateway.connect();
            // All that is there may come first.
            client.patience(3 * PATIENCE);
            while !ended.load(Ordering::Relaxed) {
                client.ask(&Request::get("/health")).is(200);
            }
        });
        let mut answers = String::new();
        for connections in FLOODS {
            answers += &flood(connections, &gateway, &[Request::get("/a")]);
            asked += connections * (EACH + 1);
            if answers.contains("HTTP/1.1 503 ") {
                break;
            }
        }
        ended.store(true, Ordering::Relaxed);
        healthy.join().expect("the health check is answered");
        answers
    });
    let answered = |status: &str| answers.matches(&format!("HTTP/1.1 {status} ")).count();
    let (served, refused) = (answered("200"), answered("503"));
    assert_eq!(served + refused, asked);
    assert!(served > 0 && refused > 0, "{served} served, {refused} not");
    assert_eq!(answers.matches("\"code\":\"overloaded\"").count(), refused);
    assert_eq!(answers.matches("Retry-After: 1\r\n").count(), refused);
    gateway.wait_log("the overload", |line| {
        let message = line["message"].as_str().unwrap_or_default();
        line["level"] == "WARN" && message.contains("a worker lags")
    });
    // It has caught up, and those that were refused were not counted.
    let answer = eventually("an answer", || {
        let answer = gateway.ask(&Request::get("/a"));
        (answer.status == 200).then_some(answer)
    });
    let left = answer.fields.one("ratelimit").expect("a limit").to_owned();
    let left = left
        .split(";r=")
        .nth(1)
        .and_then(|rest| rest.split(';').next());
    let left: usize = left.and_then(|n| n.parse().ok()).expect("a number");
    assert_eq!(left, 1_000_000 - served - 1);
}

/// A page that may call can read that there is no room, and what a route says of answers holds for
/// that one, too. A preflight that is refused would keep the page from both.
#[test]
fn what_is_refused_at_once_has_the_fields_of_its_route() {
    let respond = "respond = { body = \"here\" }";
    let gateway = Gateway::start(&format!(
        "[server]\nworkers = 1\n[access.cors]\norigins = [\"https://app.test\"]\n\
         [[route]]\nprefix = \"/a\"\n{respond}\ncors = {{ origins = [\"https://page.test\"] }}\n\
         response_headers = {{ set = {{ x-of = \"a\" }} }}\n\
         [[route]]\nprefix = \"/off\"\n{respond}\ncors = \"off\"\n",
    ));
    let from = |origin, target| Request::get(target).field("Origin", origin);
    let preflight = Request::new("OPTIONS", "/a").field("Origin", "https://page.test");
    let told = [
        (
            from("https://page.test", "/a"),
            Some("https://page.test"),
            true,
        ),
        (from("https://app.test", "/a"), None, true),
        (from("https://app.test", "/off"), None, false),
        (
            from("https://app.test", "/b"),
            Some("https://app.test"),
            false,
        ),
        (
            preflight.field("Access-Control-Request-Method", "PUT"),
            Some("https://page.test"),
            true,
        ),
    ];
    let requests: Vec<_> = told.iter().map(|(request, ..)| request.clone()).collect();
    let mut refused = [0; 5];
    for connections in FLOODS {
        let answers = flood(connections, &gateway, &requests);
        let answers = answers.split("HTTP/1.1 ").skip(1);
        // The last one of each connection is the first one again.
        let kinds = (0..=EACH).map(|nth| nth % told.len()).cycle();
        for (answer, kind) in answers.zip(kinds) {
            refused[kind] += usize::from(answer.starts_with("503 "));
            let (_, origin, is_of_a) = told[kind];
            let lines = || answer.lines();
            let allowed = "Access-Control-Allow-Origin: ";
            let found: Vec<_> = lines().filter_map(|it| it.strip_prefix(allowed)).collect();
            assert_eq!(found, Vec::from_iter(origin), "{kind}: {answer}");
            let has = lines().any(|line| line == "x-of: a");
            assert_eq!(has, is_of_a, "{kind}: {answer}");
        }
        if refused[..4].iter().all(|count| *count > 0) {
            break;
        }
    }
    assert!(refused[..4].iter().all(|count| *count > 0), "{refused:?}");
    assert_eq!(refused[4], 0);
}

#[test]
fn a_pause_of_the_process_is_no_overload() {
    let upstream = Upstream::echo();
    let gateway = Gateway::start(&format!(
        "[routes]\n\"/a\" = \"{}\"\n[server]\nworkers = 1",
        upstream.url()
    ));
    let ended = AtomicBool::new(false);
    scope(|scope| {
        let clients: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let mut client = gateway.connect();
                    while !ended.load(Ordering::Relaxed) {
                        client.ask(&Request::get("/a")).is(200);
                    }
                })
            })
            .collect();
        for _ in 0..5 {
            sleep(Duration::from_millis(100));
            gateway.signal(Signal::STOP);
            sleep(Duration::from_millis(300));
            gateway.signal(Signal::CONT);
        }
        ended.store(true, Ordering::Relaxed);
        for client in clients {
            client.join().expect("every request is served");
        }
    });
}

#[test]
fn an_address_has_no_more_connections_than_it_may_have() {
    let rules =
        "[server]\nworkers = 2\nmax_connections_per_ip = 3\ntrusted_proxies = [\"127.0.0.9\"]";
    let gateway = Gateway::start(&format!("{RESPOND}{rules}"));
    let from = |last| IpAddr::V4(Ipv4Addr::new(127, 0, 0, last));
    let open = |last| {
        let mut client = Client::from(from(last), gateway.address());
        client.ask(&Request::get("/a")).is(200);
        client
    };
    let is_refused = |last| {
        let mut client = Client::from(from(last), gateway.address());
        client.is_closed();
    };
    let mut three = [open(2), open(2), open(2)];
    is_refused(2);
    is_refused(2);
    let _others = [open(3), open(3), open(3)];
    is_refused(3);
    // A proxy has as many as it likes.
    let _proxied = [open(9), open(9), open(9), open(9), open(9)];
    for client in &mut three {
        client.ask(&Request::get("/a")).is(200);
    }
    let refused = |line: &serde_json::Value| line["max_connections_per_ip"] == 3;
    let line = gateway.wait_log("the refusal", refused);
    assert_eq!(line["address"], "127.0.0.2");
    assert_eq!(gateway.log().iter().filter(|line| refused(line)).count(), 1);
    let [gone, ..] = three;
    drop(gone);
    let again = eventually("its place", || {
        let mut client = Client::from(from(2), gateway.address());
        client
            .send(Request::get("/a").bytes())
            .some()
            .ok()
            .map(|_| client)
    });
    is_refused(2);
    drop(again);
}
