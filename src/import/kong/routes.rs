//! Kong's services and routes. Each path of a route becomes a route here.

use serde_json::Value;

use super::access::{acl, ip_restriction};
use super::closed::{clash, hosts, is_host, keeps_out, refusal};
use super::plugins::{ACCESS, Plugins, place};
use super::upstreams::upstream;
use super::{called, entries, flag, limits, refers, strings, text, transform};
use crate::import::draft::{Draft, Pair, Protected, Route, quoted};
use crate::import::node::canonical;
use crate::import::{Notes, free_name};
use crate::route::{InvalidPrefix, PathPrefix};

/// Reads all routes: those within services and those that refer to one.
pub(super) fn routes(
    document: &Value,
    plugins: &Plugins<'_>,
    draft: &mut Draft,
    notes: &mut Notes,
) {
    for plugin in plugins.combined() {
        notes.left_out(
            plugin,
            "a plugin for a combination, such as one consumer on one route",
        );
    }
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
            one(
                route,
                Some(service),
                upstream.as_deref(),
                plugins,
                draft,
                notes,
            );
        }
    }
    for route in
        entries(document, "routes").filter(|route| route.get("service").is_none_or(Value::is_null))
    {
        one(route, None, Ok(&[]), plugins, draft, notes);
    }
}

/// One of Kong's routes.
fn one(
    route: &Value,
    service: Option<&Value>,
    upstream: Result<&[Pair], &String>,
    plugins: &Plugins<'_>,
    draft: &mut Draft,
    notes: &mut Notes,
) {
    let name = called(route);
    let at = format!("route {name}");
    let closed_by = plugins.closing(route, service);
    let refused = |path: &String| refusal(route, path, closed_by == ["key-auth"]);
    let made = upstream
        .map_err(Clone::clone)
        .and_then(|upstream| read(route, service, upstream, plugins, draft, notes));
    let lost = match made {
        Ok(made) => add(route, &made, draft, notes),
        Err(why) => {
            notes.left_out(&at, why);
            paths(route)
        }
    };
    if !closed_by.is_empty() {
        draft.refusals.extend(lost.iter().map(refused));
    }
}

/// What a route becomes, but for its paths, or why it is left out.
fn read(
    route: &Value,
    service: Option<&Value>,
    upstream: &[Pair],
    plugins: &Plugins<'_>,
    draft: &mut Draft,
    notes: &mut Notes,
) -> Result<Route, String> {
    if let Some(why) = unknown_match(route) {
        return Err(why);
    }
    schemes(route, notes);
    let mut made = Route {
        name: called(route).to_owned(),
        prefix: String::new(),
        hosts: hosts(route),
        methods: strings(route, "methods"),
        pairs: upstream.to_vec(),
        limits: Vec::new(),
        wants_key: false,
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
        match plugin.name {
            "key-auth" => made.wants_key |= plugins.protects(&plugin),
            "acl" => acl(&plugin, &mut made).map_err(|why| opens(plugin.name, why))?,
            "ip-restriction" => made.pairs.extend(ip_restriction(&plugin)),
            name if ACCESS.contains(&name) => {
                return Err(opens(name, ", which has no counterpart"));
            }
            _ => other(&plugin, &mut made, draft, notes, &place),
        }
    }
    let leads_somewhere = |(key, _): &Pair| matches!(*key, "upstream" | "respond");
    if !made.pairs.iter().any(leads_somewhere) {
        return Err("it has no service".to_owned());
    }
    Ok(made)
}

/// A plugin that keeps nobody out.
fn other(
    plugin: &super::plugins::Plugin<'_>,
    made: &mut Route,
    draft: &mut Draft,
    notes: &mut Notes,
    place: &str,
) {
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
            let answers_itself =
                |key: &str| matches!(key, "upstream" | "host" | "strip_prefix" | "timeout");
            made.pairs.retain(|(key, _)| !answers_itself(key));
            made.pairs.insert(0, transform::respond(plugin));
        }
        "correlation-id" => {
            let header = text(plugin.config, "header_name").unwrap_or("Kong-Request-ID");
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

/// Puts a route into the draft, once for each of its paths; returns those that it could not take.
fn add(route: &Value, made: &Route, draft: &mut Draft, notes: &mut Notes) -> Vec<String> {
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
        // Before version 3 of the format a path with such signs was one, without `~`.
        if path.contains(['~', '^', '$', '(', '[', '{', '\\', '+', '*', '?', '|']) {
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
        let mut one = Route {
            prefix,
            hosts: hosts.clone(),
            ..made.clone()
        };
        if let Some(other) = draft.routes.iter().find(|other| clash(other, &one)) {
            notes.left_out(
                &at,
                format!("`{path}`: the route {} takes the same requests", other.name),
            );
            if !keeps_out(other) {
                lost.push(path);
            }
            continue;
        }
        if one.wants_key {
            let entry = Protected {
                prefix: one.prefix.clone(),
                methods: one.methods.clone(),
            };
            if !draft.protected.contains(&entry) {
                draft.protected.push(entry);
            }
        }
        let taken = |name: &str| draft.routes.iter().any(|other| other.name == name);
        one.name = free_name(&one.name, taken);
        draft.routes.push(one);
    }
    lost
}

/// A path of Kong's as a prefix here: paths are compared in their canonical form, there as here.
fn prefix(path: &str) -> Result<String, InvalidPrefix> {
    let prefix = match PathPrefix::parse(&canonical(path)) {
        Err(InvalidPrefix::NotCanonical { right }) => PathPrefix::parse(&right)?,
        parsed => parsed?,
    };
    Ok(prefix.as_str().to_owned())
}
