//! What changes messages: `request-transformer`, `response-transformer`, `cors`, `request-size-limiting`
//! and `request-termination`.

use serde_json::Value;

use super::plugins::{Plugin, place};
use super::{flag, number, strings, text};
use crate::import::Notes;
use crate::import::draft::{Pair, Route, inline, list, quoted};

/// `request-transformer` and `response-transformer`.
pub(super) fn headers(
    plugin: &Plugin<'_>,
    key: &'static str,
    route: &mut Route,
    notes: &mut Notes,
) {
    let place = place(plugin);
    let (mut set, mut add) = (Vec::new(), Vec::new());
    let mut remove = Vec::new();
    for action in ["remove", "rename", "replace", "add", "append"] {
        let Some(parts) = plugin.config.get(action).and_then(Value::as_object) else {
            continue;
        };
        for (part, value) in parts {
            let given = value.as_array().is_some_and(|list| !list.is_empty()) || value.is_string();
            if part != "headers" && given {
                notes.left_out(
                    &place,
                    format!("`{action}.{part}`: only header fields are changed"),
                );
            }
        }
        let headers = strings(&plugin.config[action], "headers");
        for header in headers {
            match (action, header.split_once(':')) {
                ("remove", _) => remove.push(header),
                ("add" | "append", Some((_, value))) if value.contains("$(") => {
                    notes.left_out(
                        &place,
                        format!("`{action}` of a value with a template: `{header}`"),
                    );
                }
                ("append", Some((name, value))) => {
                    add.push((name.to_owned(), quoted(value.trim())));
                }
                ("add", Some((name, value))) => {
                    notes.differs(
                        &place,
                        format!("`{name}` is set, also where there is one already"),
                    );
                    set.push((name.to_owned(), quoted(value.trim())));
                }
                _ => notes.left_out(&place, format!("`{action}` of `{header}`")),
            }
        }
    }
    let mut parts = Vec::new();
    for (name, pairs) in [("set", set), ("add", add)] {
        if !pairs.is_empty() {
            parts.push((name, inline(&pairs)));
        }
    }
    if !remove.is_empty() {
        parts.push(("remove", list(&remove)));
    }
    if !parts.is_empty() {
        route.pairs.push((key, inline(&parts)));
    }
}

/// `cors`.
pub(super) fn cors(plugin: &Plugin<'_>, route: &mut Route, notes: &mut Notes) {
    let place = place(plugin);
    let mut origins = strings(plugin.config, "origins");
    if origins.is_empty() {
        origins.push("*".to_owned());
    }
    // Others are regular expressions.
    let literal = |origin: &String| {
        origin == "*" || origin.contains("://") && !origin.contains(['*', '\\', '(', '[', '^', '$'])
    };
    for origin in origins.iter().filter(|origin| !literal(origin)) {
        notes.left_out(
            &place,
            format!("the origin `{origin}`: only whole origins are compared"),
        );
    }
    origins.retain(literal);
    for origin in &mut origins {
        origin.truncate(origin.trim_end_matches('/').len());
    }
    let credentials = flag(plugin.config, "credentials", false);
    if origins.is_empty() {
        return;
    }
    if credentials && origins.iter().any(|origin| origin == "*") {
        notes.left_out(&place, "credentials for every origin: any page could then act for its visitor. List the origins");
        return;
    }
    let mut pairs: Vec<Pair> = vec![("origins", list(&origins))];
    let methods: Vec<String> = strings(plugin.config, "methods")
        .into_iter()
        .filter(|method| !matches!(method.as_str(), "OPTIONS" | "CONNECT" | "TRACE"))
        .collect();
    for (key, values) in [
        ("methods", methods),
        ("headers", strings(plugin.config, "headers")),
        ("expose", strings(plugin.config, "exposed_headers")),
    ] {
        if !values.is_empty() {
            pairs.push((key, list(&values)));
        }
    }
    if credentials {
        pairs.push(("credentials", "true".to_owned()));
    }
    if let Some(seconds) = number(plugin.config, "max_age").filter(|seconds| *seconds > 0) {
        pairs.push(("max_age", quoted(&format!("{seconds}s"))));
    }
    if flag(plugin.config, "preflight_continue", false) {
        notes.left_out(
            &place,
            "`preflight_continue`: preflights never reach a service",
        );
    }
    route.pairs.push(("cors", inline(&pairs)));
}

/// `request-size-limiting`.
pub(super) fn body_limit(plugin: &Plugin<'_>) -> Pair {
    let size = number(plugin.config, "allowed_payload_size").unwrap_or(128);
    let unit = match text(plugin.config, "size_unit") {
        Some("bytes") => "B",
        Some("kilobytes") => "KiB",
        _ => "MiB",
    };
    ("body_limit", quoted(&format!("{size}{unit}")))
}

/// `request-termination`: what the route answers in place of a service.
pub(super) fn respond(plugin: &Plugin<'_>) -> Pair {
    let status = number(plugin.config, "status_code").unwrap_or(503);
    let body = text(plugin.config, "body");
    let json = "application/json; charset=utf-8";
    let (body, content_type) = if let Some(body) = body {
        let content_type = text(plugin.config, "content_type");
        (body.to_owned(), content_type.unwrap_or(json))
    } else {
        let message = text(plugin.config, "message").unwrap_or("Service unavailable");
        let body = serde_json::json!({ "message": message }).to_string();
        (body, json)
    };
    let pairs = [
        ("status", status.to_string()),
        ("body", quoted(&body)),
        ("content_type", quoted(content_type)),
    ];
    ("respond", inline(&pairs))
}
