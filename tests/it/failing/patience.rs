//! Clients that leave before they have an answer: after a while that says something about the
//! endpoint, but not about one that had nothing to answer yet.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::{failing, gateway};
use crate::support::{
    Broken, Client, Ending, Gateway, Gone, PATIENCE, Peer, Request, Upstream, eventually,
};

/// Longer than a client is expected to wait.
const LONG: Duration = Duration::from_millis(1_100);

/// A service that answers nothing until it is told to.
fn swallowing() -> (Upstream, Arc<AtomicBool>) {
    let answers = Arc::new(AtomicBool::new(false));
    let well = Arc::clone(&answers);
    let service = Upstream::start(move |peer| {
        loop {
            let request = peer.request()?;
            if !well.load(Relaxed) {
                peer.wait_closed();
            }
            peer.reply(&request, b"")?;
        }
    });
    (service, answers)
}

/// Clients whose requests the service has got.
fn waiting(gateway: &Gateway, service: &Upstream, request: &Request) -> Vec<Client> {
    let ask = |_| {
        let mut client = gateway.connect();
        client.send(request.bytes());
        client
    };
    let clients = (0..3).map(ask).collect();
    let mut seen = 0;
    eventually("the requests", || {
        seen += service.take().len();
        (seen == 3).then_some(())
    });
    clients
}

fn has_opened(gateway: &Gateway) -> bool {
    let opened = |line: &serde_json::Value| {
        let message = line["message"].as_str();
        message.is_some_and(|text| text.contains("circuit has opened"))
    };
    gateway.log().iter().any(opened)
}

#[test]
fn clients_that_wait_in_vain_open_the_circuit() {
    let (service, _) = swallowing();
    // Two endpoints, for the only one is not left alone for that; the other has next to no weight.
    let other = Upstream::echo();
    let gateway = Gateway::start(&format!(
        "[routes]\n\"/\" = \"up\"\n[upstreams.up]\nendpoints = [{{ url = \"{}\", weight = 1000 }}, \"{}\"]",
        service.url(),
        other.url()
    ));
    let clients = waiting(&gateway, &service, &Request::get("/x"));
    sleep(LONG);
    clients.into_iter().for_each(Client::reset);
    eventually("the circuit to open", || {
        (gateway.ask(&Request::get("/health")).status == 200 && has_opened(&gateway)).then_some(())
    });
    let line = gateway.wait_log("why", |line| line["reason"] == "client_left");
    assert_eq!(line["upstream"], "up");
}

#[test]
fn clients_that_do_not_wait_say_nothing() {
    let (service, answers) = swallowing();
    let gateway = gateway(&[&service], "");
    let clients = waiting(&gateway, &service, &Request::get("/x"));
    clients.into_iter().for_each(Client::reset);
    gateway.access_log(3);
    assert!(!has_opened(&gateway));
    answers.store(true, Relaxed);
    gateway.ask(&Request::get("/x")).is(200);
}

/// They close their connections soon, which shows only after some seconds that nothing has moved.
#[test]
fn clients_that_close_and_are_missed_late_say_nothing() {
    let (service, answers) = swallowing();
    let gateway = gateway(&[&service], "");
    drop(waiting(&gateway, &service, &Request::get("/x")));
    gateway.access_log(3);
    assert!(!has_opened(&gateway));
    answers.store(true, Relaxed);
    gateway.ask(&Request::get("/x")).is(200);
}

#[test]
fn clients_that_sent_slowly_and_leave_say_nothing() {
    let (service, answers) = swallowing();
    let gateway = gateway(&[&service], "");
    let request = Request::post("/x", "0123456789");
    let begun = |_| {
        let mut client = gateway.connect();
        client.send(request.head_bytes()).send("01234");
        client
    };
    // Some before they have sent all of their requests, some as soon as they have.
    let within: Vec<_> = (0..3).map(begun).collect();
    let mut after: Vec<_> = (0..3).map(begun).collect();
    sleep(LONG);
    for client in &mut after {
        client.send("56789");
    }
    let mut whole = 0;
    eventually("the requests", || {
        whole += service.take().iter().filter(|seen| seen.whole).count();
        (whole == 3).then_some(())
    });
    within.into_iter().chain(after).for_each(Client::reset);
    gateway.access_log(6);
    assert!(!has_opened(&gateway));
    answers.store(true, Relaxed);
    gateway.ask(&Request::get("/x")).is(200);
}

#[test]
fn an_endpoint_that_swallows_requests_does_not_look_idle() {
    let (bad, good) = (failing(Peer::wait_closed), Upstream::echo());
    let gateway = gateway(&[&bad, &good], "breaker = \"off\"");
    let mut client = gateway.connect();
    eventually("a request to be swallowed", || {
        is_swallowed(&mut client, &bad).then_some(())
    });
    sleep(LONG);
    client.reset();
    let lines = || gateway.access_log(1).into_iter();
    eventually("its line", || {
        lines().any(|line| line["status"] == 499).then_some(())
    });
    bad.take();
    let mut client = gateway.connect();
    for _ in 0..50 {
        client.ask(&Request::get("/x")).is(200);
    }
    assert!(bad.take().is_empty(), "it was picked again at once");
}

/// Asks one request more: whether this service has got it, or another one has answered it.
fn is_swallowed(client: &mut Client, by: &Upstream) -> bool {
    client.send(Request::get("/x").bytes());
    client.patience(Duration::from_millis(10));
    let swallowed = eventually("an answer, or the request", || match client.ending() {
        Ending::Whole(response) => response.is(200).body.is_empty().then_some(false),
        Ending::Nothing(Broken::Silent) => (!by.take().is_empty()).then_some(true),
        other => panic!("{other:?}"),
    });
    client.patience(PATIENCE);
    swallowed
}

/// A client whose request the service has got, unless it was refused.
fn hanging_probe(gateway: &Gateway, service: &Upstream) -> Option<Client> {
    let mut client = gateway.connect();
    client.send(Request::get("/hang").bytes());
    client.patience(Duration::from_millis(10));
    eventually("a probe or a refusal", || {
        if client.some().is_ok() {
            return Some(false);
        }
        (!service.take().is_empty()).then_some(true)
    })
    .then(|| {
        client.patience(Duration::from_secs(10));
        client
    })
}

/// One after another each is the probe, and vanishes in a way of its own.
#[test]
fn probes_that_vanish_hold_nobody_up() {
    let (open, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (now, max) = (Arc::clone(&open), Arc::clone(&most));
    let service = Upstream::start(move |peer| {
        loop {
            let request = peer.request()?;
            match request.target.as_str() {
                "/reset" => return Err(Gone),
                "/hang" => {
                    // The one before may have been given up a moment ago.
                    let begun = Instant::now();
                    while now.load(Relaxed) > 0 && begun.elapsed() < Duration::from_secs(5) {
                        sleep(Duration::from_millis(5));
                    }
                    max.fetch_max(now.fetch_add(1, Relaxed) + 1, Relaxed);
                    peer.wait_closed();
                    now.fetch_sub(1, Relaxed);
                    return Err(Gone);
                }
                _ => peer.reply(&request, b"")?,
            }
        }
    });
    let rules = "retry = \"off\"\nbreaker = { failures = 1, cool_down = \"300ms\" }";
    let gateway = gateway(&[&service], rules);
    gateway.ask(&Request::get("/x")).is(200);
    eventually("the circuit to open", || {
        let response = gateway.ask(&Request::get("/reset"));
        (response.status == 503).then_some(())
    });
    service.take();
    for nth in 0..20 {
        let mut client = eventually("a probe", || hanging_probe(&gateway, &service));
        if nth == 5 {
            // For so long that it would be a failure, were it not a probe.
            sleep(Duration::from_millis(1100));
        }
        match nth % 3 {
            0 => client.reset(),
            1 => drop(client),
            _ => client.half_close().is_closed(),
        }
    }
    let vanished = Instant::now();
    eventually("the circuit to close", || {
        (gateway.ask(&Request::get("/x")).status == 200).then_some(())
    });
    let took = vanished.elapsed();
    // A client that has closed is missed after five seconds, where nobody waits.
    assert!(took < Duration::from_secs(4), "{took:?}");
    assert_eq!(most.load(Relaxed), 1, "probes at once");
}

/// The upload may take as long as it likes, and everybody else waits for the probe.
#[test]
fn a_probe_that_waits_for_its_client_holds_nobody_up() {
    let service = Upstream::start(|peer| {
        loop {
            let request = peer.request()?;
            if request.target == "/reset" {
                return Err(Gone);
            }
            peer.reply(&request, b"")?;
        }
    });
    let rules = "retry = \"off\"\nbreaker = { failures = 1, cool_down = \"300ms\" }";
    let gateway = gateway(&[&service], rules);
    gateway.ask(&Request::get("/x")).is(200);
    eventually("the circuit to open", || {
        (gateway.ask(&Request::get("/reset")).status == 503).then_some(())
    });
    let before = service.connections();
    let request = Request::post("/x", "0123456789");
    // The first one comes too soon: requests that are at hand are waited for.
    let mut refused = 0;
    let mut upload = eventually("an upload to be the probe", || {
        let mut client = gateway.connect();
        client.send(request.head_bytes()).send("01234");
        client.patience(Duration::from_millis(10));
        eventually("a probe or a refusal", || {
            if client.some().is_ok() {
                refused += 1;
                return Some(None);
            }
            (service.connections() > before).then_some(Some(()))
        })
        .map(|()| client)
    });
    assert!(refused > 0);
    let begun = Instant::now();
    eventually("the circuit to close", || {
        (gateway.ask(&Request::get("/x")).status == 200).then_some(())
    });
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(5), "{took:?}");
    upload.patience(Duration::from_secs(10)).send("56789");
    upload.answer().is(200);
}

#[test]
fn an_endpoint_that_swallows_what_clients_in_a_hurry_ask_does_not_look_idle() {
    let (bad, answers) = swallowing();
    answers.store(true, Relaxed);
    let good = Upstream::echo();
    let gateway = gateway(&[&bad, &good], "");
    eventually("both to be known", || {
        gateway.ask(&Request::get("/x")).is(200);
        let both = bad.connections() > 0 && good.connections() > 0;
        both.then_some(())
    });
    answers.store(false, Relaxed);
    bad.take();
    // Less than a second, of which several have to be lost for the circuit to open.
    let hurry = Duration::from_millis(700);
    let mut lost = 0;
    // One connection for as long as it lasts: on another, the last request might count as in flight yet.
    let mut client = gateway.connect();
    for _ in 0..24 {
        if !is_swallowed(&mut client, &bad) {
            continue;
        }
        sleep(hurry);
        client.reset();
        client = gateway.connect();
        lost += 1;
        let left = |lines: Vec<serde_json::Value>| {
            let left = lines.iter().filter(|line| line["status"] == 499);
            left.count() == lost
        };
        eventually("its line", || left(gateway.access_log(1)).then_some(()));
    }
    assert!((1..=4).contains(&lost), "{lost} were lost");
}

/// The service answers neither, and there is one place.
#[test]
fn a_client_that_may_have_left_keeps_no_place_that_others_want() {
    let (service, answers) = swallowing();
    for half_closed in [false, true] {
        // One each, for a place is free a moment after its client has the answer.
        let gateway = gateway(&[&service], "breaker = \"off\"\nmax_requests = 1");
        answers.store(false, Relaxed);
        let mut client = gateway.connect();
        client.send(Request::get("/x").bytes());
        eventually("the request", || (!service.take().is_empty()).then_some(()));
        answers.store(true, Relaxed);
        let begun = Instant::now();
        let open = half_closed.then(|| {
            client.half_close();
            client
        });
        eventually("its place", || {
            (gateway.ask(&Request::get("/x")).status == 200).then_some(())
        });
        let took = begun.elapsed();
        assert!(took < Duration::from_secs(4), "{took:?}");
        drop(open);
        service.take();
    }
}

/// It is slow, but nobody else wants the place.
#[test]
fn a_client_that_has_sent_all_may_wait_for_its_answer() {
    let service = Upstream::start(|peer| {
        let request = peer.request()?;
        sleep(Duration::from_millis(1_500));
        peer.reply(&request, b"")?;
        Err(Gone)
    });
    let gateway = gateway(&[&service], "max_requests = 1");
    let mut client = gateway.connect();
    client.send(Request::get("/x").bytes()).half_close();
    client.answer().is(200);
}
