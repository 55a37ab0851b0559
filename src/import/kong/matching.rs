//! Which requests a route of Kong's takes, and which of two routes it prefers. Kong goes by how many of
//! `hosts`, `methods`, `headers`, `snis` and `paths` a route has, and by the length of the path only then; its
//! two routers differ in what else counts, so a route is only preferred for sure if both say so.

use serde_json::Value;

use super::strings;
use crate::import::draft::{Pair, Route, inline, quoted};
use crate::import::free_name;

/// The routes that are taken over, and in the place of those that keep callers out and are not, routes
/// that refuse.
#[derive(Debug, Default)]
pub(super) struct Table {
    pub kept: Vec<Made>,
    pub lost: Vec<Made>,
}

impl Table {
    /// A name that no other route has.
    pub(super) fn unused_name(&self, name: &str) -> String {
        let taken = |name: &str| self.kept.iter().any(|made| made.route.name == name);
        free_name(name, taken)
    }
}

/// What a route of Kong's becomes, for one of its paths.
#[derive(Debug, Clone)]
pub(super) struct Made {
    pub route: Route,
    /// Whether anonymous callers are kept out. In the text the protected prefixes say so.
    pub wants_key: bool,
    /// The methods of routes that want a key, to which Kong may give some of its requests. No method
    /// stands for all.
    pub keyed_for: Vec<Vec<String>>,
    /// What the paths begin with that Kong gives to it, not by whole segments.
    pub begins: String,
    /// Whether Kong's path ends with a slash: it gives it what lies below, and not the path itself.
    pub is_below_slash: bool,
    pub rank: Rank,
    /// The address of Kong's route: all that is made from it has the same rules.
    pub source: usize,
    /// Whether it stands under another prefix than Kong's, so that it wins there as in Kong.
    pub is_copy: bool,
}

/// What Kong goes by when several routes match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rank {
    fields: usize,
    /// Which fields, in the order of their weight.
    which: [bool; 5],
    plain_hosts: bool,
    headers: usize,
    is_regex: bool,
    length: usize,
}

impl Rank {
    pub(super) fn of(route: &Value, path: &str, is_regex: bool) -> Self {
        let size = |key: &str| match route.get(key) {
            Some(Value::Array(list)) => list.len(),
            Some(Value::Object(map)) => map.len(),
            Some(Value::Null) | None => 0,
            Some(_) => 1,
        };
        let which = ["hosts", "headers", "paths", "methods", "snis"].map(|key| size(key) > 0);
        let hosts = strings(route, "hosts");
        Self {
            // One with an expression says itself how much it is preferred.
            fields: match size("expression") {
                0 => which.into_iter().filter(|given| *given).count(),
                _ => usize::MAX,
            },
            which,
            plain_hosts: !hosts.is_empty() && !hosts.iter().any(|host| host.contains('*')),
            headers: size("headers"),
            is_regex,
            length: if is_regex || size("paths") == 0 {
                0
            } else {
                path.len()
            },
        }
    }

    /// Whether Kong prefers it in any case.
    pub(super) fn is_surely_before(&self, other: &Self) -> bool {
        let compatible = |it: &Self| {
            (
                it.fields,
                it.plain_hosts,
                it.headers,
                it.is_regex,
                it.length,
            )
        };
        let traditional = |it: &Self| {
            (
                (it.fields, it.which),
                (it.plain_hosts, it.is_regex, it.headers, it.length),
            )
        };
        compatible(self) > compatible(other) && traditional(self) > traditional(other)
    }
}

impl Made {
    /// The rules that keep callers out, but for the key.
    pub(super) fn rules(&self) -> impl Iterator<Item = &Pair> {
        let rules = ["allow", "ip_allow", "ip_deny", "respond"];
        let pairs = self.route.pairs.iter();
        pairs.filter(move |(key, _)| rules.contains(key))
    }

    pub(super) fn keeps_out(&self) -> bool {
        self.wants_key || self.rules().next().is_some()
    }

    /// Whether it lets nobody in that `other` keeps out by another rule than the key.
    pub(super) fn is_as_strict_as(&self, other: &Self) -> bool {
        let answers_itself = self.rules().any(|(key, _)| *key == "respond");
        // A key was all that it asked for.
        let is_lost = other.wants_key && other.is_refusal();
        answers_itself
            || is_lost
            || self.source == other.source
            || other.rules().all(|rule| self.route.pairs.contains(rule))
    }

    /// Whether it refuses what it takes, in the place of a route that is lost.
    pub(super) fn is_refusal(&self) -> bool {
        self.route.pairs == refusal_pairs()
    }

    /// What refuses in the place of a route that cannot stand beside another one.
    pub(super) fn into_lost(mut self) -> Self {
        let has_rules = self.rules().next().is_some();
        self.wants_key &= !has_rules;
        self.route.pairs = refusal_pairs();
        self.route.limits.clear();
        self
    }

    /// Whether a key is wanted for some of its requests.
    pub(super) fn is_keyed(&self) -> bool {
        self.wants_key || !self.keyed_for.is_empty()
    }

    /// Whether it lets callers in that `closed` keeps out.
    pub(super) fn lets_more_in_than(&self, closed: &Self) -> bool {
        let is_keyed = self.wants_key || self.rules().any(|(key, _)| *key == "respond");
        !self.is_as_strict_as(closed) || closed.wants_key && !is_keyed
    }

    /// Whether Kong may give requests under a prefix to it, as far as their path goes.
    pub(super) fn reaches(&self, prefix: &str) -> bool {
        prefix.starts_with(&self.begins) || covers(&self.route.prefix, prefix)
    }

    /// Whether there are requests of both that Kong may give to `preferred`, among those under this prefix.
    pub(super) fn may_lose_to(&self, preferred: &Self) -> bool {
        self.source != preferred.source
            && preferred.reaches(&self.route.prefix)
            && !self.rank.is_surely_before(&preferred.rank)
            && self.shares_requests(preferred)
    }

    /// Whether it takes requests here, of paths and hosts that are not in question, that Kong may give to
    /// `closed`.
    pub(super) fn takes_of(&self, closed: &Self) -> bool {
        let common = common_methods(&self.route.methods, &closed.route.methods).is_some();
        self.takes_head_of(closed) || common && !self.rank.is_surely_before(&closed.rank)
    }

    /// Whether it takes `HEAD` here as a route for `GET`, which Kong gives to `other`.
    pub(super) fn takes_head_of(&self, other: &Self) -> bool {
        let head = ["HEAD".to_owned()];
        without_head(&self.route) && common_methods(&other.route.methods, &head).is_some()
    }

    pub(super) fn shares_requests(&self, other: &Self) -> bool {
        common_hosts(&self.route.hosts, &other.route.hosts).is_some()
            && common_methods(&self.route.methods, &other.route.methods).is_some()
    }
}

/// What a route answers that refuses.
pub(super) fn refusal_pairs() -> Vec<Pair> {
    let answer = [
        ("status", "503".to_owned()),
        ("body", quoted("This route was not taken over.\n")),
    ];
    vec![("respond", inline(&answer))]
}

/// The route that takes a request here: of the longest prefix that has one for the host. No host stands for
/// those that no route names, one with `*.` for those one label below, and no method for those that no route
/// names.
pub(super) fn taker<'m>(
    all: &'m [Made],
    host: Option<&str>,
    method: Option<&str>,
    path: &str,
) -> Option<&'m Made> {
    let on_the_way =
        |made: &&Made| covers(&made.route.prefix, path) && closeness(&made.route, host).is_some();
    let longest = all
        .iter()
        .filter(on_the_way)
        .map(|made| made.route.prefix.len())
        .max()?;
    let rank = |made: &Made| {
        let has = |method: &str| made.route.methods.iter().any(|own| own == method);
        // A route for GET takes HEAD, unless another one names it.
        let named = match method {
            Some(method) if has(method) => 2,
            Some("HEAD") if has("GET") => 1,
            _ => 0,
        };
        let takes = named > 0 || made.route.methods.is_empty();
        takes.then_some((closeness(&made.route, host), named))
    };
    let candidates = all
        .iter()
        .filter(on_the_way)
        .filter(|made| made.route.prefix.len() == longest);
    let best = candidates.filter_map(|made| Some((rank(made)?, made)));
    best.max_by_key(|(rank, _)| *rank).map(|(_, made)| made)
}

/// How closely a route names a host, if it takes it.
fn closeness(route: &Route, host: Option<&str>) -> Option<u8> {
    let names = |host: &str| route.hosts.iter().any(|own| own.eq_ignore_ascii_case(host));
    let Some(host) = host else {
        return route.hosts.is_empty().then_some(0);
    };
    let parent = host
        .split_once('.')
        .map(|(_, parent)| format!("*.{parent}"));
    if names(host) {
        Some(2)
    } else if parent.is_some_and(|wildcard| names(&wildcard)) {
        Some(1)
    } else {
        route.hosts.is_empty().then_some(0)
    }
}

/// Whether a route takes `HEAD` here, as one for `GET`, and not in Kong.
pub(super) fn without_head(route: &Route) -> bool {
    let names = |method: &str| route.methods.iter().any(|own| own == method);
    names("GET") && !names("HEAD")
}

/// The hosts that two lists have in common, of which an empty one stands for all. A wildcard of Kong's
/// has any number of labels in front.
pub(super) fn common_hosts(one: &[String], other: &[String]) -> Option<Vec<String>> {
    let narrower = |one: &str, other: &str| {
        if one.eq_ignore_ascii_case(other) || is_below(other, one) {
            Some(one.to_owned())
        } else {
            is_below(one, other).then(|| other.to_owned())
        }
    };
    common(one, other, narrower)
}

pub(super) fn common_methods(one: &[String], other: &[String]) -> Option<Vec<String>> {
    common(one, other, |one, other| {
        (one == other).then(|| one.to_owned())
    })
}

fn common(
    one: &[String],
    other: &[String],
    narrower: impl Fn(&str, &str) -> Option<String>,
) -> Option<Vec<String>> {
    if one.is_empty() || other.is_empty() {
        return Some([one, other].concat());
    }
    let mut all: Vec<String> = Vec::new();
    for (one, other) in one
        .iter()
        .flat_map(|one| other.iter().map(move |other| (one, other)))
    {
        all.extend(narrower(one, other).filter(|it| !all.contains(it)));
    }
    (!all.is_empty()).then_some(all)
}

/// Whether a host, or wildcard, lies below a wildcard.
pub(super) fn is_below(wildcard: &str, host: &str) -> bool {
    let parent = wildcard.strip_prefix('*').map(str::to_ascii_lowercase);
    parent.is_some_and(|parent| {
        host.len() > parent.len() && host.to_ascii_lowercase().ends_with(&parent)
    })
}

/// Whether two routes match the same requests here, and neither more closely.
pub(super) fn clash(one: &Route, other: &Route) -> bool {
    let common = |one: &[String], other: &[String]| {
        let equal = |own: &String| other.iter().any(|other| own.eq_ignore_ascii_case(other));
        one.is_empty() && other.is_empty() || one.iter().any(equal)
    };
    one.prefix == other.prefix
        && common(&one.hosts, &other.hosts)
        && common(&one.methods, &other.methods)
}

/// Whether a prefix has all paths of another one.
pub(super) fn covers(outer: &str, inner: &str) -> bool {
    outer == inner || goes_on(outer, inner)
}

/// Whether a prefix lies under another one.
pub(super) fn goes_on(outer: &str, inner: &str) -> bool {
    let rest = inner.strip_prefix(outer.trim_end_matches('/'));
    outer != inner && rest.is_some_and(|rest| rest.starts_with('/'))
}
