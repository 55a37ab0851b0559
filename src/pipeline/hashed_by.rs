//! What a request is told apart by where an upstream's endpoints are picked by hash.

use std::net::IpAddr;

use crate::message::cookies::cookies;
use crate::upstream::{HashBy, hash};

use super::request::Request;

/// The text that requests for the same endpoint have in common; without one that is the address. An empty
/// one is none: it would take all those callers to one endpoint.
pub(super) fn text<'r>(
    by: &HashBy,
    request: &'r Request<'_>,
    client: Option<&'r str>,
) -> Option<&'r [u8]> {
    let fields = &request.head.fields;
    match by {
        HashBy::Client => client.map(str::as_bytes),
        HashBy::Ip => None,
        HashBy::Header(name) => fields.get_all_named(name).find(|text| !text.is_empty()),
        HashBy::Cookie(name) => cookies(fields)
            .filter(|(own, _)| *own == name.as_bytes())
            .map(|(_, value)| value)
            .find(|value| !value.is_empty()),
    }
}

/// The hash of that text, or of the address.
pub(super) fn hash_of(text: Option<&[u8]>, address: IpAddr) -> u64 {
    match (text, address) {
        (Some(text), _) => hash(text),
        (None, IpAddr::V4(address)) => hash(&address.octets()),
        (None, IpAddr::V6(address)) => hash(&address.octets()),
    }
}
