//! What operators change while the gateway hands over.

use rustix::process::{Signal, kill_process};

use super::changes::{endpoint, post};
use crate::hand_over::silent_redis;
use crate::support::{Client, Gateway, Request, Upstream, wait_gone, with_admin};

#[test]
fn an_endpoint_stays_drained_through_hand_overs_until_it_is_enabled() {
    let (one, other) = (Upstream::echo(), Upstream::echo());
    let config = format!(
        "server.workers = 1\n[routes]\n\"/\" = \"up\"\n[upstreams.up]\nendpoints = [\"{}\", \"{}\"]\nbalance = \"round-robin\"",
        one.url(),
        other.url()
    );
    let mut gateway = Gateway::start(&with_admin(&config, ""));
    let change = |gateway: &Gateway, action: &str| {
        let answer = gateway.ask_admin(post(&endpoint("up", &one.url(), action)));
        assert_eq!(answer.is(200).json()["changed"], true, "{action}");
    };
    let states = |gateway: &Gateway| {
        let listed = gateway.admin_json("/api/v1/upstreams");
        let endpoints = listed["items"][0]["endpoints"].as_array().cloned();
        let endpoints = endpoints.expect("endpoints").into_iter();
        endpoints.map(|it| it["state"].clone()).collect::<Vec<_>>()
    };
    change(&gateway, "drain");
    for _ in 0..2 {
        let old = gateway.hand_over();
        wait_gone(old);
        assert_eq!(states(&gateway), ["drained", "up"]);
        for _ in 0..4 {
            gateway.ask(&Request::get("/x")).is(200);
        }
        assert_eq!(one.take().len(), 0);
    }
    let line = gateway.wait_log("a mark of the successor", |line| {
        line["message"] == "endpoint drained, as it was before"
    });
    assert_eq!(line["event"], "endpoint_drained");
    change(&gateway, "enable");
    let old = gateway.hand_over();
    wait_gone(old);
    assert_eq!(states(&gateway), ["up", "up"]);
}

#[test]
fn an_endpoint_that_is_changed_all_through_hand_overs_is_as_the_last_answer_says() {
    let service = Upstream::echo();
    let config = format!(
        "[routes]\n\"/\" = \"up\"\n[upstreams.up]\nendpoints = \"{}\"",
        service.url()
    );
    let mut gateway = Gateway::start(&with_admin(&config, ""));
    let mut is_drained = false;
    for times in 1..=3 {
        gateway.signal(Signal::USR2);
        while gateway.said("handed over") < times {
            for _ in 0..20 {
                let action = if is_drained { "enable" } else { "drain" };
                let answer = gateway.ask_admin(post(&endpoint("up", &service.url(), action)));
                if answer.status == 409 {
                    answer.is_refusal(409, "draining");
                    continue;
                }
                // Whichever process answers: what was answered before was not lost.
                assert_eq!(answer.is(200).json()["changed"], true, "{action}");
                is_drained = !is_drained;
            }
        }
        let old = gateway.wait_handed_over();
        wait_gone(old);
        let listed = gateway.admin_json("/api/v1/upstreams");
        let expected = if is_drained { "drained" } else { "up" };
        assert_eq!(listed["items"][0]["endpoints"][0]["state"], expected);
    }
}

#[test]
fn a_change_that_comes_whole_after_a_hand_over_is_not_lost_in_silence() {
    let service = Upstream::echo();
    let config = format!(
        "[routes]\n\"/\" = \"up\"\n[upstreams.up]\nendpoints = \"{}\"",
        service.url()
    );
    let (_redis, silent) = silent_redis();
    let config = format!("{config}\n{silent}");
    let mut gateway = Gateway::start(&with_admin(&config, ""));
    let admin = gateway.admin();
    // A body has its time, in which no successor has to start, too.
    gateway.signal(Signal::USR2);
    gateway.wait_said("starting", 2);
    let successor = gateway.wait_begun();
    kill_process(successor, Signal::STOP).expect("stop the successor for a while");
    let drain = endpoint("up", &service.url(), "drain");
    let changes = [
        ("POST", &*drain, "{}"),
        ("PUT", "/api/v1/log-level", r#"{"level":"debug"}"#),
    ];
    // The old process has the heads, and waits for the bodies.
    let mut begun = changes.map(|(method, path, body)| {
        let request = Request::new(method, path).body(body);
        let request = request
            .field("content-type", "application/json")
            .field("expect", "100-continue")
            .host(&admin.to_string());
        let mut client = Client::to(admin);
        client.send(request.head_bytes());
        let goes_on = client.some().expect("an interim answer");
        assert!(goes_on.starts_with(b"HTTP/1.1 100 "), "{goes_on:?}");
        (client, body)
    });
    let mut idle = Client::to(admin);
    idle.ask(&Request::get("/livez").host(&admin.to_string()))
        .is(200);
    kill_process(successor, Signal::CONT).expect("let the successor go on");
    let old = gateway.wait_handed_over();
    // Once the old process has left, which the log says a moment before.
    idle.is_closed();
    for (client, body) in &mut begun {
        client.send(*body).answer().is_refusal(409, "draining");
    }
    drop(begun);
    wait_gone(old);
    gateway.ask(&Request::get("/x")).is(200);
}
