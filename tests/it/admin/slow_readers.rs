//! Readers that do not read: they keep nobody else from an answer, and are let go.

use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use crate::support::{Client, Gateway, Request, ask_at, eventually_within, with_admin};

/// A gateway with a port for metrics whose metrics are long, for the names of so many routes are; and where
/// that port is.
fn with_long_metrics(routes: usize) -> (Gateway, SocketAddr) {
    let prefix = |n: usize| format!("/{n}{}", "x".repeat(8000));
    let table: Vec<_> = (0..routes)
        .map(|n| format!("\"{}\" = {{ respond = {{ status = 200 }} }}\n", prefix(n)))
        .collect();
    let config = format!("server.workers = 1\n[routes]\n{}", table.concat());
    let gateway = Gateway::start(&with_admin(&config, "metrics_listen = \"127.0.0.1:0\""));
    for n in 0..routes {
        gateway.ask(&Request::get(&prefix(n))).is(200);
    }
    let metrics = gateway.operator_port("metrics port open");
    (gateway, metrics)
}

/// Asks for metrics and reads no more of them than what comes with the head; with how many bytes there are.
fn reads_nothing(metrics: SocketAddr) -> (Client, usize) {
    let mut client = Client::to(metrics);
    client.send(Request::get("/metrics").bytes());
    let head = client.head();
    let length = head.is(200).fields.one("content-length");
    let length = length.and_then(|it| it.parse().ok()).expect("a length");
    (client, length)
}

#[test]
fn strangers_that_do_not_read_metrics_keep_no_collector_from_them() {
    let (gateway, metrics) = with_long_metrics(3);
    let idle: Vec<_> = (0..20).map(|_| reads_nothing(metrics)).collect();
    assert!(idle[0].1 > 500_000, "{} bytes", idle[0].1);
    for _ in 0..3 {
        ask_at(metrics, Request::get("/metrics")).is(200);
        gateway.scrape();
    }
    drop(idle);
}

#[test]
fn who_reads_no_metrics_is_let_go_when_the_memory_is_needed() {
    const MOST_BYTES: usize = 64 << 20;
    let (_gateway, metrics) = with_long_metrics(12);
    let (mut first, length) = reads_nothing(metrics);
    let (mut read, mut others) = (0, Vec::new());
    while (others.len() + 1) * length <= MOST_BYTES + length {
        others.push(reads_nothing(metrics));
    }
    while let Ok(some) = first.some() {
        read += some.len();
    }
    assert!(read < length, "{read} of {length}");
    let (mut last, length) = others.pop().expect("one that came last");
    assert_eq!(last.take(length).len(), length);
}

#[test]
fn who_does_not_read_the_live_stream_is_let_go() {
    // Many endpoints make large frames, of which a few fill all buffers on the way.
    let upstreams: Vec<_> = (0..50)
        .map(|n| {
            let endpoints: Vec<_> = (1..=40)
                .map(|port| format!("\"http://127.0.0.1:{port}\""))
                .collect();
            let endpoints = endpoints.join(", ");
            format!("[upstreams.u{n}]\nendpoints = [{endpoints}]\n")
        })
        .collect();
    let routes: Vec<_> = (0..50).map(|n| format!("\"/{n}\" = \"u{n}\"\n")).collect();
    let config = format!("[routes]\n{}{}", routes.concat(), upstreams.concat());
    let gateway = Gateway::start(&with_admin(&config, ""));
    let admin = gateway.admin();
    let mut reads_nothing: Vec<_> = (0..8)
        .map(|_| {
            let mut client = Client::to(admin);
            let request = Request::get("/api/v1/stream").host(&admin.to_string());
            client.send(request.bytes());
            client.head().is(200);
            client
        })
        .collect();
    let mut reads = reads_nothing.pop().expect("one");
    // Whatever else this test does takes time, in which frames would pile up.
    let reader = thread::spawn(move || while reads.some().is_ok_and(|some| !some.is_empty()) {});
    let viewers = || gateway.admin_json("/api/v1/status")["viewers"].clone();
    eventually_within(
        Duration::from_secs(40),
        "those who do not read to be let go",
        || (viewers() == 1).then_some(()),
    );
    assert!(!reader.is_finished(), "the stream goes on for who reads");
    drop((reads_nothing, gateway));
    reader.join().expect("it has read to the end");
}
