//! What a reload does to checks and to what they have found.

use std::time::Duration;

use super::super::gateway;
use super::{OFTEN, SILENT, Service, ask, counts, says};
use crate::support::eventually;

/// The configuration of [`gateway`] with these endpoints and rules.
fn config(services: &[&Service], rules: &str) -> String {
    let urls = services
        .iter()
        .map(|one| format!("\"{}\"", one.upstream.url()));
    let urls: Vec<_> = urls.collect();
    format!(
        "[server]\nworkers = 2\n[routes]\n\"/\" = \"up\"\n[upstreams.up]\nendpoints = [{}]\n{rules}",
        urls.join(", ")
    )
}

#[test]
fn a_change_of_settings_keeps_the_verdict() {
    let [bad, good] = [500, 200].map(Service::start);
    let gateway = gateway(&[&bad.upstream, &good.upstream], OFTEN);
    gateway.wait_log("it to be down", |line| says(line, "is down", &bad));
    // No check says anything from now on.
    bad.becomes(SILENT);
    for interval in ["30ms", "40ms", "1h"] {
        let rules = format!("health = {{ interval = \"{interval}\", timeout = \"1h\" }}");
        gateway.reload(&config(&[&bad, &good], &rules));
        ask(&gateway, 10);
    }
    assert_eq!(counts(&bad.upstream).1, 0);
    // With the settings comes a check.
    bad.becomes(200);
    let rules = "health = { interval = \"1h\", timeout = \"2s\", up = 1 }";
    gateway.reload(&config(&[&bad, &good], rules));
    gateway.wait_log("it to be up", |line| says(line, "is up again", &bad));
}

#[test]
fn changes_of_times_do_not_keep_an_endpoint_from_being_found_down() {
    let [hangs, good] = [200, 200].map(Service::start);
    let rules = |timeout: u64| {
        format!("health = {{ interval = \"20ms\", timeout = \"{timeout}ms\", down = 2 }}")
    };
    let gateway = gateway(&[&hangs.upstream, &good.upstream], &rules(1000));
    hangs.becomes(SILENT);
    // A check takes longer than there are between two reloads.
    let mut timeout = 1000;
    eventually("it to be down", || {
        timeout += 1;
        gateway.reload(&config(&[&hangs, &good], &rules(timeout)));
        gateway
            .log()
            .iter()
            .any(|line| says(line, "is down", &hangs))
            .then_some(())
    });
}

#[test]
fn without_checks_their_verdicts_do_not_count() {
    let [bad, good] = [500, 200].map(Service::start);
    let gateway = gateway(&[&bad.upstream, &good.upstream], OFTEN);
    gateway.wait_log("it to be down", |line| says(line, "is down", &bad));
    gateway.reload(&config(&[&bad, &good], ""));
    eventually("requests", || {
        ask(&gateway, 1);
        (counts(&bad.upstream).1 > 0).then_some(())
    });
    eventually("an end of the checks", || is_left_alone(&bad));
    // They begin anew, and the first one decides.
    gateway.reload(&config(&[&bad, &good], OFTEN));
    eventually("the endpoint to be down", || {
        counts(&bad.upstream);
        ask(&gateway, 8);
        (counts(&bad.upstream).1 == 0).then_some(())
    });
}

/// Whether no check comes while ten others would; one may have been under way.
fn is_left_alone(service: &Service) -> Option<()> {
    service.upstream.take();
    std::thread::sleep(Duration::from_millis(200));
    (counts(&service.upstream).0 == 0).then_some(())
}

#[test]
fn endpoints_come_and_go_with_a_reload() {
    let [old, kept, new, broken] = [200, 200, 200, 500].map(Service::start);
    let gateway = gateway(
        &[&old.upstream, &kept.upstream],
        "health = { interval = \"20ms\" }",
    );
    gateway.reload(&config(
        &[&kept, &new, &broken],
        "health = { interval = \"20ms\" }",
    ));
    gateway.wait_log("the new one to be down", |line| {
        says(line, "is down", &broken)
    });
    eventually("requests", || {
        ask(&gateway, 1);
        (counts(&new.upstream).1 > 0).then_some(())
    });
    eventually("no checks of the old one", || is_left_alone(&old));
}
