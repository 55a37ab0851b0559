//! An endpoint's URL, taken apart once.

use std::fmt;

/// `http://host:port/base`, ready to connect to and to put in front of a path.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Endpoint {
    /// A name, an IPv4 address, or an IPv6 address without brackets.
    pub host: Box<str>,
    pub port: u16,
    /// Canonical, without a trailing slash; empty for none.
    pub base_path: Box<str>,
}

impl Endpoint {
    /// stub
    pub fn nowhere() -> Self {
        Self {
            host: "127.0.0.1".into(),
            port: 1,
            base_path: "".into(),
        }
    }
    /// stub
    pub fn authority(&self) -> &str {
        "up"
    }
    /// Parses a URL as it stands in the configuration.
    pub fn parse(_url: &str) -> Result<Self, InvalidEndpoint> {
        let (h, p) = _url
            .strip_prefix("http://")
            .unwrap()
            .split_once(':')
            .unwrap();
        Ok(Self {
            host: h.into(),
            port: p.parse().unwrap(),
            base_path: "".into(),
        })
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// Why a text is no endpoint, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidEndpoint {
    #[error("an endpoint is written `http://host:port`")]
    Malformed,
}
