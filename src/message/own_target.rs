//! What `Destination` and `If` of `WebDAV` (RFC 4918 sections 10.3 and 10.4) name, as the service calls it to which
//! the route leads: the reverse of [`super::own_urls`]. What is foreign, relative or cannot be read with
//! certainty passes as it came.

use memchr::memchr;

use super::fields::{FieldRef, Fields};
use super::host;
use super::known_field::KnownField;
use super::mapping::PathMapping;
use super::path::RequestPath;
use super::protocol::Scheme;

/// Where COPY and MOVE write to.
const DESTINATION: &[u8] = b"destination";

/// What these fields say to the service, where that is not what the client has said.
#[derive(Debug, Default)]
pub struct Renamed {
    destination: Option<Vec<u8>>,
    condition: Option<Vec<u8>>,
}

impl Renamed {
    /// What those of a request say. Paths are the route's own or not.
    pub fn of(fields: &Fields, own: &OwnTarget<'_>, is_own: impl Fn(&str) -> bool) -> Self {
        let only = |is_meant: fn(&FieldRef<'_>) -> bool| {
            let mut meant = fields.iter().filter(is_meant);
            // Of several, nobody knows which one counts.
            match (meant.next(), meant.next()) {
                (Some(field), None) => Some(field.value),
                _ => None,
            }
        };
        let destination = only(|field| is_destination(field.name));
        let condition = only(|field| field.known == KnownField::If);
        Self {
            destination: destination.and_then(|url| own.of(url, &is_own)),
            condition: condition.and_then(|condition| own.in_condition(condition, &is_own)),
        }
    }

    /// What a field says to the service.
    pub fn value<'v>(&'v self, field: FieldRef<'v>) -> &'v [u8] {
        let renamed = match field.known {
            KnownField::If => self.condition.as_deref(),
            _ if is_destination(field.name) => self.destination.as_deref(),
            _ => None,
        };
        renamed.unwrap_or(field.value)
    }
}

fn is_destination(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(DESTINATION)
}

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

    /// The same for each resource that `If` names: a tag in front of lists (RFC 4918 section 10.4.2). What stands
    /// in the lists are tokens, which may look like URLs and are none that a path leads to, and tags of
    /// entities. `None` if all stays, or if it is malformed.
    fn in_condition(&self, condition: &[u8], is_own: impl Fn(&str) -> bool) -> Option<Vec<u8>> {
        // To some it escapes a quote, to others not.
        if condition.contains(&b'\\') {
            return None;
        }
        let mut out = Vec::with_capacity(condition.len() + 32);
        let (mut rest, mut is_renamed) = (condition, false);
        while let Some(first) = rest.first() {
            let len = match first {
                b' ' | b'\t' => 1,
                b'<' => memchr(b'>', rest)? + 1,
                b'(' => list_len(rest)?,
                _ => return None,
            };
            let (piece, after) = rest.split_at(len);
            let url = piece.strip_prefix(b"<").unwrap_or_default();
            match url.strip_suffix(b">").and_then(|url| self.of(url, &is_own)) {
                Some(own) => {
                    is_renamed = true;
                    out.push(b'<');
                    out.extend_from_slice(&own);
                    out.push(b'>');
                }
                None => out.extend_from_slice(piece),
            }
            rest = after;
        }
        is_renamed.then_some(out)
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

/// How long the list is that begins here. A parenthesis may stand in a token, and in the tag of an entity.
fn list_len(list: &[u8]) -> Option<usize> {
    let mut at = 1;
    loop {
        at += match list.get(at)? {
            b')' => return Some(at + 1),
            b'<' => memchr(b'>', &list[at..])?,
            b'"' => 1 + memchr(b'"', &list[at + 1..])?,
            _ => 0,
        } + 1;
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

    const OWN: OwnTarget<'_> = OwnTarget {
        paths: PathMapping {
            public: "/dav",
            base: "/srv/",
            inserted: "/v2",
        },
        public: [b"Shop.test", b"10.0.0.9:8080"],
        service: (Scheme::Http, b"files:80"),
    };

    fn is_own(path: &str) -> bool {
        path.starts_with("/dav")
    }

    fn seen(url: &str) -> Option<String> {
        let url = OWN.of(url.as_bytes(), is_own);
        url.map(|url| String::from_utf8(url).expect("a URL"))
    }

    fn condition(condition: &str) -> Option<String> {
        let condition = OWN.in_condition(condition.as_bytes(), is_own);
        condition.map(|it| String::from_utf8(it).expect("a condition"))
    }

    #[test]
    fn a_condition_names_resources_in_front_of_its_lists() {
        for (sent, own) in [
            ("</dav/a> (<urn:uuid:1>)", "</srv/v2/a> (<urn:uuid:1>)"),
            (
                "<http://shop.test/dav/a>(Not <DAV:no-lock> [\"e)<\"])([W/\"x\"]) <http://x/b> ([\"y\"])",
                "<http://files:80/srv/v2/a>(Not <DAV:no-lock> [\"e)<\"])([W/\"x\"]) <http://x/b> ([\"y\"])",
            ),
            (
                "<http://x/b> ([\"y\"])\t</dav/a> (<http://shop.test/dav/a>) </dav/c> (<u:)>)",
                "<http://x/b> ([\"y\"])\t</srv/v2/a> (<http://shop.test/dav/a>) </srv/v2/c> (<u:)>)",
            ),
        ] {
            assert_eq!(condition(sent).as_deref(), Some(own), "{sent}");
        }
    }

    #[test]
    fn conditions_without_own_resources_and_malformed_ones_stay() {
        for sent in [
            "",
            "(<urn:uuid:1>)",
            "(<http://shop.test/dav/a> [\"e\"])",
            "<http://x/dav/a> (<urn:uuid:1>)",
            "</dav/a",
            "</dav/a> (<urn:uuid:1>",
            "</dav/a> ([\"e])",
            "</dav/a> ([\"e\\\"])",
            "</dav/a>, (<urn:uuid:1>)",
            "/dav/a (<urn:uuid:1>)",
            "</dav/a> )",
        ] {
            assert_eq!(condition(sent), None, "{sent}");
        }
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
