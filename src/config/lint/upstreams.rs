//! Rules of upstreams that change nothing: another key, or a route, keeps them from having any effect.

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::Lints;
use crate::config::file::{BalanceWord, File, UpstreamRuleKeys};
use crate::config::keys::{Text, not_default};
use crate::config::kinds::Target;
use crate::config::source::Span;
use crate::upstream::EndpointUrl;

/// Looks for rules without effect.
pub(super) fn upstreams(file: &File, lints: &mut Lints) {
    without_effect(file, lints);
    try_timeouts(file, lints);
    announced_to_some(file, lints);
    leading_back(file, lints);
}

/// Finds what is of no use to any upstream that takes it: in `upstream_defaults` one is enough.
fn without_effect(file: &File, lints: &mut Lints) {
    let own = file.upstreams.good();
    let own = own.flat_map(|(_, keys)| effects(&keys.rules));
    let has_urls = has_urls(file);
    let of_urls = effects(&file.upstream_defaults);
    let of_urls = of_urls.map(|(span, text, is_used)| (span, text, is_used && has_urls));
    lints.add_unused(own.chain(of_urls));
    checks_of_none(file, lints);
}

/// Whether a route has a URL in the place of an upstream's name: `upstream_defaults` are all its rules.
fn has_urls(file: &File) -> bool {
    let mut routes = file.good_routes();
    routes.any(|(_, keys)| matches!(keys.upstream.given(), Some(Target::Url(_))))
}

/// What is written and needs something else: its place, what to say if that is not there, and whether
/// it is.
fn effects(rules: &UpstreamRuleKeys) -> impl Iterator<Item = (Span, &'static str, bool)> {
    not_default(rules).filter_map(|(key, span)| {
        let (text, is_used) = match key {
            "hash_by" => (
                "`hash_by` has no effect without `balance = \"hash\"`",
                *rules.balance == BalanceWord::Hash,
            ),
            "slow_start" => (
                "`slow_start` has no effect with `balance = \"hash\"`: what belongs to an endpoint is sent there from the first request on",
                *rules.balance != BalanceWord::Hash,
            ),
            "max_waiting" => (
                "`max_waiting` has no effect without `max_requests`: no request has to wait",
                rules.max_requests.0.is_some(),
            ),
            "queue_timeout" => (
                "`queue_timeout` has no effect without `max_waiting`: no request may wait",
                rules.max_waiting.0 > 0,
            ),
            _ => return None,
        };
        Some((span, text, is_used))
    })
}

/// Finds checks in `upstream_defaults` that no upstream takes.
fn checks_of_none(file: &File, lints: &mut Lints) {
    let health = &file.upstream_defaults.health;
    let is_checked = |rules: &UpstreamRuleKeys| rules.health.0.is_some();
    let mut own = file.upstreams.good();
    if health.0.is_some() && !own.any(|(_, keys)| is_checked(&keys.rules)) && !has_urls(file) {
        let text = "nothing is checked: no upstream takes `health` from here";
        lints.add(health.span, text.to_owned());
    }
}

/// Finds endpoints that get a PROXY protocol header as those of one upstream, and none as those of
/// another: a service expects it or does not.
fn announced_to_some(file: &File, lints: &mut Lints) {
    let of_upstreams = file.upstreams.good().flat_map(|(name, keys)| {
        let endpoints = keys.endpoints.iter();
        endpoints.map(move |one| (name.0.clone(), &one.url.value, one.url.span, &keys.rules))
    });
    let of_routes = file.good_routes().filter_map(|(_, keys)| {
        let Target::Url(url) = keys.upstream.given()? else {
            return None;
        };
        let defaults = &*file.upstream_defaults;
        Some((url.to_string(), url, keys.upstream.span, defaults))
    });
    let mut with = HashMap::new();
    let mut without = Vec::new();
    for (name, url, span, rules) in of_upstreams.chain(of_routes) {
        if rules.proxy_protocol.0.is_some() {
            with.entry(place(url)).or_insert(name);
        } else {
            without.push((name, url, span));
        }
    }
    for (name, url, span) in without {
        if let Some(other) = with.get(&place(url)) {
            let text = format!(
                "the service at `{}` gets the PROXY protocol from `{other}` and not from `{name}`: it expects a header or it does not",
                url.authority()
            );
            lints.add(span, text);
        }
    }
}

/// Finds endpoints that are addresses of the gateway's own.
fn leading_back(file: &File, lints: &mut Lints) {
    let of_upstreams = file.upstreams.good().flat_map(|(_, keys)| {
        let endpoints = keys.endpoints.iter();
        endpoints.map(|one| (&one.url.value, one.url.span))
    });
    let of_routes = file.good_routes().filter_map(|(_, keys)| {
        let Target::Url(url) = keys.upstream.given()? else {
            return None;
        };
        Some((url, keys.upstream.span))
    });
    let mut seen = HashSet::new();
    for (url, span) in of_upstreams.chain(of_routes) {
        let mut own = file.listen.iter().map(|listen| *listen.address);
        if let Some(own) = own.find(|own| is_at(url, *own))
            && seen.insert(span)
        {
            let text = format!(
                "`{}` is the gateway itself, which listens at {own}: a request would go round in a circle until it is refused with 508 `loop_detected`",
                url.authority()
            );
            lints.add(span, text);
        }
    }
}

/// Whether a URL certainly leads to an address that is listened at. That a name does, or another address
/// of the machine, is not known here.
fn is_at(url: &EndpointUrl, listen: SocketAddr) -> bool {
    let name = url.host.strip_suffix('.').unwrap_or(&url.host);
    let host = match name {
        "localhost" => Some(Ipv4Addr::LOCALHOST.into()),
        _ => name.parse::<IpAddr>().ok().map(|ip| ip.to_canonical()),
    };
    let own = listen.ip().to_canonical();
    url.port == listen.port()
        && host.is_some_and(|host| host == own || own.is_unspecified() && host.is_loopback())
}

fn place(url: &EndpointUrl) -> (&str, u16) {
    (url.host.strip_suffix('.').unwrap_or(&url.host), url.port)
}

/// Finds tries, and connecting, that may take longer than all tries of a route together.
fn try_timeouts(file: &File, lints: &mut Lints) {
    let by_name = file.upstreams.good();
    let by_name: HashMap<&str, _> = by_name
        .map(|(name, keys)| (name.0.as_str(), keys))
        .collect();
    let mut seen = HashSet::new();
    for (prefix, keys) in file.good_routes() {
        let rules = match keys.upstream.given() {
            Some(Target::Url(_)) => Some(&*file.upstream_defaults),
            Some(Target::Name(name)) => by_name.get(name.as_str()).map(|it| &it.rules),
            None => None,
        };
        let Some(rules) = rules else { continue };
        for (key, span) in not_default(rules) {
            let longest = match key {
                "try_timeout" => rules.try_timeout.0,
                "connect_timeout" => Some(*rules.connect_timeout),
                _ => None,
            };
            if longest.is_some_and(|it| it > *keys.timeout) && seen.insert(span) {
                let text = format!(
                    "`{key}` is longer than the `timeout` of the route `{}`, which ends a request after {}",
                    prefix.as_str(),
                    keys.timeout.text()
                );
                lints.add(span, text);
            }
        }
    }
}
