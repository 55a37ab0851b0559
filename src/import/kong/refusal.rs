//! Routes that refuse, in the place of those that keep callers out and cannot be taken over.

use serde_json::Value;

use super::matching::{Made, Rank, refusal_pairs};
use super::paths::{beginning, begins, is_below_slash, is_regex, prefix};
use super::{address, called, strings};
use crate::import::draft::{Route, list};
use crate::import::problem_of_route;

/// A route that answers in the place of one which cannot be taken over; `path` may be a regular
/// expression. With `wants_key` a key is all that this one asked for.
pub(super) fn refusal(route: &Value, path: &str, wants_key: bool) -> Made {
    let mut hosts = hosts(route);
    // One that cannot be said here stands for all.
    if !hosts.iter().all(|host| is_host(host)) {
        hosts.clear();
    }
    let (begins, prefix) = match prefix(path) {
        Ok(prefix) if !is_regex(path) => (begins(path, &prefix), prefix),
        _ => beginning(path),
    };
    Made {
        route: Route {
            name: called(route).to_owned(),
            prefix,
            hosts,
            methods: strings(route, "methods"),
            pairs: refusal_pairs(),
            limits: Vec::new(),
        },
        wants_key,
        keyed_for: Vec::new(),
        begins,
        is_below_slash: is_below_slash(path),
        rank: Rank::of(route, path, is_regex(path)),
        source: address(route),
        is_copy: false,
    }
}

/// The hosts of a route, each once.
pub(super) fn hosts(route: &Value) -> Vec<String> {
    let mut hosts: Vec<String> = Vec::new();
    for host in strings(route, "hosts") {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        if !hosts.contains(&host) {
            hosts.push(host);
        }
    }
    hosts
}

/// Whether a host can be said here: a name, or `*.` and a name.
pub(super) fn is_host(host: &str) -> bool {
    let name = host.strip_prefix("*.").unwrap_or(host);
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
    !name.is_empty()
        && name.bytes().all(plain)
        && problem_of_route("hosts", &list(&[host])).is_none()
}
