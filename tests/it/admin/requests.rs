//! Which requests are looked at, before anybody asks what they want: by the host that they name, by fields
//! that may be there once, and by their method.

use super::security::{READ_TOKEN, TOKEN, bearer, change, tokens, with_tokens};
use crate::support::{Client, Gateway, Request, each, with_admin};

#[test]
fn probes_and_collectors_need_no_host_and_pages_always_have_one() {
    let tokens = tokens();
    each(["", &tokens], |&tokens| {
        let more = format!("{tokens}\nmetrics_listen = \"127.0.0.1:0\"");
        let gateway = Gateway::start(&with_admin("[routes]", &more));
        let (admin, metrics) = (gateway.admin(), gateway.operator_port("metrics port open"));
        // As HAProxy asks by default (`option httpchk GET /readyz`).
        let old = |path: &str| Request::get(path).http10().without_host();
        let ask = |at, request: Request| Client::to(at).ask(&request);
        for path in ["/livez", "/readyz", "/metrics"] {
            let needs_token = path == "/metrics" && !tokens.is_empty();
            let status = if needs_token { 401 } else { 200 };
            for request in [old(path), Request::get(path).without_host()] {
                ask(admin, request.clone()).is(status);
                ask(metrics, request).is(200);
            }
            if needs_token {
                ask(admin, bearer(old(path), READ_TOKEN)).is(200);
            }
            // A name that is made to lead here.
            let rebound = old(path).host("evil.example");
            for request in [
                rebound,
                old(path).host(""),
                old(&format!("http://evil.example{path}")),
            ] {
                ask(admin, request).is_refusal(421, "unknown_host");
            }
        }
        for request in [
            old("/"),
            old("/login"),
            old("/api/v1/status"),
            change().without_host(),
        ] {
            ask(admin, request).is_refusal(421, "unknown_host");
        }
    });
}

#[test]
fn of_two_fields_none_is_chosen() {
    let gateway = Gateway::start(&with_admin("[routes]", "metrics_listen = \"127.0.0.1:0\""));
    let (admin, metrics) = (gateway.admin(), gateway.operator_port("metrics port open"));
    each(
        [
            ("host", "localhost", "evil.example"),
            ("host", "localhost", "localhost"),
            ("content-type", "application/json", "text/plain"),
            ("origin", "http://localhost", "http://evil.example"),
            ("authorization", "Bearer a", "Bearer b"),
        ],
        |&(name, one, other)| {
            for request in [Request::get("/livez"), Request::get("/metrics")] {
                let request = request.host("localhost");
                let request = if name == "host" {
                    request.without_host()
                } else {
                    request
                };
                let request = request.field(name, one).field(name, other);
                Client::to(admin)
                    .ask(&request)
                    .is_refusal(400, "bad_request");
                Client::to(metrics)
                    .ask(&request)
                    .is_refusal(400, "bad_request");
            }
        },
    );
}

#[test]
fn a_wrong_method_is_told_as_such() {
    let gateway = with_tokens();
    for method in ["DELETE", "PATCH", "PUT", "GET"] {
        for path in [
            "/api/v1/reload",
            "/api/v1/upstreams/a/endpoints/b/drain",
            "/api/v1/upstreams/a/endpoints/b/enable",
        ] {
            for token in [TOKEN, READ_TOKEN] {
                let answer = gateway.ask_admin(bearer(Request::new(method, path), token));
                answer.is_refusal(405, "method_not_allowed");
                assert_eq!(answer.fields.one("allow"), Some("POST"), "{method} {path}");
            }
            let answer = gateway.ask_admin(Request::new(method, path));
            answer.is_refusal(401, "token_required");
        }
    }
}

#[test]
fn more_names_are_configured() {
    let gateway = Gateway::start(&with_admin("[routes]", "hosts = [\"tollgate.internal\"]"));
    let admin = gateway.admin();
    let ask = |request: Request| Client::to(admin).ask(&request.host("Tollgate.internal:8443"));
    ask(Request::get("/livez")).is(200);
    ask(Request::get("/livez").field("origin", "https://tollgate.internal:8443")).is(200);
    ask(Request::get("/livez").field("origin", "https://tollgate.internal"))
        .is_refusal(403, "foreign_origin");
}
