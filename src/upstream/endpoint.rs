//! An endpoint's URL, taken apart once.

use std::fmt;

use crate::message::path::RequestPath;
use crate::wire::host;

/// `http://host:port/base`, ready to connect to and to put in front of a path.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Endpoint {
    /// A name, an IPv4 address, or an IPv6 address without brackets.
    pub host: Box<str>,
    /// 80 unless the URL says otherwise.
    pub port: u16,
    /// Canonical, without a trailing slash; empty for none.
    pub base_path: Box<str>,
    authority: Box<str>,
}

/// Why a text is no endpoint, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidEndpoint {
    /// It has another shape altogether.
    #[error("this is not the URL of an endpoint: write it like http://10.0.0.1:8080")]
    Malformed,
    /// TLS comes later.
    #[error("TLS to upstreams is not supported yet: write an http:// URL")]
    Https,
    /// Credentials do not belong here.
    #[error("an endpoint's URL has no user and no password")]
    UserInfo,
    /// A request brings its own query.
    #[error("an endpoint's URL has no query and no fragment")]
    Query,
    /// The host or the port is not one.
    #[error("`{0}` is not a host and a port")]
    Authority(String),
    /// The base path is not canonical.
    #[error("the path of an endpoint's URL is put in front of requests' paths: {0}")]
    Path(String),
}

impl Endpoint {
    /// Parses a URL as it stands in the configuration.
    pub fn parse(url: &str) -> Result<Self, InvalidEndpoint> {
        let after = |scheme: &str| {
            url.get(..scheme.len())
                .filter(|s| s.eq_ignore_ascii_case(scheme))
                .map(|s| &url[s.len()..])
        };
        if after("https://").is_some() {
            return Err(InvalidEndpoint::Https);
        }
        let rest = after("http://").ok_or(InvalidEndpoint::Malformed)?;
        if rest.contains(['?', '#']) {
            return Err(InvalidEndpoint::Query);
        }
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        if authority.contains('@') {
            return Err(InvalidEndpoint::UserInfo);
        }
        let invalid = || InvalidEndpoint::Authority(authority.to_owned());
        if !host::is_valid(authority.as_bytes()) {
            return Err(invalid());
        }
        let (name, port) = host::split(authority.as_bytes());
        let name = &authority[..name.len()];
        let port = match port
            .and_then(|port| std::str::from_utf8(port).ok())
            .filter(|port| !port.is_empty())
        {
            None => 80,
            Some(port) => port
                .parse()
                .ok()
                .filter(|port| *port != 0)
                .ok_or_else(invalid)?,
        };
        let host = name
            .strip_prefix('[')
            .and_then(|name| name.strip_suffix(']'))
            .unwrap_or(name);
        Ok(Self {
            host: host.into(),
            port,
            base_path: base_path(path)?.into(),
            authority: if port == 80 {
                name.into()
            } else {
                format!("{name}:{port}").into()
            },
        })
    }

    /// `host:port` as a `Host` field has it; without the port if that is 80.
    #[must_use]
    pub fn authority(&self) -> &str {
        &self.authority
    }
}

fn base_path(path: &str) -> Result<&str, InvalidEndpoint> {
    let trimmed = path.strip_suffix('/').unwrap_or(path);
    if trimmed.is_empty() {
        return Ok("");
    }
    let canonical = RequestPath::parse(trimmed.as_bytes())
        .map_err(|why| InvalidEndpoint::Path(why.to_string()))?;
    if canonical.as_str() == trimmed {
        Ok(trimmed)
    } else {
        Err(InvalidEndpoint::Path(format!(
            "write it as `{}`",
            canonical.as_str().trim_end_matches('/')
        )))
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}{}", self.authority, self.base_path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart() {
        for (url, host, port, base, authority) in [
            (
                "http://localhost:4001",
                "localhost",
                4001,
                "",
                "localhost:4001",
            ),
            ("HTTP://10.0.0.1", "10.0.0.1", 80, "", "10.0.0.1"),
            ("http://[::1]:8080/", "::1", 8080, "", "[::1]:8080"),
            ("http://h.test:80/a/b/", "h.test", 80, "/a/b", "h.test"),
        ] {
            let endpoint = Endpoint::parse(url).unwrap();
            assert_eq!(
                (
                    &*endpoint.host,
                    endpoint.port,
                    &*endpoint.base_path,
                    endpoint.authority()
                ),
                (host, port, base, authority)
            );
        }
        assert_eq!(
            Endpoint::parse("http://[::1]:8080/a").unwrap().to_string(),
            "http://[::1]:8080/a"
        );
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (url, told) in [
            ("localhost:4001", "write it like"),
            ("", "write it like"),
            ("https://h", "not supported yet"),
            ("http://u:p@h", "no user"),
            ("http://h?x", "no query"),
            ("http://", "`` is not"),
            ("http://h:0", "`h:0` is not"),
            ("http://h:99999", "is not"),
            ("http://h/a//b", "write it as `/a/b`"),
            ("http://h/..;/", "turns into"),
            ("http://a b", "is not"),
            ("http://::1", "is not"),
        ] {
            let error = Endpoint::parse(url).unwrap_err().to_string();
            assert!(error.contains(told), "{url}: {error}");
        }
    }
}
