//! Checks of an upstream's endpoints: what they ask, and what cannot be said of them.

use std::sync::Arc;

use crate::config::file::{HealthKeys, UpstreamRuleKeys};
use crate::config::kinds::{GrpcCheck, StatusRange};
use crate::config::problems::{Problem, Problems};
use crate::config::source::Span;
use crate::route::SentHost;
use crate::upstream::{HealthCall, HealthRules};

/// Refuses checks that nothing passes, and keys that a check by gRPC has no use for. `defaults` are those
/// of all upstreams: what they say of a GET is for the upstreams that are checked by one.
pub(super) fn check(
    rules: &UpstreamRuleKeys,
    defaults: Option<&UpstreamRuleKeys>,
    problems: &mut Problems,
) {
    let Some(health) = &rules.health.0 else {
        return;
    };
    if *health.grpc == GrpcCheck::Off {
        if health.statuses.is_empty() {
            let problem = Problem::at(health.statuses.span, "no answer would pass");
            problems.add(
                problem.help("write \"200-399\", or what the service answers while it is well"),
            );
        }
        return;
    }
    let defaults = defaults.and_then(|rules| rules.health.0.as_ref());
    let spans = |health: &HealthKeys| {
        let (grpc, path) = (health.grpc.span, health.path.span);
        [grpc, path, health.statuses.span]
    };
    let is_default = |span: &Span| defaults.is_some_and(|keys| spans(keys).contains(span));
    let [grpc, path, statuses] = spans(health);
    for (key, span, why) in [
        ("path", path, "one method is called, that of the protocol"),
        ("statuses", statuses, "an answer passes that says SERVING"),
    ] {
        // A key that is not written stands where its table does.
        let is_written = span != rules.health.span;
        if !is_written || is_default(&span) && !is_default(&grpc) {
            continue;
        }
        let message = format!("`{key}` has no meaning in a check by gRPC: {why}");
        let problem = Problem::at(span, message).also(grpc, "it is by gRPC");
        problems.add(problem.help(if is_default(&grpc) && !is_default(&span) {
            "leave it out, or write `grpc = false` for a check by HTTP"
        } else {
            "leave it out; `grpc` may be the name of the service to ask about"
        }));
    }
}

/// What is checked, if anything is.
pub(super) fn rules(keys: &UpstreamRuleKeys) -> Option<Arc<HealthRules>> {
    let health = keys.health.0.as_ref()?;
    let asked_about = |service: &str| HealthCall::Grpc {
        service: service.into(),
    };
    Some(Arc::new(HealthRules {
        call: match &*health.grpc {
            GrpcCheck::Off => HealthCall::Http {
                path: health.path.0.as_str().into(),
                statuses: StatusRange::set(&health.statuses),
            },
            GrpcCheck::Server => asked_about(""),
            GrpcCheck::Service(name) => asked_about(name),
        },
        interval: health.interval.0,
        timeout: health.timeout.0,
        up: health.up.small(),
        down: health.down.small(),
        host: match &*keys.host {
            SentHost::Name(name) => Some(name.clone()),
            // No client has said which.
            SentHost::Preserve | SentHost::Endpoint => None,
        },
    }))
}
