//! Whatever Kong takes becomes what `check` takes, or is listed; and no value of a field is shown.

use super::*;

/// What is said of a route with these plugins.
fn plugins(plugins: &str) -> Imported {
    service(&format!(
        "  routes: [{{name: r, paths: [/r], plugins: [{plugins}]}}]\n"
    ))
}

#[test]
fn what_has_another_form_here_is_written_in_it() {
    let imported = plugins(
        "{name: ip-restriction, config: {allow: [10.0.0.1/8, '::1', 'fe80::1/10']}}, {name: cors, config: {origins: ['https://App.example.com', 'http://a.test:80', 'http://a.test/', 'https://b.test:443']}}",
    );
    has(
        &imported,
        "ip_allow = [\"10.0.0.0/8\", \"::1\", \"fe80::/10\"]",
    );
    has(
        &imported,
        "origins = [\"https://app.example.com\", \"http://a.test\", \"https://b.test\"]",
    );
    assert_eq!(imported.left_out, [""; 0]);
    let imported = plugins(
        "{name: request-termination, config: {status_code: 204, message: x}}, {name: request-transformer, config: {add: {headers: ['x-a:1']}}}",
    );
    has(&imported, "respond = { status = 204 }\n");
    assert_eq!(imported.left_out, [""; 0]);
}

#[test]
fn what_check_would_refuse_is_listed() {
    for (config, said) in [
        (
            "{name: cors, config: {origins: ['https://a.test/path', 'https://b.test']}}",
            "cors of r: the origin `https://a.test/path`",
        ),
        (
            "{name: cors, config: {origins: ['https://b.test'], headers: ['a b'], methods: [get]}}",
            "cors of r: `a b` in `headers`",
        ),
        (
            "{name: request-transformer, config: {append: {headers: ['x-a:1', 'X-A:2']}}}",
            "request-transformer of r: `append` of `X-A` once more",
        ),
        (
            "{name: request-transformer, config: {add: {headers: ['Host:x', 'x-forwarded-for:1']}}}",
            "request-transformer of r: `add` of `Host`: it is not for a route to change",
        ),
        (
            "{name: request-termination, config: {status_code: 301}}",
            "request-termination of r: the status 301: it is 503 here",
        ),
        (
            "{name: request-termination, config: {status_code: 100}}",
            "request-termination of r: the status 100: it is 503 here",
        ),
        (
            "{name: correlation-id, config: {header_name: X_Request_Id}}",
            "key request_id_header: is left as by default: ",
        ),
        (
            "{name: rate-limiting, config: {minute: 9999999999999999}}",
            "policy r-minute: `requests`: ",
        ),
        (
            "{name: rate-limiting, config: {minute: 5, policy: redis, redis: {host: 'a b'}}}",
            "limits redis: counters are in the gateway: ",
        ),
        (
            "{name: ip-restriction, config: {allow: [nowhere]}}",
            "route r: the whole route, for it would be open to more callers without `ip-restriction`, which lists what is no address or network",
        ),
    ] {
        let imported = plugins(config);
        let all = imported.left_out.join("\n");
        assert!(all.contains(said), "{said} in\n{all}");
    }
    let imported = service(
        "  read_timeout: 0\n  routes:\n  - {name: a, paths: [/a], methods: [TRACE, GET]}\n  - {name: b, paths: [/b], methods: [get]}\n",
    );
    let all = imported.left_out.join("\n");
    for said in [
        "route a: the method `TRACE`",
        "route b: the whole route, for no request here has one of its methods",
        "route a: `timeout`: ",
    ] {
        assert!(all.contains(said), "{said} in\n{all}");
    }
    let imported = import(
        "services: [{name: s, url: 'http://s.test/?x=1', routes: [{name: r, paths: [/r]}]}]\n",
    );
    assert!(
        imported.left_out[0].starts_with("upstream s: its requests get 503: "),
        "{:?}",
        imported.left_out
    );
    let imported = import(
        "services: [{name: s, host: up, routes: [{name: r, paths: [/r]}]}]\nupstreams: [{name: up, hash_on: header, hash_on_header: X_Tenant, algorithm: consistent-hashing, targets: [{target: '10.0.0.1:80'}]}]\n",
    );
    assert!(
        imported.left_out[0].starts_with("upstream s: `hash_by`: "),
        "{:?}",
        imported.left_out
    );
    let imported = service(
        "consumers:\n- {username: a, keyauth_credentials: [{key: k}, {key: k}]}\n- {username: b, keyauth_credentials: [{key: k}]}\n",
    );
    assert_eq!(
        imported.left_out,
        ["consumer b: a key that the consumer a has, too"]
    );
}

#[test]
fn values_of_fields_are_not_shown() {
    let imported = plugins(
        "{name: request-transformer, config: {replace: {headers: ['authorization:Basic hunter2']}, add: {headers: ['x-t:$(headers.x) hunter2', 'host:hunter2', novalue]}, rename: {headers: ['a:hunter2']}, remove: {headers: ['x:hunter2']}}}",
    );
    let said = imported.left_out.join("\n");
    assert!(!said.contains("hunter2"), "{said}");
    for name in [
        "`replace` of `authorization`",
        "`add` of `x-t`, whose value is a template",
        "`add` of `novalue`",
        "`rename` of `a`",
    ] {
        assert!(said.contains(name), "{name} in {said}");
    }
}

#[test]
fn what_stands_for_a_key_is_none() {
    for key in ["{vault://env/app-key}", "${{ env \"DECK_APP_KEY\" }}"] {
        let imported = service(&format!(
            "consumers: [{{username: app, keyauth_credentials: [{{key: '{key}'}}]}}]\n"
        ));
        assert!(!imported.toml.contains("sha256:"), "{}", imported.toml);
        assert_eq!(
            imported.left_out,
            [
                "keyauth_credentials: `key` stands for another value (`{vault://...}`, `${{ ... }}`): write that one"
            ]
        );
        let imported = import(&format!(
            "services: [{{name: s, host: '{key}', routes: [{{name: r, paths: [/r]}}]}}]\n"
        ));
        assert!(!imported.toml.contains("upstream"), "{}", imported.toml);
        assert!(
            imported.left_out[0].starts_with("service s: `host` stands for another value"),
            "{:?}",
            imported.left_out
        );
        let imported = plugins(&format!(
            "{{name: request-transformer, config: {{add: {{headers: ['x-a:{key}']}}}}}}"
        ));
        assert!(!imported.toml.contains("x-a"), "{}", imported.toml);
    }
}

#[test]
fn what_is_other_here_is_said() {
    let imported = import(
        "services:\n- name: s\n  host: up\n  retries: 100\n  routes:\n\
         \x20 - {name: r, paths: [/r], plugins: [{name: key-auth}, {name: acl, config: {allow: [g]}}, {name: correlation-id, config: {generator: 'uuid#counter'}}, {name: rate-limiting, protocols: [https], config: {minute: 5, limit_by: credential}}]}\n\
         upstreams:\n- name: up\n  targets: [{target: 'a:1'}]\n  healthchecks:\n    active: {healthy: {interval: 5}, unhealthy: {interval: 7, http_failures: 3, tcp_failures: 4, timeouts: 0}}\n    passive: {unhealthy: {http_failures: 3, tcp_failures: 2, timeouts: 1}}\n\
         consumers: [{username: app, custom_id: c-77}]\n",
    );
    has(&imported, "client_header = \"x-consumer-username\"\n");
    has(&imported, "breaker = { failures = 3 }");
    for said in [
        "service s: `retries: 100`: there are 10 at most",
        "key-auth: services get the client's name in `X-Consumer-Username`",
        "acl of r: services get no `X-Consumer-Groups`",
        "route r: correlation-id of r: `generator: uuid#counter`: ids have the gateway's own form",
        "route r: correlation-id of r: `echo_downstream` is false: callers get the id, too",
        "rate-limiting of r: `limit_by: credential`: a client is counted",
        "rate-limiting of r: `protocols: [https]`: it holds for all requests",
        "consumer app: its `custom_id` stands nowhere here",
        "upstream up: healthchecks.active: its two intervals are one here: 5 seconds",
        "upstream up: healthchecks.active: `http_failures: 3`, `tcp_failures: 4` are one number here: 3",
        "upstream up: healthchecks.passive: `http_failures: 3`, `tcp_failures: 2`, `timeouts: 1` are one number here: 3",
    ] {
        let differs = &imported.differs;
        assert!(
            differs.iter().any(|it| it.starts_with(said)),
            "{said} in {differs:#?}"
        );
    }
}
