use super::*;

mod closed;
mod good;
mod listed;
mod names;
mod oracle;

pub(super) fn import(text: &str) -> Imported {
    let source = Source {
        name: "kong.yml",
        text,
    };
    kong(source).expect("a file of Kong's").good()
}

/// A service at port 80 with these lines, and what came of it.
fn service(lines: &str) -> Imported {
    import(&format!(
        "services:\n- name: orders\n  url: http://orders.test/v1\n{lines}"
    ))
}

fn has(imported: &Imported, line: &str) {
    assert!(imported.toml.contains(line), "{line} in\n{}", imported.toml);
}

#[test]
fn routes_say_what_kongs_say() {
    let imported = service(
        "  connect_timeout: 500\n  read_timeout: 5000\n  routes:\n  - {name: a, paths: [/orders/, /o], methods: [GET], hosts: [api.test], strip_path: false, preserve_host: true}\n",
    );
    has(
        &imported,
        "[[route]]\nname = \"a\"\nprefix = \"/orders\"\nhosts = [\"api.test\"]\nmethods = [\"GET\"]\nupstream = \"orders\"\ntimeout = \"5000ms\"\nstrip_prefix = false\n",
    );
    has(&imported, "prefix = \"/o\"\n");
    has(
        &imported,
        "[upstreams.orders]\nendpoints = [\"http://orders.test:80/v1\"]\nconnect_timeout = \"500ms\"\n",
    );
    assert_eq!(imported.left_out, Vec::<String>::new());
}

#[test]
fn plugins_hold_nested_and_by_reference_the_closest_first() {
    let imported = import(
        "services:\n- {name: s, url: 'http://s.test', plugins: [{name: rate-limiting, config: {minute: 5}}]}\n\
         routes:\n- {name: r, service: {name: s}, paths: [/r]}\n- {name: q, service: s, paths: [/q], plugins: [{name: rate-limiting, config: {hour: 7, limit_by: ip}}]}\n\
         plugins:\n- {name: rate-limiting, config: {day: 1}}\n- {name: cors, config: {origins: ['https://a.test'], credentials: true, max_age: 60}}\n- {name: key-auth, route: r, config: {key_names: [x-api-key], key_in_query: false, hide_credentials: true}}\n\
         - {name: jwt, route: q, enabled: false}\n",
    );
    has(&imported, "protected = [\n    \"/r\",\n]");
    has(&imported, "limits = [\"s-minute\"]");
    has(&imported, "limits = [\"q-hour\"]");
    has(
        &imported,
        "[limits.policies.s-minute]\nrequests = 5\nper = \"1m\"\nby = \"client\"\n",
    );
    has(
        &imported,
        "[limits.policies.q-hour]\nrequests = 7\nper = \"1h\"\nby = \"ip\"\n",
    );
    has(
        &imported,
        "cors = { origins = [\"https://a.test\"], credentials = true, max_age = \"60s\" }",
    );
    has(
        &imported,
        "api_key_header = \"x-api-key\"\nforward_api_key = false\n",
    );
    assert!(!imported.toml.contains("all-day"), "{}", imported.toml);
}

#[test]
fn no_route_opens_that_kong_has_closed() {
    for plugin in [
        "{name: jwt}",
        "{name: acl, config: {deny: [bad]}}",
        "{name: openid-connect}",
    ] {
        let imported = service(&format!(
            "  plugins: [{plugin}]\n  routes: [{{name: r, paths: [/r]}}]\n"
        ));
        assert!(!imported.toml.contains("/r"), "{plugin}: {}", imported.toml);
        assert!(
            imported.left_out[0].starts_with("route r: the whole route"),
            "{:?}",
            imported.left_out
        );
    }
    let imported = service("  routes: [{name: r, paths: [/r], headers: {x-a: [b]}}]\n");
    assert_eq!(imported.left_out, ["route r: it matches by `headers`"]);
}

#[test]
fn an_open_route_under_a_closed_one_stays_open() {
    let imported = service(
        "  routes:\n  - {name: all, paths: [/api], plugins: [{name: key-auth}]}\n  - {name: login, paths: [/api/login]}\n",
    );
    has(&imported, "public = [\"/api/login\"]");
}

#[test]
fn who_may_is_taken_over_with_hashes_alone() {
    let imported = service(
        "  routes: [{name: r, paths: [/r], plugins: [{name: key-auth}, {name: acl, config: {allow: [partner]}}, {name: ip-restriction, config: {allow: [10.0.0.0/8], deny: [10.9.9.9]}}]}]\n\
         consumers:\n- {username: 'Mobile App', keyauth_credentials: [{key: first-secret}], acls: [{group: partner}], plugins: [{name: rate-limiting, config: {second: 3}}]}\n- {username: b}\n\
         keyauth_credentials: [{consumer: b, key: second-secret}]\n",
    );
    has(
        &imported,
        "allow = [\"group:partner\"]\nip_allow = [\"10.0.0.0/8\"]\nip_deny = [\"10.9.9.9\"]\n",
    );
    let hash = crate::client::ApiKeyHash::of(b"first-secret");
    has(
        &imported,
        &format!(
            "[clients.Mobile-App]\n# was \"Mobile App\"\nkeys = [\"{hash}\"]\ngroups = [\"partner\"]\ntier = \"Mobile-App-second\"\n"
        ),
    );
    has(
        &imported,
        &crate::client::ApiKeyHash::of(b"second-secret").to_string(),
    );
    has(
        &imported,
        "[limits.tiers.Mobile-App-second]\nrequests = 3\nper = \"1s\"\n",
    );
    assert!(!imported.toml.contains("secret"), "{}", imported.toml);
}

#[test]
fn fields_and_answers() {
    let imported = service(
        "  routes:\n  - {name: a, paths: [/a], plugins: [{name: request-transformer, config: {add: {headers: ['x-env:prod']}, append: {headers: ['x-b:c']}, remove: {headers: [x-debug], querystring: [q]}}}, {name: response-transformer, config: {remove: {headers: [server]}}}]}\n  - {name: b, paths: [/b], plugins: [{name: request-termination, config: {status_code: 503, message: closed}}, {name: request-size-limiting, config: {allowed_payload_size: 2}}]}\n",
    );
    has(
        &imported,
        "request_headers = { set = { x-env = \"prod\" }, add = { x-b = \"c\" }, remove = [\"x-debug\"] }",
    );
    has(&imported, "response_headers = { remove = [\"server\"] }");
    has(
        &imported,
        "respond = { status = 503, body = \"{\\\"message\\\":\\\"closed\\\"}\", content_type = \"application/json; charset=utf-8\" }",
    );
    has(&imported, "body_limit = \"2MiB\"");
    assert_eq!(
        imported.left_out,
        ["request-transformer of a: `remove.querystring`: only header fields are changed"]
    );
}

#[test]
fn what_is_missing_is_named_one_by_one() {
    let imported = import(
        "_format_version: '3.0'\ncertificates: []\nservices:\n- {name: grpc, url: 'grpc://a.test', routes: [{name: t, paths: [/t]}]}\n\
         - {name: s, host: up, plugins: [{name: statsd}], routes: [{name: r, paths: ['~/r/\\d+$', /s]}]}\nupstreams:\n- {name: up, targets: [{target: '10.0.0.1:80'}, {target: '10.0.0.2:80'}]}\n",
    );
    assert_eq!(
        imported.left_out,
        [
            "certificates: has no counterpart",
            "route t: its service speaks grpc: only HTTP/1.1 is spoken to services yet",
            "route r: statsd of s: has no counterpart; the route goes without",
            "route r: the regular expression `~/r/\\d+$`: paths are prefixes here",
        ]
    );
    has(
        &imported,
        "[upstreams.s]\nendpoints = [\"http://10.0.0.1:80\", \"http://10.0.0.2:80\"]\nbalance = \"round-robin\"\n",
    );
}

#[test]
fn tls_to_services_is_taken_over() {
    let imported = import(
        "services:\n- {name: a, url: 'https://a.test/v1', tls_verify: true, routes: [{name: a, paths: [/a]}]}\n\
         - {name: b, url: 'https://b.test:8443', tls_verify: false, client_certificate: {id: x}, routes: [{name: b, paths: [/b]}]}\n\
         - {name: c, protocol: https, host: up, routes: [{name: c, paths: [/c]}]}\n\
         upstreams:\n- {name: up, host_header: c.test, targets: [{target: '10.0.0.1:443'}]}\n",
    );
    for expected in [
        "[upstreams.a]\nendpoints = [\"https://a.test:443/v1\"]\n",
        "[upstreams.b]\nendpoints = [\"https://b.test:8443\"]\ntls = { verify = false }\n",
        "endpoints = [\"https://10.0.0.1:443\"]\n",
        "host = \"c.test\"\ntls = { server_name = \"c.test\" }\n",
    ] {
        has(&imported, expected);
    }
    assert_eq!(
        imported.left_out,
        ["service b: `client_certificate`: write the files of certificates in `tls`"]
    );
    let verified = "service c: its certificate is verified now";
    assert!(
        imported.differs.iter().any(|it| it.starts_with(verified)),
        "{:?}",
        imported.differs
    );
}

/// A service at an upstream with these lines, and what came of it.
fn upstream(lines: &str) -> Imported {
    import(&format!(
        "services: [{{name: s, host: up, path: /v1/, routes: [{{name: r, paths: [/r]}}]}}]\nupstreams:\n- name: up\n{lines}"
    ))
}

#[test]
fn targets_are_endpoints_with_their_weights() {
    let imported = upstream(
        "  algorithm: least-connections\n  host_header: orders.test\n  targets: [{target: 'a:1', weight: 100}, {target: b, weight: 300}, {target: '[::1]', weight: 0}]\n",
    );
    has(
        &imported,
        "endpoints = [\"http://a:1/v1\", { url = \"http://b:8000/v1\", weight = 3 }, { url = \"http://[::1]:8000/v1\", weight = 0 }]\nhost = \"orders.test\"\n",
    );
    assert!(!imported.toml.contains("balance"), "{}", imported.toml);
    assert!(
        !imported.toml.contains("\nhost = \"endpoint\""),
        "{}",
        imported.toml
    );
    assert_eq!(imported.left_out, [""; 0]);
    let imported = upstream("  targets: [{target: a, weight: 0}]\n");
    assert_eq!(
        imported.left_out,
        ["route r: the upstream up has no target with a weight"]
    );
}

#[test]
fn what_requests_are_hashed_by() {
    for (hash_on, hash_by) in [
        ("consumer", "client"),
        ("ip", "ip"),
        ("header, hash_on_header: X-Tenant", "header:x-tenant"),
        (
            "cookie, hash_on_cookie: sid, hash_fallback: consumer",
            "cookie:sid",
        ),
    ] {
        let imported = import(&format!(
            "services: [{{name: s, host: up, routes: [{{name: r, paths: [/r]}}]}}]\nupstreams: [{{name: up, targets: [{{target: 'a:1'}}], algorithm: consistent-hashing, hash_on: {hash_on}}}]\n"
        ));
        has(
            &imported,
            &format!("balance = \"hash\"\nhash_by = \"{hash_by}\"\n"),
        );
        assert_eq!(imported.left_out, [""; 0]);
    }
    let imported =
        upstream("  targets: [{target: a}]\n  algorithm: consistent-hashing\n  hash_on: path\n");
    assert!(
        imported.left_out[0].starts_with("upstream up: `hash_on`"),
        "{:?}",
        imported.left_out
    );
}

#[test]
fn checks_and_what_opens_a_circuit() {
    let imported = upstream(
        "  targets: [{target: 'a:1'}]\n  healthchecks:\n    active: {http_path: /up, timeout: 1, healthy: {interval: 5, successes: 2, http_statuses: [200, 302]}, unhealthy: {interval: 2, http_failures: 4, tcp_failures: 3, timeouts: 0}}\n    passive: {unhealthy: {http_failures: 5, tcp_failures: 0, http_statuses: [500, 503]}}\n",
    );
    has(
        &imported,
        "health = { path = \"/up\", interval = \"2s\", timeout = \"1s\", up = 2, down = 3, statuses = [200, 302] }\nbreaker = { failures = 5, statuses = [500, 503] }\n",
    );
    assert_eq!(imported.left_out, [""; 0]);
    let off = "  targets: [{target: 'a:1'}]\n  healthchecks: {active: {type: tcp, healthy: {interval: 0}}, passive: {unhealthy: {http_failures: 0, tcp_failures: 2}}}\n";
    let imported = upstream(off);
    assert!(!imported.toml.contains("health ="), "{}", imported.toml);
    has(&imported, "breaker = { failures = 2, statuses = [] }");
    let imported = upstream(&off.replace("interval: 0", "interval: 1"));
    assert_eq!(
        imported.left_out,
        ["upstream up: `healthchecks.active` of the type tcp"]
    );
    let imported = upstream(&off.replace("interval: 0", "interval: 0.5"));
    assert_eq!(
        imported.left_out,
        ["upstream up: `healthchecks.active`: a time is not in whole seconds"]
    );
}

#[test]
fn checks_of_grpc_and_over_tls() {
    let with = |kind: &str, scheme: &str| {
        import(&format!(
            "services: [{{name: s, host: up, protocol: {scheme}, routes: [{{name: r, paths: [/r]}}]}}]\nupstreams:\n- name: up\n  targets: [{{target: 'a:1'}}]\n  healthchecks: {{active: {{type: {kind}, http_path: /up, healthy: {{interval: 5, http_statuses: [200]}}}}}}\n"
        ))
    };
    for (kind, scheme) in [("grpc", "http"), ("grpcs", "https")] {
        let imported = with(kind, scheme);
        has(&imported, "health = { grpc = true, interval = \"5s\" }\n");
        assert_eq!(imported.left_out, [""; 0]);
        let said = format!("upstream up: `healthchecks.active` of the type {kind}: ");
        let differs = &imported.differs;
        assert!(
            differs.iter().any(|it| it.starts_with(&said)),
            "{differs:?}"
        );
    }
    let imported = with("https", "https");
    has(
        &imported,
        "health = { path = \"/up\", interval = \"5s\", statuses = [200] }\n",
    );
    assert_eq!(imported.left_out, [""; 0]);
    for (kind, scheme) in [("grpcs", "http"), ("grpc", "https"), ("https", "http")] {
        let said = format!("upstream up: `healthchecks.active` of the type {kind}");
        assert_eq!(with(kind, scheme).left_out, [said]);
    }
}

#[test]
fn a_rule_of_access_without_a_counterpart_is_named_with_its_route() {
    for (plugin, said) in [
        (
            "name: oauth2",
            "`oauth2`, which has no counterpart; if it keeps nobody out, take it out of the file",
        ),
        (
            "name: acl, config: {allow: []}",
            "`acl`, which lists nobody",
        ),
        (
            "name: ip-restriction",
            "`ip-restriction`, which lists no address",
        ),
        (
            "name: acl, config: {deny: [a]}",
            "`acl`, which denies groups: here those that are allowed are listed",
        ),
    ] {
        let imported = service(&format!(
            "  routes: [{{name: r, paths: [/r], plugins: [{{{plugin}}}]}}]\n"
        ));
        let said = format!(
            "route r: the whole route, for it would be open to more callers without {said}"
        );
        assert_eq!(imported.left_out, [said]);
    }
}

#[test]
fn each_try_has_the_time_that_kong_gives_it() {
    let route = "  routes: [{name: r, paths: [/r], preserve_host: true}]\n";
    let imported = service(&format!("  retries: 3\n  read_timeout: 1000\n{route}"));
    has(&imported, "timeout = \"4000ms\"\n");
    has(
        &imported,
        "try_timeout = \"1000ms\"\nretry = { attempts = 3 }\n",
    );
    let imported = service(&format!("  retries: 0\n  read_timeout: 1000\n{route}"));
    has(&imported, "upstream = \"orders\"\ntimeout = \"1000ms\"\n");
    has(&imported, "/v1\"]\nretry = \"off\"\n");
}

#[test]
fn what_is_no_file_of_kongs_is_said_so() {
    for text in ["[]", "routes_file: x"] {
        let error = kong(Source {
            name: "kong.yml",
            text,
        })
        .expect_err(text);
        assert!(error.to_string().starts_with("kong.yml: holds"), "{error}");
    }
}
