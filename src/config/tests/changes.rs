//! What is logged of a reload, from the texts that a user writes.

use super::*;

const OLD: &str = r#"
    listen = "127.0.0.1:3000"
    [routes]
    "/api/inventory" = "http://localhost:4001"
    "/api/orders" = "http://localhost:4002"
    [access]
    protected = ["/api/orders"]
    [clients.mobile-app]
    keys = ["sha256:53a04f1fc0c388b71a29cc914fcf94922ce578f25f612acc848512274a1497f6"]
    [limits]
    anonymous = { requests = 60, per = "1m" }
    [limits.redis]
    url = "redis://:hunter2@localhost"
"#;

/// What is logged when `from` is replaced by `to` in the old configuration.
fn log(replaced: &[(&str, &str)]) -> Vec<String> {
    let mut text = OLD.to_owned();
    for (from, to) in replaced {
        assert!(text.contains(from), "{from}");
        text = text.replace(from, to);
    }
    between(OLD, &text)
}

/// What is logged when one text is replaced by another.
fn between(old: &str, new: &str) -> Vec<String> {
    reload(&good(old), &good(new))
}

#[test]
fn no_change_is_none() {
    assert_eq!(log(&[]), [""; 0]);
}

#[test]
fn what_is_no_longer_protected_comes_first() {
    let lines = log(&[
        (r#"protected = ["/api/orders"]"#, ""),
        ("requests = 60", "requests = 90"),
        ("3000", "3001"),
    ]);
    assert_eq!(
        lines,
        [
            "Public: `/api/orders` is no longer protected; anonymous callers reach it by the route `/api/orders`",
            "Applied: `access.protected`: removed /api/orders",
            "Applied: `limits.anonymous.requests`: 60 -> 90",
            "NeedsRestart: `listen.address`: 127.0.0.1:3000 -> 127.0.0.1:3001, which takes a restart",
        ]
    );
}

#[test]
fn a_narrower_protection_says_what_stays() {
    let lines = log(&[(
        r#"["/api/orders"]"#,
        r#"["/api/orders/admin", "/api/orders/x"]"#,
    )]);
    assert_eq!(
        lines,
        [
            "Public: `/api/orders` is no longer protected, except for `/api/orders/admin` and `/api/orders/x`; anonymous callers reach it by the route `/api/orders`",
            "Applied: `access.protected`: added /api/orders/admin, /api/orders/x; removed /api/orders",
        ]
    );
    let lines = log(&[
        (r#"["/api/orders"]"#, "[]"),
        (r#""/api/orders" ="#, r#""/API/Orders" ="#),
    ]);
    assert!(
        lines[0].ends_with("reach it by the route `/API/Orders`"),
        "{lines:?}"
    );
    let lines = log(&[
        (r#"["/api/orders"]"#, "[]"),
        (r#""/api/orders" = "http://localhost:4002""#, ""),
    ]);
    assert_eq!(
        lines,
        [
            "Applied: `access.protected`: removed /api/orders",
            "Applied: `/api/orders`: removed",
        ]
    );
}

#[test]
fn public_routes_are_told_of_before_others() {
    let lines = log(&[
        (
            "[access]",
            r#""/api/orders/bulk" = "http://localhost:4003"
            "/api/stock" = { upstream = "http://localhost:4004", methods = ["GET"] }
            [access]"#,
        ),
        ("4001", "4002"),
    ]);
    assert_eq!(
        lines,
        [
            "Public: the new route `/api/stock` for `GET`",
            "Applied: `/api/inventory`: upstream http://localhost:4001 -> http://localhost:4002",
            "Applied: `/api/orders/bulk`: added, http://localhost:4003",
            "Applied: `/api/stock` for `GET`: added, { upstream = http://localhost:4004, methods = [GET] }",
        ]
    );
}

#[test]
fn clients_keys_and_limits_come_and_go() {
    let key = |digit: &str| format!("\"sha256:{}\"", digit.repeat(64));
    let (a, b) = (key("a"), key("b"));
    let lines = log(&[
        ("keys = [", &format!("tier = \"gold\"\nkeys = [{a}, ")),
        (
            "[limits]",
            &format!(
                "[clients.web]\nkeys = [{b}]\n[limits]\n\
                 tiers.gold = {{ requests = 6, per = \"1s\" }}"
            ),
        ),
    ]);
    assert_eq!(
        lines,
        [
            "Applied: `clients.mobile-app.keys`: added aaaaaaaa",
            "Applied: `clients.mobile-app.tier`: none -> gold",
            "Applied: `clients.web`: added, { keys = [bbbbbbbb] }",
            "Applied: `limits.tiers.gold`: added, { requests = 6, per = 1s }",
        ]
    );
}

#[test]
fn limits_of_routes_and_how_they_count_come_and_go() {
    let route = r#""/api/orders" = "http://localhost:4002""#;
    let with =
        |more: &str| format!(r#""/api/orders" = {{ upstream = "http://localhost:4002", {more} }}"#);
    let policy =
        "policies.search = { requests = 20, per = \"1s\", by = \"ip\", mode = \"shadow\" }";
    let lines = log(&[
        (route, &with(r#"limits = ["search"], cost = 5"#)),
        (
            r#"per = "1m""#,
            r#"per = "1m", algorithm = "token-bucket", burst = 90"#,
        ),
        ("[limits]", &format!("[limits]\n{policy}")),
    ]);
    assert_eq!(
        lines,
        [
            "Applied: `limits.anonymous.algorithm`: fixed-window -> token-bucket",
            "Applied: `limits.anonymous.burst`: none -> 90",
            "Applied: `limits.policies.search`: added, { by = ip, mode = shadow, requests = 20, per = 1s }",
            "Applied: `/api/orders`: limits added search",
            "Applied: `/api/orders`: cost 1 -> 5",
        ]
    );
}

#[test]
fn rules_and_single_values_are_named() {
    let lines = log(&[
        (
            r#""http://localhost:4002""#,
            r#"{ upstream = "http://localhost:4002", timeout = "5s" }"#,
        ),
        ("[access]", "[server]\nidle_timeout = \"5s\"\n[access]"),
    ]);
    assert_eq!(
        lines,
        [
            "Applied: `server.idle_timeout`: 75s -> 5s",
            "Applied: `/api/orders`: timeout 30s -> 5s",
        ]
    );
}

#[test]
fn keys_of_upstreams_are_named() {
    let upstream = "[upstreams.orders]\nendpoints = [\"http://localhost:4002\"]\n";
    let with = format!("{upstream}connect_timeout = \"500ms\"\nidle_timeout = \"5m\"\nkeep = 0");
    assert_eq!(
        between(upstream, &with),
        [
            "Applied: `upstreams.orders.connect_timeout`: 2s -> 500ms",
            "Applied: `upstreams.orders.idle_timeout`: 1m -> 5m",
            "Applied: `upstreams.orders.keep`: 1024 -> 0",
        ]
    );
}

#[test]
fn what_takes_a_restart_is_named_and_no_secret_is_told() {
    let lines = log(&[
        (":hunter2@", ":hunter3@"),
        (
            "[access]",
            "[server]\nworkers = 17\nmax_connections = 1\ndrain_timeout = \"1s\"\n\
             watch = true\n[log]\nlevel = \"warn\"\nformat = \"json\"\naccess = \"off\"\n\
             [access]",
        ),
        (
            "[limits]",
            "[limits]\nmax_keys = 5\nstate_file = \"limits\"",
        ),
    ]);
    let keys: Vec<_> = lines
        .iter()
        .filter_map(|line| line.split('`').nth(1))
        .collect();
    assert_eq!(
        keys,
        [
            "limits.max_keys",
            "limits.state_file",
            "limits.redis.url",
            "server.workers",
            "server.max_connections",
            "server.drain_timeout",
            "server.watch",
            "log.level",
            "log.format",
            "log.access",
        ]
    );
    assert!(lines.iter().all(|line| line.starts_with("NeedsRestart: ")));
    assert!(!lines.concat().contains("hunter"));
    let url = "NeedsRestart: `limits.redis.url`: changed, still redis://localhost (the rest is not shown), which takes a restart";
    assert!(lines.iter().any(|line| line == url), "{lines:?}");
}

#[test]
fn only_what_was_not_reached_before_is_public_now() {
    let route = |more: &str| format!("[[route]]\nprefix = \"/a\"\n{more}\n");
    let (x, y) = ("upstream = \"http://x\"", "upstream = \"http://y\"");
    let (get, put) = ("methods = [\"GET\"]", "methods = [\"PUT\", \"GET\"]");
    let host = "hosts = [\"h\"]";
    for (old, new, is_public) in [
        (x.to_owned(), y.to_owned(), false),
        (x.to_owned(), format!("{x}\n{get}\n{host}"), false),
        (format!("{x}\n{put}"), format!("{x}\n{get}"), false),
        (format!("{x}\n{get}"), format!("{x}\n{put}"), true),
        (format!("{x}\n{get}"), x.to_owned(), true),
        (format!("{x}\n{host}"), x.to_owned(), true),
    ] {
        let lines = between(&route(&old), &route(&new));
        let public = lines.iter().any(|line| line.starts_with("Public"));
        assert_eq!(public, is_public, "{old}\n{new}\n{lines:?}");
    }
    let short = "[routes]\n\"/a\" = \"http://x\"\n";
    assert_eq!(between(&route(x), short), [""; 0]);
}

#[test]
fn a_new_exception_and_a_list_of_methods_open_what_was_protected() {
    let lines = log(&[(
        r#"protected = ["/api/orders"]"#,
        "protected = [\"/api/orders\"]\npublic = [\"/api/orders/terms\"]",
    )]);
    assert_eq!(
        lines[0],
        "Public: `/api/orders/terms` is no longer protected; anonymous callers reach it by the route `/api/orders`"
    );
    assert_eq!(lines.len(), 2, "{lines:#?}");
    let lines = log(&[(
        r#"protected = ["/api/orders"]"#,
        r#"protected = [{ prefix = "/api/orders", methods = ["POST"] }]"#,
    )]);
    assert!(
        lines[0].starts_with("Public: `/api/orders` is no longer protected"),
        "{lines:#?}"
    );
}

#[test]
fn a_key_that_gets_an_end_has_not_come_or_gone() {
    let key = |digit: &str| format!("sha256:{}", digit.repeat(64));
    let (a, b, c) = (key("a"), key("b"), key("c"));
    let file = |keys: &str| format!("[clients.web]\nkeys = [{keys}]\n");
    let line = |old: &str, new: &str| between(&file(old), &file(new));
    let end = "2027-01-31T00:00:00Z";
    let ends = format!("{{ hash = \"{a}\", expires_at = \"{end}\" }}");
    for (old, new, told) in [
        (
            format!("\"{a}\""),
            format!("\"{b}\", {ends}"),
            format!("added bbbbbbbb; aaaaaaaa: expires_at none -> {end}"),
        ),
        (
            format!("{ends}, \"{b}\""),
            format!("\"{a}\", \"{c}\""),
            format!("added cccccccc; aaaaaaaa: expires_at {end} -> none; removed bbbbbbbb"),
        ),
        (
            format!("\"{a}\", \"{b}\""),
            format!("\"{b}\", \"{c}\""),
            "added cccccccc; removed aaaaaaaa".to_owned(),
        ),
    ] {
        let told = format!("Applied: `clients.web.keys`: {told}");
        assert_eq!(line(&old, &new), [told]);
    }
}
