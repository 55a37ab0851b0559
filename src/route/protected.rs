//! The protected prefixes. They compare wider than routes on purpose: whichever way a service reads
//! a path, an anonymous client must not reach a protected one. See [`super::wide`] for the readings.

use crate::message::path::RequestPath;

use super::wide::WidePrefixes;
use super::{PathPrefix, slashes};

/// Path prefixes that need an identified client.
#[derive(Debug, Default)]
pub struct ProtectedPrefixes {
    prefixes: Vec<PathPrefix>,
    wide: WidePrefixes,
    /// Services may get paths with repeated slashes.
    slashes_are_kept: bool,
    /// How many segments the deepest prefix has.
    depth: usize,
}

impl ProtectedPrefixes {
    /// Compiles the prefixes.
    #[must_use]
    pub fn new(prefixes: Vec<PathPrefix>) -> Self {
        let wide = WidePrefixes::new(prefixes.iter().enumerate()).with_streams();
        let depth = prefixes.iter().map(|prefix| prefix.segments().count());
        Self {
            depth: depth.max().unwrap_or_default(),
            prefixes,
            wide,
            slashes_are_kept: false,
        }
    }

    /// The same for services that may get paths with repeated slashes.
    #[must_use]
    pub fn with_kept_slashes(self, slashes_are_kept: bool) -> Self {
        Self {
            slashes_are_kept,
            ..self
        }
    }

    /// The prefix that protects a request's path, if any does.
    #[must_use]
    pub fn protects(&self, path: &RequestPath<'_>) -> Option<&PathPrefix> {
        let found = self.find(path.as_str());
        if found.is_some() || !self.slashes_are_kept || path.with_all_slashes().is_none() {
            return found;
        }
        slashes::readings(path, self.depth).find_map(|reading| self.find(&reading))
    }

    /// The prefix that protects `path` (a canonical path), if any does: the shortest of several.
    #[must_use]
    pub fn find(&self, path: &str) -> Option<&PathPrefix> {
        self.wide.find_map(path, |place| self.prefixes.get(place))
    }

    /// The prefixes, in the order given.
    pub fn iter(&self) -> impl Iterator<Item = &PathPrefix> {
        self.prefixes.iter()
    }
}

#[cfg(test)]
mod tests;
