//! What is passed on of a message's fields, and what the gateway sets itself.
//!
//! One loop over the fields as they came decides for each: hop-by-hop fields and those that
//! `Connection` names end here (RFC 9110 section 7.6.1), claims about who the caller is or was
//! forwarded for are dropped unless a trusted proxy makes them, the rest passes unchanged and in
//! order. What the gateway sets is appended afterwards, so that no field of a client can remove it.

use http::{HeaderName, Method};
use memchr::memchr;

use super::body::BodyLength;
use super::caller::{Peer, put_address};
use super::field_rules::Edit;
use super::fields::{FieldRef, Fields};
use super::hop::ConnectionOptions;
use super::key_sources::KeySources;
use super::known_field::KnownField;
use super::own_target::Renamed;
use super::protocol::Version;
use super::sink::{FieldSink, HeadSink, Persistence};
use crate::words::words;

/// Names under which services are told who calls. What a client sends under them reaches no service.
const IDENTITY: [&[u8]; 3] = [b"x-client-id", b"x-client-name", b"x-consumer-username"];

/// How names begin under which a proxy that has said who calls passes it on, as Kong does: services that were
/// behind one go on reading them. Only a trusted proxy may send them.
const CLAIMS: [&[u8]; 4] = [
    b"x-consumer-",
    b"x-credential-",
    b"x-authenticated-",
    b"x-anonymous-consumer",
];

/// Names that say how to read a body, beside those that the gateway knows by name.
const READING: [&[u8]; 2] = [b"content-encoding", b"content-range"];

/// What `Host` a service gets if the client named none, as only HTTP/1.0 may: a name that no host can
/// have (RFC 6761). An empty one is refused by nginx, and the service's own address would come back
/// to clients in redirects and links.
pub const UNKNOWN_HOST: &[u8] = b"unknown.invalid";

const PREFIX: &[u8] = b"X-Forwarded-Prefix";
/// In lower case, as W3C Trace Context section 3.2.1 has it.
const TRACE_PARENT: &[u8] = b"traceparent";

/// The field names that the configuration decides.
#[derive(Debug)]
pub struct Names {
    /// Where clients send their key.
    pub api_key: HeaderName,
    /// Where else a key may stand.
    pub key_sources: KeySources,
    /// Whether services get the key as well, but for one in the query.
    pub forward_api_key: bool,
    /// Where services are told the client's name.
    pub client: HeaderName,
    /// Where the request's id travels.
    pub request_id: HeaderName,
    /// What becomes of fields with odd names.
    pub odd: OddFieldNames,
    /// Under which name services are told in `Via` that a request came through here, if they are.
    pub via: Option<&'static str>,
}

impl Names {
    /// Whether only the gateway says what is said under `name`.
    pub fn is_own(&self, name: &[u8]) -> bool {
        same(name, self.client.as_ref())
            || same(name, self.request_id.as_ref())
            || IDENTITY.iter().any(|id| same(name, id))
    }

    /// Whether a service may get a field of an odd name. With every odd byte taken for `-` it must
    /// not be one that the gateway reads or sets: CGI, WSGI and PHP turn `X_Client_Id`,
    /// `X.Client.Id` and `X-Client-Id` into one variable. A claim about the target is a trusted proxy's.
    fn passes_odd(&self, name: &[u8], trusted: bool) -> bool {
        if self.odd == OddFieldNames::Drop {
            return false;
        }
        let hyphen = |b: &u8| if b.is_ascii_alphanumeric() { *b } else { b'-' };
        let plain: Vec<u8> = name.iter().map(hyphen).collect();
        let may_pass = match KnownField::of(&plain) {
            KnownField::Other => trusted || !claims_caller(&plain),
            KnownField::ClaimedTarget => trusted,
            _ => false,
        };
        may_pass && !self.is_own(&plain) && !same(&plain, self.api_key.as_ref())
    }

    /// Whether a field may stand in a trailer section that is passed on. None that frames, routes,
    /// identifies, authenticates or forwards may arrive after that was decided upon (RFC 9110
    /// section 6.5.1).
    pub fn passes_as_trailer(&self, field: FieldRef<'_>, receiver: Receiver) -> bool {
        match field.known {
            KnownField::Other => {
                !self.is_own(field.name)
                    && !same(field.name, self.api_key.as_ref())
                    && (receiver == Receiver::Client || !claims_caller(field.name))
                    && !READING.iter().any(|name| same(field.name, name))
            }
            KnownField::Odd => receiver == Receiver::Client || self.passes_odd(field.name, false),
            KnownField::AccessControl
            | KnownField::Allow
            | KnownField::CacheControl
            | KnownField::ContentLocation
            | KnownField::Date
            | KnownField::Location
            | KnownField::Refresh
            | KnownField::RetryAfter
            | KnownField::Server
            | KnownField::TraceParent
            | KnownField::TraceState
            | KnownField::UserAgent
            | KnownField::Vary => true,
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

words! {
    /// What becomes of a request's fields whose names have anything but letters, digits and `-`.
    #[derive(Default)]
    pub enum OddFieldNames {
        /// No service gets them.
        #[default]
        Drop = "drop",
        /// They pass, but for look-alikes of what the gateway reads or sets.
        Pass = "pass",
    }
}

/// Where a request came from and where it goes, as far as the service is told.
#[derive(Debug)]
pub struct Forwarding<'a> {
    /// The field names that the configuration decides.
    pub names: &'a Names,
    /// The other end of the client's connection.
    pub peer: Peer<'a>,
    /// Whether the peer's own `Forwarded` and `X-Forwarded-*` are believed and passed on.
    pub trusted: bool,
    /// The host that was asked for, with its port as it came; empty if none was.
    pub host: &'a [u8],
    /// The host that the service is asked for instead.
    pub other_host: Option<&'a [u8]>,
    /// The client's name, if it is an identified one.
    pub client: Option<&'a str>,
    /// The request's id.
    pub request_id: &'a [u8],
    /// The route's prefix, if it is taken off the path.
    pub prefix: Option<&'a str>,
    /// What the route changes of the fields.
    pub edit: Option<Edit<'a>>,
    /// What becomes of the connection to the service.
    pub persistence: Persistence,
    /// By which protocol the request came.
    pub version: Version,
    /// What the fields that name other resources say to the service.
    pub renamed: Renamed,
    /// The trace that it belongs to, where the gateway says so; otherwise what came goes on as it is.
    pub trace: Option<ForwardedTrace>,
}

/// What goes on to a service of the trace that a request belongs to.
#[derive(Debug, Clone, Copy)]
pub struct ForwardedTrace {
    /// The value of `traceparent`.
    pub parent: [u8; 55],
    /// Whether the `tracestate` that came goes on.
    pub keeps_state: bool,
}

/// Puts the head of the request that goes to the service. `target` appends its path and query.
pub fn put_request(
    sink: &mut impl HeadSink,
    method: &Method,
    target: impl FnOnce(&mut Vec<u8>),
    fields: &Fields,
    body: BodyLength,
    to: &Forwarding<'_>,
) {
    let host = if to.host.is_empty() {
        UNKNOWN_HOST
    } else {
        to.host
    };
    sink.request(method, to.other_host.unwrap_or(host), target);
    let options = ConnectionOptions::of(fields);
    for field in fields.iter() {
        if reaches_service(field, &options, to) {
            match field.known {
                KnownField::MaxForwards if *method == Method::OPTIONS => {
                    put_max_forwards(sink, field);
                }
                KnownField::Cookie => put_cookie(sink, field, to.names),
                KnownField::Referer | KnownField::ClaimedTarget => {
                    put_url(sink, field, to.names);
                }
                KnownField::OtherResource | KnownField::If => {
                    sink.field(field.name, to.renamed.value(field));
                }
                _ => sink.pass(field),
            }
        }
    }
    if let Some(edit) = &to.edit {
        edit.put(sink);
    }
    sink.framing(body);
    put_forwarded(sink, fields, &options, to);
    sink.field(to.names.request_id.as_ref(), to.request_id);
    if let Some(trace) = &to.trace
        && !to
            .edit
            .is_some_and(|edit| edit.rules.drops_alike(TRACE_PARENT))
    {
        sink.field(TRACE_PARENT, &trace.parent);
    }
    if let Some(client) = to.client {
        sink.field(to.names.client.as_ref(), client.as_bytes());
    }
    sink.connection(to.persistence, fields.has_item(KnownField::Te, b"trailers"));
    sink.end();
}

fn reaches_service(
    field: FieldRef<'_>,
    options: &ConnectionOptions<'_>,
    to: &Forwarding<'_>,
) -> bool {
    if options.name(field.name) || to.names.is_own(field.name) {
        return false;
    }
    if to
        .edit
        .is_some_and(|edit| edit.rules.drops_alike(field.name))
    {
        return false;
    }
    if same(field.name, to.names.api_key.as_ref()) {
        return to.names.forward_api_key;
    }
    match field.known {
        KnownField::Other => to.trusted || !claims_caller(field.name),
        KnownField::Odd => to.names.passes_odd(field.name, to.trusted),
        KnownField::Authorization => {
            let names = to.names;
            names.forward_api_key || !names.key_sources.takes_authorization(field.value)
        }
        KnownField::Host
        | KnownField::ContentLength
        | KnownField::ProxyAuthorization
        | KnownField::Http2Settings
        | KnownField::XForwardedFor
        // CGI makes `HTTP_PROXY` of it, which HTTP clients take for their proxy ("httpoxy").
        | KnownField::Proxy => false,
        KnownField::Via => to.names.via.is_none(),
        KnownField::XForwardedProto
        | KnownField::XForwardedHost
        | KnownField::Forwarded
        | KnownField::XRealIp
        | KnownField::ClaimedTarget
        // Whoever ends TLS says by them who has called (RFC 9440).
        | KnownField::ClientCert
        | KnownField::ClientCertChain => to.trusted,
        KnownField::XForwarded => to.trusted && !(to.prefix.is_some() && same(field.name, PREFIX)),
        KnownField::Expect => to.version.has_interim_answers(),
        KnownField::TraceParent => to.trace.is_none(),
        KnownField::TraceState => to.trace.is_none_or(|trace| trace.keeps_state),
        known => !known.is_hop_by_hop(),
    }
}

fn claims_caller(name: &[u8]) -> bool {
    let begins = |with: &&[u8]| {
        let beginning = name.get(..with.len());
        beginning.is_some_and(|beginning| same(beginning, with))
    };
    name.get(1) == Some(&b'-') && CLAIMS.iter().any(begins)
}

fn put_forwarded(
    sink: &mut impl FieldSink,
    fields: &Fields,
    options: &ConnectionOptions<'_>,
    to: &Forwarding<'_>,
) {
    let believed = |name: &[u8]| to.trusted && !options.name(name);
    sink.composed(b"X-Forwarded-For", |out| {
        if believed(b"x-forwarded-for") {
            put_chain(out, fields, KnownField::XForwardedFor);
        }
        put_address(out, to.peer.address);
    });
    if !(fields.has(KnownField::XForwardedProto) && believed(b"x-forwarded-proto")) {
        sink.field(b"X-Forwarded-Proto", to.peer.scheme().as_str().as_bytes());
    }
    let told = fields.has(KnownField::XForwardedHost) && believed(b"x-forwarded-host");
    if !told && !to.host.is_empty() {
        sink.field(b"X-Forwarded-Host", to.host);
    }
    if let Some(prefix) = to.prefix {
        // Prefixes add up along a chain of proxies that each take one off.
        let before = fields
            .iter()
            .find(|field| same(field.name, PREFIX) && believed(PREFIX));
        sink.composed(PREFIX, |out| {
            out.extend_from_slice(before.map_or(b"", |field| field.value));
            out.extend_from_slice(prefix.as_bytes());
        });
    }
    if let Some(name) = to.names.via {
        sink.composed(b"Via", |out| {
            if !options.name(b"via") {
                put_chain(out, fields, KnownField::Via);
            }
            out.extend_from_slice(to.version.via().as_bytes());
            out.push(b' ');
            out.extend_from_slice(name.as_bytes());
        });
    }
}

/// How many hops a request may still make, if it says so and that is anything that this gateway
/// has to heed: RFC 9110 section 7.6.2 leaves it to OPTIONS and TRACE.
pub fn max_forwards(method: &Method, fields: &Fields) -> Option<u64> {
    if *method != Method::OPTIONS {
        return None;
    }
    fields.get_all(KnownField::MaxForwards).find_map(hops)
}

fn hops(value: &[u8]) -> Option<u64> {
    str::from_utf8(value).ok()?.parse().ok()
}

/// Puts one hop less. What is no number says nothing, and passes as it came.
fn put_max_forwards(sink: &mut impl FieldSink, field: FieldRef<'_>) {
    match hops(field.value) {
        Some(hops) => sink.number(field.name, hops.saturating_sub(1)),
        None => sink.pass(field),
    }
}

/// Puts cookies without those that are for the gateway.
fn put_cookie(sink: &mut impl FieldSink, field: FieldRef<'_>, names: &Names) {
    let sources = &names.key_sources;
    match sources.cookie_for_service(field.value, names.forward_api_key) {
        None => sink.pass(field),
        Some(rest) if rest.is_empty() => {}
        Some(rest) => sink.field(field.name, &rest),
    }
}

/// A page that was opened with a key in its query names that URL in all that it asks for.
fn put_url(sink: &mut impl FieldSink, field: FieldRef<'_>, names: &Names) {
    let url = field.value;
    let parts = memchr(b'?', url).and_then(|mark| {
        let end = memchr(b'#', &url[mark..]).map_or(url.len(), |at| mark + at);
        let rest = names.key_sources.query_without_keys(&url[mark + 1..end])?;
        Some((&url[..mark], rest, &url[end..]))
    });
    match parts {
        None => sink.pass(field),
        Some((before, query, after)) => sink.composed(field.name, |out| {
            out.extend_from_slice(before);
            if !query.is_empty() {
                out.push(b'?');
                out.extend_from_slice(&query);
            }
            out.extend_from_slice(after);
        }),
    }
}

/// Appends what the proxies before this one have said, for this one to add to it.
fn put_chain(out: &mut Vec<u8>, fields: &Fields, known: KnownField) {
    for chain in fields.get_all(known).filter(|chain| !chain.is_empty()) {
        out.extend_from_slice(chain);
        out.extend_from_slice(b", ");
    }
}

/// Compares field names.
fn same(a: &[u8], b: &[u8]) -> bool {
    a.eq_ignore_ascii_case(b)
}

#[cfg(test)]
mod tests;
