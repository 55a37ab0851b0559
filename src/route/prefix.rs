//! A path prefix: whole segments of a canonical path.

use std::fmt;

use crate::message::path::RequestPath;

/// A canonical path without a trailing slash; `/` stands for every path.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PathPrefix(Box<str>);

impl PathPrefix {
    /// Parses a prefix as it stands in the configuration. It has to be canonical as written: another
    /// spelling would never be compared with anything.
    pub fn parse(text: &str) -> Result<Self, InvalidPrefix> {
        if !text.starts_with('/') {
            return Err(InvalidPrefix::NoLeadingSlash {
                right: text.to_owned(),
            });
        }
        if let Some(special) = text.chars().find(|c| matches!(c, '?' | '#' | '*' | ';')) {
            return Err(InvalidPrefix::Special(special));
        }
        let canonical = RequestPath::parse(text.as_bytes())
            .map_err(|why| InvalidPrefix::Ambiguous(why.to_string()))?;
        if canonical.has_encoded_slash() {
            return Err(InvalidPrefix::Ambiguous(
                "The path has an encoded slash (%2F).".into(),
            ));
        }
        let right = match canonical.as_str() {
            "/" => "/",
            path => path.trim_end_matches('/'),
        };
        if right == text {
            Ok(Self(text.into()))
        } else {
            Err(InvalidPrefix::NotCanonical {
                right: right.to_owned(),
            })
        }
    }

    /// The prefix as text: `/` or `/a/b`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether `path`, a canonical path, lies under the prefix.
    #[must_use]
    pub fn covers(&self, path: &str) -> bool {
        let rest = if &*self.0 == "/" {
            Some("")
        } else {
            path.strip_prefix(&*self.0)
        };
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// What is left of a path under the prefix; starts with `/`.
    #[must_use]
    pub fn strip<'p>(&self, path: &'p str) -> &'p str {
        if &*self.0 == "/" {
            return path;
        }
        match path.strip_prefix(&*self.0) {
            Some("") => "/",
            Some(rest) => rest,
            None => path,
        }
    }

    /// The segments; none for `/`.
    pub(super) fn segments(&self) -> impl Iterator<Item = &str> {
        self.0.split('/').filter(|segment| !segment.is_empty())
    }
}

impl fmt::Debug for PathPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Why a text is no prefix, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPrefix {
    /// A path starts with one.
    #[error("a prefix starts with a slash: write `/{right}`")]
    NoLeadingSlash {
        /// The text as it came.
        right: String,
    },
    /// Prefixes are not patterns, and have no query, fragment or parameters.
    #[error("a prefix has no `{0}`: it is compared as it stands, by whole segments")]
    Special(char),
    /// Not a path that any request could have.
    #[error("no request can have this path. {0}")]
    Ambiguous(String),
    /// Another spelling of the path that is meant.
    #[error("a prefix is written as requests' paths are compared: write `{right}`")]
    NotCanonical {
        /// The right spelling.
        right: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_its_own_canonical_path() {
        for text in ["/", "/api", "/api/orders", "/caf%C3%A9", "/.well-known"] {
            assert_eq!(PathPrefix::parse(text).unwrap().as_str(), text);
        }
        for (text, told) in [
            ("api", "write `/api`"),
            ("", "starts with a slash"),
            ("/api/", "write `/api`"),
            ("//api", "write `/api`"),
            ("/a/../b", "write `/b`"),
            ("/caf%c3%a9", "write `/caf%C3%A9`"),
            ("/%61", "write `/a`"),
            ("/a?b", "no `?`"),
            ("/a/*", "no `*`"),
            ("/a#b", "no `#`"),
            ("/a\\b", "backslash"),
            ("/a%2Fb", "encoded slash"),
            ("/café", "write `/caf%C3%A9`"),
        ] {
            let error = PathPrefix::parse(text).unwrap_err().to_string();
            assert!(error.contains(told), "{text}: {error}");
        }
    }

    #[test]
    fn whole_segments_count() {
        let prefix = PathPrefix::parse("/api/orders").unwrap();
        assert!(
            prefix.covers("/api/orders")
                && prefix.covers("/api/orders/")
                && prefix.covers("/api/orders/7")
        );
        assert!(
            !prefix.covers("/api/orders-admin")
                && !prefix.covers("/API/orders")
                && !prefix.covers("/api")
        );
        assert_eq!(prefix.strip("/api/orders"), "/");
        assert_eq!(prefix.strip("/api/orders/7"), "/7");
        let root = PathPrefix::parse("/").unwrap();
        assert!(root.covers("/") && root.covers("/a"));
        assert_eq!(root.strip("/a/b"), "/a/b");
    }
}
