//! How Kong finds out that a target fails: active checks, and what it learns from requests.

use serde_json::Value;

use super::{entries, number, text};
use crate::import::Notes;
use crate::import::draft::{Pair, inline, quoted};

/// Active checks; Kong has none with an interval of 0.
pub(super) fn health(
    active: &Value,
    scheme: &str,
    place: &str,
    own: &mut Vec<Pair>,
    notes: &mut Notes,
) {
    let [healthy, unhealthy] = ["healthy", "unhealthy"].map(|part| active.get(part));
    let parts = [healthy, unhealthy].into_iter().flatten();
    let interval = |part| number(part, "interval").filter(|time| *time > 0);
    let intervals = parts.clone().filter_map(interval);
    let is_fraction = |part: &Value, key| part.get(key).is_some_and(Value::is_f64);
    if is_fraction(active, "timeout") || { parts }.any(|part| is_fraction(part, "interval")) {
        notes.left_out(
            place,
            "`healthchecks.active`: a time is not in whole seconds",
        );
        return;
    }
    let Some(interval) = intervals.clone().min() else {
        return;
    };
    let checks = format!("{place}: healthchecks.active");
    let both = [healthy, unhealthy].map(|part| part.and_then(|part| number(part, "interval")));
    if both.into_iter().flatten().any(|other| other != interval) {
        let what = format!("its two intervals are one here: {interval} seconds");
        notes.differs(&checks, what);
    }
    let kind = text(active, "type").unwrap_or("http");
    let Some(asked) = asked(kind, scheme, active) else {
        notes.left_out(place, format!("`healthchecks.active` of the type {kind}"));
        return;
    };
    let is_grpc = asked.0 == "grpc";
    if is_grpc {
        let what = "services have to answer the health protocol of gRPC";
        notes.differs(
            place,
            format!("`healthchecks.active` of the type {kind}: {what}"),
        );
    }
    let count = |part: Option<&Value>, keys: &[&str]| {
        let counts = keys.iter().filter_map(|key| number(part?, key));
        counts.filter(|count| *count > 0).min()
    };
    unused(healthy, unhealthy, &checks, notes);
    let mut pairs = vec![asked, ("interval", quoted(&format!("{interval}s")))];
    if let Some(timeout) = number(active, "timeout").filter(|time| *time > 0) {
        pairs.push(("timeout", quoted(&format!("{timeout}s"))));
    }
    if let Some(up) = count(healthy, &["successes"]) {
        pairs.push(("up", up.to_string()));
    }
    if let Some(down) = count(unhealthy, &["http_failures", "tcp_failures", "timeouts"]) {
        pairs.push(("down", down.to_string()));
        let kinds = ["http_failures", "tcp_failures", "timeouts"];
        one_number(
            unhealthy.unwrap_or(&Value::Null),
            &kinds,
            down,
            &checks,
            notes,
        );
    }
    let statuses = healthy.map(statuses).unwrap_or_default();
    if !statuses.is_empty() && !is_grpc {
        pairs.push(("statuses", format!("[{}]", statuses.join(", "))));
    }
    own.push(("health", inline(&pairs)));
}

/// Says what counts as neither in Kong, and does here.
fn unused(healthy: Option<&Value>, unhealthy: Option<&Value>, checks: &str, notes: &mut Notes) {
    if unhealthy.is_some_and(|part| !statuses(part).is_empty()) {
        let what = "`unhealthy.http_statuses`: every status that is not a healthy one is a failure";
        notes.differs(checks, what);
    }
    let healthy = healthy.unwrap_or(&Value::Null);
    uncounted("healthy", healthy, &["successes"], checks, notes);
    let unhealthy = unhealthy.unwrap_or(&Value::Null);
    let failures = ["http_failures", "tcp_failures", "timeouts"];
    uncounted("unhealthy", unhealthy, &failures, checks, notes);
}

/// Says what Kong takes no notice of.
fn uncounted(name: &str, part: &Value, keys: &[&str], checks: &str, notes: &mut Notes) {
    for key in keys.iter().filter(|key| number(part, key) == Some(0)) {
        let what = format!("`{name}.{key}: 0`: these count here, too");
        notes.differs(checks, what);
    }
}

/// What a check asks for, if there are such checks: they use TLS where the endpoints' URLs do.
fn asked(kind: &str, scheme: &str, active: &Value) -> Option<Pair> {
    match (kind, scheme) {
        ("http", _) | ("https", "https") => {
            let path = text(active, "http_path").unwrap_or("/");
            Some(("path", quoted(path)))
        }
        ("grpc", "http") | ("grpcs", "https") => Some(("grpc", "true".to_owned())),
        _ => None,
    }
}

/// What Kong learns from requests; it takes no notice of failures that are counted up to 0.
pub(super) fn breaker(passive: &Value, place: &str, own: &mut Vec<Pair>, notes: &mut Notes) {
    let at = format!("{place}: healthchecks.passive");
    recovery(passive, &at, notes);
    let Some(unhealthy) = passive.get("unhealthy") else {
        return;
    };
    let kinds = ["http_failures", "tcp_failures", "timeouts"];
    let counts = kinds.iter().filter_map(|key| number(unhealthy, key));
    // All count together here, so one that is rare does not open the circuit for another one.
    let Some(failures) = counts.filter(|count| *count > 0).max() else {
        return;
    };
    one_number(unhealthy, &kinds, failures, &at, notes);
    uncounted(
        "unhealthy",
        unhealthy,
        &["tcp_failures", "timeouts"],
        &at,
        notes,
    );
    let mut pairs = vec![("failures", failures.to_string())];
    let mut statuses = statuses(unhealthy);
    if number(unhealthy, "http_failures").is_none_or(|count| count == 0) {
        statuses.clear();
        pairs.push(("statuses", "[]".to_owned()));
    }
    if !statuses.is_empty() {
        pairs.push(("statuses", format!("[{}]", statuses.join(", "))));
    }
    own.push(("breaker", inline(&pairs)));
}

/// What Kong needs to see of a target that has failed: here one request tries it after a pause.
fn recovery(passive: &Value, at: &str, notes: &mut Notes) {
    let healthy = passive.get("healthy").unwrap_or(&Value::Null);
    if let Some(count) = number(healthy, "successes").filter(|count| *count > 0) {
        let what =
            format!("`healthy.successes: {count}`: one that succeeds after a pause is enough");
        notes.differs(at, what);
    }
    let kind = text(passive, "type").unwrap_or("http");
    if kind == "tcp" {
        notes.differs(at, "`type: tcp`: errors of HTTP count, too");
    }
}

/// Says where several numbers of Kong's are one here.
fn one_number(part: &Value, keys: &[&str], one: u64, place: &str, notes: &mut Notes) {
    let counts = keys
        .iter()
        .filter_map(|key| Some((key, number(part, key)?)));
    let counts = counts.filter(|(_, count)| *count > 0);
    if counts.clone().any(|(_, count)| count != one) {
        let all: Vec<String> = counts
            .map(|(key, count)| format!("`{key}: {count}`"))
            .collect();
        let what = format!("{} are one number here: {one}", all.join(", "));
        notes.differs(place, what);
    }
}

fn statuses(part: &Value) -> Vec<String> {
    let statuses = entries(part, "http_statuses").filter_map(Value::as_u64);
    let statuses = statuses.filter(|status| (100..600).contains(status));
    statuses.map(|status| status.to_string()).collect()
}
