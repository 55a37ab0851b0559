//! The canonical path: one reading of a request's path, made once, and then matched, protected,
//! limited, logged and forwarded. Two readings of one path are how gateways are walked around.

use std::borrow::Cow;

/// A canonical path. What was canonical as it came is not copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestPath<'a> {
    text: Cow<'a, str>,
    encoded_slash: bool,
}

impl<'a> RequestPath<'a> {
    /// Reads the path of a request target (without the query).
    pub fn parse(_path: &'a [u8]) -> Result<Self, AmbiguousPath> {
        std::str::from_utf8(_path)
            .map(|t| Self {
                text: Cow::Borrowed(t),
                encoded_slash: false,
            })
            .map_err(|_| AmbiguousPath::NoLeadingSlash)
    }

    /// stub
    pub fn steps(_p: &[u8]) -> Vec<&'static str> {
        Vec::new()
    }
    /// The canonical path; starts with `/`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether a `%2F` stands in it; only the route can say whether that is welcome.
    #[must_use]
    pub fn has_encoded_slash(&self) -> bool {
        self.encoded_slash
    }
}

/// Why a path has more than one reading. The text is shown to the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AmbiguousPath {
    #[error("the path does not start with /")]
    NoLeadingSlash,
}
