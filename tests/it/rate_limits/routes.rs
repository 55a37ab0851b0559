//! Limits of routes beside the callers' own: what is counted for whom, all or nothing, as how much,
//! and what the answer tells. In this process and in Redis.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use serde_json::Value;

use super::remaining;
use super::site::{Site, Store};
use crate::support::{Client, Gateway, Request, Response, Upstream, each};

fn search() -> Request {
    Request::get("/search/x").with_key()
}

fn plain() -> Request {
    Request::get("/plain/x").with_key()
}

/// Fails unless the answer tells of this limit, so much of it, and so long a time.
#[track_caller]
fn tells(response: &Response, policy: &str, left: u64, seconds: RangeInclusive<u64>) {
    let field = response.fields.one("ratelimit").expect("RateLimit");
    let start = format!("\"{policy}\";r={left};t=");
    let time = field.strip_prefix(&start).and_then(|t| t.parse().ok());
    assert!(
        time.is_some_and(|time| seconds.contains(&time)),
        "{field} instead of {start}{seconds:?}"
    );
}

/// Fails unless the request was refused, to be asked again in so many seconds.
#[track_caller]
fn refused(response: &Response, seconds: RangeInclusive<u64>) {
    response.is_refusal(429, "rate_limited");
    let wait = response.fields.one("retry-after").expect("Retry-After");
    assert!(
        wait.parse().is_ok_and(|wait| seconds.contains(&wait)),
        "{wait} instead of {seconds:?}"
    );
}

#[test]
fn no_spelling_gets_around_the_rules_of_a_route() {
    let upstream = Upstream::echo();
    let url = upstream.url();
    let gateway = Gateway::start(&format!(
        r#"
        [routes]
        "/" = "{url}"
        "/login" = {{ upstream = "{url}", strip_prefix = false, methods = ["POST"], limits = ["login"] }}
        "/search" = "{url}"
        [limits.policies.login]
        requests = 1
        per = "1h"
        by = "ip"
        "#
    ));
    gateway.ask(&Request::post("/login", "x")).is(200);
    gateway
        .ask(&Request::post("/login", "x"))
        .is_refusal(429, "rate_limited");
    upstream.take();
    each(
        [
            "/LOGIN",
            "/login;x",
            "/login.",
            "/Login/%37",
            "/login%3Fx",
            "/log%C4%B1n",
        ],
        |path| {
            for request in [Request::post(path, "x"), Request::get(path)] {
                let response = gateway.ask(&request);
                let detail =
                    response.is_refusal(400, "ambiguous_path").json()["detail"].to_string();
                assert!(detail.contains("/login"), "{detail}");
            }
        },
    );
    assert!(upstream.take().is_empty());
    // Nothing is got around here: no rule, another resource, another handler.
    each(["/SEARCH", "/login.css", "/logins", "/x/LOGIN"], |path| {
        gateway.ask(&Request::get(path)).is(200);
    });
}

fn a_route_adds_its_limit_to_the_callers_own(store: Store) {
    let site = Site::start(
        store,
        r#"
        [limits]
        identified = { requests = 5, per = "2h" }
        [limits.policies.search]
        requests = 2
        per = "1h"
        "#,
        &[("/search", r#"limits = ["search"]"#), ("/plain", "")],
    );
    let hour = 3500..=3600;
    for left in [1, 0] {
        let response = site.ask(&search());
        assert_eq!(
            response.is(200).fields.one("ratelimit-policy"),
            Some("\"identified\";q=5;w=7200, \"search\";q=2;w=3600")
        );
        tells(&response, "search", left, hour.clone());
    }
    for _ in 0..4 {
        let response = site.ask(&search());
        refused(&response, hour.clone());
        tells(&response, "search", 0, hour.clone());
    }
    // What was refused has spent nothing of the caller's own.
    for left in [2, 1, 0] {
        let response = site.ask(&plain());
        assert_eq!(
            response.is(200).fields.one("ratelimit-policy"),
            Some("\"identified\";q=5;w=7200")
        );
        tells(&response, "identified", left, 7100..=7200);
    }
    // Both refuse: the caller is told of the longer wait, if the gateway knows of both. While it
    // remembers one, Redis rests, and does not tell of the other.
    refused(&site.ask(&plain()), 7100..=7200);
    let response = site.ask(&search());
    refused(&response, 7100..=7200);
    tells(&response, "identified", 0, 7100..=7200);
}

fn what_the_callers_own_limit_refuses_spends_nothing_of_the_routes(store: Store) {
    let site = Site::start(
        store,
        r#"
        [limits]
        identified = { requests = 2, per = "1h" }
        [limits.policies.all]
        requests = 10
        per = "1h"
        by = "route"
        "#,
        &[("/search", r#"limits = ["all"]"#), ("/plain", "")],
    );
    for left in [1, 0] {
        assert_eq!(remaining(site.ask(&plain()).is(200)), left);
    }
    for _ in 0..4 {
        let response = site.ask(&search());
        refused(&response, 3500..=3600);
        tells(&response, "identified", 0, 3500..=3600);
    }
    let other = site.ask(&Request::get("/search/x"));
    tells(other.is(200), "all", 9, 3500..=3600);
}

fn a_counter_is_a_clients_an_addresss_or_a_routes(store: Store) {
    let policy = |by: &str| {
        format!("[limits.policies.by-{by}]\nrequests = 10\nper = \"1h\"\nby = \"{by}\"\n")
    };
    let site = Site::start(
        store,
        &["client", "ip", "route"].map(policy).concat(),
        &[
            ("/client", r#"limits = ["by-client"]"#),
            ("/ip", r#"limits = ["by-ip"]"#),
            ("/route", r#"limits = ["by-route"]"#),
            ("/client/too", r#"limits = ["by-client"]"#),
            ("/ip/too", r#"limits = ["by-ip"]"#),
            ("/route/too", r#"limits = ["by-route"]"#),
        ],
    );
    let left = |target: &str, with_key: bool, last: u8| {
        let source = IpAddr::from([127, 0, 0, last]);
        let request = Request::get(target);
        let request = if with_key {
            request.with_key()
        } else {
            request
        };
        let response = Client::from(source, site.gateway.address()).ask(&request);
        remaining(response.is(200))
    };
    each(
        [
            // Of the first, then of another who shares its counter there, or does not.
            ("/client", [9, 9, 9, 8], 7),
            ("/ip", [9, 8, 9, 8], 7),
            ("/route", [9, 8, 7, 6], 9),
        ],
        |(target, of_each, on_another)| {
            let callers = [(true, 1), (false, 1), (false, 2), (true, 2)];
            let seen = callers.map(|(with_key, last)| left(target, with_key, last));
            assert_eq!(seen, *of_each);
            let another = format!("{target}/too");
            assert_eq!(left(&another, true, 1), *on_another, "on another route");
        },
    );
}

fn a_request_counts_as_much_as_its_route_says(store: Store) {
    let site = Site::start(
        store,
        r#"
        [limits]
        identified = { requests = 20, per = "1h" }
        [limits.policies.search]
        requests = 10
        per = "1h"
        "#,
        &[
            ("/search", r#"limits = ["search"], cost = 4"#),
            ("/plain", ""),
        ],
    );
    for left in [6, 2] {
        tells(site.ask(&search()).is(200), "search", left, 3500..=3600);
    }
    for _ in 0..2 {
        let response = site.ask(&search());
        refused(&response, 3500..=3600);
        tells(&response, "search", 2, 3500..=3600);
    }
    tells(site.ask(&plain()).is(200), "identified", 11, 3500..=3600);
}

fn tiers_and_anonymous_callers_have_their_algorithm(store: Store) {
    let site = Site::start(
        store,
        r#"
        [limits]
        anonymous = { requests = 2, per = "1h", algorithm = "sliding-window" }
        [limits.tiers.gold]
        requests = 1
        per = "1h"
        algorithm = "token-bucket"
        burst = 3
        "#,
        &[("/plain", "")],
    );
    for (left, hours) in [(2, 1), (1, 2), (0, 3)] {
        let full = hours * 3600;
        tells(site.ask(&plain()).is(200), "gold", left, full - 100..=full);
    }
    refused(&site.ask(&plain()), 3500..=3600);

    let anonymous = Request::get("/plain/x");
    for left in [1, 0] {
        let response = site.ask(&anonymous);
        tells(response.is(200), "anonymous", left, 3500..=3600);
    }
    // The two fade in the window after this one; one has when half of that is over.
    refused(&site.ask(&anonymous), 5300..=5400);
}

fn who_waits_as_told_is_let_in(store: Store) {
    let policy = |algorithm: &str| {
        format!(
            "[limits.policies.{algorithm}]\nrequests = 1\nper = \"2s\"\n\
             algorithm = \"{algorithm}\"\n"
        )
    };
    let algorithms = ["fixed-window", "sliding-window", "token-bucket"];
    let routes = algorithms.map(|name| (format!("/{name}"), format!("limits = [\"{name}\"]")));
    let routes = routes.each_ref().map(|(path, more)| (&**path, &**more));
    let site = Site::start(store, &algorithms.map(policy).concat(), &routes);
    std::thread::scope(|scope| {
        for algorithm in algorithms {
            let site = &site;
            scope.spawn(move || {
                let request = Request::get(&format!("/{algorithm}"));
                let refused = std::iter::repeat_with(|| site.ask(&request))
                    .take(1000)
                    .find(|response| response.status == 429)
                    .expect("two requests within two seconds");
                let wait = refused.fields.one("retry-after").expect("Retry-After");
                let wait = wait.parse().expect("seconds");
                assert!((1..=4).contains(&wait), "{algorithm}: {wait}");
                std::thread::sleep(Duration::from_secs(wait));
                site.ask(&request).is(200);
            });
        }
    });
}

fn a_shadow_refuses_nobody_and_is_told_of_in_the_log(store: Store) {
    let site = Site::start(
        store,
        r#"
        [limits]
        identified = { requests = 5, per = "1h" }
        [limits.policies.watch]
        requests = 2
        per = "1h"
        mode = "shadow"
        "#,
        &[
            ("/search", r#"limits = ["watch"]"#),
            ("/small", r#"limits = ["watch"], body_limit = "1B""#),
            ("/down", r#"limits = ["watch"]"#),
        ],
    );
    for (path, left) in [("/search/1", 4), ("/search/2", 3), ("/search/3", 2)] {
        let response = site.ask(&Request::get(path).with_key());
        tells(response.is(200), "identified", left, 3500..=3600);
    }
    let large = Request::post("/small/x", "too large").with_key();
    site.ask(&large).is_refusal(413, "body_too_large");
    let down = Request::get("/down/x").with_key();
    site.ask(&down).is_refusal(502, "upstream_unreachable");
    let refused = Request::get("/search/4").with_key();
    site.ask(&refused).is_refusal(429, "rate_limited");
    site.ask(&Request::get("/nowhere").with_key()).is(429);

    // Workers write their lines one after the other.
    let lines = site.gateway.finish();
    let text = |line: &Value, member: &str| line[member].as_str().map(str::to_owned);
    let seen = lines.iter().map(|line| {
        let path = text(line, "path").unwrap_or_default();
        (path, line["status"].as_u64(), text(line, "shadow"))
    });
    let seen: BTreeSet<_> = seen.collect();
    let expected = [
        ("/search/1", 200, false),
        ("/search/2", 200, false),
        ("/search/3", 200, true),
        ("/small/x", 413, true),
        ("/down/x", 502, true),
        ("/search/4", 429, true),
        ("/nowhere", 429, false),
    ];
    let expected = expected.map(|(path, status, is_over)| {
        let shadow = is_over.then(|| "watch".to_owned());
        (path.to_owned(), Some(status), shadow)
    });
    assert_eq!(seen, BTreeSet::from(expected));
}

fn a_shadow_alone_reports_what_it_counts(store: Store) {
    let site = Site::start(
        store,
        r#"
        [limits.policies.watch]
        requests = 1
        per = "1h"
        mode = "shadow"
        "#,
        &[("/search", r#"limits = ["watch"]"#)],
    );
    for _ in 0..3 {
        tells(site.ask(&search()).is(200), "watch", 0, 3500..=3600);
    }
}

/// Makes each rule a test of both stores.
macro_rules! both_stores {
    ($($rule:ident)*) => {
        mod memory {
            $(#[test]
            fn $rule() {
                super::$rule(super::Store::Memory);
            })*
        }
        mod redis {
            $(#[test]
            fn $rule() {
                super::$rule(super::Store::Redis);
            })*
        }
    };
}

both_stores! {
    a_route_adds_its_limit_to_the_callers_own
    what_the_callers_own_limit_refuses_spends_nothing_of_the_routes
    a_counter_is_a_clients_an_addresss_or_a_routes
    a_request_counts_as_much_as_its_route_says
    tiers_and_anonymous_callers_have_their_algorithm
    who_waits_as_told_is_let_in
    a_shadow_refuses_nobody_and_is_told_of_in_the_log
    a_shadow_alone_reports_what_it_counts
}
