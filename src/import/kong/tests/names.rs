//! Names and paths that are good here, and mean what they mean to Kong.

use super::*;

#[test]
fn each_plugin_has_a_counter_of_its_own() {
    // A service, a route and a consumer of one name.
    let imported = import(
        "services:\n- name: app\n  url: http://s.test\n  plugins: [{name: rate-limiting, config: {minute: 100}}]\n  routes:\n\
         \x20 - {name: app, paths: [/a, /b], plugins: [{name: rate-limiting, config: {minute: 5, hour: 5}}]}\n\
         \x20 - {name: other, paths: [/c]}\n  - {name: more, paths: [/d]}\n\
         consumers: [{username: app, plugins: [{name: rate-limiting, config: {minute: 7}}]}]\n",
    );
    for (prefix, limits) in [
        ("/a", "\"app-minute-2\", \"app-hour\""),
        ("/b", "\"app-minute-2\", \"app-hour\""),
        ("/c", "\"app-minute-3\""),
        ("/d", "\"app-minute-3\""),
    ] {
        let start = format!("prefix = \"{prefix}\"\n");
        let (_, route) = imported.toml.split_once(&start).expect(prefix);
        let (route, _) = route.split_once("\n\n").expect("more");
        assert!(route.ends_with(&format!("limits = [{limits}]")), "{route}");
    }
    for (table, requests) in [
        ("tiers.app-minute", 7),
        ("policies.app-minute-2", 5),
        ("policies.app-hour", 5),
        ("policies.app-minute-3", 100),
    ] {
        let lines = format!("[limits.{table}]\nrequests = {requests}\n");
        has(&imported, &lines);
    }
    assert_eq!(imported.toml.matches("[limits.").count(), 4);
}

#[test]
fn paths_become_canonical_or_are_left_out() {
    let imported = service(
        "  routes: [{name: r, paths: [//x//y/, '/a/./b', '/v%31', '/a/../b', '/a;b', '/a%2Fb', '/%zz']}]\n",
    );
    for prefix in ["/x/y", "/a/b", "/v1", "/b"] {
        has(&imported, &format!("prefix = \"{prefix}\"\n"));
    }
    let said = imported.left_out.join("\n");
    for path in ["/a;b", "/a%2Fb", "/%zz"] {
        assert!(said.contains(&format!("route r: `{path}`: ")), "{said}");
    }
    assert_eq!(imported.left_out.len(), 3, "{said}");
}

#[test]
fn hosts_and_methods_that_two_routes_have_in_part() {
    let imported = service(
        "  routes:\n  - {name: a, paths: [/x], hosts: [a.test, b.test]}\n  - {name: b, paths: [/x], hosts: [B.test, c.test]}\n  - {name: c, paths: [/y], methods: [GET, PUT]}\n  - {name: d, paths: [/y], methods: [PUT]}\n  - {name: e, paths: [/z], hosts: ['e.test:8080', e.test, E.TEST.]}\n",
    );
    assert_eq!(
        imported.left_out,
        [
            "route b: `/x`: the route a takes the same requests",
            "route d: `/y`: the route c takes the same requests",
            "route e: the host `e.test:8080`: a host is a name, or `*.` and a name, without a port",
        ]
    );
    has(&imported, "hosts = [\"e.test\"]");
}

#[test]
fn what_holds_for_some_protocols_or_requests_is_said() {
    let imported = service(
        "  routes:\n  - {name: a, paths: [/a], protocols: [https]}\n  - {name: b, paths: [/b], protocols: [http, https, grpc], plugins: [{name: request-termination, config: {trigger: x-down}}]}\n",
    );
    assert_eq!(
        imported.left_out,
        [
            "route a: `protocols` has no `http`: requests without TLS are answered, too, where `listen` has such an address",
            "route b: `protocols` has `grpc`",
            "route b: request-termination of b: `trigger`: a route answers all requests or none; it goes without",
        ]
    );
    assert!(!imported.toml.contains("respond"), "{}", imported.toml);
}
