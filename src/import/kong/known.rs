//! The keys of each of Kong's entities and plugins that are taken over, or that lose nothing as long as
//! they hold what Kong writes by default. Everything else that is set is listed.

use serde_json::Value;

use super::plugins::{Plugin, place};
use super::{called, entries};
use crate::import::Notes;

/// What is known of an entity, or of the configuration of a plugin.
struct Known {
    /// Keys that are taken over, or only describe.
    taken: &'static str,
    /// Keys that lose nothing with this value, which is their default.
    defaults: &'static [(&'static str, &'static str)],
}

/// Keys of all entities, which only describe.
const DESCRIBING: [&str; 6] = ["id", "name", "tags", "created_at", "updated_at", "ws_id"];

const SERVICE: Known = Known {
    taken: "url protocol host port path connect_timeout read_timeout retries tls_verify tls_verify_depth ca_certificates client_certificate enabled routes plugins",
    defaults: &[("write_timeout", "60000")],
};

/// How a request is matched is said in another place; which regular expression comes first does not
/// matter, for there are none.
const ROUTE: Known = Known {
    taken: "paths hosts methods strip_path preserve_host protocols service plugins headers snis sources destinations expression regex_priority request_buffering response_buffering",
    defaults: &[
        ("path_handling", "\"v0\""),
        ("https_redirect_status_code", "426"),
    ],
};

const UPSTREAM: Known = Known {
    taken: "algorithm host_header hash_on hash_on_header hash_on_cookie hash_fallback healthchecks targets client_certificate slots",
    defaults: &[("hash_on_cookie_path", "\"/\""), ("use_srv_name", "false")],
};

const HEALTHCHECKS: Known = Known {
    taken: "active passive",
    defaults: &[("threshold", "0")],
};

const ACTIVE: Known = Known {
    taken: "type timeout http_path healthy unhealthy concurrency",
    defaults: &[("https_verify_certificate", "true")],
};

const PASSIVE: Known = Known {
    taken: "type healthy unhealthy",
    defaults: &[],
};

const TARGET: Known = Known {
    taken: "target weight upstream",
    defaults: &[],
};

const CONSUMER: Known = Known {
    taken: "username custom_id keyauth_credentials acls plugins",
    defaults: &[],
};

const KEY: Known = Known {
    taken: "key ttl consumer",
    defaults: &[],
};

const GROUP: Known = Known {
    taken: "group consumer",
    defaults: &[],
};

/// A plugin beside its configuration.
const PLUGIN: Known = Known {
    taken: "config enabled service route consumer consumer_group instance_name protocols",
    defaults: &[],
};

/// The plugins that are taken over.
const PLUGINS: [(&str, Known); 10] = [
    (
        "key-auth",
        Known {
            taken: "key_names key_in_header key_in_query key_in_body hide_credentials anonymous",
            defaults: &[("run_on_preflight", "true")],
        },
    ),
    (
        "acl",
        Known {
            taken: "allow whitelist deny blacklist hide_groups_header",
            defaults: &[
                ("always_use_authenticated_groups", "false"),
                ("include_consumer_groups", "false"),
            ],
        },
    ),
    (
        "ip-restriction",
        Known {
            taken: "allow whitelist deny blacklist",
            defaults: &[("status", "403")],
        },
    ),
    (
        "rate-limiting",
        Known {
            taken: "second minute hour day month year limit_by policy redis redis_host redis_port redis_database redis_username redis_password redis_ssl",
            defaults: &[
                ("error_code", "429"),
                ("error_message", "\"API rate limit exceeded\""),
                ("fault_tolerant", "true"),
                ("hide_client_headers", "false"),
                ("sync_rate", "-1"),
                ("redis_timeout", "2000"),
                ("redis_ssl_verify", "false"),
            ],
        },
    ),
    (
        "cors",
        Known {
            taken: "origins methods headers exposed_headers credentials max_age preflight_continue",
            defaults: &[
                ("private_network", "false"),
                ("allow_origin_absent", "true"),
            ],
        },
    ),
    (
        "request-transformer",
        Known {
            taken: "remove rename replace add append",
            defaults: &[],
        },
    ),
    (
        "response-transformer",
        Known {
            taken: "remove rename replace add append",
            defaults: &[],
        },
    ),
    (
        "request-size-limiting",
        Known {
            taken: "allowed_payload_size size_unit",
            defaults: &[("require_content_length", "false")],
        },
    ),
    (
        "request-termination",
        Known {
            taken: "status_code message body content_type trigger",
            defaults: &[("echo", "false")],
        },
    ),
    (
        "correlation-id",
        Known {
            taken: "header_name generator echo_downstream",
            defaults: &[],
        },
    ),
];

/// The table `redis` of a limit.
const REDIS: Known = Known {
    taken: "host port database username password ssl",
    defaults: &[
        ("timeout", "2000"),
        ("connect_timeout", "2000"),
        ("read_timeout", "2000"),
        ("send_timeout", "2000"),
        ("ssl_verify", "false"),
        ("cluster_max_redirections", "5"),
        ("keepalive_pool_size", "256"),
        ("sentinel_role", "\"master\""),
        ("connection_is_proxied", "false"),
    ],
};

/// Lists what is set in the file, and lost.
pub(super) fn unknown(document: &Value, plugins: &[Plugin<'_>], notes: &mut Notes) {
    let of = |kind: &str, entity: &Value| format!("{kind} {}", called(entity));
    let nested = |list: &'static str, inner: &'static str| {
        entries(document, list).flat_map(move |entity| entries(entity, inner))
    };
    for service in entries(document, "services") {
        SERVICE.check(service, &of("service", service), notes);
    }
    for route in nested("services", "routes").chain(entries(document, "routes")) {
        ROUTE.check(route, &of("route", route), notes);
    }
    for upstream in entries(document, "upstreams") {
        let place = of("upstream", upstream);
        UPSTREAM.check(upstream, &place, notes);
        let part = |value: &'_ Value, key: &str| value.get(key).cloned().unwrap_or_default();
        let checks = part(upstream, "healthchecks");
        HEALTHCHECKS.check(&checks, &format!("{place}: healthchecks"), notes);
        for (key, known) in [("active", ACTIVE), ("passive", PASSIVE)] {
            let place = format!("{place}: healthchecks.{key}");
            known.check(&part(&checks, key), &place, notes);
        }
    }
    for target in nested("upstreams", "targets").chain(entries(document, "targets")) {
        TARGET.check(target, "targets", notes);
    }
    for consumer in entries(document, "consumers") {
        CONSUMER.check(consumer, &of("consumer", consumer), notes);
    }
    for (list, known) in [("keyauth_credentials", KEY), ("acls", GROUP)] {
        for entry in nested("consumers", list).chain(entries(document, list)) {
            known.check(entry, list, notes);
        }
    }
    for plugin in plugins {
        of_plugin(plugin, notes);
    }
}

/// The same of a plugin that is taken over; of another one all is lost, which is said by its route.
fn of_plugin(plugin: &Plugin<'_>, notes: &mut Notes) {
    let Some((_, known)) = PLUGINS.iter().find(|(name, _)| *name == plugin.name) else {
        return;
    };
    let place = place(plugin);
    PLUGIN.check(plugin.whole, &place, notes);
    known.check(plugin.config, &place, notes);
    if let Some(redis) = plugin.config.get("redis") {
        REDIS.check(redis, &format!("{place}: redis"), notes);
    }
}

impl Known {
    /// Lists the keys of an entity that say something and are not known. Their values may be secrets.
    fn check(&self, entity: &Value, place: &str, notes: &mut Notes) {
        for (key, value) in entity.as_object().into_iter().flatten() {
            let is_taken =
                DESCRIBING.contains(&&**key) || self.taken.split(' ').any(|it| it == key);
            let written = value.to_string();
            let is_default = |(name, default): &(&str, &str)| key == name && written == *default;
            if !is_taken && !says_nothing(value) && !self.defaults.iter().any(is_default) {
                notes.left_out(place, format!("`{key}` has no counterpart"));
            }
        }
    }
}

/// Whether a value is there and empty, as exports write what is not set.
fn says_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.values().all(says_nothing),
        Value::String(text) => text.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::import;

    #[test]
    fn what_is_set_and_lost_is_listed_one_by_one() {
        let imported = import(
            "services:\n- name: s\n  url: http://s.test\n  write_timeout: 1234\n  plugins: [{name: rate-limiting, ordering: {before: {access: [a]}}, config: {minute: 5, error_code: 503, redis: {ssl: false, sentinel_password: hunter2}}}]\n  routes:\n\
             \x20 - {name: r, paths: [/r], path_handling: v1, https_redirect_status_code: 301, plugins: [{name: request-transformer, config: {http_method: POST, add: {headers: ['x-a:1']}}}, {name: ip-restriction, config: {allow: [10.0.0.0/8], status: 404, message: no}}]}\n\
             \x20 - {name: q, paths: [/q], plugins: [{name: key-auth, config: {run_on_preflight: false}}, {name: cors, config: {origins: ['https://a.test'], private_network: true}}]}\n\
             upstreams: [{name: u, use_srv_name: true, healthchecks: {threshold: 50, active: {headers: {x: [y]}}}, targets: [{target: a, cache: 1}]}]\n\
             consumers: [{username: c, jwt_secrets: [{key: k}], keyauth_credentials: [{key: k, scope: x}]}]\n",
        );
        let mut left_out = imported.left_out;
        left_out.sort();
        assert_eq!(
            left_out,
            [
                "consumer c: `jwt_secrets` has no counterpart",
                "cors of q: `private_network` has no counterpart",
                "ip-restriction of r: `message` has no counterpart",
                "ip-restriction of r: `status` has no counterpart",
                "key-auth of q: `run_on_preflight` has no counterpart",
                "keyauth_credentials: `scope` has no counterpart",
                "rate-limiting of s: `error_code` has no counterpart",
                "rate-limiting of s: `ordering` has no counterpart",
                "rate-limiting of s: redis: `sentinel_password` has no counterpart",
                "request-transformer of r: `http_method` has no counterpart",
                "route r: `https_redirect_status_code` has no counterpart",
                "route r: `path_handling` has no counterpart",
                "service s: `write_timeout` has no counterpart",
                "targets: `cache` has no counterpart",
                "upstream u: `use_srv_name` has no counterpart",
                "upstream u: healthchecks.active: `headers` has no counterpart",
                "upstream u: healthchecks: `threshold` has no counterpart",
            ]
        );
    }

    /// What `deck gateway dump` writes of an entity that says nothing but its name.
    #[test]
    fn what_is_as_by_default_is_not_listed() {
        let imported = import(
            "services:\n- {name: s, host: s.test, port: 80, protocol: http, path: null, connect_timeout: 60000, read_timeout: 60000, write_timeout: 60000, retries: 5, enabled: true, tags: [], tls_verify: null, routes: [{name: r, paths: [/r], protocols: [http, https], path_handling: v0, https_redirect_status_code: 426, regex_priority: 0, request_buffering: true, response_buffering: true, strip_path: true, preserve_host: false, headers: {}, snis: null}]}\n\
             plugins:\n- {name: rate-limiting, enabled: true, protocols: [grpc, grpcs, http, https], config: {minute: 5, hour: null, policy: local, limit_by: consumer, error_code: 429, error_message: API rate limit exceeded, fault_tolerant: true, hide_client_headers: false, header_name: null, path: null, sync_rate: -1, redis: {host: null, port: 6379, password: null, ssl: false, ssl_verify: false, timeout: 2000, database: 0}}}\n",
        );
        assert_eq!(imported.left_out, [""; 0]);
    }
}
