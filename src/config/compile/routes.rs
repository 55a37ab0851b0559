//! Routes, and the upstreams they lead to.

use std::collections::HashMap;
use std::fmt::Display;
use std::num::NonZeroU32;
use std::sync::Arc;

use crate::config::file::{File, RouteKeys};
use crate::config::problems::{MOST_SHOWN, Problem, Problems};
use crate::config::source::{At, Span};
use crate::limit::{Policy, Subject};
use crate::message::forward::Names;
use crate::route::{Action, PathEncoding, PathPrefix, Route, RouteTable, SentHost};

use super::access::{AllowLists, addresses};
use super::limits::Compiled;
use super::upstreams::Upstreams;
use super::{action, cors, fields};

/// What routes are compiled with.
pub(super) struct Compiler<'c> {
    pub limits: &'c Compiled,
    pub cors: &'c cors::Compiler<'c>,
    pub names: &'c Names,
    pub allow: AllowLists<'c>,
    pub upstreams: Upstreams<'c>,
}

/// Compiles all routes.
pub(super) fn compile(file: &File, with: &mut Compiler<'_>, problems: &mut Problems) -> RouteTable {
    let mut compiled = Vec::new();
    let mut seen: HashMap<&PathPrefix, Span> = HashMap::new();
    for route in file.all_routes() {
        let prefix = route.prefix;
        let keys = route.keys;
        let compiled_route = keys.and_then(|keys| with.route(prefix, keys, problems));
        // A prefix stands once in the maps, however many files they are in. What the long form may
        // repeat is for the route table to say.
        let seen = &mut seen;
        let first = route.in_map.then(|| seen.insert(prefix, prefix.span));
        if let Some(first) = first.flatten() {
            let what = format!("the route `{}`", prefix.as_str());
            problems.add(Problem::given_twice(&what, first, prefix.span));
        } else if let Some(route) = compiled_route {
            compiled.push((route, prefix.span));
        }
    }
    table(compiled, problems).guard_spellings(&with.upstreams.list)
}

impl Compiler<'_> {
    fn route(
        &mut self,
        prefix: &At<PathPrefix>,
        keys: &RouteKeys,
        problems: &mut Problems,
    ) -> Option<Route> {
        let cors = self.cors.of_route(keys, problems);
        let action = action::compile(prefix, keys, &mut self.upstreams, problems);
        let limits = self.limits.of_route(&keys.limits, problems);
        let name = keys.name.as_ref().map_or(prefix.as_str(), |name| &name.0);
        let [request_headers, response_headers] =
            fields::of_route(prefix.as_str(), keys, self.names, cors.is_some(), problems);
        check_cost(keys, limits.as_deref().unwrap_or_default(), problems);
        check_prefix(prefix, keys, problems);
        let action = action?;
        let route = Route {
            name: name.into(),
            place: 0,
            hosts: keys.hosts.iter().map(|host| host.0.clone()).collect(),
            methods: keys.methods.values(),
            host: match (&*keys.host, &action) {
                (Some(host), _) => host.clone(),
                (None, Action::Forward(upstream)) => self.upstreams.hosts[*upstream].clone(),
                (None, Action::Redirect(_) | Action::Respond(_)) => SentHost::Preserve,
            },
            action,
            strip_prefix: *keys.strip_prefix,
            replacement: keys.replace_prefix.value.clone(),
            rewrites_redirects: *keys.rewrite_redirects,
            timeout: *keys.timeout,
            body_limit: keys.body_limit.0.map(|size| size.0),
            encoded_slash: *keys.encoded_slash,
            encoded_controls: *keys.encoded_controls,
            merge_slashes: *keys.merge_slashes,
            path_encoding: *keys.path_encoding,
            cors,
            request_headers,
            response_headers,
            allow: self.allow.place(&keys.allow),
            addresses: addresses(&keys.ip_allow, &keys.ip_deny).map(Arc::new),
            cost: u32::try_from(keys.cost.0).ok().and_then(NonZeroU32::new)?,
            limits: limits?,
            subject: Subject::route(prefix.as_str()),
            prefix: prefix.value.clone(),
        };
        Some(route)
    }
}

/// Makes the table. Of two routes that match the same requests the later one is reported and left out;
/// then the table is made again, to find more of them, but not without end.
fn table(compiled: Vec<(Route, Span)>, problems: &mut Problems) -> RouteTable {
    let (mut routes, mut spans): (Vec<_>, Vec<_>) = compiled.into_iter().unzip();
    for _ in 0..MOST_SHOWN {
        match RouteTable::new(routes.clone()) {
            Ok(table) => {
                action::check_circles(&table, &spans, problems);
                return table;
            }
            Err(error) => {
                let (first, second) = (spans[error.first], spans[error.second]);
                let (one, other) = (&routes[error.first], &routes[error.second]);
                let message = shared(&one.hosts, &other.hosts)
                    .or_else(|| shared(&one.methods, &other.methods))
                    .unwrap_or_else(|| error.to_string());
                let problem = Problem::at(second, message).label("this route");
                let sends_name = |route: &Route| {
                    route.hosts.is_empty() && matches!(route.host, SentHost::Name(_))
                };
                let help = if sends_name(one) || sends_name(other) {
                    "the names that a route is for stand in `hosts`; `host` is the one that services get"
                } else {
                    "give one of them other `hosts` or `methods`"
                };
                problems.add(problem.also(first, "and this one").help(help));
                routes.remove(error.second);
                spans.remove(error.second);
            }
        }
    }
    RouteTable::default()
}

/// What both of two lists have that are not the same, as a problem with the two.
fn shared<T: PartialEq + Display>(one: &[T], other: &[T]) -> Option<String> {
    let is_more = |one: &[T], other: &[T]| one.iter().any(|it| !other.contains(it));
    let mut both = one.iter().filter(|it| other.contains(it));
    let first = both
        .next()
        .filter(|_| is_more(one, other) || is_more(other, one))?;
    Some(format!("both of these routes take `{first}`"))
}

/// Refuses a prefix that no path begins with, and another in the place of one that stays.
fn check_prefix(prefix: &At<PathPrefix>, keys: &RouteKeys, problems: &mut Problems) {
    if *keys.path_encoding == PathEncoding::Utf8 && !prefix.is_utf8() {
        let message = "no request that this route takes can have such a path";
        let problem = Problem::at(prefix.span, message).label("it is not UTF-8");
        problems.add(problem.help("`path_encoding = \"any\"` takes paths that are not UTF-8"));
    }
    if let Some(replacement) = keys.replace_prefix.written()
        && !*keys.strip_prefix
    {
        let message = "`replace_prefix` takes the place of a prefix that is taken off";
        let problem = Problem::at(replacement.span, message);
        problems.add(problem.also(keys.strip_prefix.span, "this one is kept"));
    }
}

/// Refuses a cost that keeps everybody out.
fn check_cost(keys: &RouteKeys, limits: &[Arc<Policy>], problems: &mut Problems) {
    for policy in limits.iter().filter(|policy| policy.enforces()) {
        let most = policy.limit.at_once();
        if keys.cost.0 > most {
            let message = format!("the limit `{}` can never admit this cost", policy.name);
            let label = format!("at most {most}, for it never admits more at once");
            problems.add(Problem::at(keys.cost.span, message).label(label));
        }
    }
}
