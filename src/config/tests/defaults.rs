//! Every default of the schema, and every value that says the same as its absence.

use std::time::Duration;

use super::*;
use crate::config::{AccessLog, LogFormat};
use crate::limit::{Lease, LimitHeaders, OnFailure};
use crate::message::forward::OddFieldNames;
use crate::route::{EncodedControls, EncodedSlash, PathEncoding};
use crate::server::{ListenAddress, Serves};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn settings_that_are_not_written_are_as_documented() {
    let settings = good("[limits.redis]\nurl = \"redis://h\"\n").settings;
    let listen = ListenAddress {
        address: "0.0.0.0:3000".parse().unwrap(),
        serves: Serves::Plain,
        announced: false,
    };
    assert_eq!(settings.listen, [listen]);
    assert_eq!(
        settings.workers,
        std::thread::available_parallelism().unwrap().get()
    );
    assert_eq!(settings.max_connections, 10_000);
    assert_eq!(settings.drain_timeout, 30 * SECOND);
    assert!(!settings.watch);
    assert_eq!(settings.max_keys, 1_000_000);
    assert_eq!(settings.state_file, None);
    assert_eq!(settings.log_level, tracing::Level::INFO);
    assert_eq!(settings.log_format, LogFormat::Auto);
    assert_eq!(settings.access_log, AccessLog::Stdout);
    let redis = settings.redis.unwrap();
    assert_eq!(redis.on_failure, OnFailure::Local);
    assert_eq!(redis.deadline, Duration::from_millis(25));
    assert_eq!(redis.key_prefix, "tollgate");
    assert_eq!(redis.lease, Lease::Auto);
}

#[test]
fn what_else_is_not_written_is_as_documented() {
    let snapshot = good("[routes]\n\"/a\" = \"http://localhost:4001\"\n").snapshot;
    assert!(snapshot.tls.is_none());
    let names = &snapshot.access.names;
    assert_eq!(names.api_key, "x-api-key");
    assert!(!names.forward_api_key);
    assert_eq!(names.client, "x-client-id");
    assert_eq!(names.request_id, "x-request-id");
    assert_eq!(names.odd, OddFieldNames::Drop);
    assert_eq!(snapshot.access.protected.iter().count(), 0);
    assert!(snapshot.access.clients.is_empty());

    assert!(snapshot.limits.anonymous.is_none());
    assert!(snapshot.limits.identified.is_none());
    assert_eq!(snapshot.limits.headers, LimitHeaders::Standard);
    assert_eq!(snapshot.limits.ipv6_prefix, 64);

    assert!(snapshot.trusted_proxies.is_empty());
    assert_eq!(snapshot.head_limits.max_bytes, 64 * 1024);
    assert_eq!(snapshot.head_limits.max_fields, 100);
    assert_eq!(snapshot.header_timeout, 10 * SECOND);
    assert_eq!(snapshot.idle_timeout, 75 * SECOND);

    let route = &snapshot.routes.routes()[0];
    assert!(route.hosts.is_empty());
    assert!(route.methods.is_empty());
    assert!(route.strip_prefix);
    assert_eq!(route.timeout, 30 * SECOND);
    assert_eq!(route.body_limit, None);
    assert_eq!(route.encoded_slash, EncodedSlash::Reject);
    assert_eq!(route.encoded_controls, EncodedControls::Reject);
    assert!(route.merge_slashes);
    assert_eq!(route.path_encoding, PathEncoding::Utf8);
    assert_eq!(route.cost.get(), 1);
    let upstream = &snapshot.upstreams[route.upstream().unwrap()];
    assert_eq!(&*upstream.name, "http://localhost:4001");
    assert_eq!(upstream.rules.connect_timeout, 2 * SECOND);
    assert_eq!(upstream.rules.idle_timeout, 60 * SECOND);
    assert_eq!(upstream.rules.max_idle, 1024);
}

#[test]
fn without_redis_counters_live_in_this_process() {
    assert!(good("").settings.redis.is_none());
}

/// What says no more than its absence is taken, though more would not be supported yet.
#[test]
fn what_asks_for_nothing_more_is_taken() {
    let loaded = good(
        r#"
        [[route]]
        prefix = "/a"
        upstream = "a"
        limits = []
        cost = 1
        [upstreams.a]
        endpoints = [{ url = "http://localhost:4001" }]
        [limits]
        anonymous = { requests = 1, per = "1s", algorithm = "fixed-window" }
        [limits.redis]
        url = ["redis://h"]
        mode = "single"
        lease = "off"
        [admin]
        listen = "off"
        "#,
    );
    assert_eq!(loaded.settings.redis.unwrap().lease, Lease::Off);
}

#[test]
fn a_client_is_held_to_its_tier_or_to_identified() {
    let loaded = good(
        r#"
        [clients.a]
        tier = "gold"
        [clients.b]
        [limits]
        identified = { requests = 600, per = "1m", algorithm = "fixed-window" }
        [limits.tiers.gold]
        requests = 6000
        per = "1h"
        "#,
    );
    let of = |index: usize| {
        let policy = loaded.snapshot.access.clients[index].policy.as_ref();
        let policy = policy.unwrap();
        (
            policy.name.to_string(),
            policy.limit.requests(),
            policy.limit.window(),
        )
    };
    assert_eq!(of(0), ("gold".to_owned(), 6000, 3600 * SECOND));
    assert_eq!(of(1), ("identified".to_owned(), 600, 60 * SECOND));
}

#[test]
fn one_url_is_one_upstream() {
    let loaded = good(
        r#"
        [routes]
        "/a" = "http://localhost"
        "/b" = "http://localhost:80/"
        "/c" = { upstream = "http://localhost:80" }
        "/d" = "http://localhost:81"
        "#,
    );
    let mut names: Vec<_> = loaded
        .snapshot
        .upstreams
        .iter()
        .map(|upstream| upstream.name.to_string())
        .collect();
    names.sort();
    assert_eq!(names, ["http://localhost:80", "http://localhost:81"]);
}
