//! What is passed on of a message's fields, and what the gateway sets itself.
//!
//! One loop over the fields as they came decides for each: hop-by-hop fields and those that
//! `Connection` names end here (RFC 9110 section 7.6.1), claims about who the caller is or was
//! forwarded for are dropped unless a trusted proxy makes them, the rest passes unchanged and in
//! order. What the gateway sets is appended afterwards, so that no field of a client can remove it.

use std::io::Write;
use std::net::IpAddr;

use http::{HeaderName, Method};

use super::answer::{ConnectionHeader, put_connection};
use super::body::BodyLength;
use super::fields::{FieldRef, Fields};
use super::hop::ConnectionOptions;
use super::known::Known;

/// Names under which downstream services are told who calls, by this gateway or by others. What a
/// client sends under them never reaches downstream.
const IDENTITY: [&[u8]; 3] = [b"x-client-id", b"x-client-name", b"x-consumer-username"];

/// Names that say how to read a body, beside those that the gateway knows by name.
const READING: [&[u8]; 2] = [b"content-encoding", b"content-range"];

const PREFIX: &[u8] = b"X-Forwarded-Prefix";

/// The field names that the configuration decides.
#[derive(Debug)]
pub struct Names {
    /// Where clients send their key.
    pub api_key: HeaderName,
    /// Whether downstream gets the key as well.
    pub forward_api_key: bool,
    /// Where downstream is told the client's name.
    pub client: HeaderName,
    /// Where the request's id travels.
    pub request_id: HeaderName,
    /// What becomes of fields with odd names.
    pub odd: OddFieldNames,
}

impl Names {
    /// Whether only the gateway says what is said under `name`.
    fn is_own(&self, name: &[u8]) -> bool {
        same(name, self.client.as_ref())
            || same(name, self.request_id.as_ref())
            || IDENTITY.iter().any(|id| same(name, id))
    }

    /// Whether a service may get a field of an odd name. With every odd byte taken for `-` it must
    /// not be one that the gateway reads or sets: CGI, WSGI and PHP turn `X_Client_Id`,
    /// `X.Client.Id` and `X-Client-Id` into one variable.
    fn passes_odd(&self, name: &[u8]) -> bool {
        if self.odd == OddFieldNames::Drop {
            return false;
        }
        let hyphen = |b: &u8| if b.is_ascii_alphanumeric() { *b } else { b'-' };
        let plain: Vec<u8> = name.iter().map(hyphen).collect();
        Known::of(&plain) == Known::Other
            && !self.is_own(&plain)
            && !same(&plain, self.api_key.as_ref())
    }

    /// Whether a field may stand in a trailer section that is passed on. None that frames, routes,
    /// identifies, authenticates or forwards may arrive after that was decided upon (RFC 9110
    /// section 6.5.1).
    #[must_use]
    pub fn passes_as_trailer(&self, field: FieldRef<'_>, receiver: Receiver) -> bool {
        match field.known {
            Known::Other => {
                !self.is_own(field.name)
                    && !same(field.name, self.api_key.as_ref())
                    && !READING.iter().any(|name| same(field.name, name))
            }
            Known::Odd => receiver == Receiver::Client || self.passes_odd(field.name),
            Known::Allow
            | Known::CacheControl
            | Known::Date
            | Known::RetryAfter
            | Known::Server
            | Known::UserAgent => true,
            _ => false,
        }
    }
}

/// Who gets what is passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Receiver {
    /// It gets requests.
    Service,
    /// It gets answers.
    Client,
}

/// What becomes of a request's fields whose names have anything but letters, digits and `-`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OddFieldNames {
    /// No service gets them.
    #[default]
    Drop,
    /// They pass, but for look-alikes of what the gateway reads or sets.
    Pass,
}

/// Where a request came from and where it goes, as far as downstream is told.
#[derive(Debug)]
pub struct Forwarding<'a> {
    /// The field names that the configuration decides.
    pub names: &'a Names,
    /// The address of the connection's other end.
    pub peer: IpAddr,
    /// Whether the peer's own `Forwarded` and `X-Forwarded-*` are believed and passed on.
    pub trusted: bool,
    /// The host that was asked for, with its port as it came.
    pub host: &'a [u8],
    /// The client's name, if it is an identified one.
    pub client: Option<&'a str>,
    /// The request's id.
    pub request_id: &'a [u8],
    /// The route's prefix, if it is taken off the path.
    pub prefix: Option<&'a str>,
    /// What the service is told about its connection.
    pub connection: ConnectionHeader,
    /// The request came as HTTP/1.0, in which `Expect: 100-continue` has no meaning.
    pub http10: bool,
}

/// Appends the head of the request that goes downstream. `target` is its path and query.
pub fn put_request(
    out: &mut Vec<u8>,
    method: &Method,
    target: impl FnOnce(&mut Vec<u8>),
    fields: &Fields,
    body: BodyLength,
    to: &Forwarding<'_>,
) {
    out.extend_from_slice(method.as_str().as_bytes());
    out.push(b' ');
    target(out);
    out.extend_from_slice(b" HTTP/1.1\r\n");
    put(out, b"Host", to.host);

    let options = ConnectionOptions::of(fields);
    for field in fields.iter() {
        if passes_downstream(field, &options, to) {
            match field.known {
                Known::MaxForwards if *method == Method::OPTIONS => put_max_forwards(out, field),
                _ => put(out, field.name, field.value),
            }
        }
    }

    put_framing(out, body);
    put_forwarded(out, fields, &options, to);
    put(out, to.names.request_id.as_ref(), to.request_id);
    if let Some(client) = to.client {
        put(out, to.names.client.as_ref(), client.as_bytes());
    }
    let trailers = fields
        .list_items(Known::Te)
        .any(|coding| same(coding, b"trailers"));
    match (to.connection, trailers) {
        (ConnectionHeader::Close, true) => {
            out.extend_from_slice(b"TE: trailers\r\nConnection: te, close\r\n");
        }
        (ConnectionHeader::Silent | ConnectionHeader::KeepAlive, true) => {
            out.extend_from_slice(b"TE: trailers\r\nConnection: te\r\n");
        }
        (connection, _) => put_connection(out, connection),
    }
    out.extend_from_slice(b"\r\n");
}

fn passes_downstream(
    field: FieldRef<'_>,
    options: &ConnectionOptions<'_>,
    to: &Forwarding<'_>,
) -> bool {
    if options.name(field.name) || to.names.is_own(field.name) {
        return false;
    }
    if same(field.name, to.names.api_key.as_ref()) {
        return to.names.forward_api_key;
    }
    match field.known {
        Known::Odd => to.names.passes_odd(field.name),
        Known::Host
        | Known::Connection
        | Known::ContentLength
        | Known::TransferEncoding
        | Known::Te
        | Known::Upgrade
        | Known::KeepAlive
        | Known::ProxyConnection
        | Known::ProxyAuthorization
        | Known::Http2Settings
        | Known::XForwardedFor
        | Known::Via
        // CGI makes `HTTP_PROXY` of it, which HTTP clients take for their proxy ("httpoxy").
        | Known::Proxy => false,
        Known::XForwardedProto | Known::XForwardedHost | Known::Forwarded | Known::XRealIp => {
            to.trusted
        }
        Known::XForwarded => to.trusted && !(to.prefix.is_some() && same(field.name, PREFIX)),
        Known::Expect => !to.http10,
        _ => true,
    }
}

fn put_forwarded(
    out: &mut Vec<u8>,
    fields: &Fields,
    options: &ConnectionOptions<'_>,
    to: &Forwarding<'_>,
) {
    let believed = |name: &[u8]| to.trusted && !options.name(name);
    out.extend_from_slice(b"X-Forwarded-For: ");
    if believed(b"x-forwarded-for") {
        put_chain(out, fields, Known::XForwardedFor);
    }
    put_address(out, to.peer);
    out.extend_from_slice(b"\r\n");
    if !(fields.has(Known::XForwardedProto) && believed(b"x-forwarded-proto")) {
        out.extend_from_slice(b"X-Forwarded-Proto: http\r\n");
    }
    if !(fields.has(Known::XForwardedHost) && believed(b"x-forwarded-host")) {
        put(out, b"X-Forwarded-Host", to.host);
    }
    if let Some(prefix) = to.prefix {
        // Prefixes add up along a chain of proxies that each take one off.
        let before = fields
            .iter()
            .find(|field| same(field.name, PREFIX) && believed(PREFIX));
        out.extend_from_slice(b"X-Forwarded-Prefix: ");
        out.extend_from_slice(before.map_or(b"", |field| field.value));
        out.extend_from_slice(prefix.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"Via: ");
    if !options.name(b"via") {
        put_chain(out, fields, Known::Via);
    }
    out.extend_from_slice(if to.http10 {
        b"1.0 tollgate\r\n"
    } else {
        b"1.1 tollgate\r\n"
    });
}

/// How many hops a request may still make, if it says so and that is anything that this gateway
/// has to heed: RFC 9110 section 7.6.2 leaves it to OPTIONS and TRACE.
#[must_use]
pub fn max_forwards(method: &Method, fields: &Fields) -> Option<u64> {
    if *method != Method::OPTIONS {
        return None;
    }
    fields.get_all(Known::MaxForwards).find_map(hops)
}

fn hops(value: &[u8]) -> Option<u64> {
    str::from_utf8(value).ok()?.parse().ok()
}

/// Appends one hop less. What is no number says nothing, and passes as it came.
fn put_max_forwards(out: &mut Vec<u8>, field: FieldRef<'_>) {
    match hops(field.value) {
        Some(hops) => put_number(out, field.name, hops.saturating_sub(1)),
        None => put(out, field.name, field.value),
    }
}

/// Appends what the proxies before this one have said, for this one to add to it.
fn put_chain(out: &mut Vec<u8>, fields: &Fields, known: Known) {
    for chain in fields.get_all(known).filter(|chain| !chain.is_empty()) {
        out.extend_from_slice(chain);
        out.extend_from_slice(b", ");
    }
}

/// Appends the field that frames a body of this length.
pub fn put_framing(out: &mut Vec<u8>, body: BodyLength) {
    match body {
        BodyLength::None | BodyLength::UntilClose => {}
        BodyLength::Fixed(length) => put_number(out, b"Content-Length", length),
        BodyLength::Chunked => out.extend_from_slice(b"Transfer-Encoding: chunked\r\n"),
    }
}

/// Appends one field.
pub fn put(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// Appends one field with a number for its value.
pub fn put_number(out: &mut Vec<u8>, name: &[u8], value: u64) {
    put(out, name, itoa::Buffer::new().format(value).as_bytes());
}

/// Appends an address; an IPv4-mapped one as the IPv4 address that it is.
pub fn put_address(out: &mut Vec<u8>, address: IpAddr) {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            let [first, rest @ ..] = address.octets();
            put_octet(out, first);
            for octet in rest {
                out.push(b'.');
                put_octet(out, octet);
            }
        }
        // Writing to a vector cannot fail.
        IpAddr::V6(address) => drop(write!(out, "{address}")),
    }
}

fn put_octet(out: &mut Vec<u8>, octet: u8) {
    if octet >= 100 {
        out.push(b'0' + octet / 100);
    }
    if octet >= 10 {
        out.push(b'0' + octet / 10 % 10);
    }
    out.push(b'0' + octet % 10);
}

/// Compares field names.
fn same(a: &[u8], b: &[u8]) -> bool {
    a.eq_ignore_ascii_case(b)
}

#[cfg(test)]
mod tests;
