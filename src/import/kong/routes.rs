//! Kong's services and routes. Each path of a route becomes a route here.

use serde_json::Value;

use super::access::{acl, ip_restriction};
use super::matching::{Made, Rank, Table, clash};
use super::paths::{begins, is_below_slash, is_regex, prefix};
use super::plugins::{Plugin, Plugins, place};
use super::refusal::{hosts, is_host, refusal};
use super::upstreams::upstream;
use super::{address, called, entries, flag, limits, references, refers, strings, text, transform};
use crate::import::draft::{Draft, Pair, Route, list, quoted};
use crate::import::{Notes, problem_of_route};

/// Reads all routes: those within services and those that refer to one.
pub(super) fn routes(
    document: &Value,
    plugins: &Plugins<'_>,
    draft: &mut Draft,
    notes: &mut Notes,
) -> Table {
    for (plugin, owners) in plugins.combined() {
        let what = format!("a plugin for {owners}, which has no counterpart");
        notes.left_out(plugin, what);
    }
    let mut table = Table::default();
    for service in entries(document, "services") {
        let nested = entries(service, "routes");
        let referring = entries(document, "routes").filter(|route| {
            route
                .get("service")
                .is_some_and(|reference| refers(reference, service))
        });
        if !flag(service, "enabled", true) {
            notes.differs(called(service), "is not enabled, and was left out");
            continue;
        }
        let upstream = upstream(document, service, draft, notes);
        for route in nested.chain(referring) {
            let upstream = upstream.as_deref().map_err(Clone::clone);
            one(
                route,
                Some(service),
                upstream,
                plugins,
                &mut table,
                draft,
                notes,
            );
        }
    }
    for route in entries(document, "routes") {
        let missing = references::missing(document, route).next();
        let upstream: Result<&[Pair], String> = match missing {
            Some((_, service)) => Err(format!("its service `{service}` is not in the file")),
            None if route.get("service").is_none_or(Value::is_null) => Ok(&[]),
            None => continue,
        };
        one(route, None, upstream, plugins, &mut table, draft, notes);
    }
    table
}

/// One of Kong's routes.
fn one(
    route: &Value,
    service: Option<&Value>,
    upstream: Result<&[Pair], String>,
    plugins: &Plugins<'_>,
    table: &mut Table,
    draft: &mut Draft,
    notes: &mut Notes,
) {
    let name = called(route);
    let at = format!("route {name}");
    let mut closed_by = plugins.closing(route, service);
    let made = upstream.and_then(|upstream| read(route, service, upstream, plugins, draft, notes));
    let lost = match made {
        Ok(made) => add(route, &made, table, notes),
        Err(why) => {
            notes.left_out(&at, why);
            // Nobody knows what its plugins are.
            let owners = [Some(route), service];
            let unknown = owners
                .into_iter()
                .flatten()
                .any(|it| plugins.is_malformed(it));
            closed_by.extend(unknown.then_some("a value of another type"));
            paths(route)
        }
    };
    if !closed_by.is_empty() {
        let refused = |path: &String| refusal(route, path, closed_by == ["key-auth"]);
        table.lost.extend(lost.iter().map(refused));
    }
}

/// A route of Kong's without its paths, and whether it wants a key.
struct Read {
    route: Route,
    wants_key: bool,
}

/// What a route becomes, but for its paths, or why it is left out.
fn read(
    route: &Value,
    service: Option<&Value>,
    upstream: &[Pair],
    plugins: &Plugins<'_>,
    draft: &mut Draft,
    notes: &mut Notes,
) -> Result<Read, String> {
    if let Some(why) = unknown_match(route) {
        return Err(why);
    }
    for (kind, entity) in [("it", Some(route)), ("its service", service)] {
        if entity.is_some_and(|entity| plugins.is_malformed(entity)) {
            return Err(format!(
                "the whole route, for {kind} has a value of another type than Kong takes"
            ));
        }
    }
    schemes(route, notes);
    let methods = methods(route, notes)?;
    let mut wants_key = false;
    let mut made = Route {
        name: called(route).to_owned(),
        prefix: String::new(),
        hosts: hosts(route),
        methods,
        pairs: upstream.to_vec(),
        limits: Vec::new(),
    };
    if !flag(route, "strip_path", true) {
        made.pairs.push(("strip_prefix", "false".to_owned()));
    }
    if flag(route, "preserve_host", false) {
        let said = made.pairs.extract_if(.., |(key, _)| *key == "host").count();
        if said == 0 {
            // The upstream says another.
            made.pairs.push(("host", quoted("preserve")));
        }
    }
    let opens = |plugin: &str, why: &str| {
        format!("the whole route, for it would be open to more callers without `{plugin}`{why}")
    };
    if let Some(plugin) = plugins.closing_some(route, service) {
        return Err(opens(
            plugin,
            " of a consumer or a group, which has no counterpart",
        ));
    }
    for plugin in plugins.for_route(route, service) {
        let place = format!("route {}: {}", made.name, place(&plugin));
        if plugin.keeps_out() && plugins.is_malformed(plugin.whole) {
            return Err(opens(
                plugin.name,
                ", which has a value of another type than Kong takes",
            ));
        }
        match plugin.name {
            "key-auth" => wants_key |= plugins.protects(&plugin),
            "acl" => acl(&plugin, &mut made, notes).map_err(|why| opens(plugin.name, why))?,
            "ip-restriction" => {
                let networks = ip_restriction(&plugin).map_err(|why| opens(plugin.name, why))?;
                made.pairs.extend(networks);
            }
            name if plugin.keeps_out() && name != "request-termination" => {
                return Err(opens(name, WITHOUT));
            }
            _ => other(&plugin, &mut made, draft, notes, &place),
        }
    }
    if made.pairs.iter().any(|(key, _)| *key == "respond") {
        let of_service = [
            "upstream",
            "host",
            "strip_prefix",
            "timeout",
            "request_headers",
        ];
        made.pairs.retain(|(key, _)| !of_service.contains(key));
    }
    let leads_somewhere = |(key, _): &Pair| matches!(*key, "upstream" | "respond");
    if !made.pairs.iter().any(leads_somewhere) {
        return Err("it has no service".to_owned());
    }
    Ok(Read {
        route: made,
        wants_key,
    })
}

const WITHOUT: &str = ", which has no counterpart; if it keeps nobody out, take it out of the file";

/// A plugin that keeps nobody out.
fn other(plugin: &Plugin<'_>, made: &mut Route, draft: &mut Draft, notes: &mut Notes, place: &str) {
    match plugin.name {
        "rate-limiting" => made.limits = limits::policies(plugin, draft, notes),
        "cors" => transform::cors(plugin, made, notes),
        "request-transformer" => transform::headers(plugin, "request_headers", made, notes),
        "response-transformer" => transform::headers(plugin, "response_headers", made, notes),
        "request-size-limiting" => made.pairs.push(transform::body_limit(plugin)),
        "request-termination" if plugin.trigger().is_some() => notes.left_out(
            place,
            "`trigger`: a route answers all requests or none; it goes without",
        ),
        "request-termination" => {
            made.pairs.insert(0, transform::respond(plugin, notes));
        }
        "correlation-id" => {
            let header = text(plugin.config, "header_name").unwrap_or("Kong-Request-ID");
            if let Some(generator) = text(plugin.config, "generator") {
                let what = format!("`generator: {generator}`: ids have the gateway's own form");
                notes.differs(place, what);
            }
            if !flag(plugin.config, "echo_downstream", false) {
                notes.differs(place, "`echo_downstream` is false: callers get the id, too");
            }
            let pair = ("request_id_header", quoted(&header.to_ascii_lowercase()));
            if draft.server.is_empty() {
                draft.server.push(pair);
            } else if draft.server != [pair] {
                notes.left_out(place, "another header for the request's id: there is one");
            }
        }
        _ => notes.left_out(place, "has no counterpart; the route goes without"),
    }
}

/// What keeps a route from being told apart as Kong does; it would take more requests than it should.
fn unknown_match(route: &Value) -> Option<String> {
    for key in ["headers", "snis", "sources", "destinations", "expression"] {
        let given = route.get(key).is_some_and(|value| match value {
            Value::Object(map) => !map.is_empty(),
            Value::Array(list) => !list.is_empty(),
            value => !value.is_null(),
        });
        if given {
            return Some(format!("it matches by `{key}`"));
        }
    }
    let protocols = strings(route, "protocols");
    let http = protocols.is_empty()
        || protocols
            .iter()
            .any(|protocol| matches!(protocol.as_str(), "http" | "https"));
    if !http {
        return Some(format!("it is for {}", protocols.join(", ")));
    }
    None
}

/// The methods of a route that requests here can have.
fn methods(route: &Value, notes: &mut Notes) -> Result<Vec<String>, String> {
    let mut methods = strings(route, "methods");
    let is_never = |method: &mut String| problem_of_route("methods", &list(&[method])).is_some();
    for method in methods.extract_if(.., is_never) {
        let at = format!("route {}", called(route));
        notes.left_out(
            &at,
            format!("the method `{method}`: there is no such request here"),
        );
    }
    if methods.is_empty() && !strings(route, "methods").is_empty() {
        return Err("the whole route, for no request here has one of its methods".to_owned());
    }
    Ok(methods)
}

/// Says which protocols a route is not for, or for which others: here it answers at every address.
fn schemes(route: &Value, notes: &mut Notes) {
    let at = format!("route {}", called(route));
    let protocols = strings(route, "protocols");
    if protocols.is_empty() {
        return;
    }
    for (scheme, how) in [("http", "without"), ("https", "with")] {
        if !protocols.iter().any(|protocol| protocol == scheme) {
            notes.left_out(&at, format!("`protocols` has no `{scheme}`: requests {how} TLS are answered, too, where `listen` has such an address"));
        }
    }
    let is_other = |protocol: &&String| !matches!(protocol.as_str(), "http" | "https");
    for other in protocols.iter().filter(is_other) {
        notes.left_out(&at, format!("`protocols` has `{other}`"));
    }
}

/// The paths of a route; without any it takes all.
fn paths(route: &Value) -> Vec<String> {
    let mut paths = strings(route, "paths");
    if paths.is_empty() {
        paths.push("/".to_owned());
    }
    paths
}

/// Puts a route into the table, once for each of its paths; returns those that it could not take.
fn add(route: &Value, read: &Read, table: &mut Table, notes: &mut Notes) -> Vec<String> {
    let made = &read.route;
    let at = format!("route {}", made.name);
    let mut lost = Vec::new();
    let mut hosts = made.hosts.clone();
    for host in hosts.extract_if(.., |host| !is_host(host)) {
        let what = "a host is a name, or `*.` and a name, without a port";
        notes.left_out(&at, format!("the host `{host}`: {what}"));
        lost = paths(route);
    }
    if hosts.is_empty() && !made.hosts.is_empty() {
        return lost;
    }
    if hosts.iter().any(|host| host.starts_with("*.")) {
        notes.differs(&at, "`*.` takes one label in front, not several");
    }
    for path in paths(route) {
        if is_regex(&path) {
            notes.left_out(
                &at,
                format!("the regular expression `{path}`: paths are prefixes here"),
            );
            lost.push(path);
            continue;
        }
        let prefix = match prefix(&path) {
            Ok(prefix) => prefix,
            Err(why) => {
                notes.left_out(&at, format!("`{path}`: {why}"));
                lost.push(path);
                continue;
            }
        };
        let one = Made {
            rank: Rank::of(route, &prefix, false),
            begins: begins(&path, &prefix),
            is_below_slash: is_below_slash(&path),
            route: Route {
                prefix,
                hosts: hosts.clone(),
                ..made.clone()
            },
            wants_key: read.wants_key,
            keyed_for: Vec::new(),
            source: address(route),
            is_copy: false,
        };
        put(one, &path, &mut lost, table, notes);
    }
    lost
}

fn put(mut one: Made, path: &str, lost: &mut Vec<String>, table: &mut Table, notes: &mut Notes) {
    let other = table
        .kept
        .iter_mut()
        .find(|other| clash(&other.route, &one.route));
    if let Some(other) = other {
        if other.source == one.source {
            // Of `/a` and `/a/` the wider one.
            other.is_below_slash &= one.is_below_slash;
            return;
        }
        let at = format!("route {}", one.route.name);
        let name = &other.route.name;
        notes.left_out(
            &at,
            format!("`{path}`: the route {name} takes the same requests"),
        );
        lost.push(path.to_owned());
        return;
    }
    one.route.name = table.unused_name(&one.route.name);
    table.kept.push(one);
}
