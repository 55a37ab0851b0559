//! The route that a request takes, what it changes, and the routes that were passed over.

use serde::Serialize;

use crate::pipeline::request::Request;
use crate::pipeline::snapshot::Snapshot;
use crate::route::{NearMiss, Route, SentHost, WhyLost};

use super::Explanation;

/// The route that wins.
#[derive(Debug, Serialize)]
pub struct RouteLine {
    /// Its prefix.
    pub prefix: String,
    /// The hosts it is for; empty: any.
    pub hosts: Vec<String>,
    /// The methods it is for; empty: any.
    pub methods: Vec<String>,
    /// What it is called.
    pub name: String,
    /// The upstream that it leads to, if it leads to one.
    pub upstream: Option<String>,
    /// What it changes of requests and answers on their way.
    pub changes: Vec<String>,
    /// Why it wins.
    pub why: &'static str,
}

/// A route that could have been meant.
#[derive(Debug, Serialize)]
pub struct NearMissLine {
    /// Its prefix.
    pub prefix: String,
    /// The hosts it is for; empty: any.
    pub hosts: Vec<String>,
    /// The methods it is for; empty: any.
    pub methods: Vec<String>,
    /// Why it lost.
    pub why: &'static str,
}

/// Describes which route wins, and what else could have been meant.
pub(super) fn describe_route(
    explanation: &mut Explanation,
    snapshot: &Snapshot,
    request: &Request<'_>,
) {
    let Some(path) = &request.path else { return };
    let method = &request.head.method;
    let near = snapshot
        .routes
        .near_misses(request.host, method, path.as_str());
    explanation.near_misses = near.iter().map(near_miss).collect();
    explanation.route = request.route.map(|route| RouteLine {
        prefix: route.prefix.as_str().to_owned(),
        hosts: route.hosts.clone(),
        methods: methods(route),
        name: route.name.to_string(),
        upstream: route
            .upstream()
            .map(|upstream| snapshot.upstreams[upstream].name.to_string()),
        changes: changes(route, snapshot),
        why: why_won(route, &near),
    });
}

/// What a route changes on the way, beside the path.
fn changes(route: &Route, snapshot: &Snapshot) -> Vec<String> {
    let mut changes = Vec::new();
    match &route.host {
        SentHost::Preserve => {}
        SentHost::Endpoint => changes.push("Host: that of the endpoint".to_owned()),
        SentHost::Name(name) => changes.push(format!("Host: {name}")),
    }
    let other_paths = route.upstream().is_some_and(|upstream| {
        let mut endpoints = snapshot.upstreams[upstream].endpoints.iter();
        endpoints.any(|endpoint| !route.mapping(&endpoint.url.base_path).is_identity())
    });
    if route.rewrites_redirects && (other_paths || route.host != SentHost::Preserve) {
        let text = "Location, Content-Location, Refresh and cookie paths: as clients see them";
        changes.push(text.to_owned());
    }
    for (of, rules) in [
        ("request", &route.request_headers),
        ("answer", &route.response_headers),
    ] {
        let text = rules
            .as_ref()
            .map(|rules| format!("{of}: {}", rules.summary()));
        changes.extend(text);
    }
    changes
}

fn methods(route: &Route) -> Vec<String> {
    route.methods.iter().map(ToString::to_string).collect()
}

fn near_miss(miss: &NearMiss<'_>) -> NearMissLine {
    NearMissLine {
        prefix: miss.route.prefix.as_str().to_owned(),
        hosts: miss.route.hosts.clone(),
        methods: methods(miss.route),
        why: match miss.why {
            WhyLost::ShorterPrefix => "its prefix is shorter",
            WhyLost::Case => "its prefix differs in case",
            WhyLost::NotWholeSegments => "its prefix ends within a segment of the path",
            WhyLost::Host => "it is for other hosts",
            WhyLost::Method => "it is for other methods",
            WhyLost::LessSpecific => "the winner names the host or the method, it does not",
        },
    }
}

fn why_won(route: &Route, near: &[NearMiss<'_>]) -> &'static str {
    let rival = |why: WhyLost| near.iter().any(|miss| miss.why == why);
    if rival(WhyLost::LessSpecific) {
        if route.hosts.is_empty() {
            "it names the method"
        } else {
            "it names the host"
        }
    } else if rival(WhyLost::ShorterPrefix) {
        "its prefix is the longest that matches"
    } else {
        "it is the only one that matches"
    }
}
