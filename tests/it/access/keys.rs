//! Where a key may stand, and what a service and the log get of it. Wrong keys are limited.

use crate::support::{Gateway, Request, Seen, Upstream, each, hash_of, tollgate};

const KEY: &str = "k3y+of=the~client";
/// The same in a query.
const IN_QUERY: &str = "k3y%2Bof%3Dthe~client";

fn gateway(upstream: &Upstream, access: &str, more: &str) -> Gateway {
    Gateway::start(&format!(
        r#"
[routes]
"/" = {{ upstream = "{}", strip_prefix = false }}
[access]
protected = ["/"]
{access}
[clients.a]
keys = ["{}"]
[clients.b]
keys = ["{}"]
{more}
"#,
        upstream.url(),
        hash_of(KEY),
        hash_of("other"),
    ))
}

const ALL: &str = "key_sources = [\"header\", \"bearer\", \"query:api_key\", \"cookie:session\"]";

/// A request, what the service gets for its target, and what it gets in these fields.
type Kept = (
    Request,
    &'static str,
    Vec<(&'static str, Option<&'static str>)>,
);

fn kept_from_services() -> Vec<Kept> {
    let get = Request::get;
    let query = |rest: &str| get(&format!("/x?{}", rest.replace('K', IN_QUERY)));
    let bearer = format!("Bearer {KEY}");
    let cookie = format!("a=b; session={KEY}; c=d");
    vec![
        (
            get("/x").field("x-api-key", KEY),
            "/x",
            vec![("x-api-key", None)],
        ),
        (
            get("/x").field("Authorization", &bearer),
            "/x",
            vec![("authorization", None)],
        ),
        (query("api_key=K"), "/x", vec![]),
        (
            query("api_key=K").field("Referer", &format!("https://h/x?a&api_key={IN_QUERY}#f")),
            "/x",
            vec![("referer", Some("https://h/x?a#f"))],
        ),
        (
            query("api_key=K").field("Referer", &format!("https://h/x?api_key={IN_QUERY}")),
            "/x",
            vec![("referer", Some("https://h/x"))],
        ),
        (query("a=1&api_key=K&b=%20"), "/x?a=1&b=%20", vec![]),
        (query("api%5Fkey=K&a"), "/x?a", vec![]),
        (
            get("/x").field("Cookie", &cookie),
            "/x",
            vec![("cookie", Some("a=b; c=d"))],
        ),
        (
            get("/x").field("Cookie", &format!("session={KEY}")),
            "/x",
            vec![("cookie", None)],
        ),
        (
            query("api_key=K")
                .field("x-api-key", KEY)
                .field("Authorization", "Basic dTpw"),
            "/x",
            vec![("x-api-key", None), ("authorization", Some("Basic dTpw"))],
        ),
    ]
}

fn has_key(seen: &Seen) -> bool {
    let raw = String::from_utf8_lossy(&seen.raw);
    raw.contains(KEY) || raw.contains(IN_QUERY)
}

#[test]
fn a_key_counts_wherever_it_may_stand_and_no_service_gets_it() {
    let upstream = Upstream::echo();
    let gateway = gateway(&upstream, ALL, "");
    each(kept_from_services(), |(request, target, fields)| {
        gateway.ask(request).is(200);
        let seen = upstream.only();
        assert_eq!(seen.fields.one("x-client-id"), Some("a"));
        assert_eq!(seen.target, *target);
        for (name, value) in fields {
            assert_eq!(seen.fields.one(name), *value, "{name}");
        }
        assert!(!has_key(&seen), "{}", String::from_utf8_lossy(&seen.raw));
    });
    let log = gateway.access_path();
    gateway.access_log(8);
    let text = std::fs::read_to_string(log).expect("the access log");
    assert!(!text.contains(KEY) && !text.contains("k3y"), "{text}");
    assert!(!gateway.log_text().contains("k3y"));
}

#[test]
fn services_get_keys_if_they_are_to_but_for_those_in_a_query() {
    let upstream = Upstream::echo();
    let gateway = gateway(&upstream, &format!("{ALL}\nforward_api_key = true"), "");
    for (name, value) in [
        ("x-api-key", KEY.to_owned()),
        ("authorization", format!("Bearer {KEY}")),
        ("cookie", format!("a=b;session={KEY}")),
    ] {
        gateway.ask(&Request::get("/x").field(name, &value)).is(200);
        assert_eq!(upstream.only().fields.one(name), Some(&*value));
    }
    gateway
        .ask(&Request::get(&format!("/x?api_key={IN_QUERY}")))
        .is(200);
    assert!(!has_key(&upstream.only()));
}

#[test]
fn two_keys_are_none() {
    let upstream = Upstream::echo();
    let gateway = gateway(&upstream, ALL, "");
    let query = format!("/x?api_key={IN_QUERY}");
    let rows = [
        Request::get(&query).field("x-api-key", "other"),
        Request::get(&query).field("x-api-key", "wrong"),
        Request::get(&query).field("x-api-key", ""),
        Request::get(&query).field("Authorization", "Bearer"),
        Request::get(&query).field("Cookie", "session="),
        Request::get(&format!("{query}&api_key={IN_QUERY}")),
        Request::get("/x?api_key=").field("x-api-key", KEY),
        Request::get("/x")
            .field("Authorization", "Bearer other")
            .field("Cookie", &format!("session={KEY}")),
    ];
    each(rows, |request| {
        gateway.ask(request).is_refusal(401, "invalid_api_key");
    });
    assert!(upstream.take().is_empty());
}

#[test]
fn only_the_places_that_are_named_count_and_the_answer_says_which() {
    let upstream = Upstream::echo();
    let gateway = gateway(&upstream, "key_sources = [\"bearer\"]", "");
    for request in [
        Request::get("/x").field("x-api-key", KEY),
        Request::get(&format!("/x?api_key={IN_QUERY}")),
        Request::get("/x").field("Authorization", &format!("ApiKey {KEY}")),
    ] {
        let response = gateway.ask(&request);
        response.is_refusal(401, "api_key_required");
        let challenge = response.fields.one("www-authenticate");
        assert_eq!(challenge, Some("Bearer realm=\"tollgate\""));
    }
    let response = gateway.ask(&Request::get("/x").field("Authorization", "Bearer wrong"));
    response.is_refusal(401, "invalid_api_key");
    let challenge = response.fields.one("www-authenticate");
    assert_eq!(
        challenge,
        Some("Bearer realm=\"tollgate\", error=\"invalid_token\"")
    );
    gateway
        .ask(&Request::get("/x").field("authorization", &format!("bearer {KEY}")))
        .is(200);
}

#[test]
fn explain_does_not_repeat_a_key_in_a_query() {
    let upstream = Upstream::echo();
    let gateway = gateway(&upstream, ALL, "");
    let file = gateway.dir().join("tollgate.toml");
    let file = file.to_str().expect("a path in UTF-8");
    let url = format!("/x?a=1&api_key={IN_QUERY}");
    let done = tollgate(&["explain", "GET", &url, "-c", file]);
    assert!(
        done.stdout.contains("request     GET /x?a=1\n"),
        "{}",
        done.stdout
    );
    assert!(done.stdout.contains("a (identified)"), "{}", done.stdout);
    assert!(!done.stdout.contains("k3y"), "{}", done.stdout);
}

/// A browser sends a cookie whose key has expired also to the page where somebody logs in again.
#[test]
fn a_wrong_key_in_a_cookie_is_an_anonymous_caller_where_anybody_may_come() {
    let upstream = Upstream::echo();
    let url = upstream.url();
    let config = |limits: &str| {
        format!(
            r#"
[routes]
"/" = {{ upstream = "{url}", strip_prefix = false }}
"/staff" = {{ upstream = "{url}", allow = "client:a" }}
[access]
protected = ["/"]
public = ["/login", "/staff"]
{ALL}
[clients.a]
keys = ["{}"]
{limits}
"#,
            hash_of(KEY)
        )
    };
    let gateway = Gateway::start(&config(""));
    let stale = |path: &str| Request::get(path).field("Cookie", "session=old; a=b");
    for path in ["/x", "/staff", "/LOGIN"] {
        let refused = gateway.ask(&stale(path));
        refused.is_refusal(401, "invalid_api_key");
    }
    for key in ["old", KEY] {
        let refused = gateway.ask(&stale("/login").field("x-api-key", key));
        refused.is_refusal(401, "invalid_api_key");
    }
    assert_eq!(upstream.take().len(), 0);
    gateway.ask(&stale("/login")).is(200);
    let seen = upstream.only();
    assert!(!seen.fields.has("x-client-id"));
    assert_eq!(seen.fields.one("cookie"), Some("a=b"));
    let lines = gateway.finish();
    let served = lines.iter().find(|line| line["status"] == 200);
    assert_eq!(served.expect("one was")["client_kind"], "invalid");
    // It counts as a wrong key all the same, or keys could be tried there.
    let limit = "[limits]\ninvalid_keys = { requests = 2, per = \"1h\" }";
    let gateway = Gateway::start(&config(limit));
    for _ in 0..2 {
        gateway.ask(&stale("/login")).is(200);
    }
    let limited = gateway.ask(&stale("/login"));
    limited.is_refusal(429, "rate_limited");
}

#[test]
fn wrong_keys_are_limited_by_address_and_right_ones_are_not() {
    let upstream = Upstream::echo();
    let limits = "[limits]\ninvalid_keys = { requests = 2, per = \"1h\" }\n[server]\ntrusted_proxies = \"127.0.0.1\"\n";
    let gateway = gateway(&upstream, "", limits);
    let wrong = |from: &str| {
        let request = Request::get("/x").field("X-Forwarded-For", from);
        gateway.ask(&request.field("x-api-key", "wrong"))
    };
    for _ in 0..2 {
        wrong("192.0.2.1").is_refusal(401, "invalid_api_key");
    }
    let limited = wrong("192.0.2.1");
    limited.is_refusal(429, "rate_limited");
    let retry_after = limited.fields.one("retry-after").expect("Retry-After");
    assert!(
        retry_after
            .parse::<u32>()
            .is_ok_and(|seconds| seconds > 3000)
    );
    let policy = limited.fields.one("ratelimit-policy");
    assert_eq!(policy, Some("\"invalid_keys\";q=2;w=3600"));
    wrong("192.0.2.2").is_refusal(401, "invalid_api_key");
    let request = Request::get("/x").field("X-Forwarded-For", "192.0.2.1");
    gateway
        .ask(&request.clone().field("x-api-key", KEY))
        .is(200);
    // No key is not a wrong one.
    gateway.ask(&request).is_refusal(401, "api_key_required");
    assert_eq!(upstream.take().len(), 1);
    let line = gateway
        .finish()
        .into_iter()
        .find(|line| line["status"] == 429);
    assert_eq!(line.expect("a line")["client_kind"], "invalid");
}
