//! What Kong has closed does not open, whatever else stands in the file.

use super::*;

fn is_left_out(imported: &Imported, beginning: &str) {
    let said = &imported.left_out;
    assert!(said.iter().any(|it| it.starts_with(beginning)), "{said:?}");
}

#[test]
fn an_exception_would_hold_for_every_host() {
    let two_hosts = |closed: &str, open: &str| {
        service(&format!(
            "  routes:\n  - {{name: closed, {closed}, paths: [/api], plugins: [{{name: key-auth}}]}}\n  - {{name: open, {open}, paths: [/api/login]}}\n"
        ))
    };
    for (closed, open) in [
        ("hosts: [a.test]", "hosts: [b.test]"),
        ("hosts: [a.test, b.test]", "hosts: [b.test]"),
        ("id: x", "hosts: [b.test]"),
        ("hosts: ['*.a.test']", "hosts: [b.a.test]"),
    ] {
        let imported = two_hosts(closed, open);
        assert!(!imported.toml.contains("public ="), "{}", imported.toml);
        let said = "route open: wants a key here, too: an exception from protection holds for all hosts, and on other hosts these are paths of the route closed";
        assert!(
            imported.differs.iter().any(|it| it == said),
            "{closed} {open}"
        );
    }
    for (closed, open) in [
        ("hosts: [a.test]", "hosts: [A.test, b.test]"),
        ("id: x", "id: y"),
    ] {
        has(&two_hosts(closed, open), "public = [\"/api/login\"]");
    }
    // Kong gives what is for its hosts or methods to the closed one.
    for (closed, open) in [
        ("hosts: [a.test]", "id: x"),
        ("methods: [GET]", "id: x"),
        ("hosts: [a.test], methods: [GET]", "hosts: [a.test]"),
    ] {
        let imported = two_hosts(closed, open);
        assert!(!imported.toml.contains("public ="), "{}", imported.toml);
        let said = "route open: wants a key here, too: Kong may give some of its requests to the route closed, and protection goes by path and method";
        assert!(
            imported.differs.iter().any(|it| it == said),
            "{closed} {open}"
        );
    }
    // For other methods nothing is protected, so there is nothing to lift.
    let imported = two_hosts("methods: [POST]", "methods: [GET]");
    assert!(!imported.toml.contains("public ="), "{}", imported.toml);
}

#[test]
fn no_other_route_takes_what_a_lost_one_keeps_closed() {
    for (lost, refused) in [
        ("paths: [/admin], plugins: [{name: jwt}]", "/admin"),
        (
            "paths: [/admin], plugins: [{name: acl, config: {deny: [a]}}]",
            "/admin",
        ),
        (
            "paths: [/admin], headers: {x-a: [b]}, plugins: [{name: key-auth}]",
            "/admin",
        ),
        (
            "paths: [/admin], hosts: ['a.*'], plugins: [{name: key-auth}]",
            "/admin",
        ),
        (
            "paths: ['~/admin/\\d+$'], plugins: [{name: key-auth}]",
            "/admin",
        ),
        (
            "paths: ['~/admin(/.*)?$'], plugins: [{name: request-termination}]",
            "/admin",
        ),
        (
            "paths: ['~/admin/?$'], plugins: [{name: ip-restriction, config: {allow: [10.0.0.1]}}]",
            "/admin",
        ),
        (
            "paths: ['~/api/v1\\.0/(a|b)'], plugins: [{name: key-auth}]",
            "/api/v1.0",
        ),
        (
            "paths: ['~/api/adm.n'], plugins: [{name: key-auth}]",
            "/api",
        ),
    ] {
        let imported = service(&format!(
            "  routes:\n  - {{name: lost, {lost}}}\n  - {{name: web, paths: [/]}}\n"
        ));
        let refusal = format!("name = \"lost\"\nprefix = \"{refused}\"\n");
        has(&imported, &refusal);
        has(&imported, "respond = { status = 503,");
        has(&imported, "name = \"web\"");
        is_left_out(
            &imported,
            &format!("route lost: requests under `{refused}` get 503"),
        );
    }
    // Not told apart from the other one: both are left out.
    for lost in ["'~/a|/b'", "/", "'~/[a-z]+'"] {
        let imported = service(&format!(
            "  routes:\n  - {{name: lost, paths: [{lost}], plugins: [{{name: jwt}}]}}\n  - {{name: web, paths: [/]}}\n"
        ));
        assert!(!imported.toml.contains("\"web\""), "{}", imported.toml);
        is_left_out(&imported, "route web: `/`: the whole route");
    }
}

#[test]
fn what_wants_the_same_key_may_take_it() {
    let imported = service(
        "  plugins: [{name: key-auth}]\n  routes:\n  - {name: lost, paths: ['~/admin/\\d+$']}\n  - {name: web, paths: [/]}\n",
    );
    assert!(!imported.toml.contains("503"), "{}", imported.toml);
    assert_eq!(imported.left_out.len(), 1, "{:?}", imported.left_out);
}

#[test]
fn paths_that_go_on_in_a_segment_are_named() {
    let imported = service(
        "  routes:\n  - {name: admin, paths: [/admin], plugins: [{name: key-auth}]}\n  - {name: web, paths: [/]}\n",
    );
    assert_eq!(
        imported.left_out,
        [
            "route admin: paths that only begin like `/admin`, such as `/admin-old`: the route web takes them here, and lets more callers in"
        ]
    );
}

#[test]
fn a_plugin_of_some_keeps_them_out() {
    let with = |plugin: &str| {
        import(&format!(
            "services: [{{name: s, url: 'http://s.test', routes: [{{name: r, paths: [/r]}}, {{name: q, paths: [/q]}}]}}]\n\
             consumers: [{{username: a, groups: [{{name: g}}], keyauth_credentials: [{{key: x}}]}}]\nplugins: [{plugin}]\n"
        ))
    };
    let imported =
        with("{name: ip-restriction, route: r, consumer: a, config: {deny: [10.0.0.1]}}");
    is_left_out(
        &imported,
        "route r: the whole route, for it would be open to more callers without `ip-restriction` of a consumer or a group",
    );
    assert!(!imported.toml.contains("\"/r\""), "{}", imported.toml);
    has(&imported, "\"/q\"");
    for plugin in [
        "{name: request-termination, consumer: a}",
        "{name: ip-restriction, consumer_group: g, config: {deny: [10.0.0.1]}}",
    ] {
        let imported = with(plugin);
        is_left_out(&imported, "consumer a: the whole consumer");
        assert!(!imported.toml.contains("[clients"), "{}", imported.toml);
    }
    has(
        &with("{name: acl, consumer: a, enabled: false}"),
        "[clients.a]",
    );
}

#[test]
fn an_anonymous_consumer_that_is_refused_is_nobody() {
    let with = |plugins: &str| {
        import(&format!(
            "services: [{{name: s, url: 'http://s.test', plugins: [{{name: key-auth, config: {{anonymous: nobody}}}}], routes: [{{name: r, paths: [/r]}}]}}]\n\
             consumers: [{{username: nobody, plugins: [{plugins}]}}]\n"
        ))
    };
    has(&with("{name: request-termination}"), "protected = [");
    assert!(
        !with("{name: rate-limiting, config: {minute: 5}}")
            .toml
            .contains("protected =")
    );
}

#[test]
fn groups_and_keys_do_not_become_others() {
    let imported = service(
        "  routes: [{name: r, paths: [/r], plugins: [{name: key-auth}, {name: acl, config: {allow: ['a b']}}]}]\n\
         consumers: [{username: x, acls: [{group: a-b}]}, {username: y, acls: [{group: 'a b'}], keyauth_credentials: [{key: k, ttl: 5}]}]\n",
    );
    let allowed = imported
        .toml
        .split_once("allow = [\"group:")
        .expect("a list")
        .1;
    let (allowed, _) = allowed.split_once('"').expect("a group");
    assert_ne!(allowed, "a-b");
    has(&imported, "[clients.x]\nkeys = []\ngroups = [\"a-b\"]\n");
    has(
        &imported,
        &format!("[clients.y]\nkeys = []\ngroups = [\"{allowed}\"]\n"),
    );
    is_left_out(&imported, "consumer y: a key with a `ttl`");
}

#[test]
fn only_plugins_that_are_known_to_keep_nobody_out_are_dropped() {
    for plugin in [
        "konnect-application-auth",
        "vault-auth",
        "header-cert-auth",
        "jwe-decrypt",
        "ace",
        "pre-function",
        "request-validator",
        "aws-lambda",
        "my-own-auth",
    ] {
        let routes = "[{name: r, paths: [/r]}, {name: web, paths: [/]}]";
        let imported = service(&format!("  routes: {routes}\n"));
        assert!(imported.left_out.is_empty(), "{:?}", imported.left_out);
        let routes = routes.replace("[/r]", &format!("[/r], plugins: [{{name: {plugin}}}]"));
        let imported = service(&format!("  routes: {routes}\n"));
        is_left_out(
            &imported,
            &format!(
                "route r: the whole route, for it would be open to more callers without `{plugin}`"
            ),
        );
        has(
            &imported,
            "name = \"r\"\nprefix = \"/r\"\nrespond = { status = 503,",
        );
    }
    for plugin in ["zipkin", "proxy-cache", "rate-limiting-advanced"] {
        let imported = service(&format!(
            "  routes: [{{name: r, paths: [/r], plugins: [{{name: {plugin}}}]}}]\n"
        ));
        assert_eq!(
            imported.left_out,
            [format!(
                "route r: {plugin} of r: has no counterpart; the route goes without"
            )]
        );
        has(&imported, "prefix = \"/r\"\nupstream");
    }
    // Without it another path of the service would be asked for.
    let imported = service(
        "  routes: [{name: r, paths: [/r], plugins: [{name: request-transformer, config: {replace: {uri: /public}}}]}]\n",
    );
    is_left_out(&imported, "route r: the whole route");
}

#[test]
fn references_to_nothing_are_listed() {
    let file = |more: &str| {
        let text = format!(
            "services: [{{name: s, url: 'http://s.test', routes: [{{name: r, paths: [/r]}}]}}]\n{more}"
        );
        kong(Source {
            name: "kong.yml",
            text: &text,
        })
    };
    for (plugin, kind) in [
        ("{name: key-auth, service: nosuch}", "service"),
        ("{name: acl, route: nosuch, config: {allow: [a]}}", "route"),
        ("{name: my-own-auth, route: {id: nosuch}}", "route"),
        (
            "{name: ip-restriction, consumer: nosuch, config: {allow: [10.0.0.1]}}",
            "consumer",
        ),
    ] {
        let error = file(&format!("plugins: [{plugin}]\n")).expect_err(plugin);
        let said = format!(
            "is for the {kind} `nosuch`, which is not in the file: what it keeps closed would open"
        );
        assert!(error.to_string().ends_with(&said), "{error}");
    }
    let imported = file(
        "plugins: [{name: zipkin, service: nosuch}, {name: key-auth, route: r, config: {anonymous: nosuch}}, {name: jwt, service: nosuch, enabled: false}]\n\
         routes: [{name: lost, paths: [/lost], service: nosuch}]\n\
         targets: [{target: 'b:1', upstream: nosuch}]\n\
         keyauth_credentials: [{key: abc, consumer: nosuch}, {key: def}]\n\
         acls: [{group: g, consumer: nosuch}]\n",
    );
    let imported = imported.expect("a file of Kong's").good();
    assert_eq!(
        imported.left_out,
        [
            "zipkin: is for the service `nosuch`, which is not in the file",
            "targets: an entry of the upstream `nosuch`, which is not in the file",
            "keyauth_credentials: an entry of the consumer `nosuch`, which is not in the file",
            "keyauth_credentials: an entry that says not whose it is",
            "acls: an entry of the consumer `nosuch`, which is not in the file",
            "key-auth of r: `anonymous`: no consumer `nosuch` is in the file, so a key is wanted",
            "route lost: its service `nosuch` is not in the file",
        ]
    );
    has(&imported, "protected = [\n    \"/r\",\n]");
}

#[test]
fn values_of_another_type_open_nothing() {
    let route = |lines: &str| service(&format!("  routes: [{{name: r, {lines}}}]\n"));
    for (lines, said) in [
        (
            "paths: /r",
            "route r: `paths` is a string, and Kong takes a list of strings",
        ),
        (
            "paths: [/r], hosts: a.test",
            "route r: `hosts` is a string, and Kong takes a list of strings",
        ),
        (
            "paths: [/r], methods: GET",
            "route r: `methods` is a string, and Kong takes a list of strings",
        ),
        (
            "paths: [/r, 5]",
            "route r: `paths` is a list of other values, and Kong takes a list of strings",
        ),
        (
            "paths: [/r], plugins: {name: key-auth}",
            "route r: `plugins` is a table, and Kong takes a list of tables",
        ),
        (
            "paths: [/r], plugins: [key-auth]",
            "route r: `plugins` is a list of strings, and Kong takes a list of tables",
        ),
        (
            "paths: [/r], plugins: [{name: 5}]",
            "route r: one of `plugins` has no `name`",
        ),
        (
            "paths: [/r], plugins: [{name: ip-restriction, config: {allow: 10.0.0.1}}]",
            "ip-restriction of r: `allow` is a string, and Kong takes a list of strings",
        ),
        (
            "paths: [/r], plugins: [{name: key-auth, config: {key_names: apikey}}]",
            "key-auth of r: `key_names` is a string, and Kong takes a list of strings",
        ),
    ] {
        let imported = route(lines);
        is_left_out(&imported, said);
        is_left_out(&imported, "route r: the whole route");
        assert!(!imported.toml.contains("upstream ="), "{}", imported.toml);
    }
    for (lines, said) in [
        (
            "{minute: '5'}",
            "rate-limiting of r: `minute` is a string, and Kong takes a whole number",
        ),
        (
            "{minute: 1.5}",
            "rate-limiting of r: `minute` is a number that is not whole or negative, and Kong takes a whole number",
        ),
    ] {
        let imported = route(&format!(
            "paths: [/r], plugins: [{{name: rate-limiting, config: {lines}}}]"
        ));
        assert_eq!(imported.left_out, [said]);
    }
}

#[test]
fn keys_of_another_type_and_lists_that_are_none_are_not_taken() {
    let keys = "consumers: [{username: x, keyauth_credentials: [{key: 12345}, {key: good}]}]\n";
    let imported = service(keys);
    assert_eq!(
        imported.left_out,
        ["keyauth_credentials: `key` is a number, and Kong takes a string"]
    );
    assert_eq!(
        imported.toml.matches("sha256:").count(),
        1,
        "{}",
        imported.toml
    );
    for text in [
        "plugins: {name: key-auth}",
        "consumers: {username: x}",
        "services: [5]",
        "plugins: [{config: {}}]",
    ] {
        kong(Source {
            name: "kong.yml",
            text,
        })
        .expect_err(text);
    }
}
