//! What a route takes here and not in Kong: `HEAD` where it names `GET`, and the path itself where Kong's ends
//! with a slash. Such requests do not get past a route of Kong's that keeps callers out: `HEAD` is refused then,
//! and of the path, which cannot be told apart, it is said.

use super::matching::{
    Made, Table, common_hosts, common_methods, covers, refusal_pairs, taker, without_head,
};
use crate::import::Notes;
use crate::import::draft::{Draft, Protected, Route};

/// Closes or names what Kong would give to routes that let fewer callers in.
pub(super) fn beyond(table: &mut Table, draft: &Draft, notes: &mut Notes) {
    let slashes = table.kept.iter().filter(|made| made.is_below_slash);
    for made in slashes.filter(|made| !made.is_refusal()) {
        let methods = &made.route.methods;
        if let Some(closed) = closed(table, draft, made, methods, true) {
            let what = format!(
                "requests for `{}` itself, which has no slash at its end: they are for the route {} in Kong, and this one lets more callers in",
                made.route.prefix, closed.route.name
            );
            notes.left_out(&format!("route {}", made.route.name), what);
        }
    }
    let refusals: Vec<Made> = table
        .kept
        .iter()
        .filter_map(|made| refusal_of_head(table, draft, made, notes))
        .collect();
    for mut refusal in refusals {
        refusal.route.name = table.unused_name(&refusal.route.name);
        table.kept.push(refusal);
    }
}

/// What refuses `HEAD` in the place of a route that takes it here, and in Kong one that keeps callers out.
fn refusal_of_head(table: &Table, draft: &Draft, made: &Made, notes: &mut Notes) -> Option<Made> {
    if made.is_refusal() || !without_head(&made.route) {
        return None;
    }
    let head = ["HEAD".to_owned()];
    let takes = |host: Option<&str>| {
        let taker = taker(&table.kept, host, Some("HEAD"), &made.route.prefix);
        taker.is_some_and(|taker| std::ptr::eq(taker, made))
    };
    let mut hosts = made.route.hosts.clone();
    hosts.retain(|host| takes(Some(host)));
    if hosts.is_empty() && !(made.route.hosts.is_empty() && takes(None)) {
        return None;
    }
    let closed = closed(table, draft, made, &head, false)?;
    let name = &closed.route.name;
    let prefix = &made.route.prefix;
    let what = format!(
        "`HEAD` under `{prefix}` gets 503: it is for the route {name} in Kong, and a route for GET takes it here"
    );
    notes.left_out(&format!("route {}", made.route.name), what);
    let route = Route {
        name: name.clone(),
        prefix: prefix.clone(),
        hosts,
        methods: head.to_vec(),
        pairs: refusal_pairs(),
        limits: Vec::new(),
    };
    Some(Made {
        route,
        wants_key: false,
        keyed_for: Vec::new(),
        is_copy: true,
        ..closed.clone()
    })
}

/// The route that keeps callers out to which Kong may give requests of these methods for the prefix of a
/// route that lets them in, `itself` or what lies below.
fn closed<'t>(
    table: &'t Table,
    draft: &Draft,
    made: &Made,
    methods: &[String],
    itself: bool,
) -> Option<&'t Made> {
    let is_keyed = made.wants_key || asks_for_key(draft, &made.route.prefix, methods);
    table.kept.iter().chain(&table.lost).find(|closed| {
        let lets_in = !made.is_as_strict_as(closed) || closed.wants_key && !is_keyed;
        lets_in
            && closed.keeps_out()
            && closed.source != made.source
            && has(closed, made, methods)
            && !(itself && is_only_below(closed, made))
            && !is_overruled(table, made, methods, closed)
    })
}

/// Whether requests for the prefix of a route, with one of these methods, are another one's in Kong.
fn has(other: &Made, made: &Made, methods: &[String]) -> bool {
    other.reaches(&made.route.prefix)
        && common_methods(&other.route.methods, methods).is_some()
        && common_hosts(&other.route.hosts, &made.route.hosts).is_some()
}

fn is_only_below(other: &Made, made: &Made) -> bool {
    other.is_below_slash && other.route.prefix == made.route.prefix
}

/// Whether an open route has all of these requests, and is preferred to the closed one.
fn is_overruled(table: &Table, made: &Made, methods: &[String], closed: &Made) -> bool {
    let all = |own: &[String], these: &[String]| {
        own.is_empty() || !these.is_empty() && these.iter().all(|one| own.contains(one))
    };
    table.kept.iter().any(|open| {
        !open.keeps_out()
            && has(open, made, methods)
            && !is_only_below(open, made)
            && covers(&open.route.prefix, &made.route.prefix)
            && all(&open.route.methods, methods)
            && all(&open.route.hosts, &made.route.hosts)
            && open.rank.is_surely_before(&closed.rank)
    })
}

/// Whether a key is asked for all such requests, whatever route they get to.
fn asks_for_key(draft: &Draft, prefix: &str, methods: &[String]) -> bool {
    let is_for = |entry: &Protected| {
        let names = |method: &String| {
            let own = &entry.methods;
            own.contains(method) || method == "HEAD" && own.iter().any(|own| own == "GET")
        };
        covers(&entry.prefix, prefix)
            && (entry.methods.is_empty() || !methods.is_empty() && methods.iter().all(names))
    };
    let is_public = draft.public.iter().any(|open| covers(open, prefix));
    !is_public && draft.protected.iter().any(is_for)
}
