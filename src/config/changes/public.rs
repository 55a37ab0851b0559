//! What became public: the one change that nobody wants to find out about from others.

use std::collections::HashMap;
use std::fmt::Write as _;

use crate::config::file::{File, RouteKeys, WrittenRoute};
use crate::config::keys::Text;
use crate::config::lint::is_under;
use crate::config::source::At;
use crate::route::{PathPrefix, ProtectedPrefixes};

/// What anonymous callers reach now and did not reach before.
pub(super) fn compare(served: &File, now: &File) -> Vec<String> {
    let (before, after) = (served.not_public(), now.not_public());
    let mut found = Vec::new();
    for entry in before.iter() {
        let prefix = &entry.prefix;
        if is_open(&before, &after, prefix.as_str()) {
            found.extend(no_longer_protected(prefix, &before, &after, now));
        }
    }
    // A new exception from what is still protected.
    for public in now.access.public.iter() {
        let wider = before.find(public.as_str(), None);
        let stays = |prefix: &PathPrefix| after.find(prefix.as_str(), None).is_some();
        if wider.is_some_and(|wider| stays(&wider.prefix))
            && is_open(&before, &after, public.as_str())
        {
            found.extend(no_longer_protected(public, &before, &after, now));
        }
    }
    let mut known: HashMap<&str, Vec<&RouteKeys>> = HashMap::new();
    for route in served.all_routes() {
        let same_prefix = known.entry(route.prefix.as_str()).or_default();
        same_prefix.extend(route.keys);
    }
    for route in now.all_routes() {
        let (path, Some(keys)) = (route.prefix.as_str(), route.keys) else {
            continue;
        };
        let mut same_prefix = known.get(path).into_iter().flatten();
        if after.find(path, None).is_none() && !same_prefix.any(|old| takes_all_of(old, keys)) {
            found.push(format!("the new route {}", name_of(&route)));
        }
    }
    found
}

/// Whether anonymous callers were kept from a path, whatever the method, and are not any more.
fn is_open(before: &ProtectedPrefixes, after: &ProtectedPrefixes, path: &str) -> bool {
    before.find(path, None).is_some() && after.find(path, None).is_none()
}

/// Whether a route lets every request through that another of the same prefix lets through.
fn takes_all_of(route: &RouteKeys, other: &RouteKeys) -> bool {
    let forwards = |keys: &RouteKeys| keys.upstream.is_there();
    (forwards(route) || !forwards(other))
        && holds(&route.hosts, &other.hosts)
        && holds(&route.methods, &other.methods)
}

/// Whether a list holds another; an empty one holds everything.
fn holds<T: Text>(list: &[At<T>], other: &[At<T>]) -> bool {
    let is_in = |one: &At<T>| list.iter().any(|it| it.text() == one.text());
    list.is_empty() || !other.is_empty() && other.iter().all(is_in)
}

/// A route by the requests that it takes.
pub(super) fn name_of(route: &WrittenRoute<'_>) -> String {
    let mut name = format!("`{}`", route.prefix.as_str());
    let Some(keys) = route.keys else {
        return name;
    };
    let methods = keys.methods.iter().map(|method| method.as_str());
    let hosts = keys.hosts.iter().map(|host| host.0.as_str());
    for (word, mut list) in [
        (" for ", methods.collect::<Vec<_>>()),
        (" on ", hosts.collect()),
    ] {
        list.sort_unstable();
        list.dedup();
        if !list.is_empty() {
            let _ = write!(name, "{word}{}", names(list));
        }
    }
    name
}

/// Says by which routes anonymous callers reach what was protected, if there are any.
fn no_longer_protected(
    prefix: &PathPrefix,
    before: &ProtectedPrefixes,
    after: &ProtectedPrefixes,
    now: &File,
) -> Option<String> {
    let mut open: Vec<&str> = Vec::new();
    for route in now.all_routes() {
        let path = route.prefix.as_str();
        // A route may lie under the prefix, or the prefix within what the route takes.
        let opened = is_open(before, after, path);
        if (opened || is_under(prefix.as_str(), path)) && !open.contains(&path) {
            open.push(path);
        }
    }
    if open.is_empty() {
        return None;
    }
    let still: Vec<&str> = after
        .iter()
        .map(|entry| entry.prefix.as_str())
        .filter(|narrower| prefix.covers(narrower))
        .collect();
    let mut text = format!("`{}` is no longer protected", prefix.as_str());
    if !still.is_empty() {
        let _ = write!(text, ", except for {}", names(still));
    }
    let open = names(open);
    let _ = write!(text, "; anonymous callers reach it by the route {open}");
    Some(text)
}

/// Names in a text: `a`, `b` and `c`.
fn names<'n>(names: impl IntoIterator<Item = &'n str>) -> String {
    let mut names: Vec<_> = names.into_iter().map(|name| format!("`{name}`")).collect();
    match names.pop() {
        Some(last) if names.is_empty() => last,
        Some(last) => format!("{} and {last}", names.join(", ")),
        None => String::new(),
    }
}
