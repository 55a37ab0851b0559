//! What operators change while the gateway runs: reloads, the level of the log, endpoints.

use std::sync::mpsc::channel;

use serde_json::{Value, json};

use crate::lifecycle::answers_when_told;
use crate::support::{Gateway, Request, Response, Shop, Upstream, eventually, with_admin};

pub(super) fn post(path: &str) -> Request {
    Request::post(path, "").field("content-type", "application/json")
}

fn put(path: &str, body: &Value) -> Request {
    Request::new("PUT", path)
        .body(body.to_string())
        .field("content-type", "application/json")
}

fn reload(gateway: &Gateway) -> Response {
    gateway.ask_admin(post("/api/v1/reload"))
}

#[test]
fn a_reload_answers_with_what_has_changed_or_what_is_wrong() {
    let upstream = Upstream::echo();
    let route = |path: &str| format!("[routes]\n\"{path}\" = \"{}\"", upstream.url());
    let gateway = Gateway::start(&with_admin(&route("/a"), ""));
    let answer = reload(&gateway).is(200).json();
    assert_eq!(
        (&answer["outcome"], &answer["generation"]),
        (&json!("reloaded"), &json!(2))
    );
    assert_eq!(answer["changes"], json!([]));

    gateway.rewrite(&with_admin(&route("/b"), ""));
    let answer = reload(&gateway).is(200).json();
    gateway.ask(&Request::get("/b")).is(200);
    let changes = answer["changes"].as_array().expect("changes");
    let public = changes
        .iter()
        .find(|it| it["kind"] == "public")
        .expect("what is public now");
    assert!(
        public["text"].as_str().is_some_and(|it| it.contains("/b")),
        "{public}"
    );

    gateway.rewrite(&with_admin("[routes]\n\"/c\" = \"nowhere\"", ""));
    let answer = reload(&gateway);
    answer.is_refusal(422, "reload_refused");
    let problem = answer.json();
    let [finding] = &problem["findings"].as_array().expect("findings")[..] else {
        panic!("{problem}");
    };
    let place = (&finding["line"], &finding["column"], &finding["severity"]);
    assert_eq!(place, (&json!(3), &json!(8), &json!("error")), "{finding}");
    let rendered = finding["rendered"].as_str().expect("lines of the file");
    assert!(
        rendered.contains("\"/c\" = \"nowhere\"") && rendered.contains("^^^"),
        "{rendered}"
    );
    gateway.ask(&Request::get("/b")).is(200);
    // Those who ask at once all hear of it.
    gateway.rewrite(&with_admin(&route("/d"), ""));
    std::thread::scope(|scope| {
        let asking: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| reload(&gateway).status))
            .collect();
        for asked in asking {
            assert_eq!(asked.join().expect("an answer"), 200);
        }
    });
    let line = gateway.wait_log("who asked", |line| {
        line["message"] == "a reload is asked for"
    });
    assert_eq!(
        (&line["by"], &line["from"]),
        (&json!("local"), &json!("127.0.0.1"))
    );
}

#[test]
fn a_change_that_takes_nothing_is_told_nothing() {
    let service = Upstream::echo();
    let config = format!(
        "[routes]\n\"/\" = \"up\"\n[upstreams.up]\nendpoints = \"{}\"",
        service.url()
    );
    let gateway = Gateway::start(&with_admin(&config, ""));
    let [drain, enable] = ["drain", "enable"].map(|it| endpoint("up", &service.url(), it));
    for path in ["/api/v1/reload", &drain, &enable] {
        let ask = |body: &str| {
            let request = Request::post(path, body).field("content-type", "application/json");
            gateway.ask_admin(request)
        };
        for nothing in ["", " \n", "{}", " { } "] {
            ask(nothing).is(200);
        }
        for something in [r#"{"dry_run":true}"#, "[]", "null", "7", "{", "drain"] {
            let answer = ask(something);
            answer.is_refusal(400, "bad_request");
            let detail = answer.json()["detail"].to_string();
            assert!(detail.contains("or `{}`"), "{something}: {detail}");
        }
        ask(&" ".repeat(70 << 10)).is_refusal(413, "body_too_large");
    }
    assert_eq!(gateway.said("reloaded"), 4);
}

#[test]
fn an_empty_file_and_a_drain_are_told_as_such() {
    let (say, told) = channel();
    let shop = Shop::selling(answers_when_told(told), &with_admin("", ""));
    shop.gateway.rewrite(&with_admin("", ""));
    let answer = reload(&shop.gateway);
    answer.is_refusal(422, "reload_refused");
    let message = answer.json()["findings"][0]["message"].to_string();
    assert!(message.contains("there are no routes"), "{message}");
    let mut client = shop.gateway.connect();
    client.send(Request::get("/api/inventory/x").bytes());
    shop.inventory.wait_for("the request", |_| true);
    shop.gateway.signal(rustix::process::Signal::TERM);
    shop.gateway
        .wait_log("the drain", |line| line["message"] == "draining");
    // The log says so a moment before.
    let refused = eventually("the drain to be told", || {
        let answer = reload(&shop.gateway);
        (answer.status != 422).then_some(answer)
    });
    refused.is_refusal(409, "draining");
    say.send(()).expect("the service waits");
    client.answer().is(200);
}

#[test]
fn the_log_s_level_is_set_while_it_runs() {
    let gateway = Gateway::start(&with_admin("[routes]", ""));
    let path = "/api/v1/log-level";
    let answer = gateway.ask_admin(put(path, &json!({ "level": "debug" })));
    assert_eq!(
        answer.is(200).json(),
        json!({ "level": "debug", "before": "info" })
    );
    gateway.ask_admin(Request::get("/nothing")).is(404);
    gateway.wait_log("a line of that level", |line| line["level"] == "DEBUG");
    let line = gateway.wait_log("who did it", |line| line["before"] == "info");
    let said = [&line["by"], &line["after"], &line["level"]];
    assert_eq!(said, ["local", "debug", "INFO"]);
    gateway
        .ask_admin(put(path, &json!({ "level": "error" })))
        .is(200);
    gateway.wait_log("that it is set", |line| line["after"] == "error");
    gateway
        .ask_admin(put(path, &json!({ "level": "error" })))
        .is(200);
    let line = gateway.wait_log("that it is said at any level", |line| {
        line["before"] == "error"
    });
    assert_eq!(line["level"], "INFO");
    let lines = gateway.log().len();
    gateway.ask_admin(Request::get("/nothing")).is(404);
    reload(&gateway).is(200);
    assert_eq!(gateway.log().len(), lines, "{}", gateway.log_text());
    for (body, says) in [
        (
            json!({ "level": "loud" }),
            "error, warn, info, debug, trace",
        ),
        (json!({ "levle": "info" }), "unknown field"),
        (json!({}), "missing field"),
        (json!("info"), "invalid type"),
    ] {
        let answer = gateway.ask_admin(put(path, &body));
        answer.is_refusal(400, "bad_request");
        let detail = answer.json()["detail"].to_string();
        assert!(detail.contains(says), "{body}: {detail}");
    }
    let large = json!({ "level": "x".repeat(70 << 10) });
    gateway
        .ask_admin(put(path, &large))
        .is_refusal(413, "body_too_large");
}

/// The path of an endpoint, with its URL in the form that a path takes.
pub(super) fn endpoint(upstream: &str, url: &str, action: &str) -> String {
    let url = url.replace(':', "%3A").replace('/', "%2F");
    format!("/api/v1/upstreams/{upstream}/endpoints/{url}/{action}")
}

#[test]
fn an_endpoint_that_is_drained_finishes_what_it_has_and_takes_nothing_new() {
    let (say, told) = channel();
    let (slow, other) = (answers_when_told(told), Upstream::echo());
    let config = |more: &str| {
        let text = format!(
            "server.workers = 1\n[routes]\n\"/\" = \"up\"\n[upstreams.up]\nendpoints = [\"{}\", \"{}\"]\nbalance = \"round-robin\"\n{more}",
            slow.url(),
            other.url()
        );
        with_admin(&text, "")
    };
    let gateway = Gateway::start(&config(""));
    let mut clients: Vec<_> = (0..2).map(|_| gateway.connect()).collect();
    for client in &mut clients {
        client.send(Request::get("/x").bytes());
    }
    slow.wait_for("a request", |_| true);
    let answer = gateway.ask_admin(post(&endpoint("up", &slow.url(), "drain")));
    assert_eq!(answer.is(200).json()["changed"], true);
    let again = gateway.ask_admin(post(&endpoint("up", &slow.url(), "drain")));
    assert_eq!(again.is(200).json()["changed"], false);
    gateway.wait_log("a mark", |line| line["event"] == "endpoint_drained");
    let before = slow.take().len();
    for _ in 0..10 {
        gateway.ask(&Request::get("/x")).is(200);
    }
    assert_eq!(slow.take().len(), 0, "nothing new beside {before}");
    say.send(()).expect("the service waits");
    for client in &mut clients {
        client.answer().is(200);
    }
    let line = gateway.wait_log("the drain", |line| line["message"] == "endpoint drained");
    assert_eq!(
        (&line["upstream"], &line["by"]),
        (&json!("up"), &json!("local"))
    );
    let explained = || gateway.admin_json("/api/v1/explain?url=/x").to_string();
    let told = explained();
    let (drained, picked) = (
        format!("{}: weight 1; drained by an operator", slow.url()),
        format!("{}: the other takes nothing new", other.url()),
    );
    assert!(told.contains(&drained) && told.contains(&picked), "{told}");
    // A reload that keeps it does not give it anything.
    gateway.rewrite(&config("keep = 7"));
    reload(&gateway).is(200);
    for _ in 0..10 {
        gateway.ask(&Request::get("/x")).is(200);
    }
    assert_eq!(slow.take().len(), 0);
    // Without any the upstream has nothing to use.
    gateway
        .ask_admin(post(&endpoint("up", &other.url(), "drain")))
        .is(200);
    gateway
        .ask(&Request::get("/x"))
        .is_refusal(503, "no_healthy_endpoint");
    let told = explained();
    assert!(told.contains("\"code\":\"no_healthy_endpoint\""), "{told}");
    assert!(told.contains(&drained), "{told}");
    let readiness = gateway.ask_admin(Request::get("/readyz")).is(503).json();
    assert_eq!(readiness["reasons"][0]["code"], "no_usable_endpoint");
    gateway
        .ask_admin(post(&endpoint("up", &other.url(), "enable")))
        .is(200);
    gateway.ask(&Request::get("/x")).is(200);
    gateway.ask_admin(Request::get("/readyz")).is(200);

    let wrong = gateway.ask_admin(post(&endpoint("down", &slow.url(), "drain")));
    wrong.is_refusal(404, "not_found");
    let wrong = gateway.ask_admin(post(&endpoint("up", "http://127.0.0.1:1", "drain")));
    wrong.is_refusal(404, "not_found");
    assert!(wrong.json()["detail"].to_string().contains(&other.url()));
    let plain = "/api/v1/upstreams/up/endpoints/http://127.0.0.1:1/drain";
    let wrong = gateway.ask_admin(post(plain));
    wrong.is_refusal(404, "not_found");
    let detail = wrong.json()["detail"].to_string();
    assert!(
        detail.contains("as one segment, http%3A%2F%2F127.0.0.1%3A1."),
        "{detail}"
    );
    let get = Request::get(&endpoint("up", &slow.url(), "drain"));
    gateway.ask_admin(get).is_refusal(405, "method_not_allowed");
}

#[test]
fn readiness_says_which_upstream_has_nothing_to_use() {
    let url = "http://127.0.0.1:1";
    let config = |needs: &str| {
        let text = format!(
            "[routes]\n\"/\" = \"orders\"\n[upstreams]\norders.endpoints = \"{url}\"\nunused.endpoints = \"{url}\""
        );
        with_admin(&text, needs)
    };
    let gateway = Gateway::start(&config(""));
    // No route leads to this one.
    gateway
        .ask_admin(post(&endpoint("unused", url, "drain")))
        .is(200);
    gateway.ask_admin(Request::get("/readyz")).is(200);
    gateway
        .ask_admin(post(&endpoint("orders", url, "drain")))
        .is(200);
    let readiness = gateway.ask_admin(Request::get("/readyz")).is(503).json();
    assert_eq!(
        readiness["reasons"],
        json!([{ "code": "no_usable_endpoint", "text": "No endpoint of `orders` can be used." }])
    );
    gateway.rewrite(&config("ready_needs = [\"certificates\", \"limiter\"]"));
    reload(&gateway).is(200);
    gateway.ask_admin(Request::get("/readyz")).is(200);
}
