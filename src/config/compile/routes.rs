//! Routes, and the upstreams they lead to.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::Arc;

use crate::config::file::{File, RouteKeys, WrittenRoute};
use crate::config::problems::{MOST_SHOWN, Problem, Problems};
use crate::config::source::{At, Span};
use crate::limit::{Policy, Subject};
use crate::route::{PathEncoding, PathPrefix, Route, RouteTable, SentHost};
use crate::upstream::Upstream;

use super::access::addresses;
use super::limits::Compiled;
use super::upstreams::Upstreams;
use super::{access, action, cors, fields};

/// Compiles all routes and upstreams.
pub(super) fn compile(
    file: &File,
    limits: &Compiled,
    cors: &cors::Compiler<'_>,
    fields: &fields::Compiler<'_>,
    allow: &mut access::AllowLists<'_>,
    problems: &mut Problems,
) -> (RouteTable, Vec<Arc<Upstream>>) {
    let mut upstreams = Upstreams::compile(&file.upstreams, problems);
    let mut compiled = Vec::new();
    let mut seen: HashMap<&PathPrefix, Span> = HashMap::new();
    for WrittenRoute {
        prefix,
        keys,
        in_map,
    } in file.all_routes()
    {
        let route = keys.and_then(|keys| {
            let cors = cors.of_route(keys, problems);
            let route = route(prefix, keys, &mut upstreams, limits, problems)?;
            let [request_headers, response_headers] =
                fields.of_route(keys, &route.name, cors.is_some(), problems);
            Some(Route {
                cors,
                request_headers,
                response_headers,
                allow: allow.place(&keys.allow),
                addresses: addresses(&keys.ip_allow, &keys.ip_deny).map(Arc::new),
                ..route
            })
        });
        // A prefix stands once in the maps, however many files they are in. What the long form may
        // repeat is for the route table to say.
        let first = in_map
            .then(|| seen.insert(&prefix.value, prefix.span))
            .flatten();
        if let Some(first) = first {
            let what = format!("the route `{}`", prefix.as_str());
            problems.add(Problem::given_twice(&what, first, prefix.span));
        } else if let Some(route) = route {
            compiled.push((route, prefix.span));
        }
    }
    let table = table(compiled, problems).guard_spellings(&upstreams.list);
    (table, upstreams.list)
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
                let problem = Problem::at(second, error.to_string()).label("this route");
                problems.add(
                    problem
                        .also(first, "and this one")
                        .help("give one of them other `hosts` or `methods`"),
                );
                routes.remove(error.second);
                spans.remove(error.second);
            }
        }
    }
    RouteTable::default()
}

fn route(
    prefix: &At<PathPrefix>,
    keys: &RouteKeys,
    upstreams: &mut Upstreams,
    limits: &Compiled,
    problems: &mut Problems,
) -> Option<Route> {
    let action = action::compile(prefix, keys, upstreams, problems);
    let limits = limits.of_route(&keys.limits, problems);
    check_cost(keys, limits.as_deref().unwrap_or_default(), problems);
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
    let action = action?;
    let mut route = Route {
        name: keys
            .name
            .written()
            .map_or(prefix.as_str(), |name| &name.0)
            .into(),
        hosts: keys.hosts.iter().map(|host| host.0.clone()).collect(),
        methods: keys
            .methods
            .iter()
            .map(|method| method.value.clone())
            .collect(),
        action,
        host: keys.host.value.clone(),
        strip_prefix: *keys.strip_prefix,
        replacement: keys.replace_prefix.written().map(|it| it.value.clone()),
        rewrites_redirects: *keys.rewrite_redirects,
        timeout: *keys.timeout,
        body_limit: keys.body_limit.0.map(|size| size.0),
        encoded_slash: *keys.encoded_slash,
        encoded_controls: *keys.encoded_controls,
        merge_slashes: *keys.merge_slashes,
        path_encoding: *keys.path_encoding,
        cors: None,
        request_headers: None,
        response_headers: None,
        allow: None,
        addresses: None,
        cost: u32::try_from(keys.cost.0).ok().and_then(NonZeroU32::new)?,
        limits: limits?,
        subject: Subject::route(prefix.as_str()),
        prefix: prefix.value.clone(),
    };
    let mut endpoints = route
        .upstream()
        .into_iter()
        .flat_map(|upstream| &upstreams.list[upstream].endpoints);
    route.rewrites_redirects &= route.host != SentHost::Preserve
        || endpoints.any(|endpoint| !route.mapping(&endpoint.url.base_path).is_identity());
    Some(route)
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
