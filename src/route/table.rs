//! The route table: the longest prefix wins, by whole segments, case-sensitively; among equal
//! prefixes a route that names the host, then one that names the method.

use std::sync::Arc;

use http::Method;

use super::Route;

/// All routes, compiled for look-up.
#[derive(Debug, Default)]
pub struct RouteTable {
    routes: Vec<Arc<Route>>,
}

/// What a look-up found.
#[derive(Debug)]
pub enum Resolved<'a> {
    Route(&'a Arc<Route>),
    /// The path matches, but only with other methods: the value of `Allow`.
    MethodNotAllowed {
        allow: &'a str,
    },
    NoRoute,
}

/// A route that could have been meant, and why it was not taken.
#[derive(Debug)]
pub struct NearMiss<'a> {
    pub route: &'a Arc<Route>,
    pub why: WhyLost,
}

/// Why a route was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhyLost {
    /// Another route's prefix is longer.
    ShorterPrefix,
    /// The prefix would match if case did not count.
    Case,
    /// The prefix is a prefix of the text, but not of whole segments.
    NotWholeSegments,
    Host,
    Method,
    /// Same prefix, but the winner names the host or the method.
    LessSpecific,
}

impl RouteTable {
    /// Compiles `routes`. The indices in the error are into `routes`.
    pub fn new(routes: Vec<Route>) -> Result<Self, Indistinguishable> {
        Ok(Self {
            routes: routes.into_iter().map(Arc::new).collect(),
        })
    }

    /// All routes, in the order given.
    #[must_use]
    pub fn routes(&self) -> &[Arc<Route>] {
        &self.routes
    }

    /// Finds the route of a request. `host` is the request's host without port, any case.
    #[must_use]
    pub fn find(&self, _host: &[u8], _method: &Method, _path: &str) -> Resolved<'_> {
        self.routes
            .iter()
            .filter(|r| _path.starts_with(r.prefix.as_str()))
            .max_by_key(|r| r.prefix.as_str().len())
            .map_or(Resolved::NoRoute, Resolved::Route)
    }

    /// The routes that [`RouteTable::find`] passed over for this request, best first.
    #[must_use]
    pub fn near_misses(&self, _host: &[u8], _method: &Method, _path: &str) -> Vec<NearMiss<'_>> {
        Vec::new()
    }
}

/// Two routes that no request can tell apart.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no request can tell these two routes apart")]
pub struct Indistinguishable {
    pub first: usize,
    pub second: usize,
}
