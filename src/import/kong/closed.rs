//! What Kong keeps closed stays closed, though protection goes by path here and not by route: which open
//! routes get an exception, and which requests are refused because the route that keeps callers from them
//! could not be taken over.

use serde_json::Value;

use super::differences::goes_on;
use super::{called, strings};
use crate::import::draft::{Draft, Route, inline, quoted};
use crate::import::{Notes, free_name};
use crate::route::PathPrefix;

/// Opens what Kong has open under a protected prefix, where no protected route takes such requests too.
pub(super) fn exceptions(draft: &mut Draft, notes: &mut Notes) {
    let mut public: Vec<String> = Vec::new();
    for open in draft.routes.iter().filter(|route| !route.wants_key) {
        let holds = |methods: &[String]| shared(methods, &open.methods);
        let prefix = open.prefix.to_ascii_lowercase();
        let covered = draft.protected.iter().any(|entry| {
            holds(&entry.methods) && covers(&entry.prefix.to_ascii_lowercase(), &prefix)
        });
        if !covered {
            continue;
        }
        let at = format!("route {}", open.name);
        let same = |entry: &str| is_read_as(entry, &open.prefix);
        if draft.protected.iter().any(|entry| same(&entry.prefix)) {
            notes.differs(&at, "wants a key here, too, as another route of its prefix does: protection goes by path and method");
        } else if let Some(closed) = closed_elsewhere(draft, &open.prefix) {
            notes.differs(&at, format!("wants a key here, too: an exception from protection holds for all hosts, and on other hosts these are paths of the route {closed}"));
        } else if !public.contains(&open.prefix) {
            public.push(open.prefix.clone());
        }
    }
    draft.public = public;
}

/// The protected route that takes requests under an open prefix: those for hosts that no route of this
/// prefix has.
fn closed_elsewhere<'d>(draft: &'d Draft, prefix: &str) -> Option<&'d str> {
    let beside = |host: Option<&str>| {
        let mut same = draft.routes.iter().filter(|route| route.prefix == prefix);
        same.any(|route| takes_host(route, host))
    };
    let closed = draft.routes.iter().find(|route| {
        let hosts = route.hosts.iter().map(|host| Some(&**host));
        let any = route.hosts.is_empty().then_some(None);
        route.wants_key && covers(&route.prefix, prefix) && !hosts.chain(any).all(beside)
    });
    closed.map(|route| &*route.name)
}

/// Whether a route has all requests for a host (a wildcard, too), or for any.
fn takes_host(route: &Route, host: Option<&str>) -> bool {
    route.hosts.is_empty()
        || host.is_some_and(|host| route.hosts.iter().any(|own| own.eq_ignore_ascii_case(host)))
}

/// What another route would take of those that keep callers out and were left out is refused.
pub(super) fn refuse(draft: &mut Draft, notes: &mut Notes) {
    for mut refusal in std::mem::take(&mut draft.refusals) {
        let is_refusal = |route: &Route| route.pairs == refusal.pairs;
        let same = |route: &mut Route| is_refusal(route) && clash(route, &refusal);
        let earlier: Vec<Route> = draft.routes.extract_if(.., same).collect();
        for earlier in earlier {
            join(&mut refusal.hosts, earlier.hosts);
            join(&mut refusal.methods, earlier.methods);
        }
        let takes = |route: &&Route| {
            route.pairs != refusal.pairs
                && covers(&route.prefix, &refusal.prefix)
                && !(refusal.wants_key && route.wants_key)
                && shared_hosts(&route.hosts, &refusal.hosts)
                && shared(&route.methods, &refusal.methods)
        };
        let Some(name) = draft.routes.iter().find(takes).map(|it| it.name.clone()) else {
            continue;
        };
        let at = format!("route {}", refusal.name);
        let prefix = &refusal.prefix;
        notes.left_out(&at, format!("requests under `{prefix}` get 503 in the place of it: the route {name} would take them, and let more callers in"));
        for lost in draft.routes.extract_if(.., |route| clash(route, &refusal)) {
            let at = format!("route {}", lost.name);
            notes.left_out(&at, format!("`{}`: the whole route, for it would take requests that the route {} keeps callers from", lost.prefix, refusal.name));
        }
        let is_used = |name: &str| draft.routes.iter().any(|other| other.name == name);
        let name = free_name(&refusal.name, is_used);
        let wants_key = false;
        draft.routes.push(Route {
            name,
            wants_key,
            ..refusal
        });
    }
}

/// Adds to a list, of which an empty one stands for everything.
fn join(list: &mut Vec<String>, more: Vec<String>) {
    if list.is_empty() || more.is_empty() {
        list.clear();
        return;
    }
    for one in more {
        if !list.contains(&one) {
            list.push(one);
        }
    }
}

/// Whether two routes match the same requests, and neither more closely.
pub(super) fn clash(one: &Route, other: &Route) -> bool {
    let common = |one: &[String], other: &[String]| {
        let equal = |own: &String| other.iter().any(|other| own.eq_ignore_ascii_case(other));
        one.is_empty() && other.is_empty() || one.iter().any(equal)
    };
    one.prefix == other.prefix
        && common(&one.hosts, &other.hosts)
        && common(&one.methods, &other.methods)
}

/// A route that answers in the place of one which cannot be taken over; `path` may be a regular
/// expression. With `wants_key` a key is all that this one asked for.
pub(super) fn refusal(route: &Value, path: &str, wants_key: bool) -> Route {
    let mut hosts = hosts(route);
    // One that cannot be said here stands for all.
    if !hosts.iter().all(|host| is_host(host)) {
        hosts.clear();
    }
    let answer = [
        ("status", "503".to_owned()),
        ("body", quoted("This route was not taken over.\n")),
    ];
    Route {
        name: called(route).to_owned(),
        prefix: literal_prefix(path),
        hosts,
        methods: strings(route, "methods"),
        pairs: vec![("respond", inline(&answer))],
        limits: Vec::new(),
        wants_key,
    }
}

/// Says which paths Kong closes by the beginning of a segment, where an open route takes them here.
pub(super) fn longer_segments(draft: &Draft, notes: &mut Notes) {
    for closed in draft.routes.iter().filter(|route| keeps_out(route)) {
        let takes = |route: &&Route| {
            !keeps_out(route)
                && goes_on(&route.prefix, &closed.prefix)
                && shared_hosts(&route.hosts, &closed.hosts)
                && shared(&route.methods, &closed.methods)
        };
        // `/a` has `/ab` in Kong, and the route for `/` has it here.
        if let Some(open) = draft.routes.iter().find(takes) {
            notes.left_out(
                &format!("route {}", closed.name),
                format!("paths that only begin like `{0}`, such as `{0}-old`: the route {1} takes them here, and lets more callers in", closed.prefix, open.name),
            );
        }
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
    !name.is_empty() && name.bytes().all(plain)
}

/// Whether a route has rules that keep callers out.
pub(super) fn keeps_out(route: &Route) -> bool {
    let rules = ["allow", "ip_allow", "ip_deny", "respond"];
    route.wants_key || route.pairs.iter().any(|(key, _)| rules.contains(key))
}

/// The prefix here that has all paths of a regular expression, or of a prefix of Kong's.
fn literal_prefix(path: &str) -> String {
    let path = path.trim_start_matches(['~', '^']);
    let mut literal = String::new();
    let mut rest = path.chars();
    if has_alternatives(path) {
        return "/".to_owned();
    }
    while let Some(next) = rest.clone().next() {
        match next {
            '\\' => {
                let escaped = rest.clone().nth(1);
                // Others, such as `\d`, are classes.
                let Some(sign) = escaped.filter(char::is_ascii_punctuation) else {
                    break;
                };
                literal.push(sign);
                rest.next();
            }
            '.' | '^' | '$' | '(' | '[' | '{' | '+' | '*' | '?' => break,
            plain => literal.push(plain),
        }
        rest.next();
    }
    let rest = rest.as_str();
    // What may be there or not is no part of the beginning.
    if rest.starts_with(['?', '*', '{']) {
        literal.pop();
    }
    let whole_segment = literal.ends_with('/')
        || ["", "$", "?$", "?", "(/", "(?:/"].iter().any(|end| {
            let ends = matches!(*end, "" | "$" | "?" | "?$");
            if ends {
                rest == *end
            } else {
                rest.starts_with(end)
            }
        });
    let kept = if whole_segment {
        &*literal
    } else {
        literal
            .rsplit_once('/')
            .map_or("", |(segments, _)| segments)
    };
    PathPrefix::parse(&format!("/{}", kept.trim_matches('/')))
        .map_or_else(|_| "/".to_owned(), |prefix| prefix.as_str().to_owned())
}

/// Whether a `|` outside of groups splits a regular expression.
fn has_alternatives(path: &str) -> bool {
    let mut depth = 0_usize;
    let mut signs = path.chars();
    while let Some(sign) = signs.next() {
        match sign {
            '\\' => _ = signs.next(),
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            '|' if depth == 0 => return true,
            _ => {}
        }
    }
    false
}

/// Whether a prefix has all paths of another one.
fn covers(outer: &str, inner: &str) -> bool {
    outer == inner || goes_on(outer, inner)
}

fn is_read_as(one: &str, other: &str) -> bool {
    let prefixes = (PathPrefix::parse(one), PathPrefix::parse(other));
    matches!(prefixes, (Ok(one), Ok(other)) if one.is_read_as(&other))
}

/// Whether two lists, of which an empty one stands for everything, have something in common.
fn shared(one: &[String], other: &[String]) -> bool {
    one.is_empty() || other.is_empty() || one.iter().any(|method| other.contains(method))
}

fn shared_hosts(one: &[String], other: &[String]) -> bool {
    let below = |wildcard: &str, host: &str| {
        let parent = wildcard.strip_prefix('*');
        parent.is_some_and(|parent| {
            host.to_ascii_lowercase()
                .ends_with(&parent.to_ascii_lowercase())
        })
    };
    one.is_empty()
        || other.is_empty()
        || one.iter().any(|one| {
            other.iter().any(|other| {
                one.eq_ignore_ascii_case(other) || below(one, other) || below(other, one)
            })
        })
}
