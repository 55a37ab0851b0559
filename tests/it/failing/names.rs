//! Endpoints that are names: every address is checked and gets its share, of one family.

use std::net::Ipv6Addr;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{Gateway, Request, Upstream, eventually};

fn is_about_health(line: &Value) -> bool {
    let message = line["message"].as_str();
    message.is_some_and(|message| message.contains("its checks"))
}

#[test]
fn a_service_on_one_family_costs_nobody_an_error() {
    let on_ipv4 = Upstream::echo();
    let on_ipv6 = Upstream::echo_on(Ipv6Addr::LOCALHOST);
    for upstream in [on_ipv4, on_ipv6] {
        let port = upstream.address().port();
        for health in ["", "health = { interval = \"20ms\" }"] {
            let rules = format!("retry = \"off\"\n{health}");
            let gateway = Gateway::to_name("localhost", port, &rules, "::1 127.0.0.1");
            for _ in 0..5 {
                gateway.ask(&Request::get("/x")).is(200);
            }
            let lines = gateway.log();
            assert!(!lines.iter().any(is_about_health), "{lines:#?}");
        }
    }
}

#[test]
fn the_other_family_is_found_by_checks() {
    let old = Upstream::echo();
    let port = old.address().port();
    let new = Upstream::echo_at((Ipv6Addr::LOCALHOST, port).into());
    let gateway = Gateway::to_name(
        "up.test",
        port,
        "retry = \"off\"\nhealth = { interval = \"20ms\" }",
        "::1 127.0.0.1",
    );
    // Whichever was found first goes.
    let before = old.connections();
    std::thread::sleep(Duration::from_millis(200));
    let (used, other) = match old.connections() - before {
        0 | 1 => (new, old),
        _ => (old, new),
    };
    used.go_down();
    let before = other.connections();
    other.wait_for_connections(before + 5);
    gateway.ask(&Request::get("/x")).is(200);
    let lines = gateway.log();
    assert!(!lines.iter().any(is_about_health), "{lines:#?}");
}

#[test]
fn the_addresses_of_a_name_share_its_weight() {
    let [one, two] = [2, 3].map(|last| ([127, 0, 0, last], 0));
    let one = Upstream::echo_at(one.into());
    let two = Upstream::echo_at((two.0, one.address().port()).into());
    let other = Upstream::echo();
    let gateway = Gateway::start_with_names(
        &format!(
            "[server]\nworkers = 1\n[routes]\n\"/\" = \"up\"\n[upstreams.up]\nbalance = \"round-robin\"\nendpoints = [\"http://up.test:{}\", \"{}\"]",
            one.address().port(),
            other.url()
        ),
        "up.test 127.0.0.2 127.0.0.3",
    );
    let mut client = gateway.connect();
    eventually("the name to be found", || {
        client.ask(&Request::get("/x")).is(200);
        (one.connections() + two.connections() > 0).then_some(())
    });
    let all = [&one, &two, &other];
    for one in all {
        one.take();
    }
    for _ in 0..80 {
        client.ask(&Request::get("/x")).is(200);
    }
    let counts = all.map(|one| one.take().len());
    for (count, share) in counts.into_iter().zip([20, 20, 40]) {
        assert!(count.abs_diff(share) <= 2, "{counts:?}");
    }
}

#[test]
fn an_address_of_a_name_that_is_down_gets_no_requests() {
    let good = Upstream::echo_on([127, 0, 0, 2]);
    let port = good.address().port();
    let gateway = Gateway::to_name(
        "up.test",
        port,
        "retry = \"off\"\nhealth = { interval = \"20ms\" }",
        "127.0.0.2 127.0.0.3",
    );
    let line = gateway.wait_log("it to be down", is_about_health);
    assert_eq!(line["endpoint"], format!("127.0.0.3:{port}"));
    assert_eq!(line["reason"], "refused");
    for _ in 0..10 {
        gateway.ask(&Request::get("/x")).is(200);
    }
    // Each request went to the good one at once.
    for line in gateway.finish() {
        assert_eq!(line["attempts"], 1, "{line}");
    }
}

#[test]
fn a_name_that_is_checked_is_looked_up_every_ten_seconds() {
    let old = Upstream::echo_on([127, 0, 0, 2]);
    let port = old.address().port();
    let new = Upstream::echo_at(([127, 0, 0, 3], port).into());
    let gateway = Gateway::to_name(
        "up.test",
        port,
        "health = { interval = \"1h\" }",
        "127.0.0.2",
    );
    let begun = Instant::now();
    assert_eq!(gateway.lookups("up.test"), 1);
    gateway.change_names("up.test 127.0.0.2 127.0.0.3");
    while gateway.lookups("up.test") == 1 {
        assert!(begun.elapsed() < Duration::from_secs(20), "not looked up");
        std::thread::sleep(Duration::from_millis(50));
    }
    let after = begun.elapsed();
    assert!(after > Duration::from_secs(8), "{after:?}");
    // An address that is new is checked at once.
    new.wait_for("the check", |seen| seen.target == "/healthz");
}

#[test]
fn an_address_of_a_name_that_refuses_is_told_and_left_alone() {
    let good = Upstream::echo_on([127, 0, 0, 3]);
    let port = good.address().port();
    let rules = "balance = \"round-robin\"\nkeep = 0\nretry = \"off\"";
    let gateway = Gateway::to_name("up.test", port, rules, "127.0.0.2 127.0.0.3");
    for _ in 0..20 {
        gateway.ask(&Request::post("/x", "hello")).is(200);
    }
    let line = gateway.wait_log("the circuit", |line| line["event"] == "circuit_opened");
    let refusing = format!("127.0.0.2:{port}");
    assert_eq!(line["endpoint"], refusing);
    assert_eq!(line["reason"], "refused");
    // Three at once, however short ago the other one answered.
    let lines = gateway.finish();
    let met: Vec<_> = lines.iter().filter(|line| line["attempts"] == 2).collect();
    assert_eq!(met.len(), 3, "{lines:#?}");
    for line in met {
        let tries = line["tries"].as_array().expect("a list");
        assert_eq!(tries.len(), 1, "{line}");
        assert_eq!(tries[0]["endpoint"], refusing);
        assert_eq!(tries[0]["reason"], "refused");
        assert_eq!(line["endpoint"], good.address().to_string());
    }
}

#[test]
fn all_addresses_of_a_name_that_refuse_are_told() {
    let port = Upstream::down(|_| Ok(())).address().port();
    let rules = "retry = \"off\"";
    let gateway = Gateway::to_name("up.test", port, rules, "127.0.0.2 127.0.0.3");
    gateway
        .ask(&Request::get("/x"))
        .is_refusal(502, "upstream_unreachable");
    let line = gateway.finish().remove(0);
    assert_eq!(line["attempts"], 2, "{line}");
    let tries = line["tries"].as_array().expect("a list");
    let mut told: Vec<_> = tries.iter().map(|one| one["endpoint"].clone()).collect();
    told.sort_by_key(Value::to_string);
    let all = [2, 3].map(|last| Value::from(format!("127.0.0.{last}:{port}")));
    assert_eq!(told, all, "{line}");
    assert!(tries.iter().all(|one| one["reason"] == "refused"), "{line}");
}
