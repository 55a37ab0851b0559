//! What changes messages: `request-transformer`, `response-transformer`, `cors`, `request-size-limiting`
//! and `request-termination`.

use serde_json::Value;

use super::plugins::{Plugin, place};
use super::{flag, is_placeholder, number, strings, text};
use crate::import::draft::{Pair, Route, inline, list, quoted};
use crate::import::{Notes, problem_of_route};

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
        let removes = action == "remove";
        for header in strings(&plugin.config[action], "headers") {
            // The value may be a secret.
            let (name, value) = header.split_once(':').unwrap_or((&header, ""));
            let said = format!("`{action}` of `{name}`");
            if is_placeholder(&header) {
                notes.left_out(&place, format!("{said}: its value stands for another one"));
            } else if value.contains("$(") {
                notes.left_out(&place, format!("{said}, whose value is a template"));
            } else if let Err(why) = check(key, name, if removes { "x" } else { value }) {
                notes.left_out(&place, format!("{said}: {why}"));
            } else {
                let pair = (name.to_ascii_lowercase(), quoted(value.trim()));
                let once = |pairs: &[(String, String)]| pairs.iter().all(|(own, _)| *own != pair.0);
                match action {
                    "remove" if !remove.contains(&pair.0) => remove.push(pair.0),
                    "remove" => {}
                    "add" | "append" if !header.contains(':') => notes.left_out(&place, said),
                    "append" if once(&add) && once(&set) => add.push(pair),
                    "add" if once(&set) && once(&add) => {
                        let what = format!("`{name}` is set, also where there is one already");
                        notes.differs(&place, what);
                        set.push(pair);
                    }
                    "add" | "append" => {
                        notes.left_out(&place, format!("{said} once more: a field has one value"));
                    }
                    _ => notes.left_out(&place, said),
                }
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

/// Whether a route may change a field, and to this value.
fn check(key: &str, name: &str, value: &str) -> Result<(), &'static str> {
    let rule = |value: &str| {
        let field = [(name, quoted(value))];
        problem_of_route(key, &inline(&[("set", inline(&field))]))
    };
    if rule("x").is_some() {
        return Err("it is not for a route to change");
    }
    let good = rule(value.trim()).is_none();
    good.then_some(()).ok_or("its value is not one of a field")
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
    let mut listed: Vec<String> = Vec::new();
    for origin in origins {
        let written = written_origin(&origin);
        let good = literal(&origin)
            && problem_of_route("cors", &inline(&[("origins", list(&[&written]))])).is_none();
        if !good {
            let what = format!("the origin `{origin}`: only whole origins are compared");
            notes.left_out(&place, what);
        } else if !listed.contains(&written) {
            listed.push(written);
        }
    }
    let origins = listed;
    let credentials = flag(plugin.config, "credentials", false);
    if origins.is_empty() {
        return;
    }
    if credentials && origins.iter().any(|origin| origin == "*") {
        notes.left_out(&place, "credentials for every origin: any page could then act for its visitor. List the origins");
        return;
    }
    let mut pairs: Vec<Pair> = vec![("origins", list(&origins))];
    for (key, from) in [
        ("methods", "methods"),
        ("headers", "headers"),
        ("expose", "exposed_headers"),
    ] {
        let mut values = strings(plugin.config, from);
        // A preflight is for none of these.
        values.retain(|value| {
            key != "methods" || !matches!(value.as_str(), "OPTIONS" | "CONNECT" | "TRACE")
        });
        let bad = values.extract_if(.., |value| {
            let one = [
                ("origins", list(&["https://a.test"])),
                (key, list(&[&*value])),
            ];
            problem_of_route("cors", &inline(&one)).is_some()
        });
        for value in bad {
            notes.left_out(&place, format!("`{value}` in `{from}`"));
        }
        if !values.is_empty() {
            pairs.push((key, list(&values)));
        }
    }
    if credentials {
        pairs.push(("credentials", "true".to_owned()));
    }
    // Browsers keep it for a day at most.
    let max_age = number(plugin.config, "max_age").map(|seconds| seconds.min(86_400));
    if let Some(seconds) = max_age.filter(|seconds| *seconds > 0) {
        pairs.push(("max_age", quoted(&format!("{seconds}s"))));
    }
    if number(plugin.config, "max_age").is_some_and(|seconds| seconds > 86_400) {
        notes.differs(&place, "`max_age` is a day: browsers keep it no longer");
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

/// An origin as browsers write it: in lower case, without the port of its scheme.
fn written_origin(origin: &str) -> String {
    let origin = origin.trim_end_matches('/').to_ascii_lowercase();
    let port = if origin.starts_with("https:") {
        ":443"
    } else {
        ":80"
    };
    let short = origin.strip_suffix(port).map(str::to_owned);
    short.unwrap_or(origin)
}

/// `request-termination`: what the route answers in place of a service.
pub(super) fn respond(plugin: &Plugin<'_>, notes: &mut Notes) -> Pair {
    let mut status = number(plugin.config, "status_code").unwrap_or(503);
    if !(200..300).contains(&status) && !(400..600).contains(&status) {
        let what =
            format!("the status {status}: it is 503 here; a route redirects with `redirect`");
        notes.left_out(&place(plugin), what);
        status = 503;
    }
    if matches!(status, 204 | 205) {
        return ("respond", inline(&[("status", status.to_string())]));
    }
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
