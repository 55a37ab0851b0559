//! The endpoints of an upstream, and what only shows when they are seen together.

use std::collections::HashMap;
use std::sync::Arc;

use crate::config::file::{EndpointKeys, UpstreamTlsKeys};
use crate::config::keys::List;
use crate::config::problems::{Problem, Problems};
use crate::config::source::At;
use crate::message::protocol::Scheme;
use crate::tls::Certificate;
use crate::upstream::Endpoint;

use super::upstream_tls::UpstreamTls;

/// Compiles an upstream's endpoints. Without any that is good there is no upstream.
pub(super) fn compile(
    written: &At<List<EndpointKeys>>,
    tls: &UpstreamTlsKeys,
    served: &[Arc<Certificate>],
    problems: &mut Problems,
) -> Option<Vec<Endpoint>> {
    if written.is_empty() {
        let problem = Problem::at(written.span, "an upstream has at least one endpoint");
        problems.add(problem.help("write its URL"));
        return None;
    }
    check_twice(written, problems);
    check_paths(written, problems);
    // One that could not be read, which has been reported, may be what is missing.
    if !problems.has_within(written.span) {
        check_shares(written, problems);
    }
    let is_https = |keys: &&At<EndpointKeys>| keys.url.scheme == Scheme::Https;
    let https = written.iter().find(is_https).map(|keys| keys.url.span);
    let tls = UpstreamTls::compile(tls, https, served, problems);
    let mut endpoint = |keys: &At<EndpointKeys>| {
        Some(Endpoint {
            weight: keys.weight.small(),
            backup: *keys.backup,
            ..tls.endpoint(keys.url.lent(), problems)?
        })
    };
    let endpoints: Vec<_> = written.iter().map(&mut endpoint).collect();
    endpoints.into_iter().collect()
}

/// Refuses two endpoints with one host and port: what is learnt of an endpoint is by these.
fn check_twice(endpoints: &[At<EndpointKeys>], problems: &mut Problems) {
    let mut seen = HashMap::new();
    for keys in endpoints {
        let host = keys.url.host.strip_suffix('.').unwrap_or(&keys.url.host);
        if let Some(first) = seen.insert((host, keys.url.port), keys.url.span) {
            let what = format!("the endpoint `{}`", keys.url.authority());
            let problem = Problem::given_twice(&what, first, keys.url.span);
            problems.add(problem.help("`weight` gives an endpoint a larger share"));
        }
    }
}

/// Refuses paths that differ: a request is made before its endpoint is picked, and may go to several.
fn check_paths(endpoints: &[At<EndpointKeys>], problems: &mut Problems) {
    let path = |keys: &At<EndpointKeys>| match &*keys.url.base_path {
        "" => "none".to_owned(),
        path => format!("`{path}`"),
    };
    let first = &endpoints[0];
    let differs = |keys: &&At<EndpointKeys>| keys.url.base_path != first.url.base_path;
    if let Some(other) = endpoints.iter().find(differs) {
        let message = "the endpoints of an upstream have one path";
        let problem =
            Problem::at(other.url.span, message).label(format!("here it is {}", path(other)));
        let problem = problem.also(first.url.span, format!("here it is {}", path(first)));
        problems.add(problem.help("write one path for all, or make two upstreams of them"));
    }
}

/// Refuses endpoints of which none gets requests, and backups of nothing.
fn check_shares(written: &At<List<EndpointKeys>>, problems: &mut Problems) {
    if written.iter().all(|keys| *keys.backup) {
        let problem = Problem::at(written.span, "all endpoints are backups");
        let help = "leave out `backup` where requests go while all is well";
        problems.add(problem.help(help));
    } else if written.iter().all(|keys| keys.weight.0 == 0) {
        let span = written[0].weight.span;
        let problem = Problem::at(span, "all weights are 0").label("no endpoint gets requests");
        problems.add(problem.help("give one a weight of 1 or more"));
    }
}
