//! Where Kong's services are: the URL of one, or the targets of an upstream with its checks, and how
//! long one waits for them.

use serde_json::Value;

use super::checks::{breaker, health};
use super::{called, entries, number, refers, text};
use crate::import::draft::{Draft, Pair, Upstream, inline, quoted};
use crate::import::{Notes, free_name};

/// More tries than this are not taken.
const MOST_ATTEMPTS: u64 = 10;

/// What a service becomes: the keys of a route that leads there, which has `host` unless the upstream
/// itself says which.
pub(super) fn upstream(
    document: &Value,
    service: &Value,
    draft: &mut Draft,
    notes: &mut Notes,
) -> Result<Vec<Pair>, String> {
    let url = Url::of(service)?;
    let mut upstreams = entries(document, "upstreams");
    let mut own = match upstreams.find(|upstream| text(upstream, "name") == Some(url.host)) {
        None => vec![("endpoints", format!("[{}]", quoted(&url.with_host())))],
        Some(upstream) => of_upstream(document, upstream, &url, notes)?,
    };
    if url.scheme == "https" {
        tls(service, &mut own, notes);
    }
    let mut pairs = times(service, &mut own, notes);
    if own.iter().all(|(key, _)| *key != "host") {
        pairs.push(("host", quoted("endpoint")));
    }
    let taken = |name: &str| draft.upstreams.iter().any(|upstream| upstream.name == name);
    let name = free_name(called(service), taken);
    pairs.insert(0, ("upstream", quoted(&name)));
    draft.upstreams.push(Upstream { name, pairs: own });
    Ok(pairs)
}

/// TLS to a service. Kong verifies no certificate unless it is told to.
fn tls(service: &Value, own: &mut Vec<Pair>, notes: &mut Notes) {
    let place = format!("service {}", called(service));
    let mut tls = Vec::new();
    match service.get("tls_verify").and_then(Value::as_bool) {
        Some(true) => {}
        Some(false) => tls.push(("verify", "false".to_owned())),
        None => notes.differs(
            &place,
            "its certificate is verified now: name its authority in `tls.ca`, unless the platform trusts it",
        ),
    }
    let host = own.iter().find(|(key, _)| *key == "host");
    if let Some((_, host)) = host {
        tls.push(("server_name", host.clone()));
    }
    for key in ["ca_certificates", "client_certificate", "tls_verify_depth"] {
        if service.get(key).is_some_and(|it| !it.is_null()) {
            let text = format!("`{key}`: write the files of certificates in `tls`");
            notes.left_out(&place, text);
        }
    }
    if !tls.is_empty() {
        own.push(("tls", inline(&tls)));
    }
}

/// The times and tries of a service: what its route gets of them. Kong waits anew with each try.
fn times(service: &Value, own: &mut Vec<Pair>, notes: &mut Notes) -> Vec<Pair> {
    if let Some(more) = number(service, "retries").filter(|retries| *retries > MOST_ATTEMPTS) {
        let what = format!("`retries: {more}`: there are {MOST_ATTEMPTS} at most");
        notes.differs(&format!("service {}", called(service)), what);
    }
    let milliseconds = |time: u64| quoted(&format!("{time}ms"));
    let retries = number(service, "retries").map(|retries| retries.min(MOST_ATTEMPTS));
    if let Some(timeout) = number(service, "connect_timeout") {
        own.push(("connect_timeout", milliseconds(timeout)));
    }
    let mut pairs = Vec::new();
    if let Some(timeout) = number(service, "read_timeout") {
        let tries = retries.unwrap_or(0) + 1;
        if tries > 1 {
            own.push(("try_timeout", milliseconds(timeout)));
        }
        pairs.push(("timeout", milliseconds(timeout.saturating_mul(tries))));
    }
    match retries {
        Some(0) => own.push(("retry", quoted("off"))),
        Some(retries) => own.push(("retry", inline(&[("attempts", retries.to_string())]))),
        None => {}
    }
    pairs
}

/// A service's URL.
struct Url<'v> {
    scheme: &'v str,
    host: &'v str,
    port: Option<u64>,
    path: &'v str,
}

impl<'v> Url<'v> {
    fn of(service: &'v Value) -> Result<Self, String> {
        let (scheme, host, port, path) = match text(service, "url") {
            Some(url) => {
                let (scheme, rest) = url
                    .split_once("://")
                    .ok_or_else(|| format!("`{url}` is no URL"))?;
                let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
                let (host, port) = match authority.rsplit_once(':') {
                    Some((host, port)) if !port.contains(']') => (host, port.parse().ok()),
                    _ => (authority, (scheme == "https").then_some(443)),
                };
                (scheme, host, port, path)
            }
            None => (
                text(service, "protocol").unwrap_or("http"),
                text(service, "host").ok_or("its service has neither `url` nor `host`")?,
                number(service, "port"),
                text(service, "path").unwrap_or(""),
            ),
        };
        if !matches!(scheme, "http" | "https") {
            return Err(format!(
                "its service speaks {scheme}: only HTTP/1.1 is spoken to services yet"
            ));
        }
        Ok(Self {
            scheme,
            host,
            port,
            path: path.trim_end_matches('/'),
        })
    }

    fn with_host(&self) -> String {
        format!(
            "{}://{}:{}{}",
            self.scheme,
            self.host,
            // Also with `https`, where Kong is not given a whole URL.
            self.port.unwrap_or(80),
            self.path
        )
    }

    /// The same path at another place; without a port that is 8000, as Kong has it.
    fn at(&self, target: &str) -> String {
        let (_, after) = target.rsplit_once(']').unwrap_or(("", target));
        let port = if after.contains(':') { "" } else { ":8000" };
        format!("{}://{target}{port}{}", self.scheme, self.path)
    }
}

/// The keys of an upstream with targets.
fn of_upstream(
    document: &Value,
    upstream: &Value,
    url: &Url<'_>,
    notes: &mut Notes,
) -> Result<Vec<Pair>, String> {
    let place = format!("upstream {}", url.host);
    let mut own = vec![("endpoints", endpoints(document, upstream, url)?)];
    balance(upstream, &place, &mut own, notes);
    let checks = upstream.get("healthchecks").unwrap_or(&Value::Null);
    let part = |name: &str| checks.get(name).unwrap_or(&Value::Null);
    health(part("active"), url.scheme, &place, &mut own, notes);
    breaker(part("passive"), &place, &mut own, notes);
    if upstream
        .get("client_certificate")
        .is_some_and(|it| !it.is_null())
    {
        notes.left_out(
            &place,
            "`client_certificate`: write its files in `tls.cert` and `tls.key`",
        );
    }
    Ok(own)
}

/// The targets of an upstream, with their weights where these differ.
fn endpoints(document: &Value, upstream: &Value, url: &Url<'_>) -> Result<String, String> {
    let refers = |target: &&Value| {
        let reference = target.get("upstream");
        reference.is_some_and(|reference| refers(reference, upstream))
    };
    let targets = entries(upstream, "targets").chain(entries(document, "targets").filter(refers));
    let mut endpoints: Vec<(String, u64)> = Vec::new();
    for target in targets {
        let Some(place) = text(target, "target") else {
            continue;
        };
        let (place, weight) = (url.at(place), number(target, "weight").unwrap_or(100));
        // The last entry of a target is the one that holds.
        endpoints.retain(|(other, _)| *other != place);
        endpoints.push((place, weight.min(65_535)));
    }
    let common = endpoints
        .iter()
        .fold(0, |common, (_, weight)| divisor(common, *weight));
    if common == 0 {
        return Err(format!(
            "the upstream {} has no target with a weight",
            url.host
        ));
    }
    let endpoints = endpoints
        .iter()
        .map(|(place, weight)| match weight / common {
            1 => quoted(place),
            weight => inline(&[("url", quoted(place)), ("weight", weight.to_string())]),
        });
    Ok(format!("[{}]", endpoints.collect::<Vec<_>>().join(", ")))
}

/// The greatest number that divides both.
fn divisor(one: u64, other: u64) -> u64 {
    if other == 0 {
        one
    } else {
        divisor(other, one % other)
    }
}

/// How a target is picked, and which `Host` it gets.
fn balance(upstream: &Value, place: &str, own: &mut Vec<Pair>, notes: &mut Notes) {
    let hash_on = text(upstream, "hash_on").filter(|on| *on != "none");
    // With `hash_on` alone Kong hashes.
    let default = hash_on.map_or("round-robin", |_| "consistent-hashing");
    let algorithm = text(upstream, "algorithm").unwrap_or(default);
    if let Some(on) = hash_on.filter(|_| algorithm != "consistent-hashing") {
        let what = format!("`hash_on: {on}` has no use with `algorithm: {algorithm}`");
        notes.differs(place, what);
    }
    let balance = match algorithm {
        "consistent-hashing" => hash_by(upstream, place, notes).map(|hash_by| {
            own.push(("balance", quoted("hash")));
            own.push(("hash_by", quoted(&hash_by)));
        }),
        "round-robin" => {
            own.push(("balance", quoted("round-robin")));
            Some(())
        }
        "least-connections" => Some(()),
        other => {
            notes.differs(
                place,
                format!(
                    "`algorithm: {other}`: requests go to the target with the fewest in flight"
                ),
            );
            Some(())
        }
    };
    if balance.is_none() {
        notes.left_out(
            place,
            "`hash_on`: requests go to the target with the fewest in flight",
        );
    }
    if let Some(host) = text(upstream, "host_header") {
        own.push(("host", quoted(host)));
    }
}

/// What requests for one target have in common.
fn hash_by(upstream: &Value, place: &str, notes: &mut Notes) -> Option<String> {
    let fallback = text(upstream, "hash_fallback").unwrap_or("none");
    let on = text(upstream, "hash_on").unwrap_or("none");
    if matches!(on, "consumer" | "header" | "cookie") && fallback != "ip" {
        let what = format!("`hash_fallback` is {fallback}; here it is the address");
        notes.differs(place, what);
    }
    match on {
        "consumer" => Some("client".to_owned()),
        "ip" => Some("ip".to_owned()),
        "header" => Some(format!(
            "header:{}",
            text(upstream, "hash_on_header")?.to_ascii_lowercase()
        )),
        "cookie" => {
            notes.differs(
                place,
                "`hash_on_cookie`: the cookie is the service's to set",
            );
            Some(format!("cookie:{}", text(upstream, "hash_on_cookie")?))
        }
        _ => None,
    }
}
