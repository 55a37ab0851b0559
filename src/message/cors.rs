//! CORS (the Fetch standard, "CORS protocol"): which pages of other origins may call, and what their
//! browsers are told. Compiled from the configuration; a request costs one comparison of its origin.
//! An origin that is not listed is told nothing, and so its page can neither send nor read.

use http::{HeaderName, Method};

use super::fields::Fields;
use super::known_field::KnownField;
use super::sink::FieldSink;

const REQUEST_METHOD: HeaderName = http::header::ACCESS_CONTROL_REQUEST_METHOD;
const REQUEST_HEADERS: HeaderName = http::header::ACCESS_CONTROL_REQUEST_HEADERS;

/// How much of what a preflight asks for is written back. No page has so many fields; a longer answer
/// than question would be for somebody who pays for neither.
const MOST_ASKED_BYTES: usize = 4096;
/// The same, in names.
const MOST_ASKED: usize = 64;

/// What pages of other origins may do.
#[derive(Debug)]
pub struct Cors {
    /// Sorted; `None` is any.
    origins: Option<Box<[Box<str>]>>,
    /// Those of the origins that stand for all hosts below one.
    below: Box<[Below]>,
    credentials: bool,
    /// `None`: what a preflight asks for.
    methods: Option<Box<str>>,
    /// `None`: what a preflight asks for.
    headers: Option<Box<str>>,
    expose: Box<str>,
    max_age: u64,
}

/// The origins of all hosts below one, `https://*.example.com:8443`.
#[derive(Debug)]
struct Below {
    /// `https://`
    scheme: Box<str>,
    /// `.example.com:8443`
    parent: Box<str>,
}

/// The parts of a [`Cors`].
#[derive(Debug)]
pub struct CorsRules {
    /// The origins as browsers write them, `*.` for any labels; `None` is any.
    pub origins: Option<Vec<String>>,
    /// Whether pages may send cookies.
    pub credentials: bool,
    /// The methods that pages may use; `None` is any.
    pub methods: Option<Vec<String>>,
    /// The fields that pages may send; `None` is any.
    pub headers: Option<Vec<String>>,
    /// The fields that pages may read.
    pub expose: Vec<String>,
    /// For how many seconds a browser may remember the answer to a preflight.
    pub max_age: u64,
}

impl Cors {
    /// Compiles rules.
    pub fn new(rules: CorsRules) -> Self {
        let list = |items: Vec<String>| items.join(", ").into_boxed_str();
        let below = |origin: &String| {
            let (scheme, parent) = origin.split_once('*')?;
            Some(Below {
                scheme: scheme.into(),
                parent: parent.into(),
            })
        };
        Self {
            below: rules.origins.iter().flatten().filter_map(below).collect(),
            origins: rules.origins.map(|mut origins| {
                origins.sort_unstable();
                origins.into_iter().map(Into::into).collect()
            }),
            credentials: rules.credentials,
            methods: rules.methods.map(list),
            headers: rules.headers.map(list),
            expose: list(rules.expose),
            max_age: rules.max_age,
        }
    }

    /// The origins whose pages may call; `None` is any.
    pub fn origins(&self) -> Option<&[Box<str>]> {
        self.origins.as_deref()
    }

    /// Whether pages may send cookies.
    pub fn has_credentials(&self) -> bool {
        self.credentials
    }

    /// Whether pages of `origin` may call.
    pub fn allows(&self, origin: &[u8]) -> bool {
        self.origins.as_deref().is_none_or(|origins| {
            let found = origins.binary_search_by(|own| own.as_bytes().cmp(origin));
            found.is_ok() || self.below.iter().any(|below| below.holds(origin))
        })
    }

    /// Whether the answer depends on the origin that asks.
    pub fn varies(&self) -> bool {
        self.origins.is_some()
    }

    /// Puts what a page is told with an answer to the request that has these `fields`, but for
    /// `Vary`.
    pub fn put_fields(&self, sink: &mut impl FieldSink, fields: &Fields) {
        if self.put_origin(sink, fields) {
            sink.field(b"Access-Control-Expose-Headers", self.expose.as_bytes());
        }
    }

    /// Puts the answer to a preflight that has these `fields`.
    pub fn put_preflight(&self, sink: &mut impl FieldSink, fields: &Fields) {
        let vary: &[u8] = b"Origin, Access-Control-Request-Method, Access-Control-Request-Headers";
        sink.field(b"Vary", vary);
        if !self.put_origin(sink, fields) {
            return;
        }
        put_list(
            sink,
            b"Access-Control-Allow-Methods",
            self.methods.as_deref(),
            fields,
            &REQUEST_METHOD,
        );
        put_list(
            sink,
            b"Access-Control-Allow-Headers",
            self.headers.as_deref(),
            fields,
            &REQUEST_HEADERS,
        );
        sink.number(b"Access-Control-Max-Age", self.max_age);
    }

    /// Says that the origin may, if it may.
    fn put_origin(&self, sink: &mut impl FieldSink, fields: &Fields) -> bool {
        let origin = match &self.origins {
            None => Some(&b"*"[..]),
            Some(_) => origin(fields).filter(|origin| self.allows(origin)),
        };
        let Some(origin) = origin else {
            return false;
        };
        sink.field(b"Access-Control-Allow-Origin", origin);
        if self.credentials {
            sink.field(b"Access-Control-Allow-Credentials", b"true");
        }
        true
    }
}

impl Below {
    /// Whether an origin has the same scheme and port, and labels in front of the host.
    fn holds(&self, origin: &[u8]) -> bool {
        let rest = origin.strip_prefix(self.scheme.as_bytes());
        let labels = rest.and_then(|rest| rest.strip_suffix(self.parent.as_bytes()));
        let plain = |b: &u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_');
        labels.is_some_and(|labels| {
            let mut labels = labels.split(|b| *b == b'.');
            labels.all(|label| !label.is_empty() && label.iter().all(plain))
        })
    }
}

/// Puts a list: the configured one, or what the preflight asks for.
fn put_list(
    sink: &mut impl FieldSink,
    name: &[u8],
    configured: Option<&str>,
    fields: &Fields,
    asked: &HeaderName,
) {
    let list = match configured {
        Some(list) => Some(list.as_bytes()),
        None => fields.get_all_named(asked).next().filter(|list| {
            let names = list.split(|b| *b == b',').count();
            list.len() <= MOST_ASKED_BYTES && names <= MOST_ASKED
        }),
    };
    // What comes from the client is written back only if any header may have it.
    let fits = |b: &u8| b.is_ascii_graphic() || matches!(b, b' ' | b'\t');
    if let Some(list) = list.filter(|list| !list.is_empty() && list.iter().all(fits)) {
        sink.field(name, list);
    }
}

/// The origin of the page that sent a request, if it names one.
pub fn origin(fields: &Fields) -> Option<&[u8]> {
    let mut origins = fields.get_all(KnownField::Origin);
    origins.next().filter(|_| origins.next().is_none())
}

/// The method that a preflight asks about, if the request is one.
pub fn preflight_method(method: &Method, fields: &Fields) -> Option<Method> {
    if *method != Method::OPTIONS
        || !fields.has(KnownField::Origin)
        || !fields.has(KnownField::AccessControl)
    {
        return None;
    }
    let mut asked = fields.get_all_named(&REQUEST_METHOD);
    let method = Method::from_bytes(asked.next()?).ok()?;
    asked.next().is_none().then_some(method)
}

#[cfg(test)]
mod tests;
