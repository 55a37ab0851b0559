//! The limits that a request counts against.

use serde::Serialize;

use crate::limit::{Check, Subject, Who};
use crate::pipeline::protect::Admitted;
use crate::pipeline::rate_limit::Subjects;
use crate::pipeline::request::Request;
use crate::pipeline::snapshot::Snapshot;
use crate::words::Word;

use super::Explanation;

/// A limit that the request would count against.
#[derive(Debug, Serialize)]
pub struct LimitLine {
    /// The limit's name.
    pub policy: String,
    /// How many requests a window admits.
    pub requests: u64,
    /// How long a window lasts.
    pub per_seconds: u64,
    /// `fixed-window`, `sliding-window` or `token-bucket`.
    pub algorithm: &'static str,
    /// What a full bucket holds, if it is one.
    pub burst: Option<u64>,
    /// Who is counted: `client mobile-app`, `ip 192.0.2.7`, or everybody on `route /api/search`.
    pub by: String,
    /// `enforce`, or `shadow`: it never refuses.
    pub mode: &'static str,
    /// As how many requests this one counts.
    pub cost: u32,
    /// What holds because Redis does not answer: `local`, `open` or `closed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outage: Option<&'static str>,
}

/// Describes the limits of an admitted request.
pub(super) fn describe_limits(
    explanation: &mut Explanation,
    snapshot: &Snapshot,
    request: &Request<'_>,
    admitted: &Admitted<'_>,
) {
    let route = request.route.map(|route| &**route);
    let subjects = Subjects::new(&snapshot.limits, admitted.caller(), request.address);
    let checks = subjects.checks(&snapshot.limits, route);
    let cost = route.map_or(1, |route| route.cost.get());
    let lines = checks.iter().map(|check| limit_line(check, cost));
    explanation.limits.extend(lines);
}

/// Describes the limit that a request with a wrong key counts against.
pub(super) fn describe_limit_of_invalid_keys(
    explanation: &mut Explanation,
    snapshot: &Snapshot,
    request: &Request<'_>,
) {
    let limits = &snapshot.limits;
    if let Some(policy) = &limits.invalid_keys {
        let subject = &Subject::address(request.address, limits.ipv6_prefix);
        explanation
            .limits
            .push(limit_line(&Check { policy, subject }, 1));
    }
}

fn limit_line(check: &Check<'_>, cost: u32) -> LimitLine {
    let policy = check.policy;
    LimitLine {
        policy: policy.name.to_string(),
        requests: policy.limit.requests(),
        per_seconds: policy.limit.window().as_secs(),
        algorithm: policy.limit.algorithm().as_str(),
        burst: policy.limit.algorithm().burst(),
        by: match check.subject.who() {
            Who::Client(name) => format!("client {name}"),
            Who::Address(ip) => format!("ip {ip}"),
            Who::Route(name) => format!("route {name}"),
        },
        mode: policy.mode.word(),
        cost,
        outage: None,
    }
}
