//! Upstreams that are named: which of a name's addresses are connected to, what becomes of those
//! that are silent or gone, and that a silent name server holds up nothing but its lookup.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::support::{Gateway, Request, Silent, Upstream, eventually};

#[test]
fn a_silent_address_is_not_waited_for_by_each_connection() {
    let upstream = Upstream::echo_on([127, 0, 0, 3]);
    let port = upstream.address().port();
    let _silent = Silent::on(([127, 0, 0, 2], port).into());
    let gateway = Gateway::to_name("up.test", port, "keep = 0", "127.0.0.2 127.0.0.3");
    let begun = Instant::now();
    let mut client = gateway.connect();
    for _ in 0..8 {
        client.ask(&Request::get("/")).is(200);
    }
    // Half of `connect_timeout` for each would be eight seconds.
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(5), "{took:?}");
    assert_eq!(upstream.connections(), 8);
}

/// A gateway for a name with two addresses, of which the first is silent and the second serves.
fn behind_a_silent_address(rules: &str) -> (Gateway, Upstream, Silent) {
    let upstream = Upstream::echo_on([127, 0, 0, 3]);
    let port = upstream.address().port();
    let silent = Silent::on(([127, 0, 0, 2], port).into());
    let gateway = Gateway::to_name("up.test", port, rules, "127.0.0.2 127.0.0.3");
    (gateway, upstream, silent)
}

#[test]
fn a_short_time_to_connect_is_enough_for_each_address() {
    let (gateway, _upstream, _silent) = behind_a_silent_address("connect_timeout = \"100ms\"");
    // On a machine that has no time for the first one, the second is remembered.
    eventually("a connection", || {
        (gateway.ask(&Request::get("/")).status == 200).then_some(())
    });
}

#[test]
fn a_service_that_moved_is_found_by_the_request_that_finds_it_gone() {
    let old = Upstream::echo_on([127, 0, 0, 2]);
    let port = old.address().port();
    let new = Upstream::echo_at(([127, 0, 0, 3], port).into());
    let gateway = Gateway::to_name("up.test", port, "", "127.0.0.2");
    let mut client = gateway.connect();
    client.ask(&Request::get("/")).is(200);
    // A name is looked up once a second at the most.
    std::thread::sleep(Duration::from_millis(1100));
    gateway.change_names("up.test 127.0.0.3");
    old.go_down();
    client.ask(&Request::get("/")).is(200);
    assert_eq!(new.connections(), 1);
}

#[test]
fn names_are_looked_up_once_for_the_process() {
    let one = Upstream::echo();
    let other = Upstream::echo();
    let gateway = Gateway::start_with_names(
        &format!(
            "[routes]\n\"/a\" = \"http://up.test:{}\"\n\"/b\" = \"http://up.test:{}\"\n[server]\nworkers = 4",
            one.address().port(),
            other.address().port()
        ),
        "up.test 127.0.0.1",
    );
    for _ in 0..32 {
        for path in ["/a", "/b"] {
            gateway.ask(&Request::get(path)).is(200);
        }
    }
    // Once for each endpoint at the most; ten seconds later again.
    let lookups = gateway.lookups("up.test");
    assert!((1..=2).contains(&lookups), "{lookups} lookups");
}

#[test]
fn a_silent_name_server_holds_up_neither_other_names_nor_the_exit() {
    let upstream = Upstream::echo();
    let config = format!(
        "[routes]\n\"/silent\" = \"http://silent.test\"\n\"/up\" = \"http://up.test:{}\"\n[server]\nworkers = 1\ndrain_timeout = \"200ms\"",
        upstream.address().port()
    );
    let names = "silent.test silent\nup.test 127.0.0.1";
    let mut gateway = Gateway::start_with_names(&config, names);
    let mut waiting = gateway.connect();
    waiting.send(Request::get("/silent").bytes());
    eventually("a lookup", || {
        (gateway.lookups("silent.test") > 0).then_some(())
    });
    gateway.ask(&Request::get("/up")).is(200);
    waiting.answer().is_refusal(504, "upstream_timeout");
    gateway.signal(Signal::TERM);
    assert_eq!(gateway.wait_exit().code(), Some(0));
}

#[test]
fn a_name_server_that_is_silent_about_redis_is_asked_once_and_does_not_hold_up_the_exit() {
    let mut gateway = Gateway::start_with_names(
        "[routes]\n\"/\" = \"http://127.0.0.1:9\"\n[limits]\nanonymous = { requests = 9, per = \"1m\" }\n[limits.redis]\nurl = \"redis://silent.test\"\n[server]\nworkers = 4\ndrain_timeout = \"200ms\"",
        "silent.test silent",
    );
    // By the time it listens, each worker has tried.
    assert_eq!(gateway.lookups("silent.test"), 1);
    gateway.signal(Signal::TERM);
    assert_eq!(gateway.wait_exit().code(), Some(0));
}

/// An address that drops what it is sent says as much as one that refuses.
#[test]
fn a_service_that_moved_from_an_address_that_is_silent_now_is_found_soon() {
    for (route, rules) in [
        ("", "connect_timeout = \"300ms\""),
        (", timeout = \"400ms\"", ""),
    ] {
        let new = Upstream::echo_on([127, 0, 0, 3]);
        let port = new.address().port();
        let _old = Silent::on(([127, 0, 0, 2], port).into());
        let gateway = Gateway::start_with_names(
            &format!(
                "[routes]\n\"/\" = {{ upstream = \"up\"{route} }}\n[upstreams.up]\nendpoints = [\"http://up.test:{port}\"]\nretry = \"off\"\nbreaker = \"off\"\n{rules}"
            ),
            "up.test 127.0.0.2",
        );
        let begun = Instant::now();
        gateway
            .ask(&Request::get("/"))
            .is_refusal(504, "upstream_timeout");
        gateway.change_names("up.test 127.0.0.3");
        eventually("the service", || {
            (gateway.ask(&Request::get("/")).status == 200).then_some(())
        });
        // It is looked up every ten seconds anyway.
        let took = begun.elapsed();
        assert!(took < Duration::from_secs(7), "{took:?}");
    }
}

#[test]
fn an_address_that_is_overtaken_has_its_name_looked_up() {
    let (gateway, _upstream, _silent) =
        behind_a_silent_address("keep = 0\nbalance = \"round-robin\"\nbreaker = \"off\"");
    let begun = Instant::now();
    eventually("another lookup", || {
        gateway.ask(&Request::get("/")).is(200);
        (gateway.lookups("up.test") > 1).then_some(())
    });
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(7), "{took:?}");
}
