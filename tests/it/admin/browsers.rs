//! What the admin port does against pages in an operator's browser.

use super::security::change;
use crate::support::{Client, Gateway, Request, ask_at, each, with_admin};

#[test]
fn a_page_in_the_operator_s_browser_can_do_nothing() {
    let gateway = Gateway::start(&with_admin("[routes]", ""));
    let admin = gateway.admin();
    let own = format!("http://{admin}");
    let other_port = format!("http://127.0.0.1:{}", admin.port() ^ 1);
    each(
        [
            ("origin", "http://evil.example", "foreign_origin"),
            ("origin", "null", "foreign_origin"),
            ("origin", &other_port, "foreign_origin"),
            ("sec-fetch-site", "cross-site", "foreign_origin"),
            ("sec-fetch-site", "same-site", "foreign_origin"),
        ],
        |&(name, value, code)| {
            for request in [Request::get("/livez"), Request::get("/nothing"), change()] {
                ask_at(admin, request.field(name, value)).is_refusal(403, code);
            }
        },
    );
    for (name, value) in [
        ("origin", &*own),
        ("sec-fetch-site", "same-origin"),
        ("sec-fetch-site", "none"),
    ] {
        ask_at(admin, Request::get("/livez").field(name, value)).is(200);
    }
    // Somebody follows a link.
    let link = Request::get("/livez")
        .field("sec-fetch-site", "cross-site")
        .field("sec-fetch-mode", "navigate");
    ask_at(admin, link.clone().field("sec-fetch-dest", "document")).is(200);
    ask_at(admin, link.field("sec-fetch-dest", "iframe")).is_refusal(403, "foreign_origin");
    // A name that is made to lead here.
    for host in [
        "evil.example",
        "evil.example:80",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "",
    ] {
        for request in [Request::get("/livez"), change()] {
            Client::to(admin)
                .ask(&request.host(host))
                .is_refusal(421, "unknown_host");
        }
    }
    Client::to(admin)
        .ask(&Request::get("http://evil.example/livez").host("localhost"))
        .is_refusal(421, "unknown_host");
    Client::to(admin)
        .ask(&Request::get("/livez").host("localhost:9000"))
        .is(200);
    // What a form can send is no change.
    for content_type in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "",
    ] {
        let request = Request::post("/api/v1/reload", "").field("content-type", content_type);
        ask_at(admin, request).is_refusal(415, "json_required");
    }
    ask_at(admin, Request::post("/api/v1/reload", "")).is_refusal(415, "json_required");
}

#[test]
fn answers_keep_browsers_from_misusing_them() {
    let gateway = Gateway::start(&with_admin("[routes]", ""));
    for path in ["/livez", "/nothing", "/login", "/"] {
        let fields = gateway.ask_admin(Request::get(path)).fields;
        assert_eq!(
            fields.one("content-security-policy"),
            Some(
                "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
                 connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
            )
        );
        assert_eq!(fields.one("x-content-type-options"), Some("nosniff"));
        assert_eq!(fields.one("referrer-policy"), Some("no-referrer"));
        let cached = fields.one("cache-control").expect("how long it holds");
        assert!(
            matches!(cached, "no-store" | "no-cache"),
            "{path}: {cached}"
        );
    }
}
