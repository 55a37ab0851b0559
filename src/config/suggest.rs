//! What an unknown word was meant to be: the known one that is closest, or what is called otherwise
//! elsewhere.

use std::cmp::Reverse;

/// The word of `known` that `word` was most likely meant to be.
pub(super) fn closest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    // Long words are no slips, and comparing them takes time that grows with their product.
    if word.len() > 128 {
        return None;
    }
    let plain = |text: &str| text.to_ascii_lowercase().replace('-', "_");
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

/// What something is called here, or what to know of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meant {
    /// One of these keys, whichever there is in the table.
    Keys(&'static [&'static str]),
    /// There is no key for it.
    Note(&'static str),
}

use Meant::{Keys, Note};

/// Words of other programs, and what they are here.
const SYNONYMS: [(&str, Meant); 33] = [
    (
        "url uri target to backend service services proxy_pass destination server servers address origin endpoint",
        Keys(&["upstream", "endpoints", "url", "upstreams"]),
    ),
    (
        "path paths location match pattern context uri_prefix",
        Keys(&["prefix"]),
    ),
    (
        "host domain domains hostname hostnames server_name virtual_host",
        Keys(&["hosts"]),
    ),
    ("method verb verbs http_methods", Keys(&["methods"])),
    (
        "strip stripprefix strip_path rewrite",
        Keys(&["strip_prefix"]),
    ),
    (
        "max_body max_body_size body_size client_max_body_size request_size max_request_size",
        Keys(&["body_limit"]),
    ),
    (
        "read_timeout proxy_read_timeout response_timeout request_timeout send_timeout",
        Keys(&["timeout"]),
    ),
    (
        "proxy_connect_timeout dial_timeout",
        Keys(&["connect_timeout"]),
    ),
    (
        "keepalive keep_alive max_idle pool_size idle_connections",
        Keys(&["keep"]),
    ),
    (
        "keepalive_timeout keep_alive_timeout idle",
        Keys(&["idle_timeout"]),
    ),
    (
        "rate_limit rate_limits ratelimit ratelimits rate_limiting throttle throttling quota quotas",
        Keys(&["limits"]),
    ),
    ("request max count rate rps calls", Keys(&["requests"])),
    ("window period interval duration seconds", Keys(&["per"])),
    ("strategy kind type", Keys(&["algorithm", "mode"])),
    ("plan group level", Keys(&["tier", "groups", "level"])),
    (
        "port ports bind addr listen_on listeners entrypoints",
        Keys(&["listen"]),
    ),
    (
        "consumer consumers user users api_key_clients callers",
        Keys(&["clients"]),
    ),
    (
        "key api_key apikey api_keys apikeys token tokens secret hashes",
        Keys(&["keys"]),
    ),
    (
        "expires expiry expiration valid_until not_after expires_on",
        Keys(&["expires_at"]),
    ),
    ("valid_from nbf starts_at begins_at", Keys(&["not_before"])),
    (
        "private protect secure require_key require_auth auth_required",
        Keys(&["protected"]),
    ),
    (
        "key_header header_name api_key_name",
        Keys(&["api_key_header"]),
    ),
    (
        "thread threads worker_processes worker_threads cores",
        Keys(&["workers"]),
    ),
    (
        "trusted trust_proxy real_ip set_real_ip_from",
        Keys(&["trusted_proxies"]),
    ),
    (
        "access_log accesslog",
        Note("write `access = \"PATH\"` in `[log]`"),
    ),
    ("logging logs logger", Keys(&["log"])),
    (
        "shutdown_timeout graceful_timeout grace_period stop_timeout",
        Keys(&["drain_timeout"]),
    ),
    (
        "include includes import imports",
        Keys(&["routes_file", "clients_file"]),
    ),
    (
        "auth authentication authorization jwt oauth oauth2 oidc basic_auth",
        Note(
            "clients are known by API keys alone: they stand in `[clients.NAME]`, and what needs one in `access.protected`",
        ),
    ),
    (
        "metrics prometheus tracing opentelemetry otel statsd",
        Note("there are no metrics yet: count the lines of the access log"),
    ),
    (
        "tls ssl https certificate certificates cert_file key_file http2 h2",
        Note(
            "there is no TLS or HTTP/2 for clients yet: put nginx or a load balancer in front; for TLS to Redis write `rediss://`",
        ),
    ),
    (
        "health healthcheck health_check health_checks retry retries retry_attempts circuit_breaker balance load_balancing lb cache caching compression gzip",
        Note(
            "there is no such thing: requests go to one endpoint, once; `GET /health` is answered by the gateway itself",
        ),
    ),
    (
        "plugin plugins middleware middlewares filter filters handlers scripts",
        Note("there are none: what the gateway does stands in `[access]`, `[limits]` and routes"),
    ),
];

/// What other programs mean by a word.
pub(super) fn synonym(word: &str) -> Option<Meant> {
    let word = word.to_ascii_lowercase().replace('-', "_");
    let mut all = SYNONYMS.iter();
    let means_it = |(words, _): &&(&str, Meant)| words.split(' ').any(|one| one == word);
    all.find(means_it).map(|(_, meant)| *meant)
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
        let mut seen = HashSet::new();
        for (words, meant) in SYNONYMS {
            for word in words.split(' ') {
                assert!(seen.insert(word), "{word} stands there twice");
                assert_eq!(synonym(&word.to_uppercase()), Some(meant));
            }
            if let Keys([first, ..]) = meant {
                assert!(crate::config::home(first).is_some(), "{first}");
            }
        }
        assert_eq!(synonym("colour"), None);
    }
}
