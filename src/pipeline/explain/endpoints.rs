//! Which endpoint of an upstream gets a request, as far as that can be told beforehand: who has how much to
//! do is not known here. How an endpoint is, a running gateway knows alone.

use std::time::Instant;

use serde::Serialize;

use crate::message::method::is_idempotent;
use crate::pipeline::hashed_by;
use crate::pipeline::rejection::Rejection;
use crate::pipeline::request::Request;
use crate::route::Route;
use crate::upstream::{
    AddressLook, AddressState, Balance, Endpoint, EndpointLook, HashBy, Upstream,
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
    let mut picked = outlook.endpoints.first().copied();
    explanation.picks = match (&outlook.endpoints[..], picked) {
        ([only], _) if outlook.is_probe => Some(format!(
            "{}: this finds out whether it can be used again",
            only.url
        )),
        ([_], _) if upstream.endpoints.len() == 1 => None,
        ([only], _) if only.backup => Some(format!(
            "{}, a backup: the others take nothing new",
            only.url
        )),
        ([only], _) => Some(format!(
            "{}: the others are backups, or take nothing new",
            only.url
        )),
        _ => Some(match &upstream.rules.balance {
            Balance::LeastRequests => "the fewest requests in flight for its weight".to_owned(),
            Balance::RoundRobin => "one after another, by weight".to_owned(),
            Balance::Hash(by) => {
                let text = hashed_by::text(by, request, client);
                let what = hashed(by, text.is_some(), client, request);
                let found = upstream.hashed(hashed_by::hash_of(text, request.address));
                let is_usable = |one: &&Endpoint| {
                    let mut usable = outlook.endpoints.iter();
                    usable.any(|it| std::ptr::eq(*it, *one))
                };
                match found {
                    Some(endpoint) if is_usable(&endpoint) => {
                        picked = found;
                        format!("{} by hash of {what}", endpoint.url)
                    }
                    Some(endpoint) => format!(
                        "by hash of {what}, which belongs to {}: another that can be used",
                        endpoint.url
                    ),
                    None => format!("by hash of {what}, and of the addresses that names have"),
                }
            }
        }),
    };
    explanation.announces = upstream.rules.proxy_protocol.map(|version| {
        let (client, version) = (request.address, version.word());
        format!("{client} as the client, in a PROXY protocol header ({version})")
    });
    explanation.sends = picked.map(|endpoint| sent_to(endpoint, request, route));
    None
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
    let mut url = format!("{scheme}://{authority}").into_bytes();
    request.put_target(&mut url, route.mapping(&endpoint.url.base_path));
    String::from_utf8_lossy(&url).into_owned()
}
