//! Checks by the health protocol of gRPC: what is asked, what passes, and why the rest does not.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;

use super::super::gateway;
use crate::support::grpc::{Check, GrpcService, Reply, framed};
use crate::support::{Gateway, Gone, Peer, Request, Upstream, eventually, with_admin};

const SERVING: Reply = Reply::Says(1);

/// Checks that wait for as long as a test does, however busy the machine is.
const PATIENT: &str = "health = { grpc = true, interval = \"20ms\", timeout = \"10s\", down = 1 }";

/// A configuration with an upstream for each of these URLs, called by its place, and these rules.
fn config(urls: &[String], rules: &str) -> String {
    let upstreams = urls.iter().enumerate();
    let upstreams = upstreams.map(|(nth, url)| {
        format!("[upstreams.u{nth}]\nendpoints = [\"{url}\"]\n[[route]]\nprefix = \"/{nth}\"\nupstream = \"u{nth}\"\n")
    });
    let upstreams: String = upstreams.collect();
    format!("[server]\nworkers = 1\n[upstream_defaults]\n{rules}\n{upstreams}")
}

/// Why the endpoints at these URLs are down, each of which has to be.
fn reasons(urls: &[String], rules: &str) -> Vec<String> {
    let gateway = Gateway::start(&config(urls, rules));
    eventually("all endpoints to be down", || {
        let log = gateway.log();
        let down = log.iter().filter(|line| line["event"] == "endpoint_down");
        let reason = |line: &serde_json::Value| {
            let [upstream, reason] = ["upstream", "reason"].map(|key| line[key].as_str());
            Some((upstream?[1..].parse().ok()?, reason?.to_owned()))
        };
        let down: BTreeMap<usize, _> = down.filter_map(reason).collect();
        (down.len() == urls.len()).then(|| down.into_values().collect())
    })
}

fn wait_for_check(service: &GrpcService) -> Check {
    eventually("a check", || service.checks().first().cloned())
}

#[test]
fn an_endpoint_that_does_not_serve_gets_no_requests_until_it_does() {
    let services = [Reply::Says(2), SERVING].map(GrpcService::start);
    let [bad, good] = &services;
    let urls = services.each_ref().map(|it| format!("\"{}\"", it.url()));
    let gateway = Gateway::start(&with_admin(
        &format!(
            "[server]\nworkers = 1\n[routes]\n\"/\" = \"up\"\n[upstreams.up]\nendpoints = [{}]\n\
             health = {{ grpc = true, interval = \"20ms\", timeout = \"10s\" }}",
            urls.join(", ")
        ),
        "",
    ));
    let ask = || {
        gateway.ask(&Request::get("/x")).is(200);
    };
    let event = |event: &'static str| {
        let endpoint = json!(bad.address().to_string());
        gateway.wait_log(event, |it| {
            it["event"] == event && it["endpoint"] == endpoint
        })
    };
    let line = event("endpoint_down");
    assert_eq!(
        (&line["reason"], &line["failures"]),
        (&json!("not_serving"), &json!(1))
    );
    let why = gateway.admin_json("/api/v1/upstreams").to_string();
    assert!(why.contains("checks fail: not_serving"), "{why}");
    for _ in 0..20 {
        ask();
    }
    assert_eq!((bad.requests(), good.requests()), (0, 20));
    bad.becomes(SERVING);
    event("endpoint_up");
    eventually("requests", || {
        ask();
        (bad.requests() > 0).then_some(())
    });
    assert!(
        bad.connections() >= bad.checks().len(),
        "one for each check"
    );
}

#[test]
fn a_check_is_a_call_of_the_gateways_own() {
    for (grpc, host, message) in [
        ("true", "preserve", &b""[..]),
        ("\"a.B\"", "orders.internal", b"\x0a\x03a.B"),
    ] {
        let service = GrpcService::start(SERVING);
        let own = service.address().to_string();
        let _gateway = Gateway::start(&format!(
            "[routes]\n\"/\" = \"up\"\n[upstreams.up]\nendpoints = \"{}/v1/\"\nhost = \"{host}\"\n\
             health = {{ grpc = {grpc}, timeout = \"1h\" }}",
            service.url()
        ));
        let check = wait_for_check(&service);
        assert_eq!(check.uri.path(), "/grpc.health.v1.Health/Check");
        assert_eq!(check.uri.scheme_str(), Some("http"));
        let authority = check.uri.authority().expect("an authority").as_str();
        assert_eq!(authority, if host == "preserve" { &own } else { host });
        assert_eq!(check.body, framed(message));
        let field = |name| check.headers[name].to_str().expect("a text");
        assert_eq!(
            (field("content-type"), field("te")),
            ("application/grpc", "trailers")
        );
        assert!(field("user-agent").starts_with("tollgate-health/"));
        let left = field("grpc-timeout").strip_suffix('m');
        let left: u64 = left.expect("milliseconds").parse().expect("a number");
        assert!((3_500_000..=3_600_000).contains(&left), "{left}");
        assert_eq!(check.headers.len(), 4, "{:?}", check.headers);
    }
}

#[test]
fn whatever_is_not_serving_has_a_reason() {
    let rows = [
        (Reply::Says(0), "serving_unknown"),
        (Reply::Body(framed(b"")), "serving_unknown"),
        (Reply::Says(2), "not_serving"),
        (Reply::Says(3), "service_unknown"),
        (Reply::Says(4), "serving_unknown"),
        (Reply::Fails(5), "grpc_not_found"),
        (Reply::Fails(12), "grpc_unimplemented"),
        (Reply::Fails(99), "grpc_unknown"),
        (Reply::FailsLate(14), "grpc_unavailable"),
        // The status may be good, and no message there.
        (Reply::Fails(0), "invalid"),
        (Reply::Body(Vec::new()), "invalid"),
        (Reply::Body(framed(b"\x08\x01")[..6].into()), "invalid"),
        (Reply::Body(b"\x01\0\0\0\x02\x08\x01".into()), "invalid"),
        (Reply::Body(framed(&[0; 5000])), "too_large"),
        (Reply::Http(404), "status_404"),
        (Reply::Http(204), "status_204"),
        (Reply::Type("text/html"), "not_grpc"),
        (Reply::Type("application/grpc-web+proto"), "not_grpc"),
        (Reply::NoStatus, "no_grpc_status"),
        (Reply::Reset, "reset"),
    ];
    let services = rows.clone().map(|(reply, _)| GrpcService::start(reply));
    let found = reasons(&services.each_ref().map(GrpcService::url), PATIENT);
    for ((reply, expected), found) in rows.iter().zip(found) {
        assert_eq!(found, *expected, "{reply:?}");
    }
    let silent = GrpcService::start(Reply::Silent);
    let rules = "health = { grpc = true, timeout = \"1s\" }";
    assert_eq!(reasons(&[silent.url()], rules), ["timeout"]);
}

#[test]
fn an_answer_of_grpc_passes_whatever_its_messages_are_encoded_in() {
    let replies = [
        Reply::Type("application/grpc+proto"),
        // What is not known of the message, and the last of two numbers.
        Reply::Body(framed(b"\x12\x02hi\x08\x02\x08\x01")),
    ];
    let services = replies.map(GrpcService::start);
    let urls = services.each_ref().map(GrpcService::url);
    let gateway = Gateway::start(&config(&urls, PATIENT));
    for service in &services {
        eventually("checks", || (service.checks().len() > 2).then_some(()));
    }
    assert!(!gateway.log_text().contains("endpoint_down"));
}

/// A service of scripts: it reads what comes first, and then does this.
fn service(script: impl Fn(&mut Peer) -> Result<(), Gone> + Send + Sync + 'static) -> Upstream {
    Upstream::start(move |peer| {
        peer.some()?;
        script(peer)
    })
}

#[test]
fn a_service_that_does_not_speak_http2_is_told_apart() {
    let tollgate = Gateway::start("[routes]\n\"/\" = \"http://127.0.0.1:9\"\n");
    let services = [
        service(|peer| peer.send("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")),
        // In pieces.
        service(|peer| peer.send_in_pieces(b"HTTP/1.1 505 No\r\n\r\n", 1)),
        service(|peer| peer.send("SSH-2.0-OpenSSH\r\n")),
        service(|_| Ok(())),
        service(|peer| {
            peer.reset();
            Err(Gone)
        }),
    ];
    let mut urls: Vec<_> = services.iter().map(Upstream::url).collect();
    // It says in HTTP/2 that it wants HTTP/1.1.
    urls.push(format!("http://{}", tollgate.address()));
    let found = reasons(&urls, PATIENT);
    let expected = [
        "no_http2", "no_http2", "no_http2", "reset", "reset", "no_http2",
    ];
    assert_eq!(found, expected);
}

/// A frame (RFC 9113 section 4.1).
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a short frame");
    let head = [&length.to_be_bytes()[1..], &[kind, flags]].concat();
    [&head, &stream.to_be_bytes()[..], payload].concat()
}

#[test]
fn a_service_that_sends_without_end_is_cut() {
    // `:status: 200` and `:status: 100`, as HPACK has them.
    let (ok, interim) = (&b"\x88"[..], &b"\x08\x03100"[..]);
    let floods = [
        (vec![], frame(4, 0, 0, &[])),
        (vec![], frame(6, 0, 0, &[7; 8])),
        (vec![], frame(8, 0, 0, &[0, 0, 0, 1])),
        (vec![], frame(2, 0, 1, &[0, 0, 0, 0, 1])),
        (vec![], frame(0xfe, 0, 0, &[0; 4000])),
        (vec![], frame(1, 4, 1, interim)),
        (frame(1, 4, 1, ok), frame(0, 0, 1, &[])),
        (frame(1, 4, 1, ok), frame(0, 0, 1, &[0; 16000])),
        (frame(1, 0, 1, ok), frame(9, 0, 1, &[])),
        (frame(1, 0, 1, ok), frame(9, 0, 1, &[0x88; 16000])),
    ];
    let services = floods.map(|(first, again)| {
        service(move |peer| {
            peer.send([frame(4, 0, 0, &[]), first.clone()].concat())?;
            let many = again.repeat(1 + 10_000 / again.len());
            loop {
                peer.send(&many)?;
            }
        })
    });
    let good = GrpcService::start(SERVING);
    let mut urls: Vec<_> = services.iter().map(Upstream::url).collect();
    // No check would end by its time.
    let rules = "health = { grpc = true, timeout = \"1h\", interval = \"100ms\" }";
    let expected = [
        "too_large",
        "too_large",
        "too_large",
        "too_large",
        "too_large",
        "too_large",
        "invalid",
        "not_grpc",
        "invalid",
        "invalid",
    ];
    assert_eq!(reasons(&urls, rules), expected);
    // And others are checked beside them.
    urls.push(good.url());
    let _gateway = Gateway::start(&config(&urls, rules));
    eventually("checks of another", || {
        (good.checks().len() > 5).then_some(())
    });
}

#[test]
fn a_connection_begins_with_whose_it_is() {
    for (version, header) in [
        ("v1", &b"PROXY UNKNOWN\r\n"[..]),
        ("v2", b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"),
    ] {
        let (sent, first) = std::sync::mpsc::channel();
        let upstream = Upstream::start(move |peer| {
            let mut begins = Vec::new();
            peer.take(header.len() + 24, &mut begins)?;
            let _ = sent.send(begins);
            Ok(())
        });
        let rules = format!("proxy_protocol = \"{version}\"\nhealth = {{ grpc = true }}");
        let _gateway = gateway(&[&upstream], &rules);
        let begins = first
            .recv_timeout(Duration::from_secs(10))
            .expect("a check");
        let expected = [header, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"].concat();
        assert_eq!(begins, expected, "{version}");
    }
}

#[test]
fn a_reload_from_http_to_grpc_asks_anew() {
    let service = GrpcService::start(Reply::Says(2));
    let urls = [service.url()];
    let gateway = Gateway::start(&config(
        &urls,
        "health = { interval = \"20ms\", path = \"/\" }",
    ));
    eventually("a check by HTTP", || (service.requests() > 0).then_some(()));
    gateway.reload(&config(
        &urls,
        "health = { interval = \"20ms\", grpc = true }",
    ));
    gateway.wait_log("it to be down", |line| line["reason"] == "not_serving");
    let text = gateway.log_text();
    assert!(
        text.contains("`upstream_defaults.health.grpc`: false -> true"),
        "{text}"
    );
}
