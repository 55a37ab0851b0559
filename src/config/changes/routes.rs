//! Routes, told apart by the requests that they take.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;

use crate::pipeline::snapshot::Snapshot;
use crate::route::{Route, RouteTable};

use super::{Changes, names};

/// The routes of a table by their prefix: tables may be long.
pub(super) struct Index<'t>(HashMap<&'t str, Vec<&'t Arc<Route>>>);

impl<'t> Index<'t> {
    pub(super) fn of(table: &'t RouteTable) -> Self {
        let mut by_prefix: HashMap<_, Vec<_>> = HashMap::new();
        for route in table.routes() {
            by_prefix
                .entry(route.prefix.as_str())
                .or_default()
                .push(route);
        }
        Self(by_prefix)
    }

    /// The route that takes the same requests as `route`.
    pub(super) fn find(&self, route: &Route) -> Option<&'t Route> {
        let same_prefix = self.0.get(route.prefix.as_str())?;
        let found = same_prefix.iter().find(|other| same_requests(other, route));
        found.map(|found| &***found)
    }
}

/// Notes which routes came, went, and changed, except for public ones that are new.
pub(super) fn compare(old: &Snapshot, new: &Snapshot, changes: &mut Changes) {
    let name = |route: &Route| format!("`{}`{}", route.prefix.as_str(), conditions(route));
    let upstream = |snapshot: &Snapshot, route: &Route| {
        let upstream = &snapshot.upstreams[route.upstream];
        upstream.name.to_string()
    };
    let (then, now) = (Index::of(&old.routes), Index::of(&new.routes));
    for route in old.routes.routes() {
        if now.find(route).is_none() {
            changes.add(format!("the route {} is gone", name(route)));
        }
    }
    for route in new.routes.routes() {
        let name = name(route);
        let leads_to = upstream(new, route);
        // Where a public one leads has been told of among what became public.
        let told = new.access.protected.find(route.prefix.as_str()).is_none();
        let Some(before) = then.find(route) else {
            if !told {
                changes.add(format!("new route {name} to {leads_to}"));
            }
            continue;
        };
        let led_to = upstream(old, before);
        if led_to != leads_to && !told {
            changes.add(format!(
                "the route {name} leads to {leads_to} instead of {led_to}"
            ));
        }
        let rules = |route: &Route| {
            (
                route.strip_prefix,
                route.timeout,
                route.body_limit,
                route.encoded_slash,
                route.path_encoding,
            )
        };
        if rules(before) != rules(route) {
            changes.add(format!("the route {name} has other rules"));
        }
        limits(&name, before, route, changes);
    }
}

/// Notes which limits hold on a route now, and as how much they count a request there.
fn limits(name: &str, before: &Route, route: &Route, changes: &mut Changes) {
    let limits = |route: &Route| match &route.limits[..] {
        [] => "no limit of its own".to_owned(),
        [only] => format!("the limit `{}`", only.name),
        limits => {
            let limits = limits.iter().map(|policy| &*policy.name);
            format!("the limits {}", names(limits))
        }
    };
    let (then, now) = (limits(before), limits(route));
    if then != now {
        changes.add(format!("the route {name} has {now} instead of {then}"));
    }
    let (then, now) = (before.cost, route.cost);
    if then != now {
        changes.add(format!(
            "a request to the route {name} counts as {now} instead of {then}"
        ));
    }
}

/// Whether two routes take the same requests.
fn same_requests(one: &Route, other: &Route) -> bool {
    one.prefix == other.prefix
        && same_set(&one.hosts, &other.hosts)
        && same_set(&one.methods, &other.methods)
}

fn same_set<T: PartialEq>(one: &[T], other: &[T]) -> bool {
    let holds = |set: &[T], items: &[T]| items.iter().all(|item| set.contains(item));
    holds(one, other) && holds(other, one)
}

/// For which hosts and methods a route is, if not for all.
pub(super) fn conditions(route: &Route) -> String {
    let mut text = String::new();
    if !route.methods.is_empty() {
        let methods = route.methods.iter().map(http::Method::as_str);
        let _ = write!(text, " for {}", names(methods));
    }
    if !route.hosts.is_empty() {
        let hosts = route.hosts.iter().map(String::as_str);
        let _ = write!(text, " on {}", names(hosts));
    }
    text
}
