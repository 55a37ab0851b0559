//! Who may do what on the admin port: tokens, sessions, and what is open to all.

use std::net::{IpAddr, SocketAddr, UdpSocket};

use crate::support::{
    Client, Gateway, Request, Response, ask_at, each, folder_with, hash_of, tollgate, with_admin,
};

pub(super) const TOKEN: &str = "the-token-for-changes-of-this-test";
pub(super) const READ_TOKEN: &str = "the-token-for-reading-of-this-test";

pub(super) fn tokens() -> String {
    format!(
        "token = \"{}\"\nread_token = \"{}\"",
        hash_of(TOKEN),
        hash_of(READ_TOKEN)
    )
}

pub(super) fn with_tokens() -> Gateway {
    Gateway::start(&with_admin("[routes]", &tokens()))
}

pub(super) fn bearer(request: Request, token: &str) -> Request {
    request.field("authorization", &format!("Bearer {token}"))
}

/// A change, as a program asks for one.
pub(super) fn change() -> Request {
    Request::post("/api/v1/reload", "").field("content-type", "application/json")
}

fn log_in(admin: SocketAddr, token: &str) -> Response {
    let form = Request::post("/login", format!("token={token}"))
        .field("content-type", "application/x-www-form-urlencoded");
    ask_at(admin, form)
}

/// An address of this machine that is not a loopback one, if it has one.
fn outer_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    // Nothing is sent: this only asks for a route.
    socket.connect("192.0.2.1:9").ok()?;
    let ip = socket.local_addr().ok()?.ip();
    (!ip.is_loopback() && !ip.is_unspecified()).then_some(ip)
}

#[test]
fn a_port_for_other_machines_needs_a_token() {
    each(["0.0.0.0:0", "[::]:0", "192.0.2.7:9000"], |&listen| {
        let config = folder_with(&format!("[routes]\n[admin]\nlisten = \"{listen}\""));
        let file = config.path().join("tollgate.toml");
        let done = tollgate(&["check", "-c", file.to_str().expect("UTF-8")]);
        assert_eq!(done.code, Some(1));
        let says =
            done.stderr.contains("there is no token") && done.stderr.contains("tollgate keys hash");
        assert!(says, "{}", done.stderr);
    });
    let config = format!("[routes]\n[admin]\nlisten = \"0.0.0.0:0\"\n{}", tokens());
    let gateway = Gateway::start(&config);
    let admin = SocketAddr::from(([127, 0, 0, 1], gateway.admin().port()));
    ask_at(admin, Request::get("/nothing")).is_refusal(401, "token_required");
    ask_at(admin, bearer(Request::get("/nothing"), TOKEN)).is_refusal(404, "not_found");
    if let Some(outer) = outer_address() {
        let admin = SocketAddr::new(outer, admin.port());
        ask_at(admin, bearer(Request::get("/nothing"), TOKEN)).is_refusal(404, "not_found");
    }
    // A reload that takes the tokens away leaves the port closed: it cannot change where it listens.
    gateway.rewrite("[routes]\n[admin]\nlisten = \"127.0.0.1:0\"");
    gateway.signal(rustix::process::Signal::HUP);
    gateway.wait_log("the reload", |line| line["message"] == "reloaded");
    ask_at(admin, Request::get("/nothing")).is_refusal(401, "token_required");
    ask_at(admin, bearer(Request::get("/nothing"), TOKEN)).is_refusal(401, "wrong_token");
}

#[test]
fn tokens_say_what_one_may() {
    let gateway = with_tokens();
    let ask = |request: Request| gateway.ask_admin(request);
    let answer = ask(Request::get("/nothing"));
    answer.is_refusal(401, "token_required");
    assert_eq!(
        answer.fields.one("www-authenticate"),
        Some("Bearer realm=\"tollgate\"")
    );
    ask(bearer(Request::get("/nothing"), READ_TOKEN)).is_refusal(404, "not_found");
    ask(bearer(Request::get("/nothing"), TOKEN)).is_refusal(404, "not_found");
    ask(bearer(change(), READ_TOKEN)).is_refusal(403, "read_only");
    ask(change()).is_refusal(401, "token_required");
    for wrong in [
        "Bearer x",
        "Bearer",
        "Bearer ",
        "Basic dGVzdA==",
        "",
        TOKEN,
        "bearer\tx",
    ] {
        ask(Request::get("/nothing").field("authorization", wrong)).is_refusal(401, "wrong_token");
    }
    // A hash is no token.
    ask(bearer(Request::get("/nothing"), &hash_of(TOKEN))).is_refusal(401, "wrong_token");
    // Nor is one in a URL.
    ask(Request::get(&format!("/nothing?token={TOKEN}"))).is_refusal(401, "token_required");
    // Whether it lives, and is ready, is for all; why not, is not.
    ask(Request::get("/livez")).is(200);
    let readiness = ask(Request::get("/readyz")).is(200).json();
    assert_eq!(readiness, serde_json::json!({ "status": "ready" }));
    let readiness = ask(bearer(Request::get("/readyz"), READ_TOKEN))
        .is(200)
        .json();
    assert_eq!(readiness["reasons"], serde_json::json!([]));
}

#[test]
fn a_thousand_wrong_tokens_are_refused_and_the_right_one_passes() {
    let gateway = with_tokens();
    let admin = gateway.admin();
    let mut client = Client::to(admin);
    let mut waits = 0;
    for n in 0..1000 {
        let wrong = format!("{}{n}", &TOKEN[..TOKEN.len() - 1]);
        let request = bearer(Request::get("/nothing"), &wrong).host(&admin.to_string());
        let answer = client.ask(&request);
        assert!(matches!(answer.status, 401 | 429), "{}", answer.status);
        waits += usize::from(answer.status == 429);
    }
    assert!(waits >= 980, "{waits}");
    gateway
        .ask_admin(bearer(Request::get("/nothing"), TOKEN))
        .is_refusal(404, "not_found");
    let said = gateway.said("a wrong token on the admin port");
    assert!((1..=4).contains(&said), "{said} lines");
    assert!(!gateway.log_text().contains(&TOKEN[..TOKEN.len() - 1]));
}

#[test]
fn wrong_tokens_from_many_addresses_fill_no_log() {
    let gateway = with_tokens();
    let admin = gateway.admin();
    for n in 0..60 {
        let from = IpAddr::from([127, 0, 9, n]);
        let request = bearer(Request::get("/nothing"), "wrong").host("localhost");
        let answer = Client::from(from, admin).ask(&request);
        answer.is_refusal(401, "wrong_token");
    }
    let said = gateway.said("a wrong token on the admin port");
    assert!((1..=20).contains(&said), "{said} lines");
    gateway
        .ask_admin(bearer(Request::get("/nothing"), TOKEN))
        .is_refusal(404, "not_found");
}

#[test]
fn a_browser_exchanges_the_token_for_a_cookie() {
    let gateway = with_tokens();
    let admin = gateway.admin();
    let browser = |path: &str| Request::get(path).field("accept", "text/html,*/*;q=0.8");
    let answer = ask_at(admin, browser("/"));
    assert_eq!(answer.is(303).fields.one("location"), Some("/login"));
    let form = ask_at(admin, browser("/login"));
    assert!(form.is(200).text().contains("name=\"token\""));
    let refused = log_in(admin, "wrong");
    refused.is_refusal(401, "wrong_token");
    assert!(!refused.fields.has("set-cookie"));

    let answer = log_in(admin, TOKEN);
    assert_eq!(answer.is(303).fields.one("location"), Some("/"));
    let set = answer
        .fields
        .one("set-cookie")
        .expect("a cookie")
        .to_owned();
    for attribute in [
        "; HttpOnly",
        "; SameSite=Strict",
        "; Path=/",
        "; Max-Age=43200",
    ] {
        assert!(set.contains(attribute), "{set}");
    }
    assert!(
        !set.contains("Secure") && !set.contains(TOKEN) && !set.contains(&hash_of(TOKEN)[7..]),
        "{set}"
    );
    let cookie = set.split(';').next().expect("a pair").to_owned();
    let with = |request: Request| request.field("cookie", &cookie);
    ask_at(admin, with(Request::get("/nothing"))).is_refusal(404, "not_found");
    ask_at(admin, with(browser("/"))).is(200);
    // The page sends JSON.
    let json = serde_json::json!({ "token": TOKEN }).to_string();
    let json = Request::post("/login", json).field("content-type", "application/json");
    assert!(ask_at(admin, json).is(204).fields.has("set-cookie"));
    let none = Request::post("/login", "{}").field("content-type", "application/json");
    ask_at(admin, none).is_refusal(400, "bad_request");
    // For reading only.
    let answer = log_in(admin, READ_TOKEN);
    let set = answer
        .is(303)
        .fields
        .one("set-cookie")
        .expect("a cookie")
        .to_owned();
    let reading = set.split(';').next().expect("a pair").to_owned();
    ask_at(admin, change().field("cookie", &reading)).is_refusal(403, "read_only");
    // A proxy that speaks TLS says so.
    let form = Request::post("/login", format!("token={TOKEN}"))
        .field("content-type", "application/x-www-form-urlencoded")
        .field("x-forwarded-proto", "https");
    let answer = ask_at(admin, form);
    assert!(
        answer
            .fields
            .one("set-cookie")
            .expect("a cookie")
            .ends_with("; Secure")
    );

    let answer = ask_at(admin, with(Request::post("/logout", "")));
    let gone = answer.is(303).fields.one("set-cookie").expect("a cookie");
    assert!(gone.contains("Max-Age=0"), "{gone}");
    ask_at(admin, with(Request::get("/nothing"))).is_refusal(401, "token_required");
    // With the token goes what was opened by it.
    ask_at(admin, Request::get("/nothing").field("cookie", &reading)).is_refusal(404, "not_found");
    gateway.rewrite(&with_admin(
        "[routes]",
        &format!("token = \"{}\"", hash_of("another")),
    ));
    gateway.signal(rustix::process::Signal::HUP);
    gateway.wait_log("the reload", |line| line["message"] == "reloaded");
    ask_at(admin, Request::get("/nothing").field("cookie", &reading))
        .is_refusal(401, "token_required");
}

#[test]
fn a_session_does_not_come_back_with_its_token() {
    let gateway = with_tokens();
    let admin = gateway.admin();
    let cookie = |answer: Response| {
        let set = answer.is(303).fields.one("set-cookie").expect("a cookie");
        set.split(';').next().expect("a pair").to_owned()
    };
    let [changing, reading] = [TOKEN, READ_TOKEN].map(|token| cookie(log_in(admin, token)));
    let ask = |cookie: &str| ask_at(admin, Request::get("/nothing").field("cookie", cookie));
    ask(&changing).is(404);
    ask(&reading).is(404);
    let reload = |tokens: &str, token: &str| {
        gateway.rewrite(&with_admin("[routes]", tokens));
        ask_at(admin, bearer(change(), token)).is(200);
    };
    // Of two tokens one stays.
    let without = format!("token = \"{}\"", hash_of(TOKEN));
    reload(&without, TOKEN);
    ask(&changing).is(404);
    ask(&reading).is(401);
    reload(&tokens(), TOKEN);
    ask(&changing).is(404);
    ask(&reading).is(401);
    reload(&format!("token = \"{}\"", hash_of("another")), TOKEN);
    reload(&tokens(), "another");
    ask(&changing).is(401);
    let again = cookie(log_in(admin, TOKEN));
    ask(&again).is(404);
}

#[test]
fn metrics_have_a_port_without_a_token_and_with_nothing_else() {
    let more = format!("{}\nmetrics_listen = \"127.0.0.1:0\"", tokens());
    let gateway = Gateway::start(&with_admin("[routes]", &more));
    let metrics = gateway.operator_port("metrics port open");
    ask_at(metrics, Request::get("/livez")).is(200);
    let readiness = ask_at(metrics, Request::get("/readyz")).is(200).json();
    assert_eq!(readiness["reasons"], serde_json::json!([]));
    // By any name: collectors have their own for it.
    Client::to(metrics)
        .ask(&Request::get("/livez").host("gateways.internal"))
        .is(200);
    for path in ["/", "/login", "/api/v1/status"] {
        ask_at(metrics, Request::get(path)).is_refusal(404, "not_found");
        ask_at(metrics, bearer(Request::get(path), TOKEN)).is_refusal(404, "not_found");
    }
    ask_at(metrics, change()).is_refusal(404, "not_found");
    ask_at(
        metrics,
        Request::get("/livez").field("origin", "http://evil.example"),
    )
    .is_refusal(403, "foreign_origin");
}

#[test]
fn requests_are_bounded() {
    let gateway = Gateway::start(&with_admin("[routes]", ""));
    let admin = gateway.admin();
    let large = Request::get("/livez").field("x", &"y".repeat(200 << 10));
    let answer = Client::to(admin).ask(&large.host("localhost"));
    answer.is(431);
    let many = (0..200).fold(Request::get("/livez"), |request, n| {
        request.field(&format!("x-{n}"), "y")
    });
    Client::to(admin).ask(&many.host("localhost")).is(431);
}

#[test]
fn what_is_open_to_all_is_so_whatever_they_show() {
    let gateway = with_tokens();
    let admin = gateway.admin();
    for _ in 0..20 {
        for path in ["/livez", "/readyz", "/login"] {
            ask_at(admin, bearer(Request::get(path), "wrong")).is(200);
        }
    }
    let readiness = ask_at(admin, bearer(Request::get("/readyz"), "wrong")).json();
    assert_eq!(readiness.get("reasons"), None);
    let readiness = ask_at(admin, bearer(Request::get("/readyz"), READ_TOKEN)).json();
    assert!(readiness["reasons"].is_array(), "{readiness}");
    // None of them was a wrong try.
    ask_at(admin, bearer(Request::get("/api/v1/status"), "wrong")).is_refusal(401, "wrong_token");
}

#[test]
fn a_login_is_small() {
    let gateway = with_tokens();
    log_in(gateway.admin(), &"x".repeat(5000)).is_refusal(413, "body_too_large");
}
