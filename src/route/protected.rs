//! The protected prefixes. They compare wider than routes on purpose: whichever way an origin
//! reads a path, an anonymous caller must not reach a protected one.

use super::PathPrefix;

/// Path prefixes that need an identified client.
#[derive(Debug, Default)]
pub struct ProtectedPrefixes {
    prefixes: Vec<PathPrefix>,
}

impl ProtectedPrefixes {
    /// Compiles the prefixes.
    #[must_use]
    pub fn new(prefixes: Vec<PathPrefix>) -> Self {
        Self { prefixes }
    }

    /// The prefix that protects `path` (a canonical path), if any does.
    #[must_use]
    pub fn find(&self, path: &str) -> Option<&PathPrefix> {
        self.prefixes.iter().find(|p| path.starts_with(p.as_str()))
    }
}
