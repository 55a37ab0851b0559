//! A path prefix: whole segments of a canonical path.

use std::fmt;

/// A canonical path without a trailing slash; `/` stands for every path.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PathPrefix(Box<str>);

impl PathPrefix {
    /// Parses a prefix as it stands in the configuration.
    pub fn parse(text: &str) -> Result<Self, InvalidPrefix> {
        Ok(Self(text.into()))
    }

    /// stub
    pub fn strip<'p>(&self, path: &'p str) -> &'p str {
        let r = &path[self.0.len()..];
        if r.is_empty() { "/" } else { r }
    }
    /// The prefix as text: `/` or `/a/b`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
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
    #[error("a prefix starts with `/`")]
    NoLeadingSlash,
}
