//! Routes by which anonymous callers reach what is protected under another path: both lead to the same
//! service, and protection is about the paths that clients use. Looked for when a configuration is
//! checked; nothing is refused for it.

use std::sync::Arc;

use http::Method;

use crate::upstream::{EndpointUrl, Upstream};

use super::spellings::{endpoints, mount};
use super::{ProtectedPrefixes, Route, RouteTable, SentHost};

/// A route that leads to what is protected elsewhere.
#[derive(Debug, PartialEq, Eq)]
pub struct Exposed {
    /// Its place among all routes.
    pub route: usize,
    /// A path that it takes, which nothing protects.
    pub path: String,
    /// The path that is protected and arrives at the service where that one does.
    pub protected: String,
}

/// What is for clients alone.
struct Closed<'r> {
    route: &'r Route,
    path: &'r str,
    /// Where it arrives.
    url: &'r EndpointUrl,
    arrives: String,
    /// With this method, or with those that nothing names.
    method: Option<&'r Method>,
}

impl RouteTable {
    /// Finds them, each route once.
    pub fn exposed(
        &self,
        protected: &ProtectedPrefixes,
        upstreams: &[Arc<Upstream>],
    ) -> Vec<Exposed> {
        let closed = self.closed(protected, upstreams);
        let routes = self.routes().iter().enumerate();
        let routes = routes.filter(|(_, route)| route.allow.is_none());
        let found = routes.filter_map(|(place, route)| {
            urls(route, upstreams).find_map(|url| {
                let own = mount(route, url, &route.prefix);
                closed.iter().find_map(|closed| {
                    let path = path_to(route, url, &own, closed)?;
                    let is_open = self.taker(route, &path, closed.method) == Some(place)
                        && protected.find(&path, closed.method).is_none();
                    is_open.then(|| Exposed {
                        route: place,
                        path,
                        protected: closed.path.to_owned(),
                    })
                })
            })
        });
        found.collect()
    }

    /// What is protected, and where it arrives.
    fn closed<'r>(
        &'r self,
        protected: &'r ProtectedPrefixes,
        upstreams: &'r [Arc<Upstream>],
    ) -> Vec<Closed<'r>> {
        let named = protected.iter().flat_map(|entry| &entry.methods);
        let named = named.chain(self.routes().iter().flat_map(|route| &route.methods));
        let mut named: Vec<_> = named.collect();
        named.sort_unstable_by_key(|method| method.as_str());
        named.dedup();
        let methods: Vec<_> = named.into_iter().map(Some).chain([None]).collect();
        let mut closed = Vec::new();
        for (place, route) in self.routes().iter().enumerate() {
            let below = protected.iter().map(|entry| &entry.prefix);
            let below = below.filter(|path| route.prefix.covers(path.as_str()));
            for path in std::iter::once(&route.prefix).chain(below) {
                for method in &methods {
                    let is_closed =
                        route.allow.is_some() || protected.find(path.as_str(), *method).is_some();
                    if is_closed && self.taker(route, path.as_str(), *method) == Some(place) {
                        closed.extend(urls(route, upstreams).map(|url| Closed {
                            route,
                            path: path.as_str(),
                            url,
                            arrives: mount(route, url, path),
                            method: *method,
                        }));
                    }
                }
            }
        }
        closed
    }

    /// The place of the route that takes a path, for a host of `route`.
    fn taker(&self, route: &Route, path: &str, method: Option<&Method>) -> Option<usize> {
        let host = route.hosts.first().map_or("", |host| host.as_str());
        let host = host.replacen('*', "any", 1);
        // A route for some methods alone takes no others.
        let other = Method::from_bytes(b"*").ok()?;
        let found = self.find(host.as_bytes(), method.unwrap_or(&other), path);
        found.route().map(|route| route.place)
    }
}

/// Where a route leads.
fn urls<'u>(
    route: &Route,
    upstreams: &'u [Arc<Upstream>],
) -> impl Iterator<Item = &'u EndpointUrl> + use<'u> {
    endpoints(route, upstreams).iter().map(|one| &one.url)
}

/// A path of `route`, which leads to `own` at a service, that arrives where one that is protected does.
fn path_to(route: &Route, url: &EndpointUrl, own: &str, closed: &Closed<'_>) -> Option<String> {
    let rest = closed.arrives.strip_prefix(own)?;
    // With another host it may be another application.
    let same_host = route.hosts == closed.route.hosts || route.host != SentHost::Preserve;
    let same = same_host && (&url.host, url.port) == (&closed.url.host, closed.url.port);
    if !same || !(rest.is_empty() || rest.starts_with('/')) {
        return None;
    }
    Some(match route.prefix.before_slash() {
        "" if rest.is_empty() => "/".to_owned(),
        prefix => format!("{prefix}{rest}"),
    })
}
