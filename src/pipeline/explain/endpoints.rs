//! Which endpoint of an upstream gets a request, as far as that can be told without a running gateway:
//! whose circuit is open, who fails its checks and who has how much to do is not known here.

use serde::Serialize;

use crate::pipeline::hashed_by;
use crate::pipeline::request::Request;
use crate::route::Route;
use crate::upstream::{Balance, Endpoint, HashBy, Upstream};
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
}

/// Tells where the request would be sent.
pub(super) fn tell_endpoints(
    told: &mut Explanation,
    upstream: &Upstream,
    request: &Request<'_>,
    route: &Route,
    client: Option<&str>,
) {
    let line = |endpoint: &Endpoint| EndpointLine {
        url: endpoint.url.to_string(),
        weight: endpoint.weight,
        backup: endpoint.backup,
        verify: endpoint.tls.as_ref().map(|tls| tls.tls.verifies()),
    };
    told.endpoints = upstream.endpoints.iter().map(line).collect();
    let takes_any = |one: &&Endpoint| one.weight > 0 && !one.backup;
    let mut regular = upstream.endpoints.iter().filter(takes_any);
    let (first, second) = (regular.next(), regular.next());
    let (mut picked, mut how) = (first, None);
    if second.is_some() {
        how = Some(match &upstream.rules.balance {
            Balance::LeastRequests => "the fewest requests in flight for its weight".to_owned(),
            Balance::RoundRobin => "one after another, by weight".to_owned(),
            Balance::Hash(by) => {
                let text = hashed_by::text(by, request, client);
                let what = hashed(by, text.is_some(), client, request);
                let found = upstream.hashed(hashed_by::hash_of(text, request.address));
                picked = found.or(first);
                match found {
                    Some(endpoint) => format!("{} by hash of {what}", endpoint.url),
                    None => format!("by hash of {what}, and of the addresses that names have"),
                }
            }
        });
    } else if upstream.endpoints.len() > 1 {
        how = first.map(|only| format!("{}: the others are backups, or have weight 0", only.url));
    }
    told.picks = how;
    told.announces = upstream.rules.proxy_protocol.map(|version| {
        let (client, version) = (request.address, version.word());
        format!("{client} as the client, in a PROXY protocol header ({version})")
    });
    told.sends = picked.map(|endpoint| sent_to(endpoint, request, route));
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
