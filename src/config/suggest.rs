//! What an unknown word was meant to be: the known one that is closest, or what is called otherwise
//! elsewhere.

use std::cmp::Reverse;

/// The word of `known` that `word` was most likely meant to be.
pub(super) fn closest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    // Long words are no slips, and comparing them takes time that grows with their product.
    if word.len() > 128 {
        return None;
    }
    let word = plain(word);
    let same_beginning = |known: &str| {
        let pairs = word.bytes().zip(known.bytes());
        pairs.take_while(|(one, other)| one == other).count()
    };
    known
        .into_iter()
        .map(|known| {
            let distance = strsim::osa_distance(&word, &plain(known));
            (distance, Reverse(same_beginning(known)), known)
        })
        // One slip in three letters, and at least one.
        .filter(|(distance, _, known)| *distance <= (known.chars().count() / 3).clamp(1, 3))
        // Of two that are equally close, always the same one.
        .min()
        .map(|(.., known)| known)
}

/// Keys, and what other programs call them.
const SYNONYMS: [&str; 61] = [
    "upstream endpoints url upstreams path: url uri target to backend service services proxy_pass destination server servers address origin endpoint targets backends",
    "prefix: path paths location match pattern context uri_prefix",
    "hosts url: host domain domains hostname hostnames server_name virtual_host",
    "methods: method verb verbs http_methods allow_methods allowed_methods",
    "strip_prefix: strip stripprefix strip_path",
    "replace_prefix: rewrite rewrite_path rewrite_target replace_path",
    "body_limit: max_body max_body_size body_size client_max_body_size request_size max_request_size",
    "timeout: read_timeout proxy_read_timeout response_timeout request_timeout send_timeout timeout_ms timeout_seconds",
    "connect_timeout: proxy_connect_timeout dial_timeout",
    "keep: keepalive keep_alive max_idle pool_size idle_connections",
    "idle_timeout: keepalive_timeout keep_alive_timeout idle",
    "limits: rate_limit rate_limits ratelimit ratelimits rate_limiting throttle throttling quota quotas",
    "requests attempts: request max count rate rps calls",
    "per: window period interval duration seconds",
    "algorithm mode: strategy kind type",
    "tier groups level: plan group level",
    "listen url: port ports bind addr listen_on listeners entrypoints",
    "clients username token: consumer consumers user users api_key_clients callers",
    "keys token: key api_key apikey api_keys apikeys token tokens secret hashes",
    "expires_at: expires expiry expiration valid_until not_after expires_on",
    "not_before: valid_from nbf starts_at begins_at",
    "password token: password pass passwd requirepass auth",
    "protected: private protect secure require_key require_auth auth_required",
    "api_key_header: key_header header_name api_key_name",
    "workers: thread threads worker_processes worker_threads cores",
    "trusted_proxies: trusted trust_proxy real_ip set_real_ip_from real_ip_header trust_x_forwarded_for",
    "log: logging logs logger",
    "drain_timeout: shutdown_timeout graceful_timeout grace_period stop_timeout",
    "health: healthcheck healthchecks health_check health_checks active_health_check grpc_health_check",
    "retry attempts: retries retry_attempts num_retries max_retries proxy_next_upstream",
    "breaker: circuit_breaker circuitbreaker circuit_breakers outlier_detection passive_health_check",
    "balance: load_balancing loadbalancing load_balancer lb lb_policy balancer",
    "hash_by: hash_on hash_key sticky",
    "proxy_protocol: send_proxy send_proxy_v2 proxyprotocol accept_proxy upstream_proxy_protocol",
    "try_timeout: per_try_timeout proxy_next_upstream_timeout",
    "max_requests: max_concurrent max_concurrency concurrency max_conns max_pending_requests",
    "tls: ssl https",
    "certificates cert: certificate certs",
    "cert: cert_file certfile ssl_certificate",
    "key: key_file keyfile private_key ssl_certificate_key",
    "ca: ca_file cafile ca_cert ca_certificates trusted_certificate",
    "verify: tls_verify ssl_verify proxy_ssl_verify",
    "server_name: sni proxy_ssl_name tls_server_name",
    "traces: trace tracing tracer opentelemetry otel otlp jaeger zipkin",
    "sample: sample_rate sampling sampling_rate sampler ratio probability",
    "min_version: protocol protocols ssl_protocols tls_version tls_versions minimum_version",
    "up: healthy_threshold rise success_threshold",
    "down failures: unhealthy_threshold fall failure_threshold threshold",
    "failures: max_fails error_limit consecutive_failures consecutive_errors consecutive_5xx",
    "cool_down: fail_timeout base_ejection_time open_timeout reset_timeout",
    "origins: allowed_origins allow_origins allow_origin",
    "headers: allowed_headers allow_headers",
    "expose: exposed_headers expose_headers",
    "credentials: allow_credentials allowed_credentials supports_credentials",
    "ip_allow: whitelist allowlist allow_ips allowed_ips",
    "ip_deny: blacklist denylist blocklist denied_ips",
    "add: append",
    "remove: delete unset",
    "status: code status_code",
    "body: text content",
    "routes_file clients_file: include includes import imports",
];

/// Words of other programs for what is done otherwise here, or not at all.
const NOTES: [&str; 10] = [
    "insecure insecure_skip_verify skip_verify tls_insecure_skip_verify: write `verify = false` in `tls` of the upstream: anybody is taken for the service then",
    "access_log accesslog: write `access = \"PATH\"` in `[log]`",
    "db database dbindex: the database of Redis stands in `url`: `redis://HOST:PORT/1`",
    "auth authentication authorization jwt oauth oauth2 oidc basic_auth: clients are known by API keys alone: they stand in `[clients.NAME]`, and what needs one in `access.protected`",
    "metrics prometheus statsd: metrics are collected by Prometheus from `/metrics` of the admin port, which is `listen` in `[admin]`",
    "http2 h2: there is no HTTP/2 yet, for clients or to services: put nginx or a load balancer in front",
    "protocol protocols: HTTP/1.1 is what is spoken to services; there is no HTTP/2 yet",
    "websocket websockets: they pass without a key for them",
    "cache caching compression gzip: there is no such thing",
    "plugin plugins middleware middlewares filter filters handlers scripts: there are none: what the gateway does stands in `[access]`, `[limits]` and routes",
];

/// Keys and words of other programs that are found in many tables: of another one nothing is to be learnt.
const GENERIC: [&str; 14] = [
    "key", "type", "kind", "max", "count", "level", "name", "mode", "path", "url", "to", "match",
    "text", "code",
];

const CERT_AND_KEY: &str =
    "cert key cert_file certfile ssl_certificate key_file keyfile private_key ssl_certificate_key";
const CERTIFICATES: &str = "what clients are shown stands in `[[tls.certificates]]`, what a service is shown in `[upstreams.NAME.tls]`: `cert` and `key` in both";

/// Words in tables where they have a meaning of their own: how the table's path ends, the words, and what to
/// say.
const IN_TABLES: [(&str, &str, &str); 12] = [
    (
        "admin",
        "enabled enable disabled disable off on",
        "`listen` says it: `listen = \"off\"` is no admin port, and an address is one",
    ),
    (
        "server",
        "timeout timeouts read_timeout client_timeout",
        "`header_timeout` and `idle_timeout` are here; `timeout` is for a route",
    ),
    (
        "routes",
        "headers header add_headers add_header set_headers set_header",
        "`request_headers` and `response_headers` change fields: `request_headers = { set = { NAME = \"VALUE\" } }`",
    ),
    ("tls", CERT_AND_KEY, CERTIFICATES),
    ("listen", CERT_AND_KEY, CERTIFICATES),
    ("breaker", "timeout", "did you mean `cool_down`?"),
    ("limits.redis", "timeout", "did you mean `deadline`?"),
    (
        "limits",
        "store backend storage",
        "the store that gateways share is `redis`: `redis = { url = \"redis://HOST:PORT\" }`",
    ),
    (
        "limits",
        "default global ip address authenticated client clients user users",
        "`anonymous` is the limit of each address without a key, and `identified` that of each client",
    ),
    (
        "log",
        "file path output",
        "a file for the access log is `access = \"PATH\"`; the operator's log goes to standard error",
    ),
    (
        "clients.*",
        "limit limits rate_limit ratelimit quota",
        "the limit of a client is that of its `tier`, in `[limits.tiers]`",
    ),
    (
        "clients.*.keys",
        "key value secret token password",
        "did you mean `hash`? A key does not stand here: if this is one, treat it as leaked, and make another with `tollgate keys new`",
    ),
];

/// What to know of a word in a table, by how a user would write its path.
pub(super) fn note_in(table: &str, word: &str) -> Option<String> {
    let is_field = word.contains('-') || matches!(word, "authorization" | "cookie" | "host");
    if table.ends_with("_headers") && is_field {
        return Some(format!("did you mean `set = {{ {word} = ... }}`?"));
    }
    if table == "route" && word.starts_with('/') {
        return Some(format!("`\"{word}\" = ...` belongs in `[routes]`"));
    }
    let is_route = table == "route" || table.starts_with("routes.");
    let table = if is_route { "routes" } else { table };
    let word = plain(word);
    let is_it = |path: &str| {
        let (mut own, mut ends) = (table.rsplit('.'), path.rsplit('.'));
        let fits = ends.all(|end| own.next().is_some_and(|own| end == "*" || own == end));
        // What is below it is another table.
        fits && (path == "breaker" || own.next().is_none())
    };
    let mut notes = IN_TABLES.iter();
    let note = notes.find(|(of, words, _)| words.split(' ').any(|it| it == word) && is_it(of));
    note.map(|(.., said)| (*said).to_owned())
}

/// The keys that other programs call so, whichever there is in a table, with a blank between each two.
pub(super) fn called_here(word: &str) -> Option<&'static str> {
    let word = plain(word);
    let mut lines = SYNONYMS.iter().filter_map(|line| line.split_once(": "));
    let line = lines.find(|(_, words)| words.split(' ').any(|one| one == word));
    line.map(|(keys, _)| keys)
}

/// What to know of a word that no key stands for.
pub(super) fn note(word: &str) -> Option<&'static str> {
    let word = plain(word);
    let mut lines = NOTES.iter().filter_map(|line| line.split_once(": "));
    let line = lines.find(|(words, _)| words.split(' ').any(|one| one == word));
    line.map(|(_, note)| note)
}

/// Whether a word means something else in each table.
pub(super) fn is_generic(word: &str) -> bool {
    GENERIC.contains(&&*plain(word))
}

/// A word without what does not tell it from others.
fn plain(word: &str) -> String {
    word.to_ascii_lowercase().replace('-', "_")
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn slips_are_seen_through() {
        let known = [
            "protected",
            "api_key_header",
            "per",
            "keys",
            "cost",
            "hosts",
        ];
        for (word, meant) in [
            ("protcted", Some("protected")),
            ("Protected", Some("protected")),
            ("api-key-header", Some("api_key_header")),
            ("pre", Some("per")),
            ("key", Some("keys")),
            // `cost` is as close, and begins otherwise.
            ("host", Some("hosts")),
            ("window", None),
            ("", None),
        ] {
            assert_eq!(closest(word, known), meant, "{word}");
        }
        assert_eq!(closest(&"protected".repeat(1000), known), None);
    }

    #[test]
    fn each_word_means_one_thing_and_keys_that_there_are() {
        let (mut called, mut noted) = (HashSet::new(), HashSet::new());
        for line in SYNONYMS {
            let (keys, words) = line.split_once(": ").unwrap();
            for word in words.split(' ') {
                assert!(called.insert(word), "{word} stands there twice");
                assert_eq!(called_here(&word.to_uppercase()), Some(keys));
            }
            for key in keys.split(' ') {
                assert!(crate::config::home(key).is_some(), "{key}");
            }
        }
        for line in NOTES {
            let (words, said) = line.split_once(": ").unwrap();
            for word in words.split(' ') {
                assert!(noted.insert(word), "{word} stands there twice");
                assert_eq!(note(&word.replace('_', "-")), Some(said));
            }
        }
        assert_eq!((called_here("colour"), note("colour")), (None, None));
    }
}
