//! `traceparent` and `tracestate`: passed on as they came, or continued, or begun anew.

use serde_json::json;

use super::{PARENT, TRACE, parts, traced};
use crate::support::collector::Collector;
use crate::support::{Request, Shop, each};

#[test]
fn without_traces_what_came_goes_on_as_it_is_and_nothing_is_begun() {
    let shop = Shop::open();
    let get = |id: &str| Request::get("/api/inventory/x").field("X-Request-Id", id);
    shop.ask(&get("none")).is(200);
    let seen = shop.inventory.only();
    assert!(!seen.fields.has("traceparent") && !seen.fields.has("tracestate"));
    let request = get("two")
        .field("TraceParent", "any")
        .field("traceparent", PARENT)
        .field("tracestate", "not a list")
        .field("tracestate", "a=1");
    shop.ask(&request).is(200);
    let seen = shop.inventory.only();
    assert_eq!(seen.fields.all("traceparent"), ["any", PARENT]);
    assert_eq!(seen.fields.all("tracestate"), ["not a list", "a=1"]);
    // One that is valid is in the log all the same: it helps to find the request.
    shop.ask(&get("one").field("traceparent", PARENT));
    assert_eq!(shop.inventory.only().fields.all("traceparent"), [PARENT]);
    for (id, trace) in [("none", None), ("two", None), ("one", Some(&json!(TRACE)))] {
        assert_eq!(shop.gateway.line_of(id).get("trace_id"), trace, "{id}");
    }
}

#[test]
fn a_valid_trace_is_continued() {
    let collector = Collector::http();
    let shop = traced(&collector, "");
    each(
        [
            PARENT.to_owned(),
            PARENT.replace("-01", "-00"),
            format!("cc{}-what-the-future-will-be-like", &PARENT[2..]),
        ],
        |came| {
            let request = Request::get("/api/inventory/x")
                .field("TRACEPARENT", came)
                .field("tracestate", "rojo=1")
                .field("tracestate", "congo=2")
                .field("Connection", "traceparent");
            shop.ask(&request).is(200);
            let seen = shop.inventory.only();
            let [trace, span, flags] = parts(seen.fields.one("traceparent").expect("one"));
            assert_eq!((trace, flags), (TRACE, "01"));
            assert_ne!(span, "00f067aa0ba902b7", "the service is told of our span");
            assert_eq!(seen.fields.all("tracestate"), ["rojo=1", "congo=2"]);
        },
    );
    let flags = PARENT.replace("-01", "-03");
    shop.ask(&Request::get("/api/inventory/x").field("traceparent", &flags));
    let seen = shop.inventory.only();
    let [_, _, flags] = parts(seen.fields.one("traceparent").expect("one"));
    assert_eq!(flags, "03", "that the id is random goes on");
}

#[test]
fn whatever_is_not_valid_is_replaced_and_what_belongs_to_it_dropped() {
    let collector = Collector::http();
    let shop = traced(&collector, "");
    let zeros = format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32));
    each(
        [
            vec![],
            vec![PARENT, PARENT],
            vec![""],
            vec!["ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"],
            vec!["00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01"],
            vec!["00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more"],
            vec![&zeros],
            vec!["00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01"],
        ],
        |came| {
            let request = Request::get("/api/inventory/x").field("tracestate", "rojo=1");
            let request = came.iter().fold(request, |request, value| {
                request.field("traceparent", value)
            });
            shop.ask(&request).is(200);
            let seen = shop.inventory.only();
            let [trace, ..] = parts(seen.fields.one("traceparent").expect("one"));
            assert_ne!(trace, TRACE);
            assert!(!seen.fields.has("tracestate"));
            let line = shop
                .gateway
                .line_of(seen.fields.one("x-request-id").expect("an id"));
            assert_eq!(line["trace_id"], json!(trace));
        },
    );
}

#[test]
fn a_state_that_is_no_valid_list_is_dropped_and_the_trace_goes_on() {
    let collector = Collector::http();
    let shop = traced(&collector, "");
    let many = vec!["a=1"; 33].join(",");
    each(["a", "A=1", "a=1,b=c=d", &many], |state| {
        let request = Request::get("/api/inventory/x")
            .field("traceparent", PARENT)
            .field("tracestate", state);
        shop.ask(&request).is(200);
        let seen = shop.inventory.only();
        let [trace, ..] = parts(seen.fields.one("traceparent").expect("one"));
        assert_eq!(trace, TRACE);
        assert!(!seen.fields.has("tracestate"), "{state}");
    });
}

#[test]
fn a_route_may_keep_a_trace_to_itself() {
    let collector = Collector::http();
    let route = "[routes.\"/api/other\"]\nupstream = ";
    let shop = Shop::open();
    let config = format!(
        "{route}\"{}\"\nrequest_headers.remove = [\"traceparent\", \"tracestate\"]\n{}",
        shop.inventory.url(),
        collector.config()
    );
    shop.gateway.reload(&config);
    let request = Request::get("/api/other/x")
        .field("traceparent", PARENT)
        .field("tracestate", "a=1");
    shop.ask(&request).is(200);
    let seen = shop.inventory.only();
    assert!(!seen.fields.has("traceparent") && !seen.fields.has("tracestate"));
}

#[test]
fn lines_of_the_log_about_a_request_have_its_trace() {
    let collector = Collector::http();
    let shop = traced(&collector, crate::support::UNGUARDED);
    shop.inventory.go_down();
    let request = Request::get("/api/inventory/x").field("traceparent", PARENT);
    shop.ask(&request).is_refusal(502, "upstream_unreachable");
    let line = shop.gateway.wait_log("the failure", |line| {
        line["message"] == "an upstream cannot be reached"
    });
    assert_eq!(line["trace_id"], json!(TRACE));
    assert_eq!(shop.gateway.access_log(1)[0]["trace_id"], json!(TRACE));
}
