//! What is said of upstreams that cannot be, or whose rules have no effect.

use super::*;

/// Checks what is said of an upstream with these lines: one problem with all of this in it, between ` & `.
#[track_caller]
fn assert_problem(lines: &str, parts: &str) {
    let said = complaints(&format!("[upstreams.u]\n{lines}\n"));
    assert!(said.ends_with("\n1 problem\n"), "{lines}\n{said}");
    for part in parts.split(" & ") {
        assert!(
            said.contains(part),
            "{part:?} is not said of {lines}\n{said}"
        );
    }
}

#[test]
fn endpoints_that_cannot_stand_together() {
    for (endpoints, parts) in table(
        r#"
        [] => an upstream has at least one endpoint & :2:13 & write its URL
        ["http://a:1", "http://b:1", { url = "http://A.:1", weight = 2 }] => the endpoint `a.:1` is given twice & first given here & `weight`
        ["http://a", "http://a:80"] => the endpoint `a` is given twice
        ["http://a/x", "http://b/x", "http://c/y"] => the endpoints of an upstream have one path & here it is `/y` & here it is `/x` & make two upstreams of them
        ["http://a", "http://b/y"] => here it is none
        { url = "http://a", weight = 0 } => all weights are 0 & no endpoint gets requests & a weight of 1 or more
        [{ url = "http://a", weight = 0 }, { url = "http://b", weight = 0, backup = true }] => all weights are 0 & no endpoint gets requests
        [{ url = "http://a", backup = true }] => all endpoints are backups & leave out `backup`
        // Only what is wrong with the other is known.
        ["ftp://a", { url = "http://b", backup = true }] => only `http://` and `https://` endpoints are supported
        { url = "http://a", weight = 65536 } => a number from 0 to 65535
        "#,
    ) {
        assert_problem(&format!("endpoints = {endpoints}"), parts);
    }
}

#[test]
fn rules_that_cannot_be() {
    for (lines, parts) in table(
        r#"
        hash_by = "header:x_tenant" => has letters, digits and `-`
        hash_by = "header:" => write "header:NAME"
        hash_by = "cookie" => write "cookie:NAME"
        hash_by = "cookie:a;b" => cannot be the name of a cookie
        hash_by = "header:connection" => about the connection
        hash_by = "header:Set-Cookie" => answers have this field
        hash_by = "header:X-Client-Id" => `x-client-id` is removed from requests & write "client"
        hash_by = "address" => "client", "ip", "header:NAME"
        balance = "round_robin" => did you mean "round-robin"?
        max_requests = 0 => takes "adaptive" or a number from 1 to 1000000, or "off"
        max_requests = "auto" => this is a string
        max_waiting = -1 => a number from 0
        try_timeout = 5 => write "5s"
        try_timeout = "0s" => `upstreams.u.try_timeout` takes a duration
        "#,
    ) {
        assert_problem(&format!("endpoints = \"http://h\"\n{lines}"), parts);
    }
}

#[test]
fn tables_of_rules_that_cannot_be() {
    for (lines, parts) in table(
        r#"
        health = { path = "healthz" } => `upstreams.u.health.path` & begins with a slash: "/healthz"
        health = { path = "/a#b" } => services never see a fragment
        health = { path = "/a b" } => write `%20` for a blank
        health = { path = "http://h/healthz" } => write the path alone
        health = { path = "/%zz" } => `upstreams.u.health.path` & broken escape
        health = { path = "/../x" } => `upstreams.u.health.path` & write "/x"
        health = { path = "/a\\b" } => has a backslash
        health = { path = "" } => begins with a slash: "/"
        health = { statuses = [] } => no answer would pass & write "200-399"
        health = { interval = "5ms" } => at least `10ms`
        health = "/healthz" => `upstreams.u.health` takes a table, or "off"
        protocol = "http2" => `upstreams.u.protocol` takes "auto" or "http1" & HTTP/2 to services is not built yet
        protocol = "HTTP/1.1" => write "http1"
        protocol = "http3" => this is none of them
        protocols = ["h2"] => unknown key `protocols`
        tls = { min_version = "1.3" } => unknown key `min_version` & this belongs in `[tls]`
        breaker = { statuses = 99 } => statuses are from 100 to 599
        breaker = { statuses = "5xx" } => write "500-599"
        breaker = { statuses = "504-502" } => write "502-504"
        breaker = { statuses = [502, "many"] } => neither a status nor a range
        breaker = { failures = 0 } => a number from 1
        breaker = false => takes a table, or "off" & write "off"
        retry = { body = "65MiB" } => `upstreams.u.retry.body` & at most `64MiB`
        retry = { attempts = 11 } => a number from 0 to 10
        retry = { budget = { percent = -1 } } => `upstreams.u.retry.budget.percent`
        circuit_breaker = {} => did you mean `breaker`?
        healthcheck = {} => did you mean `health`?
        lb = "x" => did you mean `balance`?
        "#,
    ) {
        assert_problem(&format!("endpoints = \"http://h\"\n{lines}"), parts);
    }
}

#[test]
fn a_problem_with_what_holds_for_all_is_said_once() {
    let upstreams = "[upstreams.a]\nendpoints = \"http://a\"\n[upstreams.b]\nendpoints = \"http://b\"\n[routes]\n\"/c\" = \"http://c\"\n";
    for (lines, part) in table(
        r#"
        keep = -1 => `upstream_defaults.keep` takes a number
        kep = 1 => did you mean `keep`?
        hash_by = "header:x-client-id" => is removed from requests
        health = { statuses = [], path = "/" } => no answer would pass
        breaker = { statuses = [99] } => `upstream_defaults.breaker.statuses`
        endpoints = "http://h" => unknown key `endpoints`
        host = "x.${NONE}" => the variable `NONE` is not set
        "#,
    ) {
        for text in [
            format!("[upstream_defaults]\n{lines}\n{upstreams}"),
            format!("{upstreams}[upstream_defaults]\n{lines}\n"),
        ] {
            let said = complaints(&text);
            assert!(said.contains(part), "{said}");
            assert!(said.ends_with("\n1 problem\n"), "{said}");
        }
    }
    let said = complaints("upstream_defaults = 1\n[upstreams.a]\nendpoints = \"http://a\"\n");
    assert!(said.contains("`upstream_defaults` takes a table"), "{said}");
}

const LIMITS: &str = "[limits]\nanonymous = { requests = 1, per = \"1s\" }\n";

/// What is odd in an upstream with these lines, to which a route with that time-out leads.
fn odd(timeout: &str, lines: &str) -> Vec<String> {
    let text = format!(
        "[upstreams.u]\nendpoints = \"http://h\"\n{lines}\n[[route]]\nprefix = \"/a\"\nupstream = \"u\"\n{timeout}\n{LIMITS}"
    );
    lints(&text)
}

#[test]
fn rules_without_effect_are_odd() {
    for (lines, expected) in table(
        r#"
        hash_by = "ip" => tollgate.toml:3:11: `hash_by` has no effect without `balance = "hash"`
        balance = "hash"\nslow_start = "9s" => tollgate.toml:4:14: `slow_start` has no effect with `balance = "hash"`: what belongs to an endpoint is sent there from the first request on
        max_waiting = 5 => tollgate.toml:3:15: `max_waiting` has no effect without `max_requests`: no request has to wait
        max_requests = 5\nqueue_timeout = "2s" => tollgate.toml:4:17: `queue_timeout` has no effect without `max_waiting`: no request may wait
        try_timeout = "31s" => tollgate.toml:3:15: `try_timeout` is longer than the `timeout` of the route `/a`, which ends a request after 30s
        connect_timeout = "31s" => tollgate.toml:3:19: `connect_timeout` is longer than the `timeout` of the route `/a`, which ends a request after 30s
        "#,
    ) {
        assert_eq!(odd("", &lines), [expected]);
    }
    for (timeout, lines) in [
        ("", "balance = \"hash\"\nhash_by = \"ip\""),
        (
            "",
            "max_requests = \"adaptive\"\nmax_waiting = 5\nqueue_timeout = \"2s\"",
        ),
        ("", "try_timeout = \"30s\"\nconnect_timeout = \"30s\""),
        (
            "",
            "hash_by = \"client\"\nmax_waiting = 0\nqueue_timeout = \"1s\"",
        ),
        ("", "slow_start = \"9s\""),
        ("", "balance = \"hash\"\nslow_start = \"off\""),
        ("timeout = \"1s\"", ""),
        ("timeout = \"1m\"", "try_timeout = \"31s\""),
        ("", "health = { interval = \"1s\" }"),
    ] {
        assert_eq!(odd(timeout, lines), [""; 0], "{lines}");
    }
}

#[test]
fn what_holds_for_all_is_odd_if_nobody_has_use_for_it() {
    let with = |defaults: &str, own: &str, target: &str| {
        lints(&format!(
            "[upstream_defaults]\n{defaults}\n[upstreams.u]\nendpoints = \"http://h\"\n{own}\n\
             [routes]\n\"/u\" = \"u\"\n\"/a\" = \"{target}\"\n{LIMITS}"
        ))
    };
    let hash = "hash_by = \"ip\"";
    assert_eq!(
        with(hash, "", "u"),
        ["tollgate.toml:2:11: `hash_by` has no effect without `balance = \"hash\"`"]
    );
    assert_eq!(with(hash, "balance = \"hash\"", "u"), [""; 0]);
    let slow = "slow_start = \"9s\"";
    let said = with(slow, "balance = \"hash\"", "u");
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(
        said[0].starts_with("tollgate.toml:2:14: `slow_start` has no effect"),
        "{said:?}"
    );
    assert_eq!(with(slow, "balance = \"hash\"", "http://h"), [""; 0]);
    let other = "balance = \"hash\"\n[upstreams.v]\nendpoints = \"http://v\"\n[[route]]\nprefix = \"/v\"\nupstream = \"v\"";
    assert_eq!(with(slow, other, "u"), [""; 0]);
    let off = "health = \"off\"";
    assert_eq!(
        with("health = {}", off, "u"),
        ["tollgate.toml:2:10: nothing is checked: no upstream takes `health` from here"]
    );
    assert_eq!(with("health = {}", off, "http://h"), [""; 0]);
    assert_eq!(with("health = {}", "", "u"), [""; 0]);
    let said = with("try_timeout = \"1m\"", "", "http://h");
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(
        said[0].starts_with("tollgate.toml:2:15: `try_timeout` is longer"),
        "{said:?}"
    );
}

/// What is written though it holds anyway needs nothing else.
#[test]
fn defaults_that_are_written_are_not_odd() {
    let rules = r#"
        balance = "least-requests"
        hash_by = "client"
        host = "preserve"
        protocol = "auto"
        connect_timeout = "2s"
        try_timeout = "off"
        idle_timeout = "60s"
        keep = 1024
        max_requests = "off"
        max_waiting = 0
        queue_timeout = "1s"
        slow_start = "off"
        proxy_protocol = "off"
        breaker = { failures = 3, cool_down = "30s", statuses = [502, 503, 504] }
        retry = { attempts = 2, budget = { percent = 20, per_second = 10 }, body = "64KiB", statuses = [502, 503, 504] }
        tls = { verify = true }
    "#;
    assert_eq!(odd("", rules), [""; 0]);
    let health = "health = { path = \"/healthz\", interval = \"5s\", timeout = \"2s\", up = 2, down = 3, statuses = \"200-399\", grpc = false }";
    assert_eq!(odd("", &format!("{rules}\n{health}")), [""; 0]);
    let defaults = format!(
        "[upstream_defaults]\n{rules}\nhealth = \"off\"\n[routes]\n\"/a\" = \"http://h\"\n{LIMITS}"
    );
    assert_eq!(lints(&defaults), [""; 0]);
}
