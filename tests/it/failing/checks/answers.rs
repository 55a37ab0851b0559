//! Checks by HTTP whose answer is one that no client would get, and those that are only unusual.

use super::super::gateway;
use super::{OFTEN, Service, ask, counts, is_check, says};
use crate::support::{Upstream, each};

/// A service that answers checks in this way, and ends the connection.
fn checked(answer: &'static str) -> Upstream {
    Upstream::start(move |peer| {
        let request = peer.request()?;
        if is_check(&request) {
            return peer.send(answer);
        }
        peer.reply(&request, b"")
    })
}

#[test]
fn an_answer_that_no_client_would_get_is_a_failure() {
    let many = "HTTP/1.1 103 Early Hints\r\n\r\n".repeat(70) + "HTTP/1.1 200 OK\r\n\r\n";
    let long = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(300_000));
    let [many, long] = [many, long].map(|answer| &*answer.leak());
    let rows = [
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
            "invalid",
            Some("it has Content-Length fields that differ"),
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\nok",
            "invalid",
            Some("it has Content-Length and Transfer-Encoding"),
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nok\r\n0\r\n\r\n",
            "invalid",
            Some("in its body: A chunk's size is malformed."),
        ),
        (
            "HTTP/1.1 200 OK\r\nX y: z\r\n\r\n",
            "invalid",
            Some("A header field's name is malformed. (line 2)"),
        ),
        (
            "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
            "invalid",
            Some("it switched to a protocol that was not asked for"),
        ),
        (many, "invalid", Some("too many interim answers")),
        (long, "invalid", Some("its head is too large")),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok",
            "reset",
            None,
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n",
            "reset",
            None,
        ),
        // What a service says of itself comes first.
        (
            "HTTP/1.1 503 Busy\r\nContent-Length: 3\r\n\r\n",
            "status_503",
            None,
        ),
    ];
    each(rows, |(answer, reason, detail)| {
        let bad = checked(answer);
        let good = Service::start(200);
        let gateway = gateway(
            &[&bad, &good.upstream],
            "health = { interval = \"20ms\", statuses = [101, \"200-399\"] }",
        );
        let line = gateway.wait_log("it to be down", |line| {
            line["endpoint"] == bad.address().to_string() && line["event"] == "endpoint_down"
        });
        assert_eq!(line["reason"], *reason, "{line}");
        assert_eq!(line["detail"].as_str(), *detail, "{line}");
        ask(&gateway, 10);
        assert_eq!(counts(&bad).1, 0);
        assert!(!gateway.log().iter().any(|line| says(line, "is", &good)));
    });
}

#[test]
fn an_answer_that_is_only_unusual_passes() {
    let long = format!(
        "HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n{}",
        "x".repeat(100_000)
    );
    let rows = [
        "HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2 \r\nok\r\n0\r\n\r\n",
        "HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok and more",
        "HTTP/1.1 200 OK\r\n\r\nok",
        long.leak(),
    ];
    each(rows, |answer| {
        let service = checked(answer);
        let gateway = gateway(&[&service], OFTEN);
        service.wait_for_connections(6);
        ask(&gateway, 1);
        let down = gateway
            .log()
            .into_iter()
            .find(|line| line["event"] == "endpoint_down");
        assert_eq!(down, None, "{answer:?}");
    });
}

/// A page without an end, say, or one that takes its time.
#[test]
fn a_body_that_is_slow_is_not_waited_for() {
    let service = Upstream::start(|peer| {
        let request = peer.request()?;
        if is_check(&request) {
            peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n")?;
            peer.wait_closed();
            return Ok(());
        }
        peer.reply(&request, b"")
    });
    let gateway = gateway(&[&service], OFTEN);
    service.wait_for_connections(4);
    ask(&gateway, 1);
    let down = gateway
        .log()
        .into_iter()
        .find(|line| line["event"] == "endpoint_down");
    assert_eq!(down, None);
}
