//! What a reload says of callers that may come where they could not come before.

use super::*;

/// What is said first when one configuration replaces another, each with two clients.
fn opened(old: &str, new: &str) -> Vec<String> {
    let read = |text: &str| {
        let key = |digit: &str| digit.repeat(64);
        let clients = format!(
            "[clients.a]\nkeys = 'sha256:{}'\ngroups = 'staff'\n[clients.b]\nkeys = 'sha256:{}'\n",
            key("a"),
            key("b")
        );
        good(&format!("{text}\n{clients}"))
    };
    let mut lines = reload(&read(old), &read(new));
    lines.retain(|line| line.starts_with("Public: ") || line.starts_with("Wider: "));
    lines
}

/// One route with these keys.
fn route(keys: &str) -> String {
    format!("[routes]\n'/a' = {{ upstream = 'http://x'{keys} }}\n")
}

fn access(keys: &str) -> String {
    format!("[access]\n{keys}\n[routes]\n'/a' = 'http://x'\n'/a/b' = 'http://y'\n")
}

#[test]
fn a_route_that_is_for_more_clients_is_said() {
    let (staff, both) = (
        ", allow = ['group:staff']",
        ", allow = ['group:staff', 'client:b']",
    );
    let protected = |keys: &str| format!("[access]\nprotected = '/a'\n{}", route(keys));
    for (old, new, said) in [
        (route(staff), route(staff), ""),
        (route(both), route(staff), ""),
        (
            route(staff),
            route(""),
            "Public: the route `/a` is open to everyone, before only to `group:staff`",
        ),
        (
            route(staff),
            route(both),
            "Wider: the route `/a` is open to `client:b`, too",
        ),
        (
            protected(staff),
            protected(""),
            "Wider: the route `/a` is open to every client, before only to `group:staff`",
        ),
        // It has moved.
        (
            route(staff),
            "[access]\nprotected = { prefix = '/a', allow = 'group:staff' }\n".to_owned()
                + &route(""),
            "",
        ),
        // A wider route takes over.
        (
            route("") + "'/a/b' = { upstream = 'http://x', allow = 'client:b' }",
            route(""),
            "Public: `/a/b`, now of the route `/a`, is open to everyone, before only to `client:b`",
        ),
        (
            route("") + "'/a/b' = { upstream = 'http://x', allow = 'client:b' }",
            route(staff),
            "Wider: `/a/b`, now of the route `/a`, is open to `group:staff`, too",
        ),
        (
            route(""),
            route("") + "'/c' = { upstream = 'http://x', allow = 'client:b' }",
            "",
        ),
    ] {
        let expected: Vec<_> = (!said.is_empty()).then_some(said).into_iter().collect();
        assert_eq!(opened(&old, &new), expected, "{old}\n{new}");
    }
}

#[test]
fn a_protected_prefix_that_is_for_more_clients_is_said() {
    let entry = |more: &str| access(&format!("protected = [{{ prefix = '/a'{more} }}]"));
    let staff = entry(", allow = 'group:staff'");
    for (new, said) in [
        (staff.clone(), ""),
        (
            entry(", allow = ['client:b']"),
            "Wider: `/a` is open to `client:b`, too",
        ),
        (
            entry(""),
            "Wider: `/a` is open to every client, before only to `group:staff`",
        ),
        (
            access(""),
            "Public: `/a` is no longer protected; anonymous callers reach it by the route `/a` and `/a/b`",
        ),
        (
            access("protected = { prefix = '/', allow = 'group:staff' }"),
            "",
        ),
        // No route leads there any more, or only for the same.
        (
            "[routes]\n'/c' = 'http://x'".to_owned(),
            "Public: the new route `/c`",
        ),
        (
            "[access]\nprotected = '/a'\n".to_owned() + &route(", allow = 'group:staff'"),
            "",
        ),
    ] {
        let expected: Vec<_> = (!said.is_empty()).then_some(said).into_iter().collect();
        assert_eq!(opened(&staff, &new), expected, "{new}");
    }
}

#[test]
fn methods_that_are_no_longer_protected_are_said() {
    let entry = |methods: &str| {
        access(&format!(
            "protected = [{{ prefix = '/a', methods = [{methods}] }}]"
        ))
    };
    let by = "; anonymous callers reach it by the route `/a` and `/a/b`";
    for (old, new, said) in [
        (
            "'POST', 'PUT'",
            "'PUT'",
            "`/a` is no longer protected from `POST`",
        ),
        (
            "'GET', 'POST'",
            "'PUT'",
            "`/a` is no longer protected from `GET` and `POST`",
        ),
        ("", "'PUT'", "`/a` is no longer protected, but from `PUT`"),
        ("'PUT'", "'PUT', 'POST'", ""),
        ("'PUT'", "", ""),
    ] {
        let said = (!said.is_empty()).then(|| format!("Public: {said}{by}"));
        let expected: Vec<_> = said.into_iter().collect();
        assert_eq!(opened(&entry(old), &entry(new)), expected, "{old} {new}");
    }
    // Nobody gets there with the method.
    let get = "[[route]]\nprefix = '/a'\nupstream = 'http://x'\nmethods = 'GET'\n";
    let entry = |method: &str| {
        format!("[access]\nprotected = {{ prefix = '/a', methods = '{method}' }}\n{get}")
    };
    assert_eq!(opened(&entry("POST"), &entry("PUT")), [""; 0]);
}

#[test]
fn addresses_from_which_requests_are_taken_now_are_said() {
    let here = |keys: &str| route(keys);
    let all = |keys: &str| format!("[access]\n{keys}\n{}", route(""));
    for (old, new, said) in [
        (
            here(", ip_allow = ['10.0.0.0/8']"),
            here(""),
            "the route `/a` takes requests from every address, before only from `10.0.0.0/8`",
        ),
        (
            here(", ip_allow = ['10.0.0.0/8']"),
            here(", ip_allow = ['10.1.0.0/16', '192.0.2.0/24']"),
            "the route `/a` takes requests from `192.0.2.0/24`, too",
        ),
        (
            here(", ip_allow = ['10.0.0.0/8']"),
            here(", ip_allow = ['10.0.0.0/9', '10.128.0.0/9']"),
            "",
        ),
        (
            here(", ip_deny = ['192.0.2.7/32', '2001:db8::/32', '192.0.2.9/32']"),
            here(", ip_deny = ['192.0.2.9/32', '2001:d00::/24']"),
            "the route `/a` no longer refuses requests from `192.0.2.7/32`",
        ),
        (
            here(", ip_deny = ['192.0.2.7/32']"),
            here(", ip_allow = ['10.0.0.0/8']"),
            "",
        ),
        (
            all("ip_allow = ['10.0.0.0/8']"),
            all(""),
            "the gateway takes requests from every address, before only from `10.0.0.0/8`",
        ),
        (
            all("ip_deny = ['192.0.2.0/24']"),
            all("ip_deny = ['192.0.2.0/25']"),
            "the gateway no longer refuses requests from `192.0.2.0/24`",
        ),
        // It has moved.
        (
            all("ip_deny = ['192.0.2.0/24']"),
            here(", ip_deny = ['192.0.0.0/16']"),
            "",
        ),
        (
            here(", ip_allow = ['10.0.0.0/8']"),
            all("ip_allow = ['10.0.0.0/8']"),
            "",
        ),
    ] {
        let said = (!said.is_empty()).then(|| format!("Wider: {said}"));
        let expected: Vec<_> = said.into_iter().collect();
        assert_eq!(opened(&old, &new), expected, "{old}\n{new}");
    }
}

#[test]
fn routes_for_other_hosts_or_methods_are_no_successors() {
    let long = |keys: &str| format!("[[route]]\nprefix = '/a'\nupstream = 'http://x'\n{keys}\n");
    let old = long("hosts = 'h.test'\nallow = 'client:b'") + &long("hosts = 'i.test'");
    assert_eq!(opened(&old, &old), [""; 0]);
    let old = long("methods = 'PUT'\nallow = 'client:b'") + &long("methods = 'GET'");
    assert_eq!(opened(&old, &old), [""; 0]);
    let old = long("hosts = '*.test'\nallow = 'client:b'");
    let new = old.clone() + &long("hosts = 'h.test'");
    assert_eq!(opened(&old, &new).len(), 2, "it was for one client before");
}

#[test]
fn peers_that_are_trusted_now_are_said() {
    let server = |nets: &str| format!("[server]\ntrusted_proxies = [{nets}]\n{}", route(""));
    let said = |nets: &str| {
        format!(
            "Wider: {nets} in `server.trusted_proxies`: who calls from there may claim any address, also one that `ip_allow` has"
        )
    };
    for (old, new, more) in [
        ("", "'10.0.0.0/8'", "`10.0.0.0/8`"),
        (
            "'10.0.0.0/8'",
            "'10.0.0.0/8', '::1', '192.0.2.7'",
            "`192.0.2.7/32` and `::1/128`",
        ),
        ("'10.1.0.0/16'", "'10.0.0.0/8'", "`10.0.0.0/8`"),
        ("'10.0.0.0/8'", "'10.1.0.0/16', '10.2.0.0/16'", ""),
        ("'10.0.0.0/9', '10.128.0.0/9'", "'10.0.0.0/8'", ""),
        ("'10.0.0.0/8'", "", ""),
    ] {
        let expected: Vec<_> = (!more.is_empty()).then(|| said(more)).into_iter().collect();
        assert_eq!(
            opened(&server(old), &server(new)),
            expected,
            "{old} -> {new}"
        );
    }
}

#[test]
fn an_admin_port_without_its_tokens_is_said() {
    let token = |name: &str, digit: &str| format!("{name} = 'sha256:{}'\n", digit.repeat(64));
    let admin = |keys: &str| format!("[admin]\n{keys}\n{}", route(""));
    let (change, read) = (token("token", "1"), token("read_token", "2"));
    let both = format!("{change}{read}");
    let said = [
        "Wider: the admin port, `127.0.0.1:9000`, has no token any more: whoever reaches it may read and change",
    ];
    for old in [&change, &read, &both] {
        assert_eq!(opened(&admin(old), &admin("")), said);
        assert!(opened(&admin(""), &admin(old)).is_empty());
        assert!(opened(&admin(&both), &admin(old)).is_empty());
        let off = admin(&format!("listen = 'off'\n{old}"));
        assert!(opened(&off, &admin("")).is_empty());
    }
}
