//! What a request is told apart by where an upstream's endpoints are picked by hash.

use std::net::IpAddr;

use crate::message::fields::Fields;
use crate::message::known_field::KnownField;
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
        HashBy::Cookie(name) => cookie(fields, name),
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

/// The value of a cookie (RFC 6265 section 4.2.1), unless it is empty.
fn cookie<'f>(fields: &'f Fields, name: &str) -> Option<&'f [u8]> {
    let lines = fields.get_all(KnownField::Cookie);
    let mut pairs = lines.flat_map(|line| line.split(|b| *b == b';'));
    pairs.find_map(|pair| {
        let rest = pair.trim_ascii_start().strip_prefix(name.as_bytes())?;
        let value = rest.strip_prefix(b"=").map(<[u8]>::trim_ascii_end);
        value.filter(|value| !value.is_empty())
    })
}
