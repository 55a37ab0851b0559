//! `Destination` (RFC 4918 section 10.3) as the service calls it, to which its route leads: the reverse of
//! [`super::own_urls`]. What is foreign, relative or cannot be read with certainty passes as it came.

use super::host;
use super::mapping::PathMapping;
use super::path::RequestPath;
use super::protocol::Scheme;

/// Where COPY and MOVE write to.
pub const DESTINATION: &[u8] = b"destination";

/// By what clients and a service call the same resources.
#[derive(Debug, Clone, Copy)]
pub struct OwnTarget<'a> {
    /// How the service's paths come about.
    pub paths: PathMapping<'a>,
    /// The hosts by which clients may name the gateway.
    pub public: [&'a [u8]; 2],
    /// How the service is asked, and for which host.
    pub service: (Scheme, &'a [u8]),
}

impl OwnTarget<'_> {
    /// The service's own URL, or path, for a client's, unless it is one of another route or place.
    pub fn of(&self, url: &[u8], is_own: impl FnOnce(&str) -> bool) -> Option<Vec<u8>> {
        // To some a backslash is a slash, also within the host.
        if url.contains(&b'\\') {
            return None;
        }
        let authority_and_rest = match url {
            [b'/', b'/', ..] => return None,
            [b'/', ..] => None,
            _ => {
                let (scheme, rest) = split_scheme(url)?;
                let end = rest.iter().position(|b| matches!(b, b'/' | b'?' | b'#'))?;
                let (authority, rest) = rest.split_at(end);
                if !self.is_public(scheme, authority) {
                    return None;
                }
                Some(rest)
            }
        };
        let rest = authority_and_rest.unwrap_or(url);
        let end = rest.iter().position(|b| matches!(b, b'?' | b'#'));
        let (path, after) = rest.split_at(end.unwrap_or(rest.len()));
        let path = RequestPath::parse(path).ok()?;
        if !is_own(path.as_str()) {
            return None;
        }
        let mut out = Vec::with_capacity(url.len() + 16);
        if authority_and_rest.is_some() {
            let (scheme, host) = self.service;
            out.extend_from_slice(scheme.as_str().as_bytes());
            out.extend_from_slice(b"://");
            out.extend_from_slice(host);
        }
        self.paths.put(&mut out, path.as_str());
        out.extend_from_slice(after);
        Some(out)
    }

    /// Whether clients mean the gateway by an authority. A user in it is in none.
    fn is_public(&self, scheme: Scheme, authority: &[u8]) -> bool {
        let parts = |authority| {
            let (name, port) = host::split(authority);
            let default: &[u8] = match scheme {
                Scheme::Http => b"80",
                Scheme::Https => b"443",
            };
            (name, port.filter(|it| !it.is_empty()).unwrap_or(default))
        };
        let (name, port) = parts(authority);
        self.public.iter().any(|own| {
            let (own_name, own_port) = parts(own);
            !name.is_empty() && own_name.eq_ignore_ascii_case(name) && own_port == port
        })
    }
}

/// The scheme of a URL and what follows `://`.
fn split_scheme(url: &[u8]) -> Option<(Scheme, &[u8])> {
    [Scheme::Http, Scheme::Https]
        .into_iter()
        .find_map(|scheme| {
            let name = scheme.as_str().as_bytes();
            let (own, rest) = url.split_at_checked(name.len())?;
            let rest = rest.strip_prefix(b"://")?;
            own.eq_ignore_ascii_case(name).then_some((scheme, rest))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(url: &str) -> Option<String> {
        let own = OwnTarget {
            paths: PathMapping {
                public: "/dav",
                base: "/srv/",
                inserted: "/v2",
            },
            public: [b"Shop.test", b"10.0.0.9:8080"],
            service: (Scheme::Http, b"files:80"),
        };
        let url = own.of(url.as_bytes(), |path| path.starts_with("/dav"));
        url.map(|url| String::from_utf8(url).expect("a URL"))
    }

    #[test]
    fn what_clients_call_it_is_as_the_service_calls_it() {
        for (url, own) in [
            ("http://shop.test/dav/a%20b", "http://files:80/srv/v2/a%20b"),
            ("HTTPS://SHOP.test:443/dav/a/", "http://files:80/srv/v2/a/"),
            (
                "http://10.0.0.9:8080/dav/a?b#c",
                "http://files:80/srv/v2/a?b#c",
            ),
            ("http://shop.test/x/../dav/a", "http://files:80/srv/v2/a"),
            ("/dav/a", "/srv/v2/a"),
            ("/dav", "/srv/v2"),
        ] {
            assert_eq!(seen(url).as_deref(), Some(own), "{url}");
        }
    }

    #[test]
    fn foreign_and_doubtful_ones_stay() {
        for url in [
            "",
            "a",
            "dav/a",
            "/other/a",
            "//shop.test/dav/a",
            "http://shop.test",
            "http://shop.test/other/a",
            "http://example.com/dav/a",
            "http://shop.test:8080/dav/a",
            "https://shop.test:80/dav/a",
            "http://user@shop.test/dav/a",
            "http:/dav/a",
            "ftp://shop.test/dav/a",
            "http://shop.test\\dav/a",
            "/dav/../../a",
            "/dav/%2e%2e%2fa",
        ] {
            assert_eq!(seen(url), None, "{url}");
        }
    }
}
