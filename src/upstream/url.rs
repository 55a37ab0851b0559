//! An endpoint's URL, parsed once when the configuration is compiled. The request path only reads
//! the parts: where to connect to, what `Host` a request without one gets, and what is put in front
//! of every path. A URL that two parsers could read differently is refused.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use crate::message::host;
use crate::message::path::{AmbiguousPath, RequestPath};
use crate::message::protocol::Scheme;

/// `http://host:port/base`, ready to connect to and to put in front of a path.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct EndpointUrl {
    /// Whether it is connected to through TLS.
    pub scheme: Scheme,
    /// A name in lower case, an IPv4 address, or an IPv6 address without brackets.
    pub host: Box<str>,
    /// Never zero.
    pub port: u16,
    /// Canonical, with a slash at its end if one was written; empty for none, and for `/`.
    pub base_path: Box<str>,
    authority: Box<str>,
}

impl EndpointUrl {
    /// Parses a URL as it stands in the configuration: `http://host[:port][/base]`, or the same with
    /// `https`.
    pub fn parse(url: &str) -> Result<Self, InvalidEndpointUrl> {
        let (scheme, rest) = split_scheme(url)?;
        if let Some(mark) = rest.chars().find(|c| matches!(c, '?' | '#')) {
            return Err(InvalidEndpointUrl::QueryOrFragment { mark });
        }
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        if authority.contains('@') {
            return Err(InvalidEndpointUrl::UserInfo);
        }
        let (host, port) = split_port(authority)?;
        let host = parse_host(host)?;
        let port = port.map_or(Ok(scheme.port()), parse_port)?;
        let bracketed = Bracketed(&host);
        let authority = if port == scheme.port() {
            bracketed.to_string()
        } else {
            format!("{bracketed}:{port}")
        };
        Ok(Self {
            scheme,
            base_path: parse_base(path)?,
            authority: authority.into(),
            host,
            port,
        })
    }

    /// The endpoint as a `Host` field names it: `host:port`, or `host` alone for the scheme's own
    /// port.
    pub fn authority(&self) -> &str {
        &self.authority
    }
}

/// The scheme, and what follows `://`.
fn split_scheme(url: &str) -> Result<(Scheme, &str), InvalidEndpointUrl> {
    let Some((written, rest)) = url.split_once("://") else {
        return Err(InvalidEndpointUrl::NoScheme);
    };
    let mut known = [Scheme::Http, Scheme::Https].into_iter();
    known
        .find(|scheme| written.eq_ignore_ascii_case(scheme.as_str()))
        .map(|scheme| (scheme, rest))
        .ok_or(InvalidEndpointUrl::OtherScheme)
}

/// Takes an authority apart. An address of IPv6 without brackets has no certain end.
fn split_port(authority: &str) -> Result<(&str, Option<&str>), InvalidEndpointUrl> {
    if authority.parse::<Ipv6Addr>().is_ok() {
        let right = match authority.rsplit_once(':') {
            // What has two digits or more, and begins with none of hexadecimal, is most likely a port.
            Some((address, port)) if port.len() > 1 && parse_port(port).is_ok() => {
                format!("[{address}]:{port}")
            }
            _ => format!("[{authority}]"),
        };
        return Err(InvalidEndpointUrl::NoBrackets { right });
    }
    let (host, port) = host::split(authority.as_bytes());
    // Both were cut at ASCII characters, so they are text still.
    let text = |bytes| std::str::from_utf8(bytes).map_err(|_| InvalidEndpointUrl::Host);
    Ok((text(host)?, port.map(text).transpose()?))
}

fn parse_port(port: &str) -> Result<u16, InvalidEndpointUrl> {
    // Digits only: `+80` would be parsed too.
    let digits = port.bytes().all(|b| b.is_ascii_digit());
    match port.parse() {
        Ok(port @ 1..) if digits => Ok(port),
        _ => Err(InvalidEndpointUrl::Port),
    }
}

/// A host as it is connected to.
fn parse_host(host: &str) -> Result<Box<str>, InvalidEndpointUrl> {
    if let Some(address) = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')) {
        let address: Ipv6Addr = address.parse().map_err(|_| InvalidEndpointUrl::Host)?;
        return Ok(address.to_string().into());
    }
    let host = host.to_ascii_lowercase();
    let name = host.strip_suffix('.').unwrap_or(&host);
    let last = name.rsplit('.').next().unwrap_or_default();
    if last.bytes().all(|b| b.is_ascii_digit()) || last.starts_with("0x") {
        // `127.1` and `0x7f.1` are addresses to some resolvers and names to others.
        let address: Result<Ipv4Addr, _> = host.parse();
        return address
            .map(|address| address.to_string().into())
            .map_err(|_| InvalidEndpointUrl::Host);
    }
    if name.len() <= 253 && name.split('.').all(is_label) {
        Ok(host.into())
    } else {
        Err(InvalidEndpointUrl::Host)
    }
}

/// A part of a domain name (RFC 1123 section 2.1), and the underscore that container networks use.
fn is_label(label: &str) -> bool {
    let inner = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    (1..=63).contains(&label.len())
        && label.bytes().all(inner)
        && !label.starts_with('-')
        && !label.ends_with('-')
}

fn parse_base(path: &str) -> Result<Box<str>, InvalidEndpointUrl> {
    if path.is_empty() {
        return Ok("".into());
    }
    let canonical = RequestPath::parse_configured(path)?;
    let right = canonical.as_str();
    if right == path {
        Ok(if right == "/" { "" } else { right }.into())
    } else {
        Err(InvalidEndpointUrl::BasePath {
            right: right.to_owned(),
        })
    }
}

impl fmt::Display for EndpointUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            scheme,
            host,
            port,
            base_path,
            authority: _,
        } = self;
        let (scheme, host) = (scheme.as_str(), Bracketed(host));
        write!(f, "{scheme}://{host}:{port}{base_path}")
    }
}

/// A host as a URL has it: an IPv6 address in brackets.
struct Bracketed<'a>(&'a str);

impl fmt::Display for Bracketed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.contains(':') {
            write!(f, "[{}]", self.0)
        } else {
            f.write_str(self.0)
        }
    }
}

/// Why a text is no endpoint, and what would be right. A URL may hold a password by mistake, so
/// none of it is repeated but what has been read as host or path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidEndpointUrl {
    /// Not a URL.
    #[error("an endpoint is written `http://host:port` or `https://host:port`")]
    NoScheme,
    /// Neither `http` nor `https`.
    #[error("only `http://` and `https://` endpoints are supported")]
    OtherScheme,
    /// A user's name or password in front of the host.
    #[error("an endpoint's URL must not contain a user name or password")]
    UserInfo,
    /// A query or a fragment: a service gets the request's own.
    #[error(
        "an endpoint's URL must not contain a query or fragment: leave out `{mark}` and what follows"
    )]
    QueryOrFragment {
        /// `?` or `#`.
        mark: char,
    },
    /// An IPv6 address whose port could be a part of it.
    #[error("an IPv6 address needs brackets: write `{right}`")]
    NoBrackets {
        /// The address, and its port if there seems to be one.
        right: String,
    },
    /// Neither a domain name nor an address.
    #[error(
        "the host is neither a domain name, nor an IPv4 address, nor an IPv6 address in brackets"
    )]
    Host,
    /// Not a port that can be connected to.
    #[error("the port must be a number from 1 to 65535")]
    Port,
    /// The base path has another canonical form.
    #[error("the path is not in canonical form: write `{right}`")]
    BasePath {
        /// The canonical form.
        right: String,
    },
    /// The base path can be read in more than one way.
    #[error("{0}")]
    AmbiguousBasePath(#[from] AmbiguousPath),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_taken_apart() {
        let table = [
            (
                "http://localhost:4001",
                "localhost",
                4001,
                "",
                "localhost:4001",
            ),
            ("http://localhost", "localhost", 80, "", "localhost"),
            ("http://localhost:80/", "localhost", 80, "", "localhost"),
            (
                "HTTP://Orders.Internal:8080",
                "orders.internal",
                8080,
                "",
                "orders.internal:8080",
            ),
            (
                "http://10.0.0.1:4002/v1",
                "10.0.0.1",
                4002,
                "/v1",
                "10.0.0.1:4002",
            ),
            ("http://h:1/base/path", "h", 1, "/base/path", "h:1"),
            ("http://h:1/base/path/", "h", 1, "/base/path/", "h:1"),
            ("http://[::1]:4001/x", "::1", 4001, "/x", "[::1]:4001"),
            (
                "http://[2001:DB8:0::1]",
                "2001:db8::1",
                80,
                "",
                "[2001:db8::1]",
            ),
            (
                "http://my_service:65535",
                "my_service",
                65535,
                "",
                "my_service:65535",
            ),
            (
                "http://example.com.:81",
                "example.com.",
                81,
                "",
                "example.com.:81",
            ),
            ("http://3com.net", "3com.net", 80, "", "3com.net"),
            ("https://orders", "orders", 443, "", "orders"),
            ("HTTPS://orders:443/x", "orders", 443, "/x", "orders"),
            ("https://[::1]:80", "::1", 80, "", "[::1]:80"),
            ("http://orders:443", "orders", 443, "", "orders:443"),
        ];
        for (url, host, port, base, authority) in table {
            let endpoint = EndpointUrl::parse(url).unwrap_or_else(|e| panic!("{url}: {e}"));
            let is_https = url.to_ascii_lowercase().starts_with("https:");
            assert_eq!(endpoint.scheme == Scheme::Https, is_https, "{url}");
            assert_eq!(&*endpoint.host, host, "{url}");
            assert_eq!(endpoint.port, port, "{url}");
            assert_eq!(&*endpoint.base_path, base, "{url}");
            assert_eq!(endpoint.authority(), authority, "{url}");
        }
    }

    #[test]
    fn what_is_displayed_is_the_same_endpoint() {
        let table = [
            ("http://localhost", "http://localhost:80"),
            ("http://localhost/", "http://localhost:80"),
            ("http://[0:0::1]:4001/x/", "http://[::1]:4001/x/"),
            ("http://A.example:81/v1", "http://a.example:81/v1"),
            ("https://A.example/v1", "https://a.example:443/v1"),
        ];
        for (url, displayed) in table {
            let endpoint = EndpointUrl::parse(url).unwrap();
            assert_eq!(endpoint.to_string(), displayed);
            assert_eq!(EndpointUrl::parse(displayed), Ok(endpoint));
        }
    }

    #[test]
    fn other_texts_are_refused() {
        use InvalidEndpointUrl::{Host, NoScheme, OtherScheme, Port, UserInfo};
        let table = [
            ("", NoScheme),
            ("localhost:4001", NoScheme),
            ("http:/localhost", NoScheme),
            ("//localhost", NoScheme),
            ("ftp://orders", OtherScheme),
            ("httpss://orders", OtherScheme),
            (" http://orders", OtherScheme),
            ("http://u:p@orders", UserInfo),
            ("http://u@orders:80/", UserInfo),
            ("http://", Host),
            ("http:///base", Host),
            ("http://:80", Host),
            ("http://.", Host),
            ("http://a..b", Host),
            ("http://-a", Host),
            ("http://a-.b", Host),
            ("http://a b", Host),
            ("http://a%20b", Host),
            ("http://café", Host),
            ("http://a\\b", Host),
            ("http://127.1", Host),
            ("http://256.0.0.1", Host),
            ("http://2130706433", Host),
            ("http://0x7f000001", Host),
            ("http://[::1", Host),
            ("http://[fe80::1%25eth0]", Host),
            ("http://[127.0.0.1]", Host),
            ("http://[::1]x", Host),
            ("http://a]", Host),
            ("http://h:", Port),
            ("https://h:0", Port),
            ("http://h:0", Port),
            ("http://h:65536", Port),
            ("http://h:+80", Port),
            ("http://h:80x", Port),
            ("http://h:8:9", Port),
        ];
        for (url, expected) in table {
            assert_eq!(EndpointUrl::parse(url), Err(expected), "{url}");
        }
        let label = "x".repeat(64);
        let name = [&*"x".repeat(63); 4].join(".");
        for host in [label, name] {
            assert_eq!(EndpointUrl::parse(&format!("http://{host}")), Err(Host));
        }
    }

    #[test]
    fn errors_say_what_to_write() {
        let table = [
            ("http://::1", Some("[::1]")),
            ("http://fe80::2/x", Some("[fe80::2]")),
            ("http://h//base", Some("/base")),
            ("http://h/a/../b", Some("/b")),
            ("http://h/%7euser", Some("/~user")),
            ("http://h/a?x=1", None),
            ("http://h?x=1", None),
            ("http://h/a#x", None),
            ("http://h/a%5Cb", None),
            ("http://h/a%", None),
        ];
        for (url, right) in table {
            let error = EndpointUrl::parse(url).expect_err(url).to_string();
            match right {
                Some(right) => assert!(error.ends_with(&format!("write `{right}`")), "{error}"),
                None => assert!(!error.contains("write"), "{url}: {error}"),
            }
        }
    }

    #[test]
    fn a_password_is_not_repeated() {
        for url in [
            "http://u:secret@h",
            "https://u:secret@h",
            "u:secret@h",
            "http://u:secret@h/%",
        ] {
            let error = EndpointUrl::parse(url).expect_err(url);
            assert!(
                !format!("{error} {error:?}").contains("secret"),
                "{error:?}"
            );
        }
    }
}
