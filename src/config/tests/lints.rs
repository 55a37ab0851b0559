//! What is allowed and odd is said, once each, with its place; what is not odd is not.

use super::*;

#[test]
fn the_demo_is_not_odd() {
    let demo = include_str!("../../../tollgate.toml");
    assert_eq!(lints(demo), [""; 0]);
}

#[test]
fn each_oddity_is_said() {
    let key = "sha256:53a04f1fc0c388b71a29cc914fcf94922ce578f25f612acc848512274a1497f6";
    let soon = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(24);
    let text = format!(
        r#"[routes]
"/api/orders" = "http://x"
"/API/orders-export" = "http://y"
"/health" = "http://z"
[access]
protected = ["/api/orders", "/api/invoices", "/Api/Orders/7"]
[upstreams.b]
endpoints = ["http://y"]
[clients.a]
[clients.c]
keys = [
  {{ hash = "{key}", expires_at = 2020-01-01T00:00:00Z }},
  {{ hash = "{}", expires_at = "{soon}" }},
]
[limits.tiers.gold]
requests = 1
per = "1s"
[limits.policies.search]
requests = 1
per = "1s"
[server]
trusted_proxies = ["0.0.0.0/0"]
"#,
        key.replace("53a", "63a"),
    );
    let lints = lints(&text);
    let expected = [
        "tollgate.toml:3:1: the route `/API/orders-export` is public",
        "tollgate.toml:4:1: `GET /health` is answered by the gateway itself",
        "tollgate.toml:6:29: `/api/invoices` is protected, but no route leads there",
        "tollgate.toml:6:46: `/Api/Orders/7` is protected already by `/api/orders`",
        "tollgate.toml:7:12: no route leads to the upstream `b`",
        "tollgate.toml:9:10: the client `a` has no keys",
        "tollgate.toml:12:100: a key of `c` has expired at 2020-01-01T00:00:00Z",
        "tollgate.toml:13:100: a key of `c` expires soon",
        "tollgate.toml:15:15: no client is of the tier `gold`",
        "tollgate.toml:18:18: no route is held to the policy `search`",
        "tollgate.toml:22:20: everybody is trusted",
    ];
    for (lint, expected) in lints.iter().zip(expected) {
        assert!(lint.starts_with(expected), "{lint:?} is not {expected:?}");
    }
    assert_eq!(lints.len(), expected.len(), "{lints:#?}");
}

#[test]
fn paths_of_any_bytes_are_odd_where_something_is_protected() {
    let text = "[routes]\n\"/a\" = { upstream = \"http://x\", path_encoding = \"any\" }\n\
        \"/b\" = { upstream = \"http://y\", path_encoding = \"utf-8\" }\n[limits.anonymous]\nrequests = 1\nper = \"1s\"\n";
    assert_eq!(lints(text), [""; 0]);
    let lints = lints(&format!("{text}[access]\nprotected = [\"/b\"]\n"));
    let expected = "tollgate.toml:2:49: the route `/a` takes paths that are not UTF-8";
    assert!(lints[0].starts_with(expected), "{}", lints[0]);
}

#[test]
fn a_route_that_protection_takes_for_a_protected_one_is_not_beside_it() {
    let text =
        "[routes]\n\"/api/orders:x\" = \"http://x\"\n[access]\nprotected = [\"/api/orders\"]\n";
    let lints = lints(text);
    assert!(
        !lints.iter().any(|lint| lint.contains("is public")),
        "{lints:#?}"
    );
}

#[test]
fn an_empty_file_has_neither_routes_nor_limits() {
    let lints = lints("");
    assert_eq!(lints.len(), 2);
    assert!(lints[0].starts_with("there are no routes"));
    assert!(lints[1].starts_with("there are no limits"));
}

#[test]
fn what_a_public_prefix_opens_and_one_below_protects_again_is_not_odd() {
    let text = r#"[routes]
"/" = "http://x"
"/login" = "http://y"
"/login/admin" = "http://z"
"/login-new" = "http://x"
"/login/admin-new" = "http://y/new"
[access]
protected = ["/", "/Login/admin", "/login/admin/x", "/login-new"]
public = ["/login"]
[clients.x]
keys = ["sha256:53a04f1fc0c388b71a29cc914fcf94922ce578f25f612acc848512274a1497f6"]
[limits]
anonymous = { requests = 1, per = "1s" }
"#;
    assert_eq!(
        lints(text),
        [
            "tollgate.toml:8:35: `/login/admin/x` is protected already by `/Login/admin`",
            "tollgate.toml:8:53: `/login-new` is protected already by `/`",
        ]
    );
}

#[test]
fn a_service_expects_the_proxy_protocol_or_does_not() {
    let text = "[routes]\n'/a' = 'with'\n'/b' = 'without'\n'/c' = 'http://h:81/x'\n'/d' = 'http://h:82'\n\
        [upstreams.with]\nendpoints = ['http://h:80', 'http://h:81']\nproxy_protocol = 'v1'\n\
        [upstreams.without]\nendpoints = ['http://g', 'http://h']\n";
    let text = format!("limits.anonymous = {{ requests = 1, per = '1s' }}\n{text}");
    let says = |place, at, name| {
        format!(
            "tollgate.toml:{place}: the service at `{at}` gets the PROXY protocol from `with` and not from `{name}`: it expects a header or it does not"
        )
    };
    let expected = [
        says("5:8", "h:81", "http://h:81/x"),
        says("11:26", "h", "without"),
    ];
    assert_eq!(lints(&text), expected);
    let all = format!("{text}proxy_protocol = 'v2'\n[upstream_defaults]\nproxy_protocol = 'v2'\n");
    assert_eq!(lints(&all), [""; 0]);
}

#[test]
fn an_upstream_that_leads_back_is_odd() {
    let text = "listen = ['127.0.0.1:81', '0.0.0.0:82', '[::1]:83']\nlimits.anonymous = { requests = 1, per = '1s' }\n\
        [upstreams.here]\nendpoints = ['http://localhost:81', 'http://127.0.0.1:82', 'http://[::1]:83']\n\
        [upstreams.elsewhere]\nendpoints = ['http://127.0.0.1:84', 'http://127.0.0.2:81', 'http://10.0.0.1:82', 'http://h:82']\n\
        [routes]\n'/a' = 'here'\n'/b' = 'elsewhere'\n'/c' = 'http://127.9.9.9:82'\n";
    let says = |place, at, own| {
        format!(
            "tollgate.toml:{place}: `{at}` is the gateway itself, which listens at {own}: a request would go round in a circle until it is refused with 508 `loop_detected`"
        )
    };
    let expected = [
        says("4:14", "localhost:81", "127.0.0.1:81"),
        says("4:37", "127.0.0.1:82", "0.0.0.0:82"),
        says("4:60", "[::1]:83", "[::1]:83"),
        says("10:8", "127.9.9.9:82", "0.0.0.0:82"),
    ];
    assert_eq!(lints(text), expected);
}

#[test]
fn what_the_clock_brings_about_is_told_from_what_the_text_says() {
    let text = format!(
        "[routes]\n\"/a\" = \"http://x\"\n[upstreams.b]\nendpoints = [\"http://y\"]\n\
        [clients.c]\nkeys = [{{ hash = \"sha256:{}\", expires_at = 2020-01-01T00:00:00Z }}]\n\
        [limits.anonymous]\nrequests = 1\nper = \"1s\"\n",
        "a".repeat(64)
    );
    let lints = good(&text).lints;
    let told: Vec<_> = lints.iter().map(|lint| lint.is_passing).collect();
    assert_eq!(told, [false, true], "{lints:?}");
}

/// What is odd because a public route leads to what is protected: the route, the path, what protects.
/// Routes are written as `/a KEYS` and lead to one service.
fn exposed(routes: &[&str], access: &str) -> String {
    let mut text = format!("[access]\n{access}\n");
    for route in routes {
        let (prefix, keys) = route.split_once(' ').unwrap_or((route, ""));
        let url = if keys.contains("upstream") {
            ""
        } else {
            "upstream = 'http://x'\n"
        };
        let parts = ["[[route]]\nprefix = '", prefix, "'\n", url, keys, "\n"];
        text.extend(parts);
    }
    let lints = lints(&text);
    let found = lints.iter().filter(|lint| lint.contains("leads to what"));
    let words = found.flat_map(|lint| lint.split('`').skip(1).step_by(2).take(3));
    words.collect::<Vec<_>>().join(" ")
}

#[test]
fn a_public_route_to_what_another_one_protects_is_odd() {
    let (orders, admin) = ("protected = '/orders'", "protected = '/admin'");
    let posts = "protected = { prefix = '/orders', methods = 'POST' }";
    let login = "protected = '/'\npublic = '/login'";
    let kept = "/admin strip_prefix = false";
    for (routes, access, found) in [
        (["/orders", "/shop"], orders, "/shop /shop /orders"),
        (["/", "/login"], login, "/login /login /"),
        (["/", "/admin"], admin, "/ / /admin"),
        // No route of its own.
        (["/", "/web"], admin, "/web /web/admin /admin"),
        (["/orders", "/shop"], posts, "/shop /shop /orders"),
        (
            ["/orders allow = 'client:a'", "/shop"],
            "",
            "/shop /shop /orders",
        ),
    ] {
        assert_eq!(exposed(&routes, access), found, "{routes:?}");
    }
    for (routes, access) in [
        (["/", "/login strip_prefix = false"], login),
        (["/", "/login replace_prefix = '/auth'"], login),
        // What lies below is protected by its own path.
        (["/", kept], admin),
        (["/orders", "/shop upstream = 'http://y'"], orders),
        (["/orders", "/shop upstream = 'http://x/shop'"], orders),
        (["/orders", "/shop methods = 'GET'"], posts),
        (
            ["/orders allow = 'client:a'", "/shop allow = 'client:b'"],
            "",
        ),
        (
            [
                "/a methods = 'PUT'\nallow = 'client:a'",
                "/a methods = 'GET'",
            ],
            "",
        ),
        (["/a hosts = 'a.test'\nallow = 'client:a'", "/a"], ""),
    ] {
        assert_eq!(exposed(&routes, access), "", "{routes:?}");
    }
}

#[test]
fn lines_that_are_left_out_are_to_be_said_by_those_that_are_not() {
    let odd = |log: &str| {
        let lints = lints(&format!("[log]\n{log}"));
        let odd = lints.iter().filter(|lint| lint.contains("`log.sample_ok`"));
        odd.count()
    };
    assert_eq!(odd("sample_ok = 0.1\nfields = [\"time\"]"), 1);
    for fine in [
        "sample_ok = 0.1",
        "sample_ok = 0.1\nfields = [\"time\", \"weight\"]",
        "fields = [\"time\"]",
    ] {
        assert_eq!(odd(fine), 0, "{fine}");
    }
}

#[test]
fn keys_of_an_admin_port_that_is_off_are_odd() {
    let hash = "a".repeat(64);
    let config = |listen: &str| {
        format!(
            "[admin]\n{listen}\ntoken = 'sha256:{hash}'\nhosts = 'ops.example'\nready_needs = 'limiter'\n[routes]\n'/' = 'http://x'\n"
        )
    };
    let odd = |key: &str| format!("`admin.{key}` has no effect: `admin.listen` is \"off\"");
    let lints = |text: &str| {
        let mut all = lints(text);
        all.retain(|lint| lint.contains("has no effect"));
        all
    };
    let all = lints(&config("listen = 'off'"));
    assert_eq!(all.len(), 3, "{all:?}");
    for (lint, key) in all.iter().zip(["token", "hosts", "ready_needs"]) {
        assert!(lint.ends_with(&odd(key)), "{lint}");
    }
    let health = lints(&config("listen = 'off'\nmetrics_listen = '127.0.0.1:9001'"));
    assert_eq!(health.len(), 2, "{health:?}");
    assert!(lints(&config("")).is_empty());
    let all = "ready_needs = ['certificates', 'limiter', 'upstreams']";
    let written = format!("[admin]\nlisten = 'off'\n{all}\n[routes]\n'/' = 'http://x'\n");
    assert!(lints(&written).is_empty());
    assert!(lints("[admin]\nlisten = 'off'\n[routes]\n'/' = 'http://x'\n").is_empty());
}
