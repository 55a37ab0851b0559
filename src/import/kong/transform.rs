//! What is said around messages: `cors`, `request-size-limiting` and `request-termination`.

use super::plugins::{Plugin, place};
use super::{flag, number, strings, text};
use crate::import::Notes;
use crate::import::draft::{Pair, Route, inline, list, quoted};

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
