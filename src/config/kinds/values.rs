//! Times, sizes, addresses and URLs.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use http::{HeaderValue, StatusCode};
use ipnet::IpNet;
use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::json;

use super::otherwise::ENDPOINTS_ALONE;
use crate::config::keys::{Form, Kind, Shown, Text, Wrong};
use crate::config::reading::Reading;
use crate::config::source::At;
use crate::config::tree::Value;
use crate::config::units;
use crate::limit::RedisUrl;
use crate::message::protocol::Scheme;
use crate::route::RedirectTarget;
use crate::upstream::{EndpointUrl, InvalidEndpointUrl};
use crate::words::words;

impl Text for Duration {
    const NOUN: &str = "a duration";
    const EXAMPLE: &str = "30s";
    const FOR_NUMBER: Option<&str> = Some("Ns");
    const PATTERN: &str = "([0-9]+(ms|s|m|h|d))+";

    fn parse(text: &str) -> Result<Self, String> {
        units::duration(text)
    }

    fn text(&self) -> String {
        units::duration_text(*self)
    }
}

/// A duration within bounds, and a multiple of a step, all in milliseconds. Only with 0 for the least
/// there may be none, `0s`.
#[derive(Clone, Copy)]
pub(in crate::config) struct Within<const LEAST: u64, const MOST: u64, const STEP: u64>(
    pub Duration,
);

impl<const LEAST: u64, const MOST: u64, const STEP: u64> Text for Within<LEAST, MOST, STEP> {
    const NOUN: &str = Duration::NOUN;
    const EXAMPLE: &str = if LEAST == 0 { "10s" } else { "1s" };
    const PATTERN: &str = Duration::PATTERN;
    const FOR_NUMBER: Option<&str> = Duration::FOR_NUMBER;

    fn parse(text: &str) -> Result<Self, String> {
        let duration = match LEAST {
            0 => units::duration_or_none(text)?,
            _ => units::duration(text)?,
        };
        let written = |milliseconds| Duration::from_millis(milliseconds).text();
        match u64::try_from(duration.as_millis()).unwrap_or(u64::MAX) {
            long if long > MOST => Err(format!("at most `{}`", written(MOST))),
            short if short < LEAST => Err(format!("at least `{}`", written(LEAST))),
            odd if odd % STEP != 0 => Err(format!("a multiple of `{}`", written(STEP))),
            _ => Ok(Self(duration)),
        }
    }

    fn text(&self) -> String {
        self.0.text()
    }
}

/// A number of bytes within bounds.
#[derive(Clone, Copy)]
pub(in crate::config) struct Size<const LEAST: u64, const MOST: u64>(pub u64);

impl<const LEAST: u64, const MOST: u64> Text for Size<LEAST, MOST> {
    const NOUN: &str = "a size";
    const EXAMPLE: &str = "64KiB";
    const PATTERN: &str = "[0-9]+(B|KiB|MiB|GiB)";
    const FOR_NUMBER: Option<&str> = Some("NB");

    fn parse(text: &str) -> Result<Self, String> {
        match units::size(text)? {
            size if size > MOST => Err(format!("at most `{}`", units::size_text(MOST))),
            size if size < LEAST => Err(format!("at least `{}`", units::size_text(LEAST))),
            size => Ok(Self(size)),
        }
    }

    fn text(&self) -> String {
        units::size_text(self.0)
    }
}

impl Text for SocketAddr {
    const NOUN: &str = "an address";
    const EXAMPLE: &str = "0.0.0.0:3000";
    const FOR_NUMBER: Option<&str> = Some("0.0.0.0:N");

    fn parse(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| {
            let port = text.strip_prefix(':').unwrap_or(text);
            match (port.parse::<u16>(), text.strip_prefix("localhost:")) {
                (Ok(port), _) => format!("write \"0.0.0.0:{port}\""),
                (_, Some(port)) => format!("write \"127.0.0.1:{port}\""),
                _ => "write an IP address and a port; names are not looked up".to_owned(),
            }
        })
    }

    fn text(&self) -> String {
        self.to_string()
    }
}

impl Text for IpNet {
    const NOUN: &str = "a network or an address";
    const EXAMPLE: &str = "10.0.0.0/8";

    fn parse(text: &str) -> Result<Self, String> {
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(address.into());
        }
        let network: Self = text
            .parse()
            .map_err(|_| "this is neither a network nor an address".to_owned())?;
        if network == network.trunc() {
            Ok(network)
        } else {
            Err(format!("write \"{}\"", network.trunc()))
        }
    }

    fn text(&self) -> String {
        self.to_string()
    }
}

impl Text for Timestamp {
    const NOUN: &str = "a date and time";
    const EXAMPLE: &str = "2027-01-01T00:00:00Z";

    fn parse(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| match text.get(..10) {
            Some(date) if date.parse::<Date>().is_err() => "this is not a date and time".to_owned(),
            Some(date) if date == text => format!("write \"{text}T00:00:00Z\""),
            Some(_) if !text.ends_with('Z') => {
                "a time zone is missing: `Z`, or an offset such as `+02:00`".to_owned()
            }
            _ => "this is not a date and time".to_owned(),
        })
    }

    fn text(&self) -> String {
        self.to_string()
    }
}

words! {
    tracing::Level {
        "error" => tracing::Level::ERROR,
        "warn" => tracing::Level::WARN,
        "info" => tracing::Level::INFO,
        "debug" => tracing::Level::DEBUG,
        "trace" => tracing::Level::TRACE,
    }
}

impl Text for EndpointUrl {
    const NOUN: &str = "a URL";
    const EXAMPLE: &str = "http://10.0.0.1:4002";

    fn parse(text: &str) -> Result<Self, String> {
        Self::parse(text).map_err(|error| match meant_url(text) {
            Some(url) => format!("write `{url}`"),
            None if text.starts_with("unix:") => {
                "sockets of the file system are not supported: write `http://host:port`".to_owned()
            }
            None if ["grpc", "h2c"].iter().any(|it| text.starts_with(it)) => {
                "there is no HTTP/2 to services: with `http://` they are spoken to in HTTP/1.1"
                    .to_owned()
            }
            None => match before_pattern(text) {
                Some(url) if matches!(error, InvalidEndpointUrl::BasePath { .. }) => {
                    format!("{NO_PATTERNS}: write `{url}`")
                }
                _ => error.to_string(),
            },
        })
    }

    fn text(&self) -> String {
        self.to_string()
    }
}

const NO_PATTERNS: &str =
    "there are no patterns: what follows the prefix of the route is appended by itself";

/// A URL up to the first segment with what other programs take for a pattern.
fn before_pattern(url: &str) -> Option<&str> {
    let (before, _) = url.split_at(url.find(['{', '<'])?);
    let (right, _) = before.rsplit_once('/')?;
    EndpointUrl::parse(right).is_ok().then_some(right)
}

/// The URL that was meant by one whose scheme is miswritten or doubled: `http//host`, `https:/host`,
/// `http://http//host`.
fn meant_url(text: &str) -> Option<String> {
    let (mut scheme, mut rest) = (Scheme::Http, text);
    while let Some((written, after)) = after_scheme(rest) {
        let shorter = after.trim_start_matches([':', '/', ';']);
        if shorter.len() == after.len() {
            break;
        }
        (scheme, rest) = (written, shorter);
    }
    let url = format!("{}://{rest}", scheme.as_str());
    let is_other = rest.len() < text.len() && url != text;
    (is_other && EndpointUrl::parse(&url).is_ok()).then_some(url)
}

/// The scheme that a text begins with, or the one that is used for it, and what follows it.
fn after_scheme(text: &str) -> Option<(Scheme, &str)> {
    const WORDS: [(&str, Scheme); 5] = [
        ("https", Scheme::Https),
        ("http", Scheme::Http),
        ("wss", Scheme::Https),
        ("ws", Scheme::Http),
        ("tcp", Scheme::Http),
    ];
    WORDS.into_iter().find_map(|(known, scheme)| {
        let (word, after) = text.split_at_checked(known.len())?;
        word.eq_ignore_ascii_case(known).then_some((scheme, after))
    })
}

impl Text for RedirectTarget {
    const NOUN: &str = "a path or a URL";
    const EXAMPLE: &str = "/new";

    fn parse(text: &str) -> Result<Self, String> {
        if text.contains(['{', '<', '*']) {
            return Err(NO_PATTERNS.to_owned());
        }
        Self::parse(text).map_err(|error| error.to_string())
    }

    fn text(&self) -> String {
        self.as_str().to_owned()
    }
}

/// The status of a redirect.
#[derive(Clone, Copy)]
pub(in crate::config) struct RedirectStatus(pub StatusCode);

const REDIRECTS: [u16; 5] = [301, 302, 303, 307, 308];

impl Kind for RedirectStatus {
    fn form() -> Form {
        Form::new("301, 302, 303, 307 or 308", json!({ "enum": REDIRECTS }))
    }

    fn read(written: &mut At<Value>, _: &str, _: &mut Reading<'_>) -> Result<Self, Wrong> {
        let Value::Integer(number) = written.value else {
            return Err(Wrong::Kind);
        };
        let status = u16::try_from(number).ok();
        let status = status.filter(|status| REDIRECTS.contains(status));
        let status = status.and_then(|status| StatusCode::from_u16(status).ok());
        status.map(Self).ok_or(Wrong::Text(String::new()))
    }

    fn shown(&self) -> Shown {
        Shown::Plain(self.0.as_u16().to_string())
    }
}

/// What may be the value of a header field.
pub(in crate::config) struct FieldText(pub String);

impl Text for FieldText {
    const NOUN: &str = "the value of a header field";

    fn parse(text: &str) -> Result<Self, String> {
        match HeaderValue::from_str(text) {
            _ if text.is_empty() => Err("this is empty".to_owned()),
            Ok(_) if text.contains('\t') => Err("a value has no tabs".to_owned()),
            Ok(_) if text.trim() == text => Ok(Self(text.to_owned())),
            Ok(_) => Err("a value has no blanks around it".to_owned()),
            Err(_) => Err("a value has no control characters, and is ASCII".to_owned()),
        }
    }

    fn text(&self) -> String {
        self.0.clone()
    }
}

/// Where a route leads.
pub(in crate::config) enum Target {
    Url(EndpointUrl),
    /// The name of an upstream.
    Name(String),
}

impl Text for Target {
    const NOUN: &str = "a URL or the name of an upstream";
    const FOR_LIST: Option<&str> = Some(ENDPOINTS_ALONE);

    fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("this is empty".to_owned());
        }
        // None of these can be in a name.
        let is_url = text.contains("://") || text.starts_with("unix:") || meant_url(text).is_some();
        if is_url {
            <EndpointUrl as Text>::parse(text).map(Self::Url)
        } else {
            Ok(Self::Name(text.to_owned()))
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Url(url) => url.to_string(),
            Self::Name(name) => name.clone(),
        }
    }
}

/// A name or a password that is shown nowhere.
pub(in crate::config) struct Secret(pub String);

impl Kind for Secret {
    const IS_SECRET: bool = true;

    fn form() -> Form {
        Form::string("a string")
    }

    fn read(written: &mut At<Value>, _: &str, _: &mut Reading<'_>) -> Result<Self, Wrong> {
        match &written.value {
            Value::Text(text) => Ok(Self(text.clone())),
            // What is wrong with it has been reported; that it is missing would not be true.
            Value::Broken => Ok(Self(String::new())),
            _ => Err(Wrong::Kind),
        }
    }

    fn shown(&self) -> Shown {
        Shown::Secret {
            shown: "...".to_owned(),
            all: self.0.clone(),
        }
    }
}

/// The URL of a Redis.
pub(in crate::config) struct RedisAddress {
    /// Absent where nothing is written: a variable may be empty.
    pub url: Option<RedisUrl>,
    /// As it was written, with its password.
    written: String,
}

impl Text for RedisAddress {
    const NOUN: &str = "a URL";
    const EXAMPLE: &str = "redis://127.0.0.1:6379";

    fn parse(text: &str) -> Result<Self, String> {
        let url = match text {
            "" => None,
            text => Some(RedisUrl::parse(text).map_err(|error| error.to_string())?),
        };
        Ok(Self {
            url,
            written: text.to_owned(),
        })
    }

    fn text(&self) -> String {
        self.written.clone()
    }

    fn shown(&self) -> Shown {
        let (scheme, rest) = self.written.split_once("://").unwrap_or_default();
        let (_, host) = rest.rsplit_once('@').unwrap_or(("", rest));
        Shown::Secret {
            shown: match self.url {
                Some(_) => format!("{scheme}://{host}"),
                None => "none".to_owned(),
            },
            all: self.written.clone(),
        }
    }
}
