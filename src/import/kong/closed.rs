//! What Kong keeps closed stays closed, though routes are preferred by the length of their prefix here, and
//! protection goes by path and not by route. This is the one place that decides whether what a route takes
//! is open: given all closed routes to which Kong may give some of its requests, also those that could not
//! be taken over.

use super::beyond::beyond;
use super::matching::{
    Made, Table, clash, common_hosts, common_methods, covers, goes_on, is_below,
};
use super::preferred::prefer;
use crate::import::Notes;
use crate::import::draft::{Draft, Protected};
use crate::route::PathPrefix;

/// Closes what would be open here and is not there, and writes the routes into the draft.
pub(super) fn close(mut table: Table, draft: &mut Draft, notes: &mut Notes) {
    let mut at = 0;
    while let Some(lost) = table.lost.get(at).cloned() {
        refuse(&mut table, lost, notes);
        at += 1;
    }
    prefer(&mut table, notes);
    protect(&mut table, draft, notes);
    exceptions(&table, draft, notes);
    beyond(&mut table, draft, notes);
    longer_segments(&table, notes);
    longer_hosts(&table, notes);
    draft.routes = table.kept.into_iter().map(|made| made.route).collect();
}

/// What another route would take of one that keeps callers out and is lost is refused.
fn refuse(table: &mut Table, mut lost: Made, notes: &mut Notes) {
    let kept = &mut table.kept;
    let takes = |made: &&Made| {
        !made.is_refusal()
            && covers(&made.route.prefix, &lost.route.prefix)
            && !(lost.wants_key && made.wants_key)
            && common_hosts(&made.route.hosts, &lost.route.hosts).is_some()
            && (made.shares_requests(&lost) || made.takes_head_of(&lost))
    };
    let Some(name) = kept.iter().find(takes).map(|it| it.route.name.clone()) else {
        return;
    };
    let same = |made: &mut Made| made.is_refusal() && clash(&made.route, &lost.route);
    let earlier: Vec<Made> = kept.extract_if(.., same).collect();
    for Made { route, .. } in earlier {
        join(&mut lost.route.hosts, route.hosts);
        join(&mut lost.route.methods, route.methods);
    }
    let at = format!("route {}", lost.route.name);
    let prefix = &lost.route.prefix;
    notes.left_out(&at, format!("requests under `{prefix}` get 503 in the place of it: the route {name} would take them, and let more callers in"));
    for out in kept.extract_if(.., |made| clash(&made.route, &lost.route)) {
        let at = format!("route {}", out.route.name);
        notes.left_out(&at, format!("`{}`: the whole route, for it would take requests that the route {} keeps callers from", out.route.prefix, lost.route.name));
        if out.keeps_out() {
            table.lost.push(out.into_lost());
        }
    }
    lost.route.name = table.unused_name(&lost.route.name);
    lost.wants_key = false;
    table.kept.push(lost);
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

/// Protects the prefixes of routes that want a key, and of those that Kong may take for one.
fn protect(table: &mut Table, draft: &mut Draft, notes: &mut Notes) {
    let closed = table
        .kept
        .iter()
        .chain(&table.lost)
        .filter(|it| it.wants_key);
    let closed: Vec<Made> = closed.cloned().collect();
    for made in table.kept.iter().filter(|made| made.wants_key) {
        add_protected(draft, &made.route.prefix, &made.route.methods);
    }
    for open in table.kept.iter_mut().filter(|made| !made.wants_key) {
        for closed in &closed {
            if !open.may_lose_to(closed) {
                continue;
            }
            let (prefix, methods) = (&open.route.prefix, &closed.route.methods);
            open.keyed_for.push(methods.clone());
            let has = |entry: &Protected| {
                covers(&entry.prefix, prefix)
                    && (entry.methods.is_empty()
                        || !methods.is_empty()
                            && methods.iter().all(|own| entry.methods.contains(own)))
            };
            if !draft.protected.iter().any(has) {
                add_protected(draft, prefix, methods);
            }
            if !open.is_refusal() {
                let what = format!(
                    "wants a key here, too: Kong may give some of its requests to the route {}, and protection goes by path and method",
                    closed.route.name
                );
                notes.differs(&format!("route {}", open.route.name), what);
            }
        }
    }
}

fn add_protected(draft: &mut Draft, prefix: &str, methods: &[String]) {
    let entry = Protected {
        prefix: prefix.to_owned(),
        methods: methods.to_vec(),
    };
    if !draft.protected.contains(&entry) {
        draft.protected.push(entry);
    }
}

/// Opens what Kong has open under a protected prefix, where no protected route takes such requests too.
fn exceptions(table: &Table, draft: &mut Draft, notes: &mut Notes) {
    let mut public: Vec<String> = Vec::new();
    let is_open = |made: &&Made| !made.is_keyed() && !made.is_refusal();
    for open in table.kept.iter().filter(is_open) {
        let prefix = &open.route.prefix;
        let (lower, methods) = (prefix.to_ascii_lowercase(), &open.route.methods);
        let covered = draft.protected.iter().any(|entry| {
            common_methods(&entry.methods, methods).is_some()
                && covers(&entry.prefix.to_ascii_lowercase(), &lower)
        });
        if !covered {
            continue;
        }
        let at = format!("route {}", open.route.name);
        let keyed = |made: &Made| made.is_keyed() && is_read_as(&made.route.prefix, prefix);
        if table.kept.iter().any(keyed)
            || draft
                .protected
                .iter()
                .any(|entry| is_read_as(&entry.prefix, prefix))
        {
            notes.differs(&at, "wants a key here, too, as another route of its prefix does: protection goes by path and method");
        } else if let Some(closed) = closed_elsewhere(table, prefix) {
            notes.differs(&at, format!("wants a key here, too: an exception from protection holds for all hosts, and on other hosts these are paths of the route {closed}"));
        } else if !public.contains(prefix) {
            public.push(prefix.clone());
        }
    }
    // An exception holds for all below it that is not protected itself.
    for made in &table.kept {
        let prefix = &made.route.prefix;
        if public.iter().any(|open| covers(open, prefix)) {
            for methods in &made.keyed_for {
                add_protected(draft, prefix, methods);
            }
        }
    }
    draft.public = public;
}

/// The protected route that takes requests under an open prefix: those for hosts that no route of this
/// prefix has.
fn closed_elsewhere<'m>(table: &'m Table, prefix: &str) -> Option<&'m str> {
    let beside = |host: Option<&str>| {
        let mut same = table.kept.iter().filter(|made| made.route.prefix == prefix);
        same.any(|made| {
            let mut own = made.route.hosts.iter();
            // Kong's wildcards have hosts with more labels, too, which none here has.
            let named = host.filter(|host| !host.starts_with('*'));
            made.route.hosts.is_empty()
                || named.is_some_and(|host| own.any(|own| own.eq_ignore_ascii_case(host)))
        })
    };
    let mut all = table.kept.iter().chain(&table.lost);
    let closed = all.find(|made| {
        let hosts = made.route.hosts.iter().map(|host| Some(&**host));
        let any = made.route.hosts.is_empty().then_some(None);
        made.is_keyed() && made.reaches(prefix) && !hosts.chain(any).all(beside)
    });
    closed.map(|made| &*made.route.name)
}

/// Says which paths Kong closes by the beginning of a segment, where an open route takes them here.
fn longer_segments(table: &Table, notes: &mut Notes) {
    let kept = &table.kept;
    let all = kept.iter().chain(&table.lost);
    for closed in all.filter(|made| made.keeps_out() && !made.is_copy) {
        let takes = |made: &&Made| {
            made.lets_more_in_than(closed)
                && goes_on(&made.route.prefix, &closed.route.prefix)
                && common_hosts(&made.route.hosts, &closed.route.hosts).is_some()
                && made.takes_of(closed)
        };
        // `/a` has `/ab` in Kong, and the route for `/` has it here.
        if let Some(open) = kept.iter().find(takes) {
            notes.left_out(
                &format!("route {}", closed.route.name),
                format!("paths that only begin like `{0}`, such as `{0}-old`: the route {1} takes them here, and lets more callers in", closed.route.prefix, open.route.name),
            );
        }
    }
}

/// Says which hosts Kong closes by a wildcard, where another route takes them here. A key is asked for
/// whatever the host is.
fn longer_hosts(table: &Table, notes: &mut Notes) {
    let all = table.kept.iter().chain(&table.lost);
    for closed in all.filter(|made| made.rules().next().is_some()) {
        let wildcards = closed
            .route
            .hosts
            .iter()
            .filter(|host| host.starts_with("*."));
        for wildcard in wildcards {
            let below = |host: &String| {
                let more = host.matches('.').count() > wildcard.matches('.').count();
                more && is_below(wildcard, host)
            };
            let takes = |made: &&Made| {
                let hosts = &made.route.hosts;
                let under = made.route.prefix.starts_with(&closed.begins)
                    || covers(&made.route.prefix, &closed.route.prefix);
                under
                    && (hosts.is_empty() || hosts.iter().any(below))
                    && made.takes_of(closed)
                    && made.lets_more_in_than(closed)
            };
            if let Some(open) = table.kept.iter().find(takes) {
                notes.left_out(
                    &format!("route {}", closed.route.name),
                    format!("hosts with more than one label in the place of the `*` in `{wildcard}`: the route {} takes them here, and lets more callers in", open.route.name),
                );
            }
        }
    }
}

fn is_read_as(one: &str, other: &str) -> bool {
    let prefixes = (PathPrefix::parse(one), PathPrefix::parse(other));
    matches!(prefixes, (Ok(one), Ok(other)) if one.is_read_as(&other))
}
