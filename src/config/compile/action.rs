//! What becomes of a route's requests: one of three, and nothing that only another would need.

use std::sync::Arc;

use http::{Method, StatusCode};

use crate::config::file::{RespondKeys, RouteKeys};
use crate::config::keys::not_default;
use crate::config::problems::{Problem, Problems};
use crate::config::source::{At, Span};
use crate::route::{Action, FixedAnswer, PathPrefix, Redirect, Resolved, RouteTable};

use super::upstreams::Upstreams;

/// Compiles what a route does.
pub(super) fn compile(
    prefix: &At<PathPrefix>,
    keys: &RouteKeys,
    upstreams: &mut Upstreams<'_>,
    problems: &mut Problems,
) -> Option<Action> {
    let all = [
        (keys.upstream.is_there(), keys.upstream.span),
        (keys.redirect.is_there(), keys.redirect.span),
        (keys.respond.is_there(), keys.respond.span),
    ];
    let mut written = all.iter().filter(|(there, _)| *there);
    match (written.next(), written.next()) {
        (None, _) => {
            let message = format!("the route `{}` has no `upstream`", prefix.as_str());
            let label = "add one, or `redirect` or `respond`";
            problems.add(Problem::at(prefix.span, message).label(label));
        }
        (Some((_, first)), Some((_, second))) => {
            let message = "a route has one of `upstream`, `redirect` and `respond`";
            let problem = Problem::at(*second, message).label("this is another");
            problems.add(problem.also(*first, "this is one"));
            return None;
        }
        (Some(_), None) => {}
    }
    if let Some(target) = keys.upstream.given() {
        let span = keys.upstream.span;
        let target = At {
            value: target,
            span,
        };
        return upstreams.find(target, problems).map(Action::Forward);
    }
    if !keys.upstream.is_there() {
        check_unused(keys, problems);
    }
    if let Some(redirect) = keys.redirect.given() {
        return Some(Action::Redirect(Redirect {
            status: redirect.status.0,
            to: redirect.to.value.clone(),
        }));
    }
    keys.respond
        .given()
        .and_then(|keys| respond(keys, problems))
}

/// What only a request that goes to a service has use for.
const FOR_SERVICES: [&str; 6] = [
    "strip_prefix",
    "replace_prefix",
    "rewrite_redirects",
    "host",
    "timeout",
    "request_headers",
];

/// Refuses what is written for a service where there is none.
fn check_unused(keys: &RouteKeys, problems: &mut Problems) {
    for (name, span) in not_default(keys).filter(|(name, _)| FOR_SERVICES.contains(name)) {
        let message = format!("`{name}` is for a route with an `upstream`");
        let label = "no service gets these requests";
        problems.add(Problem::at(span, message).label(label));
    }
}

fn respond(keys: &RespondKeys, problems: &mut Problems) -> Option<Action> {
    let status = u16::try_from(keys.status.0).ok()?;
    let status = StatusCode::from_u16(status).ok()?;
    if status.is_redirection() {
        let problem = Problem::at(keys.status.span, "a redirect has a place that it leads to");
        problems.add(problem.help("write `redirect = { to = \"/new\", status = 308 }` instead"));
    }
    let has_none = matches!(status, StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT);
    if has_none && !keys.body.is_empty() {
        let message = format!("an answer with status {} has no body", status.as_u16());
        problems.add(Problem::at(keys.body.span, message));
    }
    Some(Action::Respond(FixedAnswer {
        status,
        body: keys.body.as_str().into(),
        content_type: keys.content_type.0.as_str().into(),
    }))
}

/// Refuses redirects that lead to themselves. `spans` are those of the routes.
pub(super) fn check_circles(table: &RouteTable, spans: &[Span], problems: &mut Problems) {
    for (route, span) in table.routes().iter().zip(spans) {
        let Action::Redirect(redirect) = &route.action else {
            continue;
        };
        let Some(path) = redirect.to.own_path() else {
            continue;
        };
        let host = route.hosts.first().map_or("", String::as_str);
        let method = route.methods.first().unwrap_or(&Method::GET);
        let leads_to = table.find(host.as_bytes(), method, path);
        if matches!(leads_to, Resolved::Route(found) if Arc::ptr_eq(found, route)) {
            let message = format!("the redirect to `{}` leads to itself", redirect.to);
            let label = "this route takes it again";
            problems.add(Problem::at(*span, message).label(label));
        }
    }
}
