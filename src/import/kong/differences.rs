//! Where Kong would choose another route, and what it does that stands in the file for many at once.

use serde_json::Value;

use super::matching::{Made, goes_on, without_head};
use super::{called, entries};
use crate::import::Notes;
use crate::import::draft::Route;

/// Says where routes are told apart in another way.
pub(super) fn differences(routes: &[Made], notes: &mut Notes) {
    let mut prefixes: Vec<&str> = routes
        .iter()
        .map(|made| &*made.route.prefix)
        .filter(|prefix| *prefix != "/")
        .collect();
    prefixes.sort_unstable();
    prefixes.dedup();
    if !prefixes.is_empty() {
        notes.differs("paths", format!("whole segments are compared: `/a` takes `/a/b`, and no longer `/ab`. This is so for {}", prefixes.join(", ")));
    }
    let named = |is_one: fn(&Made) -> bool, shown: fn(&Route) -> &str| {
        let mut names: Vec<&str> = Vec::new();
        for made in routes.iter().filter(|made| is_one(made)) {
            let name = shown(&made.route);
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names.join(", ")
    };
    let slashes = named(|made| made.is_below_slash, |route| &route.prefix);
    if !slashes.is_empty() {
        notes.differs("paths", format!("a slash at the end asks for nothing: `/a/` takes `/a`, too. This is so for {slashes}"));
    }
    let heads = named(|made| without_head(&made.route), |route| &route.name);
    if !heads.is_empty() {
        notes.differs("methods", format!("a route for GET takes HEAD, too, unless another one names it; in Kong it has to be listed. This is so for {heads}"));
    }
    for broad in routes {
        let longer = routes.iter().filter(|other| {
            goes_on(&broad.route.prefix, &other.route.prefix) && other.shares_requests(broad)
        });
        for narrow in longer {
            // A closed one stands under the longer prefix, too.
            if broad.rank.is_surely_before(&narrow.rank) && broad.rules().next().is_none() {
                notes.differs(
                    &format!("route {}", narrow.route.name),
                    format!("its prefix is longer than that of {}, and wins; Kong prefers the route with hosts or methods", broad.route.name),
                );
            }
        }
    }
}

/// Says whose messages Kong would hold back until it has them whole.
pub(super) fn buffering(document: &Value, notes: &mut Notes) {
    for (key, what) in [
        ("request_buffering", "bodies of requests"),
        ("response_buffering", "answers"),
    ] {
        let nested = entries(document, "services").flat_map(|it| entries(it, "routes"));
        let all = nested.chain(entries(document, "routes"));
        let holds = all.filter(|route| route.get(key) == Some(&Value::Bool(true)));
        let names: Vec<&str> = holds.map(called).collect();
        if !names.is_empty() {
            let names = names.join(", ");
            notes.differs(
                key,
                format!("{what} are passed on as they come. This is so for {names}"),
            );
        }
    }
}

/// Says that values which decK puts in are not in the file.
pub(super) fn defaults(document: &Value, notes: &mut Notes) {
    let defaults = document.get("_info").and_then(|info| info.get("defaults"));
    let kinds = defaults.and_then(Value::as_object);
    for (kind, values) in kinds.into_iter().flatten() {
        let keys = values.as_object().into_iter().flatten();
        let keys = keys.filter(|(_, value)| !value.is_null());
        for (key, _) in keys {
            let what = format!("`{key}` for every {kind}: write it where it holds");
            notes.left_out("_info.defaults", what);
        }
    }
}
