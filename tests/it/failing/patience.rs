//! Clients that leave before they have an answer: after a while that says something about the
//! endpoint, but not about one that had nothing to answer yet.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::sleep;
use std::time::Duration;

use super::{failing, gateway};
use crate::support::{Client, Ending, Gateway, Peer, Request, Upstream, eventually};

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
    eventually("a request to be swallowed", || {
        let mut client = gateway.connect();
        client.patience(LONG).send(Request::get("/x").bytes());
        let answered = matches!(client.ending(), Ending::Whole(answer) if answer.status == 200);
        client.reset();
        (!answered).then_some(())
    });
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
