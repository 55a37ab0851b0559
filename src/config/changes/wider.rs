//! Lists of clients and of addresses that let more in than before, or are gone. Routes are compared
//! with those that took their requests before, so that a rule that has only moved is none of it.

use std::collections::{HashMap, HashSet};

use super::ChangeKind;
use super::addresses::Addresses;
use super::public::{forwards, holds, is_public, name_of, names};
use crate::client::AllowEntry;
use crate::config::file::{File, ProtectedKeys, RouteKeys, WrittenRoute};
use crate::config::keys::Text;
use crate::config::lint::{above, is_under};
use crate::config::source::At;
use crate::route::ProtectedPrefixes;

/// Who may come where now and might not before, by lists.
pub(super) fn compare(served: &File, now: &File) -> Vec<(ChangeKind, String)> {
    let comparison = Comparison {
        served,
        now,
        after: now.not_public(),
        addresses: Addresses::new(&served.access, &now.access),
    };
    let mut found: Vec<_> = comparison.protected().collect();
    for (old, new) in pairs(served, now) {
        found.extend(comparison.clients(&old, &new));
        found.extend(comparison.addresses(&old, &new));
    }
    let mut known = HashSet::new();
    found.retain(|(_, text)| known.insert(text.clone()));
    found
}

/// A route that leads to a service, and its keys.
type Forwarding<'f> = (WrittenRoute<'f>, &'f RouteKeys);

struct Comparison<'f> {
    served: &'f File,
    now: &'f File,
    after: ProtectedPrefixes,
    addresses: Addresses,
}

impl<'f> Comparison<'f> {
    /// Protected prefixes that are for more clients than before.
    fn protected(&self) -> impl Iterator<Item = (ChangeKind, String)> {
        let restricted = self.served.access.protected.iter();
        let restricted = restricted.filter(|old| !old.allow.is_empty());
        restricted.filter_map(|old| {
            let prefix = old.prefix.as_str();
            // What anonymous callers reach is told of already.
            let is_public = |method| self.after.find(prefix, method).is_none();
            let mut methods = old.methods.iter().map(|it| &it.value);
            if methods.any(|it| is_public(Some(it))) || old.methods.is_empty() && is_public(None) {
                return None;
            }
            let covering = || covering(self.now, prefix, &old.methods);
            if covering().any(|new| is_within(&old.allow, &new.allow)) || !self.is_reached(old) {
                return None;
            }
            let narrower = covering().find(|new| !new.allow.is_empty());
            let allow = narrower.map_or(&[][..], |new| &new.allow);
            let text = open_to(&format!("`{prefix}`"), "every client", &old.allow, allow);
            Some((ChangeKind::Wider, text))
        })
    }

    /// Whether a route leads to what an entry protects that does not keep the same clients out.
    fn is_reached(&self, entry: &ProtectedKeys) -> bool {
        let prefix = entry.prefix.as_str();
        forwarding(self.now).any(|(route, keys)| {
            let path = route.prefix.as_str();
            let leads_there = is_under(path, prefix) || is_under(prefix, path);
            leads_there && !is_within(&entry.allow, &keys.allow)
        })
    }

    /// Whether the clients that a route is for are more than before.
    fn clients(&self, old: &Forwarding<'f>, new: &Forwarding<'f>) -> Option<(ChangeKind, String)> {
        let ((_, before), (route, now)) = (old, new);
        let path = longer(old, new);
        let mut covering = covering(self.now, path, &now.methods);
        if before.allow.is_empty()
            || is_within(&before.allow, &now.allow)
            || covering.any(|entry| is_within(&before.allow, &entry.allow))
        {
            return None;
        }
        let (kind, all) = if is_public(now, path, &self.after) {
            (ChangeKind::Public, "everyone")
        } else {
            (ChangeKind::Wider, "every client")
        };
        let place = place(path, route);
        Some((kind, open_to(&place, all, &before.allow, &now.allow)))
    }

    /// The addresses from which requests are accepted now.
    fn addresses(
        &self,
        old: &Forwarding<'f>,
        new: &Forwarding<'f>,
    ) -> impl Iterator<Item = (ChangeKind, String)> + use<> {
        let here = place(longer(old, new), &new.0);
        let found = self.addresses.compare(&here, old.1, new.1).into_iter();
        found.map(|text| (ChangeKind::Wider, text))
    }
}

/// Each route as it was, and each as it is that takes requests of it.
fn pairs<'f>(served: &'f File, now: &'f File) -> Vec<(Forwarding<'f>, Forwarding<'f>)> {
    let (before, after) = (by_prefix(served), by_prefix(now));
    let mut pairs = Vec::new();
    for new in forwarding(now) {
        pairs.extend(taking(&before, &new).map(|old| (old, new)));
    }
    for old in forwarding(served) {
        pairs.extend(taking(&after, &old).map(|new| (old, new)));
    }
    pairs
}

fn forwarding(file: &File) -> impl Iterator<Item = Forwarding<'_>> {
    let routes = file.all_routes();
    let routes = routes.filter_map(|route| Some((route, route.keys?)));
    routes.filter(|(_, keys)| forwards(keys))
}

fn by_prefix(file: &File) -> HashMap<&str, Vec<Forwarding<'_>>> {
    let mut all: HashMap<_, Vec<_>> = HashMap::new();
    for route in forwarding(file) {
        all.entry(route.0.prefix.as_str()).or_default().push(route);
    }
    all
}

/// Those of other routes that take requests of a route: of its prefix, or else of the next above it.
fn taking<'f>(
    routes: &HashMap<&'f str, Vec<Forwarding<'f>>>,
    (route, keys): &Forwarding<'f>,
) -> impl Iterator<Item = Forwarding<'f>> {
    let found = above(route.prefix.as_str()).find_map(|path| {
        let same = routes.get(path)?.iter().copied();
        let same: Vec<_> = same.filter(|(_, other)| meet(keys, other)).collect();
        (!same.is_empty()).then_some(same)
    });
    found.into_iter().flatten()
}

/// Whether there are requests that both take, as far as hosts and methods decide.
fn meet(route: &RouteKeys, other: &RouteKeys) -> bool {
    let is_below = |host: &str, wildcard: &str| {
        let name = wildcard.strip_prefix('*');
        name.is_some_and(|name| host.ends_with(name))
    };
    let mut hosts = route.hosts.iter().flat_map(|host| {
        let others = other.hosts.iter();
        others.map(|other| (host.0.as_str(), other.0.as_str()))
    });
    let mut methods = route.methods.iter();
    (route.hosts.is_empty()
        || other.hosts.is_empty()
        || hosts.any(|(a, b)| a == b || is_below(a, b) || is_below(b, a)))
        && (route.methods.is_empty()
            || other.methods.is_empty()
            || methods.any(|a| other.methods.iter().any(|b| a.value == b.value)))
}

/// The protected prefixes that a path lies under, whichever of the methods it is asked for with.
fn covering<'f>(
    file: &'f File,
    path: &str,
    methods: &[At<http::Method>],
) -> impl Iterator<Item = &'f ProtectedKeys> {
    let all = file.access.protected.iter().map(|entry| &entry.value);
    all.filter(move |entry| is_under(path, entry.prefix.as_str()) && holds(&entry.methods, methods))
}

/// Whether a list lets in nobody whom a list from before did not let in.
fn is_within(before: &[At<AllowEntry>], now: &[At<AllowEntry>]) -> bool {
    !now.is_empty() && holds(before, now)
}

/// Says to whom a place is open.
fn open_to(place: &str, all: &str, before: &[At<AllowEntry>], now: &[At<AllowEntry>]) -> String {
    let text = |entry: &At<AllowEntry>| entry.value.text();
    let is_new = |entry: &&At<AllowEntry>| !before.iter().any(|old| old.value == entry.value);
    let more: Vec<_> = now.iter().filter(is_new).map(text).collect();
    if more.is_empty() {
        let before = names(before.iter().map(text));
        format!("{place} is open to {all}, before only to {before}")
    } else {
        format!("{place} is open to {}, too", names(more))
    }
}

/// What is reached by a route that takes this path.
fn place(path: &str, route: &WrittenRoute<'_>) -> String {
    let name = name_of(route);
    if path == route.prefix.as_str() {
        format!("the route {name}")
    } else {
        format!("`{path}`, now of the route {name},")
    }
}

fn longer<'f>((old, _): &Forwarding<'f>, (new, _): &Forwarding<'f>) -> &'f str {
    let (old, new) = (old.prefix.as_str(), new.prefix.as_str());
    if old.len() > new.len() { old } else { new }
}
