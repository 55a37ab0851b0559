//! What became public: the one change that nobody wants to find out about from others.

use std::fmt::Write as _;

use crate::config::lint::is_under;
use crate::pipeline::snapshot::Snapshot;
use crate::route::{PathPrefix, Route};

use super::routes::{Index, conditions};
use super::{ChangeKind, Changes, names};

/// Notes what anonymous callers reach now and did not reach before.
pub(super) fn compare(old: &Snapshot, new: &Snapshot, changes: &mut Changes) {
    for prefix in old.access.protected.iter() {
        if new.access.protected.find(prefix.as_str()).is_none() {
            no_longer_protected(prefix, old, new, changes);
        }
    }
    let before = Index::of(&old.routes);
    for route in new.routes.routes() {
        if new.access.protected.find(route.prefix.as_str()).is_some() {
            continue;
        }
        let leads_to =
            |snapshot: &Snapshot, route: &Route| snapshot.upstreams[route.upstream].to_string();
        let now = leads_to(new, route);
        match before.find(route) {
            None => changes.add(format!(
                "new public route `{}`{} to {now}",
                route.prefix.as_str(),
                conditions(route),
            )),
            // One that was protected until now has been told of above.
            Some(before) => {
                let then = leads_to(old, before);
                if then != now {
                    changes.add(format!(
                        "the public route `{}`{} leads to {now} instead of {then}",
                        route.prefix.as_str(),
                        conditions(route),
                    ));
                }
            }
        }
    }
}

fn no_longer_protected(prefix: &PathPrefix, old: &Snapshot, new: &Snapshot, changes: &mut Changes) {
    let mut open: Vec<&str> = Vec::new();
    for route in new.routes.routes() {
        let path = route.prefix.as_str();
        // A route may lie under the prefix, or the prefix within what the route takes.
        let was_protected = old.access.protected.find(path).is_some();
        let is_public = new.access.protected.find(path).is_none();
        let opened = (was_protected && is_public) || is_under(prefix.as_str(), path);
        if opened && !open.contains(&path) {
            open.push(path);
        }
    }
    let still: Vec<&str> = new
        .access
        .protected
        .iter()
        .map(PathPrefix::as_str)
        .filter(|narrower| prefix.covers(narrower))
        .collect();
    let mut text = format!("`{}` is no longer protected", prefix.as_str());
    if !still.is_empty() {
        let _ = write!(text, ", except for {}", names(still));
    }
    if open.is_empty() {
        text.push_str("; no route leads there");
        changes.add_as(ChangeKind::Applied, text);
    } else {
        let open = names(open);
        let _ = write!(text, "; anonymous callers reach it by the route {open}");
        changes.add(text);
    }
}
