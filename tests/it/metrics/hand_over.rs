//! A successor goes on from what the gateway before it has counted.

use std::sync::mpsc::channel;

use crate::lifecycle::answers_when_told;
use crate::support::collector::{Collector, Reply};
use crate::support::{Gateway, Request, Scrape, Upstream, eventually, wait_gone};

use super::{counted, start};

const REQUESTS: &str = "tollgate_requests_total";

fn requests(gateway: &Gateway) -> f64 {
    gateway.scrape().sum(REQUESTS, &["route=\"/\""])
}

#[test]
fn counters_go_on_in_the_successor_with_what_the_old_one_still_counts() {
    let (say, told) = channel();
    let service = answers_when_told(told);
    let mut gateway = start(&format!(
        "[routes]\n\"/\" = \"{}\"\n\"/fixed\" = {{ respond = {{ status = 200 }} }}",
        service.url()
    ));
    for _ in 0..3 {
        gateway.ask(&Request::get("/fixed")).is(200);
    }
    let mut open = gateway.connect();
    open.send(Request::get("/x").bytes());
    service.wait_for("the request", |_| true);
    let fixed = |gateway: &Gateway| gateway.scrape().sum(REQUESTS, &["route=\"/fixed\""]);
    counted(&gateway, 3.0);
    let old = gateway.hand_over();
    assert_eq!(fixed(&gateway), 3.0, "it goes on from there");
    gateway.ask(&Request::get("/fixed")).is(200);
    counted(&gateway, 4.0);
    assert_eq!(requests(&gateway), 0.0, "the old one still serves it");
    say.send(()).expect("the service waits");
    open.answer().is(200);
    drop(open);
    wait_gone(old);
    eventually("the last of the old one", || {
        (requests(&gateway) == 1.0).then_some(())
    });
    assert_eq!(fixed(&gateway), 4.0);
    let reloads = gateway
        .scrape()
        .get("tollgate_config_reloads_total{outcome=\"ok\"}");
    assert_eq!(reloads, 2.0, "both starts");
}

/// Everything that is counted moves along, so a family that is forgotten shows up here.
#[test]
fn no_counter_goes_back_when_a_successor_serves() {
    let (say, told) = channel();
    let (slow, service, collector) = (answers_when_told(told), Upstream::echo(), Collector::http());
    // None of them passes, so that none is sent again.
    collector.replies(&[Reply::Status(400, None); 100]);
    let mut gateway = start(&format!(
        "[routes]\n\"/\" = \"{}\"\n\"/slow\" = \"{}\"\n\"/fixed\" = {{ respond = {{ status = 200 }} }}\n\
         [log]\nformat = \"json\"\naccess = \"/dev/full\"\n{}",
        service.url(),
        slow.url(),
        collector.config()
    ));
    gateway.ask(&Request::get("/")).is(200);
    gateway.ask(&Request::get("/fixed")).is(200);
    gateway.ask(&Request::get("/%zz")).is(400);
    let before = lost(&gateway, 3.0, 4.0);
    let mut open = gateway.connect();
    open.send(Request::get("/slow").bytes());
    slow.wait_for("the request", |_| true);
    let old = gateway.hand_over();
    let after = gateway.scrape();
    for (series, value) in before.counters().filter(|(it, _)| !of_process(it)) {
        assert!(after.get(series) >= value, "{series}: {value} before");
    }
    say.send(()).expect("the service waits");
    open.answer().is(200);
    drop(open);
    wait_gone(old);
    lost(&gateway, 4.0, 6.0);
}

/// The processor time of a process is its own.
fn of_process(series: &str) -> bool {
    series.starts_with("process_")
}

/// A scrape in which that many lines and spans are lost.
fn lost(gateway: &Gateway, lines: f64, spans: f64) -> Scrape {
    eventually("lines and spans to be lost", || {
        let scrape = gateway.scrape();
        let is_lost = scrape.get("tollgate_access_log_lines_dropped_total") == lines
            && scrape.get("tollgate_spans_dropped_total") == spans;
        is_lost.then_some(scrape)
    })
}
