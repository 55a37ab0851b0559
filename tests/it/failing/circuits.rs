//! Circuits that open, are probed and close.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use serde_json::json;

use super::{answering, failing, gateway};
use crate::support::{
    Ending, Gateway, Gone, Peer, Request, Response, Upstream, eventually, wait_gone,
};

#[test]
fn an_open_circuit_answers_for_the_service() {
    let silent = failing(Peer::wait_closed);
    let gateway = gateway(&[&silent], "try_timeout = \"500ms\"\nretry = \"off\"");
    let mut client = gateway.connect();
    for _ in 0..3 {
        client
            .ask(&Request::get("/x"))
            .is_refusal(504, "upstream_timeout");
    }
    for request in [Request::get("/x"), Request::post("/x", "hello")] {
        let begun = Instant::now();
        let response = client.ask(&request);
        response.is_refusal(503, "circuit_open");
        let seconds = response
            .fields
            .one("retry-after")
            .and_then(|s| s.parse::<u64>().ok());
        assert!(seconds.is_some_and(|s| (1..=5).contains(&s)), "{seconds:?}");
        assert!(begun.elapsed() < Duration::from_secs(3));
    }
    client.ask(&Request::get("/health")).is(200);
    let mut asked = 0;
    eventually("three requests to be read", || {
        asked += silent.take().len();
        (asked >= 3).then_some(())
    });
    assert_eq!((asked, silent.connections()), (3, 3));
    gateway.wait_log("the circuit", |line| {
        line["message"]
            .as_str()
            .is_some_and(|text| text.contains("circuit has opened"))
            && line["reason"] == "timeout"
            && line["upstream"] == "up"
            && line["endpoint"] == json!(silent.address().to_string())
    });
}

#[test]
fn one_request_finds_out_whether_the_service_is_back() {
    let service = Upstream::down(|peer| {
        loop {
            let request = peer.request()?;
            peer.reply(&request, b"")?;
        }
    });
    let gateway = gateway(&[&service], "breaker = { cool_down = \"300ms\" }");
    let mut client = gateway.connect();
    for _ in 0..3 {
        client
            .ask(&Request::get("/x"))
            .is_refusal(502, "upstream_unreachable");
    }
    eventually("a refusal", || is_refused(&client.ask(&Request::get("/x"))));
    service.come_up();
    eventually("the service to be asked again", || {
        (client.ask(&Request::get("/x")).status == 200).then_some(())
    });
    for _ in 0..5 {
        client.ask(&Request::get("/x")).is(200);
    }
    gateway.wait_log("the circuit", |line| {
        line["message"]
            .as_str()
            .is_some_and(|text| text.contains("circuit has closed"))
            && line["reason"] == "refused"
            && line["open_ms"].as_u64().is_some_and(|ms| ms >= 299)
    });
}

/// Whether it is the circuit's; it may have been open for so long that a request was a probe.
fn is_refused(response: &Response) -> Option<()> {
    (response.status == 503).then(|| _ = response.is_refusal(503, "circuit_open"))
}

/// A service that begins each answer, and breaks off those whose turn `breaks` names.
fn breaks_off(breaks: fn(usize) -> bool) -> Upstream {
    let turn = std::sync::atomic::AtomicUsize::new(0);
    Upstream::start(move |peer| {
        loop {
            let request = peer.request()?;
            if breaks(turn.fetch_add(1, Relaxed)) {
                peer.send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")?;
                return Ok(());
            }
            peer.reply(&request, b"whole")?;
        }
    })
}

/// The answer to a request of a connection of its own, if it comes whole.
fn whole(gateway: &Gateway) -> Option<Response> {
    let mut client = gateway.connect();
    client.send(Request::get("/x").bytes());
    match client.ending() {
        Ending::Whole(response) => Some(response),
        Ending::Cut(..) => None,
        Ending::Nothing(why) => panic!("no answer: {why}"),
    }
}

#[test]
fn a_service_that_breaks_off_all_its_answers_is_left_alone() {
    let breaks = breaks_off(|_| true);
    let gateway = gateway(&[&breaks], "");
    let refused = eventually("the circuit to open", || whole(&gateway));
    refused.is_refusal(503, "circuit_open");
    gateway.wait_log("the circuit", |line| line["reason"] == "reset");
}

#[test]
fn a_service_that_breaks_off_most_of_its_answers_is_not_cut_off() {
    let breaks = breaks_off(|turn| turn % 4 != 3);
    let gateway = gateway(&[&breaks], "");
    let (begun, mut wholes) = (Instant::now(), 0);
    while begun.elapsed() < Duration::from_secs(1) || wholes < 2 {
        if let Some(response) = whole(&gateway) {
            response.is(200);
            wholes += 1;
        }
    }
}

/// It does not read, until the service has given it up.
#[test]
fn a_client_that_does_not_read_breaks_off_answers_by_itself() {
    let service = Upstream::start(|peer| {
        let request = peer.request()?;
        if request.target == "/large" {
            peer.send("HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n")?;
            peer.send_for(Duration::from_millis(200), &vec![b'x'; 32 * 1024 * 1024]);
            peer.reset();
            return Err(Gone);
        }
        peer.reply(&request, b"")
    });
    let gateway = gateway(&[&service], "breaker = { failures = 1 }");
    for _ in 0..3 {
        let mut client = gateway.connect();
        client.small_window().send(Request::get("/large").bytes());
        service.wait_for("the request", |seen| seen.target == "/large");
        service.take();
        service.wait_for_open(0);
        assert!(matches!(client.ending(), Ending::Cut(..)));
    }
    gateway.ask(&Request::get("/x")).is(200);
}

#[test]
fn the_others_serve_while_a_circuit_is_open() {
    let (bad, good) = (Upstream::down(|_| Ok(())), Upstream::echo());
    let gateway = gateway(&[&bad, &good], "");
    let mut client = gateway.connect();
    for _ in 0..20 {
        client.ask(&Request::get("/x")).is(200);
    }
    let lines = gateway.finish();
    let tried = lines.iter().filter(|line| line["attempts"] == 2).count();
    assert!(tried <= 4, "{tried} met the one that is down");
}

#[test]
fn a_service_that_sheds_a_tenth_is_not_cut_off() {
    let turn = std::sync::atomic::AtomicUsize::new(0);
    let service = Upstream::start(move |peer| {
        loop {
            let request = peer.request()?;
            if turn.fetch_add(1, Relaxed).is_multiple_of(10) {
                peer.send("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nX-Own: yes\r\n\r\n")?;
            } else {
                peer.reply(&request, b"")?;
            }
        }
    });
    let gateway = gateway(&[&service], "");
    let mut client = gateway.connect();
    for _ in 0..200 {
        let response = client.ask(&Request::post("/x", "hello"));
        let own = response.fields.one("x-own") == Some("yes");
        assert!(response.status == 200 || own, "{}", response.text());
    }
}

#[test]
fn a_client_that_leaves_is_no_verdict() {
    let answers = Arc::new(AtomicBool::new(false));
    let good = Arc::clone(&answers);
    let service = Upstream::start(move |peer| {
        loop {
            let request = peer.request()?;
            if !good.load(Relaxed) {
                peer.wait_closed();
            }
            peer.reply(&request, b"")?;
        }
    });
    let rules = "connect_timeout = \"1m\"\ntry_timeout = \"500ms\"\nretry = \"off\"\n\
                 breaker = { cool_down = \"300ms\" }";
    let gateway = gateway(&[&service], rules);
    for _ in 0..3 {
        gateway.ask(&Request::get("/x")).is(504);
    }
    eventually("a refusal", || {
        is_refused(&gateway.ask(&Request::get("/x")))
    });
    answers.store(true, Relaxed);
    // Probes that vanish free their lease, which would last for a minute.
    eventually("the circuit to close", || {
        let mut client = gateway.connect();
        client.send(Request::get("/x").bytes());
        drop(client);
        (gateway.ask(&Request::get("/x")).status == 200).then_some(())
    });
}

#[test]
fn circuits_outlive_a_reload() {
    let (bad, good) = (Upstream::down(|_| Ok(())), Upstream::echo());
    let gateway = gateway(&[&bad, &good], "");
    for _ in 0..10 {
        gateway.ask(&Request::get("/x")).is(200);
    }
    let weights = |weight: u32| {
        format!(
            "[server]\nworkers = 2\n[routes]\n\"/\" = \"up\"\n[upstreams.up]\nendpoints = [{{ url = \"{}\", weight = {weight} }}, \"{}\"]\n",
            bad.url(),
            good.url()
        )
    };
    for weight in [2, 3, 4] {
        gateway.reload(&weights(weight));
        for _ in 0..10 {
            gateway.ask(&Request::get("/x")).is(200);
        }
    }
    let lines = gateway.finish();
    let tried = lines.iter().filter(|line| line["attempts"] == 2).count();
    assert!(tried <= 4, "{tried} met the one that is down");
}

#[test]
fn whichever_status_it_is_is_said() {
    let busy = answering("HTTP/1.1 429 Busy\r\nContent-Length: 0\r\n\r\n");
    let rules = "retry.statuses = [429]\nbreaker.statuses = [429]";
    let gateway = gateway(&[&busy], rules);
    eventually("the circuit to open", || {
        (gateway.ask(&Request::get("/x")).status == 503).then_some(())
    });
    gateway.wait_log("the circuit", |line| line["reason"] == "status_429");
    let lines = gateway.finish();
    let mut tries = lines.iter().map(|line| &line["tries"][0]["reason"]);
    assert!(tries.any(|reason| reason == "status_429"), "{lines:?}");
}

#[test]
fn statuses_leave_half_of_the_endpoints_in() {
    let busy = [(); 2].map(|()| answering("HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy"));
    let gateway = gateway(&busy.each_ref(), "retry = \"off\"");
    let mut client = gateway.connect();
    for _ in 0..40 {
        let response = client.ask(&Request::get("/x"));
        response.is(503);
        assert_eq!(response.body, b"busy", "the service's own");
    }
}

/// The service has never got their requests, so it has not let them wait.
#[test]
fn clients_that_leave_within_their_upload_are_no_failure() {
    let service = Upstream::echo();
    let gateway = gateway(&[&service], "");
    let uploads: Vec<_> = (0..4)
        .map(|_| {
            let mut client = gateway.connect();
            client.send("POST /x HTTP/1.1\r\nHost: a.test\r\nContent-Length: 9\r\n\r\nhello");
            client
        })
        .collect();
    std::thread::sleep(Duration::from_millis(1300));
    for client in uploads {
        client.reset();
    }
    for line in gateway.access_log(4) {
        assert_eq!(line["code"], json!("client_closed"));
        assert_eq!(line["tries"], json!(null), "{line}");
    }
    gateway.ask(&Request::get("/x")).is(200);
}

/// They are a reason to ask another endpoint; but not to ask none.
#[test]
fn impatient_clients_do_not_take_out_the_only_endpoint() {
    let slow = Upstream::start(|peer| {
        let request = peer.request()?;
        if request.target == "/slow" {
            peer.wait_closed();
        }
        peer.reply(&request, b"")
    });
    let gateway = gateway(&[&slow], "");
    let waiting: Vec<_> = (0..4)
        .map(|_| {
            let mut client = gateway.connect();
            client.send(Request::get("/slow").bytes());
            client
        })
        .collect();
    std::thread::sleep(Duration::from_millis(1300));
    for client in waiting {
        client.reset();
    }
    for line in gateway.access_log(4) {
        assert_eq!(line["tries"][0]["reason"], json!("client_left"), "{line}");
    }
    gateway.ask(&Request::get("/x")).is(200);
}

#[test]
fn an_answer_of_ambiguous_length_opens_it() {
    let bad = answering("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab");
    let gateway = gateway(&[&bad], "retry = \"off\"");
    for _ in 0..3 {
        gateway
            .ask(&Request::get("/x"))
            .is_refusal(502, "upstream_invalid");
    }
    gateway
        .ask(&Request::get("/x"))
        .is_refusal(503, "circuit_open");
}

#[test]
fn an_open_circuit_is_open_after_a_hand_over() {
    let bad = answering("HTTP/1.1 500 -\r\nContent-Length: 0\r\n\r\n");
    let rules =
        "retry = \"off\"\nbreaker = { statuses = [500] }\n[admin]\nlisten = \"127.0.0.1:0\"";
    let mut gateway = gateway(&[&bad], rules);
    for _ in 0..3 {
        gateway.ask(&Request::get("/x")).is(500);
    }
    gateway
        .ask(&Request::get("/x"))
        .is_refusal(503, "circuit_open");
    let since = |gateway: &Gateway| {
        let upstreams = gateway.admin_json("/api/v1/upstreams");
        let endpoint = &upstreams["items"][0]["endpoints"][0];
        assert_ne!(endpoint["circuit"], "closed", "{endpoint}");
        endpoint["since"].as_str().expect("a time").to_owned()
    };
    let opened = since(&gateway);
    let old = gateway.hand_over();
    let line = gateway.wait_log("the circuit", |line| {
        line["message"] == "a circuit is open, as it was before"
    });
    assert_eq!(line["event"], "circuit_opened");
    assert_eq!(line["reason"], "status_500");
    // To the minute: the time of day is made of how long ago it was.
    assert_eq!(since(&gateway)[..16], opened[..16]);
    wait_gone(old);
}
