//! Fields that a route sets, adds and removes, of requests and of answers.

use crate::support::{Gateway, KEY, Request, Upstream, each, hash_of};

/// A route with rules both ways and `more` keys, and one that answers itself, for clients alone.
fn gateway(upstream: &Upstream, more: &str) -> Gateway {
    let (url, hash) = (upstream.url(), hash_of(KEY));
    Gateway::start(&format!(
        r#"
[routes."/a"]
upstream = "{url}"
name = "shop"
{more}
[routes."/a".request_headers]
set = {{ x-env = "prod", x-who = "${{client}} at ${{ip}} by ${{route}}", Authorization = "Bearer ${{TOLLGATE_NONE:-t}}" }}
add = {{ x-tag = "${{request_id}}" }}
remove = ["X-Debug"]
[routes."/a".response_headers]
set = {{ x-frame-options = "DENY", cache-control = "public" }}
add = {{ set-cookie = "seen=1", x-by = "${{client}}", x-literal = "$${{client}}" }}
remove = ["server"]
[routes."/keyed"]
respond = {{ status = 404 }}
response_headers = {{ set = {{ x-frame-options = "DENY", content-type = "x/y", cache-control = "public" }}, add = {{ x-by = "${{client}}" }} }}
[access]
protected = ["/keyed"]
[server]
odd_field_names = "pass"
[clients.mobile-app]
keys = ["{hash}"]
"#
    ))
}

const ANSWER: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nServer: x/1\r\nX-Frame-Options: ALLOW\r\n\
    x-frame-options: ALLOW\r\nSet-Cookie: a=1\r\nCache-Control: private\r\n\r\nok";

#[test]
fn a_service_gets_what_the_route_says_and_nothing_else_under_that_name() {
    let upstream = Upstream::echo();
    let gateway = gateway(&upstream, "");
    let request = Request::get("/a/7")
        .with_key()
        .field("X-Env", "mine")
        .field("x-env", "mine too")
        .field("X_Env", "mine as a variable")
        .field("X-Who", "root")
        .field("Authorization", "Basic eA==")
        .field("X-Tag", "kept")
        .field("x-debug", "1")
        .field("X-Request-Id", "r-7")
        .field("Connection", "x-env, x-tag2");
    gateway.ask(&request).is(200);
    let seen = upstream.only().fields;
    assert_eq!(seen.all("x-env"), ["prod"]);
    assert_eq!(seen.all("x-who"), ["mobile-app at 127.0.0.1 by shop"]);
    assert_eq!(seen.all("authorization"), ["Bearer t"]);
    assert_eq!(seen.all("x-tag"), ["kept", "r-7"]);
    assert!(!seen.has("x-debug") && !seen.has("x_env"), "{seen:?}");
}

#[test]
fn a_field_with_a_client_in_it_is_left_out_for_anonymous_callers() {
    let upstream = Upstream::echo();
    let gateway = gateway(&upstream, "");
    let request = Request::get("/a").field("X-Who", "root");
    let answer = gateway.ask(&request);
    assert!(!answer.is(200).fields.has("x-by"));
    assert_eq!(answer.fields.one("x-literal"), Some("${client}"));
    let seen = upstream.only().fields;
    assert!(!seen.has("x-who") && seen.has("x-env"), "{seen:?}");
}

#[test]
fn trailers_do_not_bring_back_what_was_set_or_removed() {
    let upstream = Upstream::echo();
    let gateway = gateway(&upstream, "");
    let mut client = gateway.connect();
    client.send(
        "POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n\
         0\r\nX-Env: mine\r\nX_Debug: 1\r\nX-Sum: 7\r\n\r\n",
    );
    client.answer().is(200);
    let seen = upstream.only();
    assert_eq!(seen.trailers.names(), ["x-sum"]);
}

#[test]
fn a_client_gets_what_the_route_says() {
    let upstream = Upstream::answering(ANSWER);
    let gateway = gateway(&upstream, "");
    let answer = gateway.ask(&Request::get("/a").with_key());
    let fields = &answer.is(200).fields;
    assert_eq!(fields.all("x-frame-options"), ["DENY"]);
    assert_eq!(fields.all("cache-control"), ["public"]);
    assert_eq!(fields.all("set-cookie"), ["a=1", "seen=1"]);
    assert_eq!(fields.all("x-by"), ["mobile-app"]);
    assert!(!fields.has("server") && fields.has("date"));
    assert_eq!(answer.text(), "ok");
}

#[test]
fn an_answer_to_head_has_the_same_fields() {
    let head = ANSWER.strip_suffix("ok").expect("a body");
    let upstream = Upstream::answering(head);
    let gateway = gateway(&upstream, "");
    let answer = gateway.ask(&Request::new("HEAD", "/a"));
    let fields = &answer.is(200).fields;
    assert_eq!(fields.all("x-frame-options"), ["DENY"]);
    assert_eq!(fields.one("content-length"), Some("2"));
    assert!(!fields.has("server"));
}

#[test]
fn refusals_have_the_routes_fields_and_stay_what_they_are() {
    let upstream = Upstream::echo();
    let gateway = gateway(&upstream, "methods = [\"GET\"]\nbody_limit = \"1B\"");
    let body = Request::new("GET", "/a").body("too large");
    let wrong_key = Request::get("/a").field("X-Api-Key", "no");
    let rows = [
        (Request::get("/keyed"), 401, "api_key_required"),
        (wrong_key, 401, "invalid_api_key"),
        (body, 413, "body_too_large"),
    ];
    each(rows, |(request, status, code)| {
        let answer = gateway.ask(request);
        let fields = &answer.is_refusal(*status, code).fields;
        assert_eq!(fields.all("x-frame-options"), ["DENY"]);
        assert_eq!(fields.all("content-type"), ["application/problem+json"]);
        assert_eq!(fields.all("cache-control"), ["no-store"]);
        assert!(!fields.has("x-by"));
    });
    // No route, and so no rules of one.
    let none = gateway.ask(&Request::get("/none"));
    assert!(!none.is(404).fields.has("x-frame-options"));
    // The route's own answer.
    let own = gateway.ask(&Request::get("/keyed").with_key());
    let fields = &own.is(404).fields;
    assert_eq!(fields.all("x-frame-options"), ["DENY"]);
    assert_eq!(fields.all("cache-control"), ["public"]);
    assert_eq!(fields.all("x-by"), ["mobile-app"]);
}

#[test]
fn interim_answers_pass_as_they_came() {
    let hints = "HTTP/1.1 103 Early Hints\r\nServer: x/1\r\nLink: </a.css>\r\n\r\n";
    let upstream = Upstream::answering(format!("{hints}{ANSWER}"));
    let gateway = gateway(&upstream, "");
    let answer = gateway.ask(&Request::get("/a"));
    assert!(!answer.is(200).fields.has("server"));
    let [(103, hints)] = &answer.interim[..] else {
        panic!("{:?}", answer.interim);
    };
    assert_eq!(hints.one("server"), Some("x/1"));
    assert!(!hints.has("x-frame-options"));
}
