//! What spans say: the names and meanings of OpenTelemetry's conventions for HTTP.

use super::{CLIENT, PARENT, SERVER, TRACE, hex, parts, tells, traced, traced_selling};
use crate::support::collector::{Collector, Span, said};
use crate::support::{Gateway, KEY, Request, UNGUARDED, Upstream};

const ERROR: i32 = 2;

fn failed(span: &Span) -> bool {
    span.status
        .as_ref()
        .is_some_and(|status| status.code == ERROR)
}

#[test]
fn a_request_and_its_try_are_a_span_each() {
    let collector = Collector::http();
    let shop = traced(&collector, "service_name = \"edge\"\n");
    let request = Request::post("/api/orders/7?card=4111", "hello")
        .host("shop.test:8080")
        .with_key()
        .field("traceparent", PARENT)
        .field("tracestate", "rojo=1")
        .field("tracestate", "congo=2")
        .field("X-Request-Id", "r-1")
        .field("User-Agent", "probe/1.0 (caf\u{e9})");
    shop.ask(&request).is(200);
    let sent = shop.orders.only();
    let [_, told, _] = parts(sent.fields.one("traceparent").expect("one"));
    let spans = collector.wait_for(2);
    let [server, client] = &spans[..] else {
        panic!("{spans:#?}");
    };
    assert_eq!((server.kind, client.kind), (SERVER, CLIENT));
    for span in [server, client] {
        assert_eq!(hex(&span.trace_id), TRACE);
        assert_eq!(span.trace_state, "rojo=1,congo=2");
        assert!(!failed(span), "{span:#?}");
        assert!(span.start_time_unix_nano <= span.end_time_unix_nano);
    }
    assert_eq!(hex(&server.parent_span_id), "00f067aa0ba902b7");
    assert_eq!(server.flags, 0x301, "the parent is another process'");
    assert_eq!(client.parent_span_id, server.span_id);
    assert_eq!(client.flags, 0x101);
    assert_eq!(hex(&client.span_id), told, "the service continues the try");
    assert!(server.start_time_unix_nano <= client.start_time_unix_nano);
    assert!(client.end_time_unix_nano <= server.end_time_unix_nano);
    assert_eq!(server.name, "POST /api/orders");
    assert_eq!(client.name, "POST");
    let port = shop.orders.address().port().to_string();
    for (span, name, text) in [
        (server, "http.request.method", "POST"),
        (server, "http.route", "/api/orders"),
        (server, "http.response.status_code", "200"),
        (server, "url.scheme", "http"),
        (server, "url.path", "/api/orders/7"),
        (server, "server.address", "shop.test"),
        (server, "server.port", "8080"),
        (server, "client.address", "127.0.0.1"),
        (server, "network.peer.address", "127.0.0.1"),
        (server, "network.protocol.version", "1.1"),
        (server, "tollgate.client", "mobile-app"),
        (server, "tollgate.request_id", "r-1"),
        (server, "error.type", ""),
        (server, "tollgate.code", ""),
        (client, "http.request.method", "POST"),
        (client, "http.response.status_code", "200"),
        (client, "server.address", "127.0.0.1"),
        (client, "server.port", &port),
        (client, "network.peer.port", &port),
        (client, "http.request.resend_count", ""),
        (client, "error.type", ""),
    ] {
        assert_eq!(tells(span, name), text, "{name}");
    }
    assert!(tells(server, "user_agent.original").starts_with("probe/1.0 (caf"));
    let full = tells(client, "url.full");
    assert!(
        full.starts_with("http://127.0.0.1:") && !full.contains('?'),
        "{full}"
    );
    let asked = collector.asked();
    let resource = asked[0].message.resource_spans[0]
        .resource
        .clone()
        .expect("one");
    assert_eq!(
        said(&resource.attributes, "service.name").as_deref(),
        Some("edge")
    );
    for name in ["service.version", "service.instance.id"] {
        assert!(said(&resource.attributes, name).is_some(), "{name}");
    }
    let all = String::from_utf8_lossy(&asked[0].bytes).into_owned();
    assert!(!all.contains("4111") && !all.contains(KEY), "{all}");
}

#[test]
fn a_method_that_is_in_no_standard_is_another() {
    let collector = Collector::http();
    let shop = traced(&collector, "");
    shop.ask(&Request::new("PROPFIND", "/api/inventory/x"))
        .is(200);
    for span in collector.wait_for(2) {
        assert_eq!(tells(&span, "http.request.method"), "_OTHER");
        assert_eq!(tells(&span, "http.request.method_original"), "PROPFIND");
        assert!(span.name.starts_with("HTTP"), "{}", span.name);
    }
}

#[test]
fn what_the_gateway_answers_itself_has_no_try() {
    let collector = Collector::http();
    let shop = traced(&collector, "");
    shop.ask(&Request::get("/nowhere"))
        .is_refusal(404, "no_route");
    shop.ask(&Request::get("/api/orders/x"))
        .is_refusal(401, "api_key_required");
    // Workers send theirs by themselves, in no order.
    let mut spans = collector.wait_for(2);
    spans.sort_by(|one, other| one.name.cmp(&other.name));
    let [none, locked] = &spans[..] else {
        panic!("{spans:#?}");
    };
    assert_eq!((none.kind, none.name.as_str()), (SERVER, "GET"));
    assert_eq!(tells(none, "tollgate.code"), "no_route");
    assert_eq!(tells(none, "http.response.status_code"), "404");
    assert_eq!(locked.name, "GET /api/orders");
    // It is the client's error, not the server's.
    for span in [none, locked] {
        assert!(
            !failed(span) && tells(span, "error.type").is_empty(),
            "{span:#?}"
        );
        assert_ne!(span.span_id, [0; 8]);
        assert!(span.parent_span_id.is_empty());
    }
}

#[test]
fn errors_are_those_of_the_conventions() {
    let answer = |status: &str| {
        Upstream::answering(format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n"))
    };
    let down = Upstream::down(|_| Ok(()));
    let ends = Upstream::start(|peer| peer.request().map(drop));
    let breaks = Upstream::start(|peer| {
        peer.request()?;
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
    });
    // What the client gets, and the type of error of the request and of the try.
    for (service, status, types) in [
        (answer("404 Not Found"), 404, ["", "404"]),
        (answer("503 Busy"), 503, ["503", "503"]),
        (down, 502, ["upstream_unreachable", "refused"]),
        (ends, 502, ["upstream_reset", "reset"]),
        (breaks, 200, ["upstream_reset", "reset"]),
    ] {
        let collector = Collector::http();
        let shop = traced_selling(&collector, service, UNGUARDED);
        let mut client = shop.gateway.connect();
        client.send(Request::get("/api/inventory/x").bytes());
        let _ = client.ending();
        let spans = collector.wait_for(2);
        let said = [0, 1].map(|nth| tells(&spans[nth], "error.type"));
        assert_eq!(said, types, "{status} {spans:#?}");
        for (span, error) in spans.iter().zip(types) {
            assert_eq!(failed(span), !error.is_empty(), "{status} {span:#?}");
        }
        let answered = tells(&spans[0], "http.response.status_code");
        assert_eq!(answered, status.to_string());
    }
}

#[test]
fn a_client_that_leaves_is_no_error_of_the_gateways() {
    let collector = Collector::http();
    let silent = Upstream::start(|peer| {
        peer.request()?;
        peer.wait_closed();
        Ok(())
    });
    let shop = traced_selling(&collector, silent, "");
    let mut client = shop.gateway.connect();
    client.send(Request::get("/api/inventory/x").bytes());
    shop.inventory.wait_for("the request", |_| true);
    drop(client);
    let spans = collector.wait_for(2);
    assert_eq!(tells(&spans[0], "error.type"), "client_closed");
    assert_eq!(tells(&spans[0], "http.response.status_code"), "");
    assert!(!failed(&spans[0]));
    assert_eq!(tells(&spans[1], "error.type"), "client_closed");
}

#[test]
fn each_try_is_a_span_of_its_own() {
    let collector = Collector::http();
    let bad = Upstream::down(|_| Ok(()));
    let good = Upstream::echo();
    let gateway = Gateway::start(&format!(
        "[routes]\n\"/\" = \"up\"\n[upstreams.up]\nendpoints = [\"{}\", \"{}\"]\n\
         balance = \"round-robin\"\nbreaker = \"off\"\n{}",
        bad.url(),
        good.url(),
        collector.config()
    ));
    for _ in 0..4 {
        gateway.ask(&Request::get("/x")).is(200);
    }
    gateway.finish();
    let spans = collector.spans();
    let again = |span: &&Span| !tells(span, "http.request.resend_count").is_empty();
    let second = spans.iter().find(again).expect("a second try");
    assert_eq!(tells(second, "http.request.resend_count"), "1");
    assert!(!failed(second));
    let tries: Vec<_> = spans
        .iter()
        .filter(|span| span.kind == CLIENT && span.trace_id == second.trace_id)
        .collect();
    let [first, _] = tries[..] else {
        panic!("{tries:#?}");
    };
    assert_eq!(tells(first, "error.type"), "refused");
    assert!(failed(first));
    assert_eq!(first.parent_span_id, second.parent_span_id);
    assert!(first.end_time_unix_nano <= second.start_time_unix_nano);
    assert_eq!(tells(second, "tollgate.upstream"), "up");
    let told = good.take().into_iter().map(|seen| {
        let [_, span, _] = parts(seen.fields.one("traceparent").expect("one")).map(str::to_owned);
        span
    });
    assert!(told.collect::<Vec<_>>().contains(&hex(&second.span_id)));
}

#[test]
fn what_is_long_is_cut() {
    let collector = Collector::http();
    let shop = traced(&collector, "");
    let agent = "a".repeat(5000);
    let request = Request::get("/api/inventory/x").field("User-Agent", &agent);
    shop.ask(&request).is(200);
    let spans = collector.wait_for(2);
    assert_eq!(tells(&spans[0], "user_agent.original"), agent[..1024]);
}
