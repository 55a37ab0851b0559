//! What becomes of the requests of a route that nothing refuses: they go to a service, or are answered
//! here as the configuration says.

use std::fmt;

use http::StatusCode;

use crate::message::bytes::VISIBLE;
use crate::message::host;
use crate::message::mapping::PathMapping;
use crate::message::path::RequestPath;

use super::PathPrefix;

/// What becomes of a request.
#[derive(Debug, Clone)]
pub enum Action {
    /// It goes to an upstream: the index into the snapshot's.
    Forward(usize),
    /// The client is sent elsewhere.
    Redirect(Redirect),
    /// It is answered.
    Respond(FixedAnswer),
}

/// An answer as it is configured.
#[derive(Debug, Clone)]
pub struct FixedAnswer {
    /// Neither interim nor a redirect.
    pub status: StatusCode,
    /// Empty where the status has none.
    pub body: Box<str>,
    /// Of the body, if there is one.
    pub content_type: Box<str>,
}

/// Where clients are sent instead.
#[derive(Debug, Clone)]
pub struct Redirect {
    /// One of 3xx that has a `Location`.
    pub status: StatusCode,
    /// What takes the place of the route's prefix.
    pub to: RedirectTarget,
}

/// A path or a URL. With a query or a fragment it is one exact place, otherwise what follows on the
/// route's prefix, and the query, are appended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedirectTarget {
    text: Box<str>,
    is_exact: bool,
}

impl RedirectTarget {
    /// Parses one as it stands in the configuration.
    ///
    /// # Errors
    /// When it is neither a path nor an `http` or `https` URL, or could be read in two ways.
    pub fn parse(text: &str) -> Result<Self, InvalidRedirect> {
        let path = match text.split_once("://") {
            Some((scheme, rest)) if !scheme.contains(['/', '?', '#']) => {
                if !matches!(scheme, "http" | "https") {
                    return Err(InvalidRedirect::Scheme);
                }
                let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
                let (authority, path) = rest.split_at(end);
                if !host::is_valid(authority.as_bytes()) {
                    return Err(InvalidRedirect::Host);
                }
                path
            }
            _ if text.starts_with("//") => return Err(InvalidRedirect::NoScheme),
            _ if text.starts_with('/') => text,
            _ => return Err(InvalidRedirect::Form),
        };
        let (path, rest) = path.split_at(path.find(['?', '#']).unwrap_or(path.len()));
        if !path.is_empty() {
            let canonical =
                RequestPath::parse_configured(path).map_err(|_| InvalidRedirect::Path)?;
            if canonical.as_str() != path {
                let right = text.replacen(path, canonical.as_str(), 1);
                return Err(InvalidRedirect::NotCanonical { right });
            }
        }
        if !rest.bytes().all(|b| VISIBLE.has(b) && b.is_ascii()) {
            return Err(InvalidRedirect::Query);
        }
        Ok(Self {
            text: text.into(),
            is_exact: !rest.is_empty(),
        })
    }

    /// As it is configured.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The path, if it is one of the same host.
    pub fn own_path(&self) -> Option<&str> {
        let path = self.text.split(['?', '#']).next();
        path.filter(|path| path.starts_with('/'))
    }

    /// Appends where a request for `path` goes, which begins with `prefix`.
    pub fn put(&self, out: &mut Vec<u8>, prefix: &PathPrefix, path: &str, query: Option<&[u8]>) {
        if self.is_exact {
            return out.extend_from_slice(self.text.as_bytes());
        }
        let mapping = PathMapping {
            public: prefix.before_slash(),
            base: &self.text,
            inserted: "",
        };
        let start = out.len();
        mapping.put(out, path);
        // Two slashes at the beginning would name a host, of the client's choice.
        while out[start..].starts_with(b"//") {
            out.remove(start);
        }
        if let Some(query) = query {
            out.push(b'?');
            out.extend_from_slice(query);
        }
    }
}

impl fmt::Display for RedirectTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Why a text is no place to send clients to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRedirect {
    /// Neither a path nor a URL.
    #[error("write a path such as `/new`, or a URL such as `https://example.com/new`")]
    Form,
    /// Browsers would take what follows for a host.
    #[error("write a path with one slash in front, or `https:` as well")]
    NoScheme,
    /// Any other scheme.
    #[error("only `http://` and `https://` URLs are possible")]
    Scheme,
    /// No host, a malformed one, or a user.
    #[error("behind `://` stand a host and perhaps a port, without user and password")]
    Host,
    /// The path can be read in more than one way.
    #[error("the path can be read in more than one way")]
    Path,
    /// The path has another canonical form.
    #[error("the path is not in canonical form: write `{right}`")]
    NotCanonical {
        /// All of it, as it should be.
        right: String,
    },
    /// A query or fragment with what no URL has.
    #[error("blanks, control characters and what is not ASCII have to be escaped: %20")]
    Query,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(to: &str, prefix: &str, path: &str, query: Option<&str>) -> String {
        let mut out = Vec::new();
        let target = RedirectTarget::parse(to).unwrap();
        let prefix = PathPrefix::parse(prefix).unwrap();
        target.put(&mut out, &prefix, path, query.map(str::as_bytes));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_rest_of_the_path_and_the_query_go_along() {
        let url = "https://example.com/new";
        for (to, prefix, path, query, location) in [
            ("/new", "/old", "/old", None, "/new"),
            ("/new", "/old", "/old/", None, "/new/"),
            ("/new", "/old", "/old/a", Some("q=1"), "/new/a?q=1"),
            ("/new/", "/old", "/old", None, "/new/"),
            ("/new/", "/old", "/old/a", None, "/new/a"),
            ("/", "/old", "/old", None, "/"),
            ("/", "/old", "/old/a", Some(""), "/a?"),
            (url, "/old", "/old/a/b", None, "https://example.com/new/a/b"),
            (
                "https://example.com",
                "/",
                "/",
                None,
                "https://example.com/",
            ),
            (
                "https://example.com",
                "/",
                "/a",
                Some("b"),
                "https://example.com/a?b",
            ),
            (
                "https://example.com:8443/",
                "/",
                "/a",
                None,
                "https://example.com:8443/a",
            ),
            (
                "https://example.com",
                "/old",
                "/old",
                Some("a"),
                "https://example.com?a",
            ),
            // One exact place.
            (
                "/new?from=old",
                "/old",
                "/old/a",
                Some("q"),
                "/new?from=old",
            ),
            ("/new?", "/old", "/old/a", None, "/new?"),
            ("/#moved", "/old", "/old/a", Some("q"), "/#moved"),
        ] {
            assert_eq!(sent(to, prefix, path, query), location, "{to} {path}");
        }
    }

    #[test]
    fn no_path_becomes_a_host() {
        assert_eq!(sent("/", "/old", "/old//evil.test", None), "/evil.test");
        assert_eq!(sent("/", "/", "//evil.test", None), "/evil.test");
    }

    #[test]
    fn other_texts_are_refused() {
        use InvalidRedirect::{Form, Host, NoScheme, Path, Query, Scheme};
        for (to, why) in [
            ("", Form),
            ("new", Form),
            ("example.com/new", Form),
            ("//example.com", NoScheme),
            ("ftp://example.com", Scheme),
            ("javascript://x", Scheme),
            ("https://", Host),
            ("https:///new", Host),
            ("https://a@example.com", Host),
            ("https://example.com\\@evil.test", Host),
            ("/\\example.com", Path),
            ("/a%00", Path),
            ("/a?b c", Query),
            ("/a?\u{e9}", Query),
            ("/a?b\r\nX: y", Query),
        ] {
            assert_eq!(RedirectTarget::parse(to), Err(why), "{to}");
        }
        for (to, right) in [
            ("/a//b", "/a/b"),
            ("https://e.test/%61", "https://e.test/a"),
        ] {
            let right = right.to_owned();
            let why = InvalidRedirect::NotCanonical { right };
            assert_eq!(RedirectTarget::parse(to), Err(why), "{to}");
        }
    }
}
