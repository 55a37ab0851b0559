//! What is passed on of a message's fields, and what the gateway sets itself.
//!
//! One loop over the fields as they came decides for each: hop-by-hop fields and those that
//! `Connection` names end here (RFC 9110 section 7.6.1), claims about who the caller is or was
//! forwarded for are dropped unless a trusted proxy makes them, the rest passes unchanged and in
//! order. What the gateway sets is appended afterwards, so that no field of a client can remove it.

use std::io::Write;
use std::net::IpAddr;

use http::{HeaderName, Method};

use crate::wire::fields::{FieldRef, Fields, Known};
use crate::wire::framing::BodyLength;

use super::hop::ConnectionOptions;

/// Names under which downstream services are told who calls, by this gateway or by others. What a
/// client sends under them never reaches downstream.
const IDENTITY: [&[u8]; 3] = [b"x-client-id", b"x-client-name", b"x-consumer-username"];

/// Names, or beginnings of names, that say how to read or keep a message; with those that the gateway
/// knows by name they are what RFC 9110 section 6.5.1 keeps out of trailers.
const CONTROLS: [&[u8]; 9] = [
    b"content-",
    b"if-",
    b"range",
    b"vary",
    b"age",
    b"expires",
    b"pragma",
    b"max-forwards",
    b"www-authenticate",
];

const PREFIX: &[u8] = b"X-Forwarded-Prefix";

/// The longest name that is checked for being another's twin with underscores; all names that
/// matter are shorter.
const TWIN: usize = 128;

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
}

impl Names {
    /// Whether `name` says who the caller is, or proves it.
    fn is_identity(&self, name: &[u8]) -> bool {
        same(name, self.client.as_ref()) || IDENTITY.iter().any(|id| same(name, id))
    }

    /// Whether a field may stand in a trailer section that is passed on: nothing that frames,
    /// routes, identifies or controls may arrive after it was decided upon (RFC 9110 section
    /// 6.5.1). Every name that this gateway knows by name is of that kind.
    #[must_use]
    pub fn passes_as_trailer(&self, field: FieldRef<'_>) -> bool {
        let plain = |name: &[u8]| {
            Known::of(name) == Known::Other
                && !CONTROLS.iter().any(|control| starts_with(name, control))
                && !self.is_identity(name)
                && !same(name, self.api_key.as_ref())
                && !same(name, self.request_id.as_ref())
        };
        plain(field.name) && with_hyphens(field.name, |twin| twin.is_none_or(plain))
    }
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
    /// The connection is asked to become a WebSocket.
    pub websocket: bool,
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
            put(out, field.name, field.value);
        }
    }

    put_framing(out, body);
    put_forwarded(out, fields, to);
    put(out, to.names.request_id.as_ref(), to.request_id);
    if let Some(client) = to.client {
        put(out, to.names.client.as_ref(), client.as_bytes());
    }
    let trailers = fields
        .list_items(Known::Te)
        .any(|coding| same(coding, b"trailers"));
    match (to.websocket, trailers) {
        (true, _) => out.extend_from_slice(b"Connection: upgrade\r\nUpgrade: websocket\r\n"),
        (false, true) => out.extend_from_slice(b"TE: trailers\r\nConnection: te\r\n"),
        (false, false) => {}
    }
    out.extend_from_slice(b"\r\n");
}

fn passes_downstream(
    field: FieldRef<'_>,
    options: &ConnectionOptions<'_>,
    to: &Forwarding<'_>,
) -> bool {
    if options.name(field.name) {
        return false;
    }
    match field.known {
        Known::Other => {
            let names = to.names;
            let set_here =
                |name: &[u8]| names.is_identity(name) || same(name, names.request_id.as_ref());
            if same(field.name, names.api_key.as_ref()) {
                return names.forward_api_key;
            }
            // CGI, WSGI and PHP turn `X_Client_Id` and `X-Client-Id` into one variable.
            !set_here(field.name)
                && with_hyphens(field.name, |twin| {
                    twin.is_none_or(|twin| {
                        Known::of(twin) == Known::Other
                            && !set_here(twin)
                            && !same(twin, names.api_key.as_ref())
                    })
                })
        }
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
        | Known::Via => false,
        Known::XForwardedProto | Known::XForwardedHost | Known::Forwarded | Known::XRealIp => {
            to.trusted
        }
        Known::XForwarded => to.trusted && !(to.prefix.is_some() && same(field.name, PREFIX)),
        Known::Expect => !to.http10,
        // The names that the configuration decides may be among the well-known ones.
        _ => {
            let names = to.names;
            if same(field.name, names.api_key.as_ref()) {
                return names.forward_api_key;
            }
            !names.is_identity(field.name) && !same(field.name, names.request_id.as_ref())
        }
    }
}

fn put_forwarded(out: &mut Vec<u8>, fields: &Fields, to: &Forwarding<'_>) {
    out.extend_from_slice(b"X-Forwarded-For: ");
    if to.trusted {
        for chain in fields
            .get_all(Known::XForwardedFor)
            .filter(|chain| !chain.is_empty())
        {
            out.extend_from_slice(chain);
            out.extend_from_slice(b", ");
        }
    }
    put_address(out, to.peer);
    out.extend_from_slice(b"\r\n");
    if !(to.trusted && fields.has(Known::XForwardedProto)) {
        out.extend_from_slice(b"X-Forwarded-Proto: http\r\n");
    }
    if !(to.trusted && fields.has(Known::XForwardedHost)) {
        put(out, b"X-Forwarded-Host", to.host);
    }
    if let Some(prefix) = to.prefix {
        // Prefixes add up along a chain of proxies that each take one off.
        let before = fields
            .iter()
            .find(|field| to.trusted && same(field.name, PREFIX));
        out.extend_from_slice(b"X-Forwarded-Prefix: ");
        out.extend_from_slice(before.map_or(b"", |field| field.value));
        out.extend_from_slice(prefix.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"Via: ");
    for via in fields.get_all(Known::Via).filter(|via| !via.is_empty()) {
        out.extend_from_slice(via);
        out.extend_from_slice(b", ");
    }
    out.extend_from_slice(if to.http10 {
        b"1.0 tollgate\r\n"
    } else {
        b"1.1 tollgate\r\n"
    });
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
            for (at, octet) in address.octets().into_iter().enumerate() {
                if at > 0 {
                    out.push(b'.');
                }
                out.extend_from_slice(itoa::Buffer::new().format(octet).as_bytes());
            }
        }
        // Writing to a vector cannot fail.
        IpAddr::V6(address) => drop(write!(out, "{address}")),
    }
}

/// Compares field names.
fn same(a: &[u8], b: &[u8]) -> bool {
    a.eq_ignore_ascii_case(b)
}

fn starts_with(name: &[u8], beginning: &[u8]) -> bool {
    name.get(..beginning.len())
        .is_some_and(|start| same(start, beginning))
}

/// Hands `judge` the name with hyphens for its underscores, or `None` if it has no underscores.
fn with_hyphens(name: &[u8], judge: impl FnOnce(Option<&[u8]>) -> bool) -> bool {
    if memchr::memchr(b'_', name).is_none() || name.len() > TWIN {
        return judge(None);
    }
    let mut twin = [0; TWIN];
    let twin = &mut twin[..name.len()];
    for (to, from) in twin.iter_mut().zip(name) {
        *to = if *from == b'_' { b'-' } else { *from };
    }
    judge(Some(twin))
}
