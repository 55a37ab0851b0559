//! The protected prefixes. They compare wider than routes on purpose: whichever way a service reads
//! a path, an anonymous client must not reach a protected one. See [`super::wide`] for the readings.
//! Exceptions compare as narrowly as routes: see [`super::public`].

use http::Method;

use crate::message::path::RequestPath;

use super::public::PublicPrefixes;
use super::wide::WidePrefixes;
use super::{PathPrefix, slashes};

/// A path prefix that needs an identified client.
#[derive(Debug)]
pub struct ProtectedPrefix {
    /// The prefix.
    pub prefix: PathPrefix,
    /// The methods that it is protected from. Empty: all.
    pub methods: Vec<Method>,
    /// Index into the snapshot's lists of those who may; `None` is every identified client.
    pub allow: Option<usize>,
}

/// All protected prefixes, with their exceptions.
#[derive(Debug, Default)]
pub struct ProtectedPrefixes {
    prefixes: Vec<ProtectedPrefix>,
    /// All of them.
    wide: WidePrefixes,
    /// Those that are not for every identified client.
    restricted: WidePrefixes,
    public: PublicPrefixes,
}

impl ProtectedPrefixes {
    /// Compiles the prefixes, and those below them that are `public`.
    pub fn new(prefixes: Vec<ProtectedPrefix>, public: Vec<PathPrefix>) -> Self {
        let wide = |all: bool| {
            let places = prefixes.iter().enumerate();
            let places = places.filter(|(_, one)| all || one.allow.is_some());
            WidePrefixes::new(places.map(|(place, one)| (place, &one.prefix))).with_streams()
        };
        let (wide, restricted) = (wide(true), wide(false));
        Self {
            public: PublicPrefixes::new(public, &wide),
            prefixes,
            wide,
            restricted,
        }
    }

    /// The entry that keeps anonymous callers from a request's path, if any does. With `keeps_slashes`
    /// the service gets repeated slashes as they came.
    pub fn protects(
        &self,
        path: &RequestPath<'_>,
        method: &Method,
        keeps_slashes: bool,
    ) -> Option<&ProtectedPrefix> {
        self.search(&self.wide, path, keeps_slashes, |place, lifted| {
            self.holding(place, Some(method), lifted)
        })
    }

    /// Calls `check` with the list of each entry that lets only some clients come to `path`, until it
    /// returns something.
    pub fn find_restricted<T>(
        &self,
        path: &RequestPath<'_>,
        method: &Method,
        keeps_slashes: bool,
        mut check: impl FnMut(&ProtectedPrefix, usize) -> Option<T>,
    ) -> Option<T> {
        if self.restricted.is_empty() {
            return None;
        }
        self.search(&self.restricted, path, keeps_slashes, |place, lifted| {
            let entry = self.holding(place, Some(method), lifted)?;
            check(entry, entry.allow?)
        })
    }

    /// Calls `check` with the place of each prefix that the path lies under in some reading, and with
    /// the places of those that do not hold for it.
    fn search<T>(
        &self,
        prefixes: &WidePrefixes,
        path: &RequestPath<'_>,
        keeps_slashes: bool,
        mut check: impl FnMut(usize, &[usize]) -> Option<T>,
    ) -> Option<T> {
        // What a service makes of repeated slashes is not certain, so this is no exception.
        let lifted = if slashes::are_uncertain(path, keeps_slashes) {
            &[]
        } else {
            self.public.lifted(path.as_str())
        };
        slashes::find_map(prefixes, path, keeps_slashes, |place| check(place, lifted))
    }

    /// The entry that keeps anonymous callers from `path` (a canonical path), if any does: the
    /// shortest of several. Without a `method`: one that does so whatever the method is.
    pub fn find(&self, path: &str, method: Option<&Method>) -> Option<&ProtectedPrefix> {
        let lifted = self.public.lifted(path);
        self.wide
            .find_map(path, |place| self.holding(place, method, lifted))
    }

    /// The public prefix that lifts protection from `path`, if there is one, whether or not anything
    /// else protects it.
    pub fn public(&self, path: &str) -> Option<&PathPrefix> {
        self.public.longest(path)
    }

    /// The entry at a place, if it holds for the method and is not lifted.
    fn holding(
        &self,
        place: usize,
        method: Option<&Method>,
        lifted: &[usize],
    ) -> Option<&ProtectedPrefix> {
        let entry = self.prefixes.get(place)?;
        (entry.is_for(method) && !lifted.contains(&place)).then_some(entry)
    }

    /// The entries, in the order given.
    pub fn iter(&self) -> impl Iterator<Item = &ProtectedPrefix> {
        self.prefixes.iter()
    }
}

impl ProtectedPrefix {
    /// Whether it is protected from `method`; without one: from all. Letter case does not matter, for
    /// services differ, and HEAD is GET, for it is served by the same code.
    fn is_for(&self, method: Option<&Method>) -> bool {
        let Some(method) = method.filter(|_| !self.methods.is_empty()) else {
            return self.methods.is_empty();
        };
        let same = |own: &Method| own.as_str().eq_ignore_ascii_case(method.as_str());
        let head = method.as_str().eq_ignore_ascii_case("HEAD");
        self.methods
            .iter()
            .any(|own| same(own) || head && *own == Method::GET)
    }
}

#[cfg(test)]
mod tests;
