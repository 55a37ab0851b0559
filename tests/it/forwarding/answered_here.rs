//! Routes that lead to no service: redirects and answers of their own, under the same rules as others.

use crate::support::{Gateway, KEY, Request, Upstream, each, folder_with, hash_of};

fn gateway(upstream: &Upstream) -> Gateway {
    let (url, hash) = (upstream.url(), hash_of(KEY));
    Gateway::start(&format!(
        r#"
[routes]
"/" = "{url}"
"/old" = {{ redirect = {{ to = "/new", status = 301 }} }}
"/away" = {{ redirect = "https://example.com/x/" }}
"/to-root" = {{ redirect = "/" }}
"/exact" = {{ redirect = {{ to = "/new?from=exact", status = 302 }} }}
"/closed" = {{ respond = {{ status = 503, body = "closed\n", content_type = "text/html" }} }}
"/nothing" = {{ respond = {{ status = 204 }}, methods = ["GET"] }}
"/internal" = {{ respond = {{ status = 404 }}, limits = ["few"], name = "internals" }}
"/keyed" = {{ redirect = "/new" }}
[access]
protected = ["/keyed"]
[clients.mobile-app]
keys = ["{hash}"]
[limits.policies.few]
requests = 2
per = "1h"
"#
    ))
}

#[test]
fn a_redirect_takes_the_rest_of_the_path_and_the_query_along() {
    let upstream = Upstream::echo();
    let gateway = gateway(&upstream);
    each(
        [
            ("/old", 301, "/new"),
            ("/old/a/b?q=1&r", 301, "/new/a/b?q=1&r"),
            ("/old?q", 301, "/new?q"),
            ("/away", 308, "https://example.com/x/"),
            ("/away/a", 308, "https://example.com/x/a"),
            ("/exact/a?q", 302, "/new?from=exact"),
            ("/to-root", 308, "/"),
            ("/to-root//evil.test/a", 308, "/evil.test/a"),
            ("/to-root/%2e%2e//to-root//evil.test", 308, "/evil.test"),
        ],
        |(target, status, location)| {
            for method in ["GET", "HEAD", "DELETE"] {
                let response = gateway.ask(&Request::new(method, target));
                assert_eq!(response.is(*status).fields.one("location"), Some(*location));
                assert_eq!(response.body, b"");
            }
        },
    );
    gateway
        .ask(&Request::get("/to-root/%5Cevil.test"))
        .is_refusal(400, "ambiguous_path");
    gateway.ask(&Request::post("/old", "body")).is(301);
    assert!(upstream.take().is_empty());
}

#[test]
fn an_answer_needs_no_service() {
    let upstream = Upstream::echo();
    let gateway = gateway(&upstream);
    let mut client = gateway.connect();
    let closed = client.ask(&Request::get("/closed/a"));
    assert_eq!(closed.is(503).text(), "closed\n");
    assert_eq!(closed.fields.one("content-type"), Some("text/html"));
    assert!(closed.fields.has("x-request-id") && closed.fields.has("date"));
    let head = client.ask(&Request::new("HEAD", "/closed"));
    assert_eq!(
        (head.status, head.fields.one("content-length")),
        (503, Some("7"))
    );
    let nothing = client.ask(&Request::get("/nothing"));
    assert_eq!(
        (nothing.status, nothing.fields.has("content-length")),
        (204, false)
    );
    let post = client.ask(&Request::post("/closed", vec![b'x'; 10_000]));
    assert_eq!(post.is(503).text(), "closed\n");
    client
        .ask(&Request::new("PUT", "/nothing"))
        .is_refusal(405, "method_not_allowed");
    assert!(upstream.take().is_empty());
    let lines = gateway.finish();
    assert_eq!(lines[0]["route"], "/closed");
    assert!(lines[0]["code"].is_null() && lines[0]["upstream"].is_null());
}

#[test]
fn such_routes_may_stand_in_a_file_of_their_own() {
    let dir = folder_with("routes_file = \"routes.toml\"\n");
    let routes = "\"/old\" = { redirect = { to = \"/new\", status = 301 } }\n\
                  \"/closed\" = { respond = { status = 410, body = \"gone\" } }\n";
    std::fs::write(dir.path().join("routes.toml"), routes).expect("written");
    let gateway = Gateway::start_in(dir);
    let old = gateway.ask(&Request::get("/old/a"));
    assert_eq!(old.is(301).fields.one("location"), Some("/new/a"));
    assert_eq!(gateway.ask(&Request::get("/closed")).is(410).text(), "gone");
}

#[test]
fn the_rules_of_a_route_hold_for_what_is_answered_here() {
    let upstream = Upstream::echo();
    let gateway = gateway(&upstream);
    gateway
        .ask(&Request::get("/keyed"))
        .is_refusal(401, "api_key_required");
    gateway
        .ask(&Request::get("/KEYED/a"))
        .is_refusal(401, "api_key_required");
    gateway.ask(&Request::get("/keyed").with_key()).is(308);
    for status in [404, 404, 429] {
        gateway.ask(&Request::get("/internal/a")).is(status);
    }
    // To a service that ignores letter case, this would be what is not to be reached.
    for path in ["/INTERNAL", "/internal;x", "/Old/a", "/closed%20"] {
        gateway
            .ask(&Request::get(path))
            .is_refusal(400, "ambiguous_path");
    }
    assert!(upstream.take().is_empty());
    let lines = gateway.finish();
    assert!(lines.iter().any(|line| line["route"] == "internals"));
}
