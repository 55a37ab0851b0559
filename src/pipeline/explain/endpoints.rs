//! Which endpoint of an upstream gets a request, as far as that can be told beforehand. How an endpoint is,
//! and how much it has to do, a running gateway alone knows.

use std::time::Instant;

use serde::Serialize;

use crate::message::method::is_idempotent;
use crate::pipeline::hashed_by;
use crate::pipeline::rejection::Rejection;
use crate::pipeline::request::Request;
use crate::route::Route;
use crate::upstream::{
    AddressLook, AddressState, Balance, Endpoint, EndpointLook, HashBy, Outlook, Upstream,
};
use crate::words::Word;

use super::Explanation;

/// One of the endpoints that a request may be sent to.
#[derive(Debug, Serialize)]
pub struct EndpointLine {
    /// Its URL.
    pub url: String,
    /// Its share of the requests; 0: none.
    pub weight: u32,
    /// It gets requests only while no other can be used.
    pub backup: bool,
    /// With `https`: whether its certificate is verified.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verify: Option<bool>,
    /// Why it gets no requests, or not as others do, as far as this process knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
}

/// Describes where the request would be sent; returns the refusal if no endpoint takes any.
pub(super) fn describe_endpoints(
    explanation: &mut Explanation,
    upstream: &Upstream,
    request: &Request<'_>,
    route: &Route,
    client: Option<&str>,
) -> Option<Rejection> {
    let now = Instant::now();
    let line = |(endpoint, look): (&Endpoint, EndpointLook)| EndpointLine {
        url: endpoint.url.to_string(),
        weight: endpoint.weight,
        backup: endpoint.backup,
        verify: endpoint.tls.as_ref().map(|tls| tls.tls.verifies()),
        trouble: trouble(endpoint, look),
    };
    explanation.endpoints = upstream.looks(now).map(line).collect();
    // It is sent without a body here.
    let outlook = match upstream.outlook(is_idempotent(&request.head.method), now) {
        Ok(outlook) => outlook,
        Err(why) => return Some(why.into()),
    };
    let (picked, picks) = pick(upstream, &outlook, request, client);
    explanation.picks = picks;
    explanation.announces = upstream.rules.proxy_protocol.map(|version| {
        let (client, version) = (request.address, version.word());
        format!("{client} as the client, in a PROXY protocol header ({version})")
    });
    explanation.sends = Some(match (picked, outlook.endpoints.first()) {
        (Some(endpoint), _) => sent_to(endpoint, request, route),
        (None, one) => {
            // All of them have the same base path.
            let base = one.map_or("", |one| &one.url.base_path);
            path_sent(request, route, base)
        }
    });
    None
}

/// The endpoint that is picked, if that is certain, and why that one; no reason where there is but one.
fn pick<'a>(
    upstream: &'a Upstream,
    outlook: &Outlook<'a>,
    request: &Request<'_>,
    client: Option<&str>,
) -> (Option<&'a Endpoint>, Option<String>) {
    if let [only] = outlook.endpoints[..] {
        let why = if outlook.is_probe {
            ": this finds out whether it can be used again".to_owned()
        } else if upstream.endpoints.len() == 1 {
            return (Some(only), None);
        } else {
            let backup = if only.backup { ", a backup" } else { "" };
            format!("{backup}: {}", why_no_other(upstream, only))
        };
        return (Some(only), Some(format!("{}{why}", only.url)));
    }
    let (picked, why) = match &upstream.rules.balance {
        Balance::LeastRequests => match outlook.least {
            Some(least) => {
                let why = "with the fewest requests in flight for its weight";
                (Some(least), format!("{}, {why}", least.url))
            }
            None => (
                None,
                "the fewest requests in flight for its weight; at the moment several may be picked"
                    .to_owned(),
            ),
        },
        Balance::RoundRobin => (None, "one after another, by weight".to_owned()),
        Balance::Hash(by) => by_hash(by, upstream, outlook, request, client),
    };
    (picked, Some(why))
}

/// Why a request cannot go to any other endpoint than this one.
fn why_no_other(upstream: &Upstream, only: &Endpoint) -> String {
    let others = upstream.endpoints.iter();
    let others: Vec<_> = others.filter(|one| !std::ptr::eq(*one, only)).collect();
    let takes = |one: &Endpoint| one.takes_requests();
    let is_spare = |one: &Endpoint| one.backup && !only.backup;
    let is_any = |is: &dyn Fn(&Endpoint) -> bool| others.iter().any(|one| is(one));
    let is_one = others.len() == 1;
    let reasons = [
        (
            is_any(&|one| takes(one) && is_spare(one)),
            if is_one { "is a backup" } else { "are backups" },
        ),
        (
            is_any(&|one| !takes(one)),
            if is_one {
                "takes nothing new"
            } else {
                "take nothing new"
            },
        ),
        (
            is_any(&|one| takes(one) && !is_spare(one)),
            if is_one {
                "is left alone for now"
            } else {
                "are left alone for now"
            },
        ),
    ];
    let reasons = reasons.into_iter().filter(|(holds, _)| *holds);
    let reasons: Vec<_> = reasons.map(|(_, why)| why).collect();
    let who = if is_one { "the other" } else { "the others" };
    format!("{who} {}", reasons.join(", or "))
}

fn by_hash<'a>(
    by: &HashBy,
    upstream: &'a Upstream,
    outlook: &Outlook<'a>,
    request: &Request<'_>,
    client: Option<&str>,
) -> (Option<&'a Endpoint>, String) {
    let text = hashed_by::text(by, request, client);
    let what = hashed(by, text.is_some(), client, request);
    let Some(endpoint) = upstream.hashed(hashed_by::hash_of(text, request.address)) else {
        let why = format!("by hash of {what}, and of the addresses that names have");
        return (None, why);
    };
    let mut usable = outlook.endpoints.iter();
    if usable.any(|it| std::ptr::eq(*it, endpoint)) {
        (
            Some(endpoint),
            format!("{} by hash of {what}", endpoint.url),
        )
    } else {
        let why = "another that can be used";
        (
            None,
            format!(
                "by hash of {what}, which belongs to {}: {why}",
                endpoint.url
            ),
        )
    }
}

/// What keeps requests from an endpoint, or should, but for its weight.
fn trouble(endpoint: &Endpoint, look: EndpointLook) -> Option<String> {
    if endpoint.weight == 0 {
        return None;
    }
    let is_well = |one: &AddressLook| one.state == AddressState::Up && one.why.is_none();
    if look.addresses.iter().any(is_well) {
        return None;
    }
    match look.addresses.into_iter().next() {
        Some(address) => address.why,
        None => look
            .unresolved
            .map(|why| format!("its name is not resolved: {why}")),
    }
}

/// What the request is told apart by. Values of fields and cookies may be secrets.
fn hashed(by: &HashBy, has_text: bool, client: Option<&str>, request: &Request<'_>) -> String {
    match (by, client) {
        (HashBy::Client, Some(client)) => format!("the client {client}"),
        (HashBy::Header(name), _) if has_text => format!("the field {name}"),
        (HashBy::Cookie(name), _) if has_text => format!("the cookie {name}"),
        _ => format!("the address {}", request.address.to_canonical()),
    }
}

fn sent_to(endpoint: &Endpoint, request: &Request<'_>, route: &Route) -> String {
    let (scheme, authority) = (endpoint.url.scheme.as_str(), endpoint.url.authority());
    let path = path_sent(request, route, &endpoint.url.base_path);
    format!("{scheme}://{authority}{path}")
}

fn path_sent(request: &Request<'_>, route: &Route, base: &str) -> String {
    let mut target = Vec::new();
    request.put_target(&mut target, route.mapping(base));
    String::from_utf8_lossy(&target).into_owned()
}
