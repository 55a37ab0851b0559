//! Routes, and the upstreams they lead to.

use std::collections::{HashMap, HashSet};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use http::Method;

use crate::config::file::{RouteTable as Written, UpstreamTable};
use crate::config::kinds::SizeOrOff;
use crate::config::problems::{MOST_SHOWN, Problem, Problems};
use crate::config::source::{At, Span};
use crate::config::suggest::closest;
use crate::limit::{Policy, Subject};
use crate::route::{EncodedSlash, PathEncoding, Route, RouteTable};
use crate::upstream::{Endpoint, EndpointUrl, Upstream};

use super::access::path_prefix;
use super::limits::Compiled;
use super::server::size;
use super::{check_name, or};

const TIMEOUT: Duration = Duration::from_secs(30);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const IDLE_TIMEOUT: Duration = Duration::from_mins(1);
const KEEP: usize = 1024;

/// Compiles all routes and upstreams.
pub(super) fn compile(
    routes: &[Written],
    upstreams: &[UpstreamTable],
    limits: &Compiled,
    problems: &mut Problems,
) -> (RouteTable, Vec<Arc<Upstream>>) {
    let again = given_twice(routes, problems);
    let mut upstreams = Upstreams::compile(upstreams, problems);
    let mut compiled = Vec::new();
    for (index, written) in routes.iter().enumerate() {
        let route = route(written, &mut upstreams, limits, problems);
        if let Some(route) = route.filter(|_| !again.contains(&index)) {
            compiled.push((route, written.prefix.span));
        }
    }
    let table = table(compiled, problems).guard_spellings(&upstreams.list);
    (table, upstreams.list)
}

/// Finds those that are given again: a prefix stands once in the maps, however many files they are
/// in. What the long form may repeat is for the route table to say.
fn given_twice(routes: &[Written], problems: &mut Problems) -> HashSet<usize> {
    let mut seen: HashMap<&str, Span> = HashMap::new();
    let mut again = HashSet::new();
    for (index, Written { prefix, .. }) in routes.iter().enumerate().filter(|(_, one)| one.in_map) {
        if let Some(first) = seen.insert(&prefix.value, prefix.span) {
            let message = format!("the route `{}` is given twice", prefix.value);
            let problem = Problem::at(prefix.span, message).label("given again here");
            problems.add(problem.also(first, "first given here"));
            again.insert(index);
        }
    }
    again
}

/// Makes the table. Of routes that no request can tell apart the later one is left out, to look for
/// more; where there are very many, the rest is not looked for, for each costs a whole table.
fn table(compiled: Vec<(Route, Span)>, problems: &mut Problems) -> RouteTable {
    let (mut routes, mut spans): (Vec<_>, Vec<_>) = compiled.into_iter().unzip();
    for _ in 0..MOST_SHOWN {
        match RouteTable::new(routes.clone()) {
            Ok(table) => return table,
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
    written: &Written,
    upstreams: &mut Upstreams,
    limits: &Compiled,
    problems: &mut Problems,
) -> Option<Route> {
    let prefix = path_prefix(&written.prefix, problems);
    let upstream = written.upstream.as_ref();
    if prefix.is_none() && !written.prefix.value.contains('/') {
        // This was not meant to be a route.
        return None;
    }
    let upstream = upstream.and_then(|target| upstreams.find(target, problems));
    let hosts: Option<Vec<_>> = all(&written.hosts, |name| host(name, problems));
    let methods: Option<Vec<_>> = all(&written.methods, |name| method(name, problems));
    let limits = limits.of_route(&written.limits, problems);
    let cost = cost(written, limits.as_deref().unwrap_or_default(), problems);
    let prefix = prefix?;
    let path_encoding = or(written.path_encoding, PathEncoding::default());
    if path_encoding == PathEncoding::Utf8 && !prefix.is_utf8() {
        let message = "no request that this route takes can have such a path";
        let problem = Problem::at(written.prefix.span, message).label("it is not UTF-8");
        problems.add(problem.help("`path_encoding = \"any\"` takes paths that are not UTF-8"));
    }
    let subject = Subject::Route(prefix.as_str().into());
    Some(Route {
        prefix,
        hosts: hosts?,
        methods: methods?,
        upstream: upstream?,
        strip_prefix: or(written.strip_prefix, true),
        timeout: or(written.timeout, TIMEOUT),
        body_limit: or(written.body_limit, SizeOrOff(None)).0,
        encoded_slash: or(written.encoded_slash, EncodedSlash::default()),
        path_encoding,
        cost: cost?,
        limits: limits?,
        subject,
    })
}

/// Compiles a cost, and refuses one that keeps everybody out.
fn cost(written: &Written, limits: &[Arc<Policy>], problems: &mut Problems) -> Option<NonZeroU32> {
    let Some(cost) = written.cost else {
        return Some(NonZeroU32::MIN);
    };
    for policy in limits.iter().filter(|policy| policy.enforces()) {
        let most = policy.limit.at_once();
        if cost.value > most {
            let message = format!("the limit `{}` can never admit this cost", policy.name);
            let label = format!("at most {most}, for it never admits more at once");
            problems.add(Problem::at(cost.span, message).label(label));
        }
    }
    NonZeroU32::new(u32::try_from(cost.value).ok()?)
}

/// Compiles each, so that each is complained about, before any is missed.
fn all<T>(
    texts: &[At<String>],
    mut compile: impl FnMut(&At<String>) -> Option<T>,
) -> Option<Vec<T>> {
    let compiled: Vec<_> = texts.iter().map(&mut compile).collect();
    compiled.into_iter().collect()
}

fn host(written: &At<String>, problems: &mut Problems) -> Option<String> {
    let text = written.value.to_ascii_lowercase();
    let name = text.strip_suffix('.').unwrap_or(&text);
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
    let bracketed = name
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let good = match bracketed {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => !name.is_empty() && name.len() <= 255 && name.bytes().all(plain),
    };
    if good {
        return Some(name.to_owned());
    }
    let why = if text.contains("://") {
        "write the name without `http://`".to_owned()
    } else if text.contains('*') {
        "there are no wildcards: name each host".to_owned()
    } else if let Some((name, _)) = text.rsplit_once(':').filter(|_| bracketed.is_none()) {
        format!("write `{name}`: ports are not compared")
    } else {
        "a name such as `api.example.com`, or an address".to_owned()
    };
    let message = format!("`{}` is no name of a host", written.value);
    problems.add(Problem::at(written.span, message).label(why));
    None
}

fn method(written: &At<String>, problems: &mut Problems) -> Option<Method> {
    let text = written.value.as_str();
    let upper = text.to_ascii_uppercase();
    let why = match Method::from_bytes(text.as_bytes()) {
        Ok(Method::CONNECT | Method::TRACE) => "CONNECT and TRACE are always refused".to_owned(),
        Ok(method) if text == upper => return Some(method),
        Ok(_) => format!("write `{upper}`: the case of methods counts"),
        Err(_) => "a method is a word such as `GET`".to_owned(),
    };
    let message = format!("`{text}` is no method of a route");
    problems.add(Problem::at(written.span, message).label(why));
    None
}

/// The upstreams compiled so far.
struct Upstreams {
    list: Vec<Arc<Upstream>>,
    /// An upstream with a problem is here all the same, without a place in the list.
    by_name: HashMap<String, Option<usize>>,
    /// Those that routes name by their URL.
    by_url: HashMap<EndpointUrl, usize>,
}

impl Upstreams {
    fn compile(tables: &[UpstreamTable], problems: &mut Problems) -> Self {
        let mut upstreams = Self {
            list: Vec::new(),
            by_name: HashMap::new(),
            by_url: HashMap::new(),
        };
        for table in tables {
            check_name("an upstream", &table.name, problems);
            let endpoints = endpoints(table, problems);
            let place = endpoints.map(|endpoints| {
                upstreams.list.push(Arc::new(Upstream {
                    name: table.name.value.as_str().into(),
                    endpoints,
                    connect_timeout: or(table.connect_timeout, CONNECT_TIMEOUT),
                    idle_timeout: or(table.idle_timeout, IDLE_TIMEOUT),
                    max_idle: table.keep.map_or(KEEP, |keep| size(keep.value)),
                }));
                upstreams.list.len() - 1
            });
            upstreams.by_name.insert(table.name.value.clone(), place);
        }
        upstreams
    }

    /// The place of the upstream that a route names, or of the one that it gives the URL of.
    fn find(&mut self, target: &At<String>, problems: &mut Problems) -> Option<usize> {
        let text = target.value.as_str();
        if text.contains("://") {
            let url = endpoint_url(target, problems)?;
            if let Some(place) = self.by_url.get(&url) {
                return Some(*place);
            }
            let place = self.list.len();
            self.by_url.insert(url.clone(), place);
            self.list.push(Arc::new(Upstream {
                name: url.to_string().into(),
                endpoints: vec![Endpoint::new(url)],
                connect_timeout: CONNECT_TIMEOUT,
                idle_timeout: IDLE_TIMEOUT,
                max_idle: KEEP,
            }));
            return Some(place);
        }
        if let Some(place) = self.by_name.get(text) {
            return *place;
        }
        let problem = Problem::at(target.span, format!("there is no upstream `{text}`"));
        problems.add(
            match closest(text, self.by_name.keys().map(String::as_str)) {
                Some(meant) => problem.label(format!("did you mean `{meant}`?")),
                None if text.contains([':', '/', '.']) => {
                    problem.label(format!("if this is an address, write `http://{text}`"))
                }
                None => problem.help(format!("add `[upstreams.{text}]`, or write a URL")),
            },
        );
        None
    }
}

/// Compiles all endpoints of an upstream.
fn endpoints(table: &UpstreamTable, problems: &mut Problems) -> Option<Vec<Endpoint>> {
    let endpoints = table.endpoints.as_ref()?;
    if endpoints.value.is_empty() {
        let message = format!("the upstream `{}` has no endpoint", table.name.value);
        problems.add(Problem::at(endpoints.span, message));
        return None;
    }
    let urls = endpoints.value.iter();
    // All are compiled before any is missed, so that each is complained about.
    let urls: Vec<_> = urls.map(|one| endpoint_url(&one.url, problems)).collect();
    let endpoints = urls.into_iter().map(|url| url.map(Endpoint::new));
    endpoints.collect()
}

fn endpoint_url(url: &At<String>, problems: &mut Problems) -> Option<EndpointUrl> {
    EndpointUrl::parse(&url.value)
        .map_err(|error| {
            let problem = Problem::at(url.span, "malformed endpoint");
            problems.add(problem.label(error.to_string()));
        })
        .ok()
}
