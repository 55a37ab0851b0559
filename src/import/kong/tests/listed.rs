//! Nothing is passed over in silence: what is other here has its line.

use super::*;

fn differs(imported: &Imported, line: &str) {
    let said = &imported.differs;
    assert!(said.iter().any(|it| it == line), "{line} in {said:#?}");
}

fn left_out(imported: &Imported, line: &str) {
    let said = &imported.left_out;
    assert!(said.iter().any(|it| it == line), "{line} in {said:#?}");
}

#[test]
fn a_route_for_get_answers_head_or_refuses_it() {
    let imported = service(
        "  routes: [{name: r, paths: [/r], methods: [GET]}, {name: q, paths: [/q], methods: [GET, HEAD]}]\n",
    );
    differs(
        &imported,
        "methods: a route for GET takes HEAD, too, unless another one names it; in Kong it has to be listed. This is so for r",
    );
    assert_eq!(imported.left_out, [""; 0]);
    let closed = "{name: closed, paths: [/r], plugins: [{name: ip-restriction, config: {allow: [10.0.0.1]}}]}";
    let open = "{name: open, paths: [/r/x], methods: [GET]}";
    let imported = service(&format!("  routes: [{closed}, {open}]\n"));
    has(
        &imported,
        "[[route]]\nname = \"closed-2\"\nprefix = \"/r/x\"\nmethods = [\"HEAD\"]\nrespond = { status = 503, body = \"This route was not taken over.\\n\" }\n",
    );
    left_out(
        &imported,
        "route open: `HEAD` under `/r/x` gets 503: it is for the route closed in Kong, and a route for GET takes it here",
    );
    let head = open.replace("[GET]", "[GET, HEAD]");
    let imported = service(&format!("  routes: [{closed}, {head}]\n"));
    assert!(!imported.toml.contains("503"), "{}", imported.toml);
    let keyed = "{name: closed, paths: [/r], plugins: [{name: key-auth}]}";
    let imported = service(&format!(
        "  routes: [{keyed}, {}]\n",
        open.replace("/r/x", "/r")
    ));
    assert!(!imported.toml.contains("503"), "{}", imported.toml);
}

#[test]
fn a_slash_at_the_end_is_said() {
    let imported =
        service("  routes: [{name: r, paths: [/r/, /q]}, {name: s, paths: [/s, /s/]}]\n");
    differs(
        &imported,
        "paths: a slash at the end asks for nothing: `/a/` takes `/a`, too. This is so for /r",
    );
    assert_eq!(imported.left_out, [""; 0]);
    let imported = service(
        "  routes: [{name: all, paths: [/], plugins: [{name: key-auth}]}, {name: login, paths: [/login/]}]\n",
    );
    left_out(
        &imported,
        "route login: requests for `/login` itself, which has no slash at its end: they are for the route all in Kong, and this one lets more callers in",
    );
}

#[test]
fn keys_of_routes_and_of_the_whole_file() {
    let imported = service(
        "  routes: [{name: r, paths: [/r], request_buffering: true, response_buffering: true, regex_priority: 5}, {name: q, paths: [/q], request_buffering: false}]\n_info: {defaults: {service: {retries: 1}}}\n",
    );
    differs(
        &imported,
        "request_buffering: bodies of requests are passed on as they come. This is so for r",
    );
    differs(
        &imported,
        "response_buffering: answers are passed on as they come. This is so for r",
    );
    left_out(&imported, "route r: `regex_priority` has no counterpart");
    left_out(
        &imported,
        "_info.defaults: `retries` for every service: write it where it holds",
    );
}

#[test]
fn what_checks_lose() {
    let imported = upstream(
        "  targets: [{target: 'a:1'}]\n  hash_on: header\n  hash_on_header: x-a\n  healthchecks:\n    active: {healthy: {interval: 5, successes: 0}, unhealthy: {interval: 0, http_statuses: [500], http_failures: 2, tcp_failures: 0}}\n    passive: {type: tcp, healthy: {successes: 3}, unhealthy: {tcp_failures: 2}}\n",
    );
    has(&imported, "balance = \"hash\"\nhash_by = \"header:x-a\"\n");
    has(&imported, "breaker = { failures = 2, statuses = [] }");
    let at = "upstream up: healthchecks";
    for line in [
        "upstream up: `hash_fallback` is none; here it is the address",
        &format!("{at}.active: its two intervals are one here: 5 seconds"),
        &format!("{at}.active: `healthy.successes: 0`: these count here, too"),
        &format!("{at}.active: `unhealthy.tcp_failures: 0`: these count here, too"),
        &format!(
            "{at}.active: `unhealthy.http_statuses`: every status that is not a healthy one is a failure"
        ),
        &format!("{at}.passive: `healthy.successes: 3`: one that succeeds after a pause is enough"),
        &format!("{at}.passive: `type: tcp`: errors of HTTP count, too"),
    ] {
        differs(&imported, line);
    }
}

#[test]
fn what_an_anonymous_consumer_has() {
    let imported = import(
        "services: [{name: s, url: 'http://s.test', routes: [{name: r, paths: [/r], plugins: [{name: key-auth, config: {anonymous: guest}}, {name: acl, config: {allow: [guests]}}]}]}]\n\
         consumers: [{username: guest, acls: [{group: guests}], groups: [{name: gold}], plugins: [{name: rate-limiting, config: {minute: 5}}]}]\n",
    );
    differs(
        &imported,
        "key-auth of r: `anonymous: guest`: callers without a key have no name here, and services get none",
    );
    left_out(
        &imported,
        "key-auth of r: `anonymous: guest`: callers without a key are not in its group `guests`, and get 401 where `acl` asks for it",
    );
    left_out(
        &imported,
        "key-auth of r: `anonymous: guest`: its plugin `rate-limiting` is not for callers without a key",
    );
    left_out(&imported, "consumer guest: its consumer group `gold`");
}

#[test]
fn what_is_one_for_all_plugins_or_for_a_pair() {
    let imported = import(
        "services: [{name: s, url: 'http://s.test', routes: [{name: r, paths: [/r], plugins: [{name: key-auth, config: {hide_credentials: true}}]}, {name: q, paths: [/q], plugins: [{name: key-auth, config: {key_in_query: false}}, {name: rate-limiting, config: {minute: 5, policy: redis, redis: {host: h, ssl: true}}}, {name: cors, protocols: [grpc], config: {origins: ['https://a.test'], max_age: 100000}}]}]}]\n\
         consumers: [{username: a}]\nplugins: [{name: rate-limiting, route: r, consumer: a, config: {minute: 5}}, {name: rate-limiting, route: q, consumer: a, config: {minute: 5}}, {name: statsd, route: q, consumer: a, enabled: false}]\n",
    );
    for line in [
        "rate-limiting: a plugin for the route r and the consumer a, which has no counterpart",
        "rate-limiting: a plugin for the route q and the consumer a, which has no counterpart",
    ] {
        left_out(&imported, line);
    }
    assert_eq!(imported.left_out.len(), 2, "{:#?}", imported.left_out);
    for line in [
        "key-auth: `key_in_query` is one for all here, so keys are taken from the query, too: key-auth of q",
        "key-auth: `hide_credentials` is one for all here, so services get the key: key-auth of r",
        "Redis: its certificate is verified now, which Kong does with `ssl_verify` alone",
        "cors of q: `protocols: [grpc]`: it holds for all requests",
        "cors of q: `max_age` is a day: browsers keep it no longer",
    ] {
        differs(&imported, line);
    }
}
