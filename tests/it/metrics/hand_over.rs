//! A successor goes on from what the gateway before it has counted.

use std::sync::mpsc::channel;

use crate::lifecycle::answers_when_told;
use crate::support::{Gateway, Request, eventually, wait_gone};

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
