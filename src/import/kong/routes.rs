//! Kong's services and routes. Each path of a route becomes a route here.

use serde_json::Value;

use super::access::{acl, ip_restriction, protects};
use super::plugins::{ACCESS, Plugins, place};
use super::upstreams::upstream;
use super::{called, entries, flag, limits, refers, strings, text, transform};
use crate::import::draft::{Draft, Pair, Protected, Route, quoted};
use crate::import::node::canonical;
use crate::import::{Notes, free_name};

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
        let routes: Vec<&Value> = nested.chain(referring).collect();
        let upstream = match upstream(document, service, draft, notes) {
            Ok(upstream) => upstream,
            Err(why) => {
                for route in routes {
                    notes.left_out(&format!("route {}", called(route)), why.clone());
                }
                continue;
            }
        };
        for route in routes {
            one(route, Some(service), &upstream, plugins, draft, notes);
        }
    }
    for route in
        entries(document, "routes").filter(|route| route.get("service").is_none_or(Value::is_null))
    {
        one(route, None, &[], plugins, draft, notes);
    }
}

/// One of Kong's routes.
fn one(
    route: &Value,
    service: Option<&Value>,
    upstream: &[Pair],
    plugins: &Plugins<'_>,
    draft: &mut Draft,
    notes: &mut Notes,
) {
    let name = called(route);
    let at = format!("route {name}");
    if let Some(why) = unknown_match(route) {
        notes.left_out(&at, why);
        return;
    }
    let mut made = Route {
        name: String::new(),
        prefix: String::new(),
        hosts: strings(route, "hosts"),
        methods: strings(route, "methods"),
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
    let mut protected = false;
    for plugin in plugins.for_route(route, service) {
        let place = format!("{at}: {}", place(&plugin));
        let lost = match plugin.name {
            "key-auth" => {
                protected |= protects(&plugin);
                Ok(())
            }
            "acl" => acl(&plugin, &mut made),
            "ip-restriction" => {
                made.pairs.extend(ip_restriction(&plugin));
                Ok(())
            }
            name if ACCESS.contains(&name) => Err(", which has no counterpart"),
            _ => {
                other(&plugin, &mut made, draft, notes, &place);
                Ok(())
            }
        };
        if let Err(why) = lost {
            notes.left_out(
                &at,
                format!(
                    "the whole route, for it would be open to more callers without `{}`{why}",
                    plugin.name
                ),
            );
            return;
        }
    }
    if made
        .pairs
        .iter()
        .all(|(key, _)| !matches!(*key, "upstream" | "respond"))
    {
        notes.left_out(&at, "it has no service");
        return;
    }
    add(route, &made, protected, name, draft, notes);
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

/// Puts a route into the draft, once for each of its paths.
fn add(
    route: &Value,
    made: &Route,
    protected: bool,
    name: &str,
    draft: &mut Draft,
    notes: &mut Notes,
) {
    let at = format!("route {name}");
    let mut paths = strings(route, "paths");
    if paths.is_empty() {
        paths.push("/".to_owned());
    }
    let mut hosts = made.hosts.clone();
    hosts.retain(|host| {
        let good = !host.trim_start_matches("*.").contains('*');
        if !good {
            notes.left_out(&at, format!("the host `{host}`: a `*` stands in front"));
        }
        good
    });
    if hosts.is_empty() && !made.hosts.is_empty() {
        return;
    }
    if hosts.iter().any(|host| host.starts_with("*.")) {
        notes.differs(&at, "`*.` takes one label in front, not several");
    }
    for path in paths {
        // Before version 3 of the format a path with such signs was one, without `~`.
        if path.contains(['~', '^', '$', '(', '[', '{', '\\', '+', '*', '?', '|']) {
            notes.left_out(
                &at,
                format!("the regular expression `{path}`: paths are prefixes here"),
            );
            continue;
        }
        let prefix = canonical(&path);
        let taken = |other: &Route| {
            other.prefix == prefix && other.hosts == hosts && other.methods == made.methods
        };
        if let Some(other) = draft.routes.iter().find(|other| taken(other)) {
            notes.left_out(
                &at,
                format!("`{path}`: the route {} takes the same requests", other.name),
            );
            continue;
        }
        if protected {
            let entry = Protected {
                prefix: prefix.clone(),
                methods: made.methods.clone(),
            };
            if !draft.protected.contains(&entry) {
                draft.protected.push(entry);
            }
        }
        if !protected {
            draft.open.push((prefix.clone(), name.to_owned()));
        }
        let name = free_name(name, |name| {
            draft.routes.iter().any(|other| other.name == name)
        });
        draft.routes.push(Route {
            name,
            prefix,
            hosts: hosts.clone(),
            methods: made.methods.clone(),
            pairs: made.pairs.clone(),
            limits: made.limits.clone(),
        });
    }
}
