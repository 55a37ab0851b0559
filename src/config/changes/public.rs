//! What became public: the one change that nobody wants to find out about from others.

use std::collections::{HashMap, HashSet};
use std::fmt::{Display, Write as _};

use http::Method;

use crate::config::file::{File, RouteKeys, WrittenRoute};
use crate::config::keys::Text;
use crate::config::lint::is_under;
use crate::config::source::At;
use crate::route::{PathPrefix, ProtectedPrefixes};

/// What anonymous callers reach now and did not reach before.
pub(super) fn compare(served: &File, now: &File) -> Vec<String> {
    let (before, after) = (served.not_public(), now.not_public());
    let opened = Opened {
        now,
        methods: methods(&before, &after),
        before: &before,
        after: &after,
    };
    let mut found: Vec<String> = Vec::new();
    for entry in before.iter() {
        let open = opened.methods_of(entry.prefix.as_str());
        found.extend(opened.no_longer_protected(&entry.prefix, &open));
    }
    // A new exception from what is still protected.
    for public in now.access.public.iter() {
        let mut open = opened.methods_of(public.as_str());
        open.retain(|method| {
            let wider = before.find(public.as_str(), *method);
            wider.is_some_and(|wider| after.find(wider.prefix.as_str(), *method).is_some())
        });
        found.extend(opened.no_longer_protected(public, &open));
    }
    let mut known = HashSet::new();
    found.retain(|text| known.insert(text.clone()));
    found.extend(new_routes(served, now, &after));
    found
}

fn new_routes(served: &File, now: &File, after: &ProtectedPrefixes) -> Vec<String> {
    let mut found = Vec::new();
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
        if is_public(keys, path, after) && !same_prefix.any(|old| takes_all_of(old, keys)) {
            found.push(format!("the new route {}", name_of(&route)));
        }
    }
    found
}

/// Whether anonymous callers reach a path by a route.
pub(super) fn is_public(keys: &RouteKeys, path: &str, protected: &ProtectedPrefixes) -> bool {
    let is_open = |method| protected.find(path, method).is_none();
    let mut methods = keys.methods.iter().map(|method| &method.value);
    let any = keys.methods.is_empty();
    keys.allow.is_empty() && (any && is_open(None) || methods.any(|it| is_open(Some(it))))
}

/// The methods that some prefix is protected from alone, and `None` for all others.
fn methods<'p>(
    before: &'p ProtectedPrefixes,
    after: &'p ProtectedPrefixes,
) -> Vec<Option<&'p Method>> {
    let entries = before.iter().chain(after.iter());
    let mut methods: Vec<_> = entries.flat_map(|entry| &entry.methods).collect();
    methods.sort_unstable_by_key(|method| method.as_str());
    methods.dedup();
    let methods = methods.into_iter().map(Some);
    std::iter::once(None).chain(methods).collect()
}

/// Whether a route lets every request through that another of the same prefix lets through.
fn takes_all_of(route: &RouteKeys, other: &RouteKeys) -> bool {
    (forwards(route) || !forwards(other))
        && holds(&route.hosts, &other.hosts)
        && holds(&route.methods, &other.methods)
}

/// Whether a route leads to a service.
pub(super) fn forwards(keys: &RouteKeys) -> bool {
    keys.upstream.is_there()
}

/// Whether a list holds another; an empty one holds everything.
pub(super) fn holds<T: Text>(list: &[At<T>], other: &[At<T>]) -> bool {
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

/// What anonymous callers were kept from and are not any more.
struct Opened<'f> {
    now: &'f File,
    before: &'f ProtectedPrefixes,
    after: &'f ProtectedPrefixes,
    methods: Vec<Option<&'f Method>>,
}

impl<'f> Opened<'f> {
    /// The methods for which a path is open now and was not before.
    fn methods_of(&self, path: &str) -> Vec<Option<&'f Method>> {
        let mut methods = self.methods.clone();
        methods.retain(|method| self.is_open(path, *method));
        methods
    }

    fn is_open(&self, path: &str, method: Option<&Method>) -> bool {
        let is_protected = |prefixes: &ProtectedPrefixes| prefixes.find(path, method).is_some();
        is_protected(self.before) && !is_protected(self.after)
    }

    /// Says by which routes anonymous callers reach what was protected from these methods, if there
    /// are any.
    fn no_longer_protected(&self, prefix: &PathPrefix, open: &[Option<&Method>]) -> Option<String> {
        let routes = self.routes_to(prefix, open);
        if routes.is_empty() {
            return None;
        }
        let mut text = format!("`{}` is no longer protected", prefix.as_str());
        if open.contains(&None) {
            let still = self.after.iter().map(|entry| entry.prefix.as_str());
            let still = still.filter(|narrower| prefix.as_str() != *narrower);
            let still: Vec<_> = still.filter(|narrower| prefix.covers(narrower)).collect();
            if !still.is_empty() {
                let _ = write!(text, ", except for {}", names(still));
            }
            let still = self.methods.iter().filter(|method| !open.contains(method));
            let still: Vec<_> = still.flatten().map(|method| method.as_str()).collect();
            if !still.is_empty() {
                let _ = write!(text, ", but from {}", names(still));
            }
        } else {
            let from = open.iter().flatten();
            let from = names(from.map(|method| method.as_str()));
            let _ = write!(text, " from {from}");
        }
        let routes = names(routes);
        let _ = write!(text, "; anonymous callers reach it by the route {routes}");
        Some(text)
    }

    /// The routes that lead there for anonymous callers: under the prefix, or what they take holds it.
    fn routes_to(&self, prefix: &PathPrefix, open: &[Option<&Method>]) -> Vec<&'f str> {
        let mut found = Vec::new();
        for route in self.now.all_routes() {
            let path = route.prefix.as_str();
            let takes = |method: Option<&Method>| {
                let leads_there = self.is_open(path, method) || is_under(prefix.as_str(), path);
                let own = route.keys.map_or(&[][..], |keys| &keys.methods);
                let is_own = || own.iter().any(|own| Some(&own.value) == method);
                leads_there && (own.is_empty() || method.is_none() || is_own())
            };
            let is_for_clients = route.keys.is_some_and(|keys| !keys.allow.is_empty());
            if !is_for_clients && open.iter().copied().any(takes) && !found.contains(&path) {
                found.push(path);
            }
        }
        found
    }
}

/// Names in a text: `a`, `b` and `c`.
pub(super) fn names<N: Display>(names: impl IntoIterator<Item = N>) -> String {
    let mut names: Vec<_> = names.into_iter().map(|name| format!("`{name}`")).collect();
    match names.pop() {
        Some(last) if names.is_empty() => last,
        Some(last) => format!("{} and {last}", names.join(", ")),
        None => String::new(),
    }
}
