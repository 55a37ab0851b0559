//! What becomes of routes and what stands beside them; keys and protected paths have tests of their own.

use super::*;

fn import(routes: &str, protected: Option<&str>, keys: Option<&str>) -> Imported {
    let source = |name, text| Source { name, text };
    let imported = node(
        source("routes.json", routes),
        protected.map(|text| source("protectedRoutes.js", text)),
        keys.map(|text| source("keys.json", text)),
        None,
    );
    imported.expect("files that can be read").good()
}

#[test]
fn routes_are_taken_in_every_form() {
    for routes in [
        r#"{ "/api/orders": "http://localhost:4002/" }"#,
        r#"{ "routes": { "/api/orders": { "target": "http://localhost:4002" } } }"#,
        r#"[{ "prefix": "/api/orders", "upstream": "http://localhost:4002" }]"#,
        r#"{ "routes": [{ "path": "/api/orders/*", "url": "http://localhost:4002" }] }"#,
    ] {
        let imported = import(routes, None, None);
        let route = "[[route]]\nprefix = \"/api/orders\"\nupstream = \"http://localhost:4002\"\n";
        assert!(imported.toml.contains(route), "{}", imported.toml);
        assert_eq!(imported.left_out, Vec::<String>::new());
    }
}

#[test]
fn what_has_no_counterpart_is_named() {
    let imported = import(
        r#"[{ "prefix": "/a", "upstream": "http://a", "retries": 3 }]"#,
        None,
        None,
    );
    assert_eq!(
        imported.left_out,
        ["routes.json: /a: `retries` has no counterpart"]
    );
}

#[test]
fn a_route_that_wants_a_key_is_protected() {
    for name in ["auth", "protected", "requiresAuth"] {
        let routes = format!(
            r#"{{ "/a": {{ "target": "http://a", "{name}": true }}, "/b": {{ "target": "http://b", "{name}": false }} }}"#
        );
        for protected in [None, Some("module.exports = ['/c']")] {
            let imported = import(&routes, protected, None);
            let listed = "protected = [\n    \"/a\",\n";
            assert!(imported.toml.contains(listed), "{}", imported.toml);
            assert!(!imported.toml.contains("    \"/b\","), "{}", imported.toml);
            assert_eq!(imported.left_out, [""; 0]);
        }
    }
    for keys in [
        r#""auth": "jwt""#,
        r#""roles": ["admin"]"#,
        r#""methods": ["GET"]"#,
    ] {
        let routes = format!(r#"{{ "/a": {{ "target": "http://a", {keys} }} }}"#);
        let imported = import(&routes, None, None);
        assert!(imported.toml.contains("status = 503"), "{}", imported.toml);
        let said = &imported.left_out[0];
        assert!(
            said.starts_with("routes.json: /a: its requests get 503"),
            "{said}"
        );
    }
}

#[test]
fn what_check_refuses_is_left_out() {
    let routes = r#"{ "/a": "http://a", "/a/": "http://b", "/x;y": "http://a", "/u": "ftp://x", "/t": "http://a?b" }"#;
    let imported = import(
        routes,
        None,
        Some(r#"{ "b": ["k2", "k2"], "c": ["k2", "${KEY}"] }"#),
    );
    let said = imported.left_out.join("\n");
    for beginning in [
        "routes.json: /a: the whole route, for another one has its prefix",
        "routes.json: /x;y: the whole route: it must not contain `;`",
        "route /u: its requests get 503, for `upstream`: ",
        "route /t: its requests get 503, for `upstream`: ",
        "keys.json: client c: a key that the client b has, too",
        "keys.json: client c: a key that stands for another one",
    ] {
        assert!(said.contains(beginning), "{beginning} in\n{said}");
    }
    assert_eq!(
        imported.toml.matches("sha256:").count(),
        1,
        "{}",
        imported.toml
    );
}

#[test]
fn a_timeout_is_taken_over_in_milliseconds() {
    for (keys, written) in [
        (r#""timeout": 5000"#, "timeout = \"5000ms\"\n"),
        (r#""proxyTimeout": 250"#, "timeout = \"250ms\"\n"),
        (
            r#""timeout": 86400000, "strip": false"#,
            "strip_prefix = false\ntimeout = \"86400000ms\"\n",
        ),
    ] {
        let routes = format!(r#"{{ "/a": {{ "upstream": "http://a", {keys} }} }}"#);
        let imported = import(&routes, None, None);
        assert!(imported.toml.contains(written), "{}", imported.toml);
        assert_eq!(imported.left_out, Vec::<String>::new());
    }
    for (keys, why) in [
        (
            r#""timeout": 0"#,
            "`timeout` is 0, but here a route always has one",
        ),
        (
            r#""timeout": "5s""#,
            "`timeout` is not a number of milliseconds, at most a day",
        ),
        (
            r#""timeout": 0.5"#,
            "`timeout` is not a number of milliseconds, at most a day",
        ),
        (
            r#""timeout": 86400001"#,
            "`timeout` is not a number of milliseconds, at most a day",
        ),
        (
            r#""proxyTimeout": 1, "timeout": 2"#,
            "`timeout` stands beside another time, which is taken",
        ),
    ] {
        let routes = format!(r#"{{ "/a": {{ "upstream": "http://a", {keys} }} }}"#);
        let imported = import(&routes, None, None);
        assert_eq!(imported.left_out, [format!("routes.json: /a: {why}")]);
    }
}

#[test]
fn which_host_services_are_asked_for_is_taken_over() {
    for (change, line) in [("true", "host = \"endpoint\"\n"), ("false", "")] {
        let routes = format!(r#"{{ "/a": {{ "target": "http://a", "changeOrigin": {change} }} }}"#);
        let imported = import(&routes, None, None);
        let route = format!("upstream = \"http://a\"\n{line}");
        assert!(imported.toml.ends_with(&route), "{}", imported.toml);
        assert_eq!(imported.left_out, Vec::<String>::new());
    }
}

#[test]
fn what_stands_beside_the_routes_is_named() {
    let routes = r#"{ "port": 3000, "routes": { "/a": "http://a" }, "/b": "http://b" }"#;
    assert_eq!(
        import(routes, None, None).left_out,
        [
            "routes.json: `/b`, which stands beside `routes`",
            "routes.json: `port`, which stands beside `routes`",
        ]
    );
}
