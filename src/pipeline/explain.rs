//! What would become of a request: the stages themselves are run, only counting and sending are
//! left out, and each says what it decided and why.

use std::net::IpAddr;

use serde::Serialize;

use crate::client::Client;
use crate::limit::{Check, Subject};
use crate::message::caller::caller;
use crate::message::head::RequestHead;
use crate::message::path::RequestPath;
use crate::message::target::host_without_port;
use crate::route::{NearMiss, Route, WhyLost};

use super::handle::{is_health, understand};
use super::identify::{Caller, identify};
use super::protect::protect;
use super::rate_limit::Subjects;
use super::rejection::Rejection;
use super::resolve::{check, put_target, resolve};
use super::snapshot::Snapshot;

/// What would become of a request, stage by stage; later stages are empty once one has refused it.
#[derive(Debug, Default, Serialize)]
pub struct Explanation {
    /// As it came.
    pub method: String,
    /// The target as it came.
    pub target: String,
    /// Without its port.
    pub host: String,
    /// The canonical path.
    pub path: Option<String>,
    /// How the path came about; empty if it was canonical as it came.
    pub path_steps: Vec<&'static str>,
    /// The client's name, if it is an identified one.
    pub client: Option<String>,
    /// `anonymous`, `identified` or `invalid`.
    pub client_kind: Option<&'static str>,
    /// Where the request comes from.
    pub ip: String,
    /// The protected prefix that it lies under.
    pub protected_by: Option<String>,
    /// The limits that it would count against.
    pub limits: Vec<LimitLine>,
    /// The route that wins.
    pub route: Option<RouteLine>,
    /// The routes that were passed over, the nearest first.
    pub near_misses: Vec<NearMissLine>,
    /// What the gateway would answer by itself, if that is no refusal.
    pub answers: Option<&'static str>,
    /// The URL that would be sent.
    pub sends: Option<String>,
    /// The refusal, if it would be refused.
    pub refused: Option<Refusal>,
}

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
}

/// The route that wins.
#[derive(Debug, Serialize)]
pub struct RouteLine {
    /// Its prefix.
    pub prefix: String,
    /// The hosts it is for; empty: any.
    pub hosts: Vec<String>,
    /// The methods it is for; empty: any.
    pub methods: Vec<String>,
    /// Where it leads.
    pub upstream: String,
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

/// A refusal, as the client would be told.
#[derive(Debug, Serialize)]
pub struct Refusal {
    /// The answer's status.
    pub status: u16,
    /// The stable name of the reason.
    pub code: &'static str,
    /// The sentence that the client is told.
    pub detail: String,
}

/// Explains a request. `as_client` stands in for a key of that client, which nobody here knows.
#[must_use]
pub fn explain(
    snapshot: &Snapshot,
    head: &RequestHead,
    peer: IpAddr,
    as_client: Option<&Client>,
) -> Explanation {
    let address = caller(peer, &head.fields, |hop| snapshot.trusts(hop));
    let mut told = Explanation {
        method: head.method.to_string(),
        target: String::from_utf8_lossy(head.target()).into_owned(),
        ip: address.to_canonical().to_string(),
        ..Explanation::default()
    };
    if let Err(rejection) = tell(&mut told, snapshot, head, address, as_client) {
        told.refused = Some(Refusal {
            status: rejection.status().as_u16(),
            code: rejection.code(),
            detail: rejection.detail().into_owned(),
        });
    }
    told
}

fn tell(
    told: &mut Explanation,
    snapshot: &Snapshot,
    head: &RequestHead,
    address: IpAddr,
    as_client: Option<&Client>,
) -> Result<(), Rejection> {
    let (target, body) = understand(head)?;
    let host = target.authority.unwrap_or_else(|| head.host());
    told.host = String::from_utf8_lossy(host_without_port(host)).into_owned();
    if is_health(&target, &head.method) {
        told.answers = Some("200: the gateway's own health check");
        return Ok(());
    }
    if target.path == b"*" {
        return Err(Rejection::NoRoute);
    }

    let path = RequestPath::parse(target.path)?;
    told.path = Some(path.as_str().to_owned());
    told.path_steps = RequestPath::steps(target.path);

    told.client_kind = Some("invalid");
    let caller = match as_client {
        Some(client) => Caller::Identified(client),
        None => identify(&snapshot.access, &head.fields, address)?,
    };
    told.client_kind = Some(if caller.client().is_some() {
        "identified"
    } else {
        "anonymous"
    });
    told.client = caller
        .client()
        .map(|client| client.name.as_str().to_owned());

    told.protected_by = snapshot
        .access
        .protected
        .find(path.as_str())
        .map(|prefix| prefix.as_str().to_owned());
    protect(&snapshot.access.protected, &path, caller)?;

    let route = resolve(&snapshot.routes, host, &head.method, &path);
    let cost = route.as_ref().map_or(1, |route| route.cost.get());
    let subjects = Subjects::new(&snapshot.limits, caller, address);
    let checks = subjects.checks(&snapshot.limits, route.as_ref().ok().map(|route| &***route));
    told.limits = checks.iter().map(|check| limit_line(check, cost)).collect();

    let near = snapshot
        .routes
        .near_misses(host, &head.method, path.as_str());
    told.near_misses = near.iter().map(near_miss).collect();
    let route = route?;
    let upstream = &snapshot.upstreams[route.upstream];
    told.route = Some(RouteLine {
        prefix: route.prefix.as_str().to_owned(),
        hosts: route.hosts.clone(),
        methods: methods(route),
        upstream: upstream.name.to_string(),
        why: why_won(route, &near),
    });
    check(route, &path, body)?;
    let endpoint = &upstream.endpoints[0].url;
    let mut url = format!("http://{}", endpoint.authority()).into_bytes();
    put_target(&mut url, &endpoint.base_path, route, &path, target.query);
    told.sends = Some(String::from_utf8_lossy(&url).into_owned());
    Ok(())
}

fn limit_line(check: &Check<'_>, cost: u32) -> LimitLine {
    let policy = check.policy;
    LimitLine {
        policy: policy.name.to_string(),
        requests: policy.limit.requests(),
        per_seconds: policy.limit.window().as_secs(),
        algorithm: policy.limit.algorithm().word(),
        burst: policy.limit.algorithm().burst(),
        by: match check.subject {
            Subject::Client(name) => format!("client {}", name.as_str()),
            Subject::Address(ip) => format!("ip {ip}"),
            Subject::Route(name) => format!("route {name}"),
        },
        mode: policy.mode.word(),
        cost,
    }
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
