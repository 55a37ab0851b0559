//! Each time-out has its own word in the log, holds for what it is meant for, and is never blamed
//! on a service that has waited for its client.

use std::thread::sleep;
use std::time::Duration;

use serde_json::{Value, json};

use super::failing;
use crate::support::{Gateway, Gone, Peer, Request, Silent, Upstream, eventually};

/// A gateway whose route and upstream have these rules.
fn gateway(url: &str, route: &str, rules: &str) -> Gateway {
    Gateway::start(&format!(
        "[server]\nworkers = 1\n[routes]\n\"/\" = {{ upstream = \"up\"{route} }}\n[upstreams.up]\nendpoints = [\"{url}\"]\nretry = \"off\"\n{rules}"
    ))
}

/// The one line that has a code.
fn line(gateway: Gateway) -> Value {
    let mut lines = gateway.finish();
    lines.retain(|line| line["code"] != json!(null));
    assert_eq!(lines.len(), 1, "{lines:?}");
    lines.remove(0)
}

fn detail_of(gateway: Gateway, request: &Request) -> String {
    let mut client = gateway.connect();
    client.send(request.bytes());
    let _ = client.ending();
    drop(client);
    let line = line(gateway);
    assert_eq!(line["code"], "upstream_timeout", "{line}");
    line["detail"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn each_says_which_it_was() {
    let unreachable = Silent::on(([127, 0, 0, 1], 0).into());
    let url = format!("http://{}", unreachable.address());
    let detail = detail_of(
        gateway(&url, "", "connect_timeout = \"200ms\""),
        &Request::get("/x"),
    );
    assert_eq!(detail, "no connection within connect_timeout = 200ms");

    // The route's time counts while connecting, too.
    let detail = detail_of(
        gateway(&url, ", timeout = \"200ms\"", "connect_timeout = \"20s\""),
        &Request::get("/x"),
    );
    assert_eq!(detail, "no connection within timeout = 200ms");

    let swallows = failing(Peer::wait_closed);
    let of_head =
        |route, rules| detail_of(gateway(&swallows.url(), route, rules), &Request::get("/x"));
    assert_eq!(
        of_head(", timeout = \"5s\"", "try_timeout = \"150ms\""),
        "nothing came from the service within try_timeout = 150ms, with the request sent"
    );
    assert_eq!(
        of_head(", timeout = \"150ms\"", ""),
        "nothing came from the service within timeout = 150ms, with the request sent"
    );
    // The shorter one has come first.
    assert_eq!(
        of_head(", timeout = \"150ms\"", "try_timeout = \"5s\""),
        "nothing came from the service within timeout = 150ms, with the request sent"
    );

    let half = failing(|peer| {
        let _ = peer.send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf");
        peer.wait_closed();
    });
    assert_eq!(
        detail_of(
            gateway(&half.url(), "", "idle_timeout = \"200ms\""),
            &Request::get("/x")
        ),
        "nothing moved within idle_timeout = 200ms, in the middle of the answer"
    );

    let takes_nothing = Upstream::start(|peer| {
        peer.head()?;
        std::thread::park_timeout(Duration::from_secs(10));
        Err(Gone)
    });
    let large = Request::post("/x", vec![b'x'; 16 * 1024 * 1024]);
    assert_eq!(
        detail_of(
            gateway(&takes_nothing.url(), "", "idle_timeout = \"300ms\""),
            &large
        ),
        "the service took nothing of the request within idle_timeout = 300ms, with a part of the request sent"
    );
}

/// A service that answers, is silent for longer than the route's timeout, and then goes on.
fn quiet_for(time: Duration) -> Upstream {
    Upstream::start(move |peer| {
        let request = peer.request()?;
        if request.target == "/socket" {
            peer.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")?;
        } else {
            peer.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")?;
        }
        sleep(time);
        peer.send("hello")?;
        peer.wait_closed();
        Err(Gone)
    })
}

#[test]
fn what_has_no_end_has_the_idle_timeout_alone() {
    let service = quiet_for(Duration::from_millis(1_500));
    let rules = "try_timeout = \"1s\"\nidle_timeout = \"10s\"";
    let patient = gateway(&service.url(), ", timeout = \"1s\"", rules);
    let rules = "try_timeout = \"5s\"\nidle_timeout = \"300ms\"";
    let impatient = gateway(&service.url(), ", timeout = \"5s\"", rules);
    for (request, code, status) in [
        (Request::websocket("/socket"), "idle_timeout", 101),
        (Request::get("/events"), "upstream_timeout", 200),
    ] {
        let mut client = patient.connect();
        client.send(request.bytes());
        assert_eq!(client.head().status, status);
        let hello = if status == 101 {
            client.take(5)
        } else {
            // In a chunk.
            client.take(10)
        };
        assert!(String::from_utf8_lossy(&hello).contains("hello"));

        let mut client = impatient.connect();
        client.send(request.bytes());
        assert_eq!(client.head().status, status);
        let cut = impatient.access_log(1).pop().expect("it was cut");
        assert_eq!(cut["code"], code, "{cut}");
        drop(client);
        std::fs::write(impatient.access_path(), "").expect("the log can be emptied");
    }
}

/// One failure would open the circuit.
const FRAGILE: &str = "breaker = { failures = 1 }\nidle_timeout = \"1s\"\ntry_timeout = \"1s\"";

fn serves(gateway: &Gateway) {
    gateway.ask(&Request::get("/x")).is(200);
}

#[test]
fn a_client_that_sends_slowly_is_not_the_services_failure() {
    let service = Upstream::echo();
    let gateway = gateway(&service.url(), ", timeout = \"1s\"", FRAGILE);
    let request = Request::post("/x", "0123456789");
    let mut slow = gateway.connect();
    slow.send(request.head_bytes());
    for byte in request.body_bytes().chunks(5) {
        sleep(Duration::from_millis(1_300));
        slow.send(byte);
    }
    slow.answer().is(200);
    serves(&gateway);
}

/// The client waits for it with its body for longer than it should (RFC 9110 section 10.1.1).
#[test]
fn a_service_that_never_asks_for_a_body_has_the_routes_timeout_but_has_not_failed() {
    let service = Upstream::echo();
    let gateway = Gateway::start(&format!(
        "[server]\nworkers = 1\nidle_timeout = \"1500ms\"\n\
         [routes]\n\"/\" = {{ upstream = \"up\", timeout = \"1200ms\" }}\n\
         [upstreams.up]\nendpoints = [\"{}\"]\n{FRAGILE}",
        service.url()
    ));
    // May be tried again, but the service is not to blame.
    for method in ["POST", "PUT"] {
        let request = Request::new(method, "/x").body("hello");
        let request = request.field("Expect", "100-continue");
        let mut waits = gateway.connect();
        waits.send(request.head_bytes());
        waits.answer().is_refusal(504, "upstream_timeout");
        serves(&gateway);
        let mut impatient = gateway.connect();
        impatient.send(request.head_bytes());
        sleep(Duration::from_millis(100));
        let answer = impatient.send(request.body_bytes()).answer();
        assert_eq!(answer.is(200).text(), "hello");
    }
    // To HTTP/1.0 the field means nothing: the client is waited for.
    let mut old = gateway.connect();
    old.send("POST /x HTTP/1.0\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
    old.answer().is_refusal(408, "request_timeout");
    let lines = gateway.finish();
    let late = lines.iter().find(|line| line["status"] == 504);
    let late = late.expect("a line");
    assert_eq!(
        (&late["attempts"], &late["tries"]),
        (&json!(1), &json!(null))
    );
    let detail = late["detail"].as_str().unwrap_or_default();
    assert!(
        detail.contains("100-continue") && detail.contains("timeout = 1.2s"),
        "{detail}"
    );
}

#[test]
fn a_client_that_stops_sending_is_not_the_services_failure() {
    let service = Upstream::echo();
    let gateway = Gateway::start(&format!(
        "[server]\nworkers = 1\nidle_timeout = \"1500ms\"\n[routes]\n\"/\" = \"up\"\n[upstreams.up]\nendpoints = [\"{}\"]\n{FRAGILE}",
        service.url()
    ));
    let request = Request::post("/x", "0123456789");
    let mut stops = gateway.connect();
    stops.send(request.head_bytes()).send("01");
    stops.answer().is_refusal(408, "request_timeout");
    serves(&gateway);
}

/// It reads neither the interim answers nor the answer.
#[test]
fn a_client_that_does_not_read_is_not_the_services_failure() {
    const LARGE: usize = 40_000;
    let service = Upstream::start(|peer| {
        loop {
            let request = peer.request()?;
            if request.target == "/interim" {
                let hints = format!(
                    "HTTP/1.1 103 Early Hints\r\nLink: {}\r\n\r\n",
                    "x".repeat(LARGE)
                );
                for _ in 0..60 {
                    peer.send(&hints)?;
                }
            }
            if request.target == "/large" {
                peer.reply(&request, &vec![b'x'; 16 * 1024 * 1024])?;
            }
            peer.reply(&request, b"")?;
        }
    });
    let gateway = Gateway::start(&format!(
        "[server]\nworkers = 1\nidle_timeout = \"1500ms\"\n[routes]\n\"/\" = \"up\"\n[upstreams.up]\nendpoints = [\"{}\"]\n{FRAGILE}",
        service.url()
    ));
    for target in ["/large", "/interim"] {
        let mut client = gateway.connect();
        client.small_window().send(Request::get(target).bytes());
        let cut = |line: &Value| line["path"] == target;
        let line = eventually("it to be cut", || {
            gateway.access_log(1).into_iter().find(cut)
        });
        assert_eq!(line["code"], "client_slow", "{line}");
        serves(&gateway);
        drop(client);
    }
}
