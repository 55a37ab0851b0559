//! What is said of upstreams: what requests are told apart by, how many there may be, what checks ask
//! for, and statuses.

use http::HeaderName;
use rustls::pki_types::ServerName;
use serde_json::json;

use crate::config::keys::{Form, Kind, Shown, Text, Wrong};
use crate::config::private::has_secret_query;
use crate::config::reading::Reading;
use crate::config::source::At;
use crate::config::tree::Value;
use crate::message::bytes::TOKEN;
use crate::message::known_field::KnownField;
use crate::message::path::RequestPath;
use crate::upstream::{HashBy, MaxRequests, Statuses};

impl Text for HashBy {
    const NOUN: &str = "what requests have in common";
    const EXAMPLE: &str = "client";
    const PATTERN: &str = "client|ip|header:[A-Za-z0-9-]+|cookie:[!#$%&'*+.^_`|~A-Za-z0-9-]+";

    fn parse(text: &str) -> Result<Self, String> {
        let (kind, name) = text.split_once(':').unwrap_or((text, ""));
        match (kind, name) {
            ("client", "") => Ok(Self::Client),
            ("ip", "") => Ok(Self::Ip),
            ("header" | "cookie", "") => Err(format!("write \"{kind}:NAME\"")),
            ("header", name) => header(name).map(Self::Header),
            ("cookie", name) if name.bytes().all(|b| TOKEN.has(b)) => Ok(Self::Cookie(name.into())),
            ("cookie", _) => Err("this cannot be the name of a cookie".to_owned()),
            _ => Err("write \"client\", \"ip\", \"header:NAME\" or \"cookie:NAME\"".to_owned()),
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Client => "client".to_owned(),
            Self::Ip => "ip".to_owned(),
            Self::Header(name) => format!("header:{name}"),
            Self::Cookie(name) => format!("cookie:{name}"),
        }
    }
}

/// A field that a request may have when an endpoint is picked for it.
fn header(name: &str) -> Result<HeaderName, String> {
    use KnownField as Known;
    let parsed = HeaderName::from_bytes(name.as_bytes());
    match (KnownField::of(name.as_bytes()), parsed) {
        (Known::Odd, _) | (_, Err(_)) => {
            Err("the name of a header field has letters, digits and `-`".to_owned())
        }
        (known, _) if known.is_hop_by_hop() => {
            Err("this field is about the connection, not about the request".to_owned())
        }
        (
            Known::SetCookie
            | Known::RetryAfter
            | Known::RateLimit
            | Known::RateLimitPolicy
            | Known::XRateLimit
            | Known::Location
            | Known::ContentLocation
            | Known::Refresh
            | Known::Server
            | Known::Vary
            | Known::Allow,
            _,
        ) => Err("answers have this field, requests do not".to_owned()),
        (_, Ok(name)) => Ok(name),
    }
}

impl Text for ServerName<'static> {
    const NOUN: &str = "a name or an address";
    const EXAMPLE: &str = "orders.internal";

    fn parse(text: &str) -> Result<Self, String> {
        let name = text.strip_suffix('.').unwrap_or(text);
        Self::try_from(name.to_owned()).map_err(|_| {
            let address = name.strip_prefix('[').and_then(|it| it.strip_suffix(']'));
            if name.contains("://") {
                "write the name alone, without scheme and port".to_owned()
            } else if let Some(address) = address {
                format!("write \"{address}\"")
            } else if name.contains('*') {
                "write the name that the service is asked for: the certificate may have a wildcard for it".to_owned()
            } else if let Some((name, _)) = name.split_once(':') {
                format!("write \"{name}\": a certificate is for all ports")
            } else {
                "this is neither the name of a host nor an address".to_owned()
            }
        })
    }

    fn text(&self) -> String {
        self.to_str().into_owned()
    }
}

/// What is spoken to a service. There is one answer so far, so that nothing below asks for it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::config) enum ServiceProtocol {
    Auto,
    Http1,
}

impl Text for ServiceProtocol {
    const NOUN: &str = "a protocol";

    fn words() -> Vec<&'static str> {
        vec!["auto", "http1"]
    }

    fn parse(text: &str) -> Result<Self, String> {
        match text.to_ascii_lowercase().as_str() {
            "auto" => Ok(Self::Auto),
            "http1" => Ok(Self::Http1),
            "http2" | "h2" | "h2c" | "grpc" => {
                Err("HTTP/2 to services is not built yet: leave `protocol` out".to_owned())
            }
            "http" | "https" | "http/1.1" | "http1.1" | "1.1" => {
                Err("write \"http1\", or leave it out".to_owned())
            }
            _ => Err("this is none of them".to_owned()),
        }
    }

    fn text(&self) -> String {
        let word = match self {
            Self::Auto => "auto",
            Self::Http1 => "http1",
        };
        word.to_owned()
    }
}

/// The most requests that can be asked for.
const MOST_REQUESTS: usize = 1_000_000;

impl Kind for MaxRequests {
    fn form() -> Form {
        Form::new(
            format!("\"adaptive\" or a number from 1 to {MOST_REQUESTS}"),
            json!({ "anyOf": [
                { "type": "integer", "minimum": 1, "maximum": MOST_REQUESTS },
                { "enum": ["adaptive"] },
                { "type": "string", "pattern": r"\$\{" },
            ] }),
        )
    }

    fn read(written: &mut At<Value>, _: &str, _: &mut Reading<'_>) -> Result<Self, Wrong> {
        match &written.value {
            Value::Text(text) if text == "adaptive" => Ok(Self::Adaptive),
            Value::Integer(number) => match usize::try_from(*number) {
                Ok(number @ 1..=MOST_REQUESTS) => Ok(Self::Fixed(number)),
                _ => Err(Wrong::Text(String::new())),
            },
            _ => Err(Wrong::Kind),
        }
    }

    fn shown(&self) -> Shown {
        match self {
            Self::Adaptive => Shown::Text("adaptive".to_owned()),
            Self::Fixed(number) => Shown::Plain(number.to_string()),
        }
    }
}

/// What a check asks for: a path, and possibly a query.
pub(in crate::config) struct HealthPath(pub String);

impl Text for HealthPath {
    const NOUN: &str = "a path";
    const EXAMPLE: &str = "/healthz";
    const PATTERN: &str = "/[!\"$-~]*";

    fn parse(text: &str) -> Result<Self, String> {
        let visible = |b: u8| b.is_ascii_graphic();
        let path = text.split('?').next().unwrap_or_default();
        if text.contains("://") {
            Err("write the path alone: host and port are the endpoint's".to_owned())
        } else if !text.starts_with('/') {
            Err(format!("a path begins with a slash: \"/{path}\""))
        } else if text.contains('#') {
            Err("leave out `#` and what follows: services never see a fragment".to_owned())
        } else if !text.bytes().all(visible) {
            Err(
                "a path has neither blanks nor characters beyond ASCII: write `%20` for a blank"
                    .into(),
            )
        } else {
            // The services would get it as it is written.
            let is_dots = |segment: &str| matches!(segment, "." | "..");
            match RequestPath::parse_configured(path) {
                Err(why) => Err(why.to_string()),
                Ok(resolved) if path.split('/').any(is_dots) => Err(format!(
                    "a path has no `.` and `..`: write \"{}\"",
                    resolved.as_str()
                )),
                Ok(_) => Ok(Self(text.to_owned())),
            }
        }
    }

    fn text(&self) -> String {
        self.0.clone()
    }

    /// Without a query in which there may be a secret.
    fn shown(&self) -> Shown {
        match self.0.split_once('?') {
            Some((path, _)) if has_secret_query(&self.0) => Shown::Secret {
                shown: format!("{path}?..."),
                all: self.0.clone(),
            },
            _ => Shown::Text(self.0.clone()),
        }
    }
}

/// Whether checks are by gRPC, and which service they ask about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::config) enum GrpcCheck {
    /// They are not.
    Off,
    /// The server as a whole.
    Server,
    /// One of its services.
    Service(String),
}

/// The longest name of a service that can be asked about.
const LONGEST_SERVICE: usize = 256;

impl GrpcCheck {
    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "" => Err("write true: the server as a whole is asked about".to_owned()),
            "true" | "false" => Err(format!("write {text}, without quotes")),
            _ if text.contains('/') => {
                Err("write the name of the service alone, without a method".to_owned())
            }
            _ if !text.bytes().all(|b| b.is_ascii_graphic()) => {
                Err("a name has neither blanks nor characters beyond ASCII".to_owned())
            }
            _ if text.len() > LONGEST_SERVICE => {
                Err(format!("a name has at most {LONGEST_SERVICE} characters"))
            }
            _ => Ok(Self::Service(text.to_owned())),
        }
    }
}

impl Kind for GrpcCheck {
    fn form() -> Form {
        Form::new(
            "true or false, or the name of a service such as \"orders.v1.Orders\"",
            json!({ "anyOf": [
                { "type": "boolean" },
                { "type": "string", "pattern": r"^[!-.0-~]+$|\$\{" },
            ] }),
        )
    }

    fn read(written: &mut At<Value>, _: &str, _: &mut Reading<'_>) -> Result<Self, Wrong> {
        match &written.value {
            Value::Boolean(false) => Ok(Self::Off),
            Value::Boolean(true) => Ok(Self::Server),
            Value::Text(text) => Self::parse(text).map_err(Wrong::Text),
            _ => Err(Wrong::Kind),
        }
    }

    fn shown(&self) -> Shown {
        match self {
            Self::Off => Shown::Plain("false".to_owned()),
            Self::Server => Shown::Plain("true".to_owned()),
            Self::Service(name) => Shown::Text(name.clone()),
        }
    }
}

/// A status, or all from one to another.
#[derive(Clone, Copy)]
pub(in crate::config) struct StatusRange {
    pub first: u16,
    pub last: u16,
}

impl StatusRange {
    /// One status.
    pub(in crate::config) fn one(status: u16) -> Self {
        Self {
            first: status,
            last: status,
        }
    }

    /// A set of all that stand in a list.
    pub(in crate::config) fn set(list: &[At<Self>]) -> Statuses {
        let mut set = Statuses::default();
        for range in list {
            set.add(range.first, range.last);
        }
        set
    }

    fn parse(text: &str) -> Result<Self, String> {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        if let ([class @ b'1'..=b'5', b'x' | b'X', b'x' | b'X'], true) =
            (text.as_bytes(), first == last)
        {
            let class = char::from(*class);
            return Err(format!("write \"{class}00-{class}99\""));
        }
        let status = |text: &str| match text.trim().parse() {
            Ok(status @ 100..=599) => Ok(status),
            Ok::<u16, _>(_) => Err("statuses are from 100 to 599"),
            Err(_) => Err("this is neither a status nor a range"),
        };
        match (status(first)?, status(last)?) {
            (first, last) if first > last => Err(format!("write \"{last}-{first}\"")),
            (first, last) => Ok(Self { first, last }),
        }
    }
}

impl Kind for StatusRange {
    fn form() -> Form {
        Form::new(
            "a status, or a range such as \"500-599\"",
            json!({ "anyOf": [
                { "type": "integer", "minimum": 100, "maximum": 599 },
                { "type": "string", "pattern": r"^ *[1-5][0-9]{2} *(- *[1-5][0-9]{2} *)?$|\$\{" },
            ] }),
        )
    }

    fn read(written: &mut At<Value>, _: &str, _: &mut Reading<'_>) -> Result<Self, Wrong> {
        let read = match &written.value {
            Value::Integer(number) => Self::parse(&number.to_string()),
            Value::Text(text) => Self::parse(text),
            _ => return Err(Wrong::Kind),
        };
        read.map_err(Wrong::Text)
    }

    fn shown(&self) -> Shown {
        match *self {
            Self { first, last } if first == last => Shown::Plain(first.to_string()),
            Self { first, last } => Shown::Text(format!("{first}-{last}")),
        }
    }
}
