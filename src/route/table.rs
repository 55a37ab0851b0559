//! The route table: the longest prefix wins, by whole segments, case-sensitively; among equal
//! prefixes a route that names the host, then one that names the method.
//!
//! A tree by segments. A look-up walks down as far as prefixes go, so that its cost is bounded by
//! the deepest prefix and not by the depth of the path that a client sends; it allocates nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::Method;

use super::choices::{ByMethod, Choices, covers_host, host_name};
use super::near_miss::near_misses;
use super::spellings::Spellings;
use super::{Indistinguishable, NearMiss, Route};

/// All routes, compiled for look-up.
#[derive(Debug, Default)]
pub struct RouteTable {
    routes: Vec<Arc<Route>>,
    /// The tree, the root first.
    nodes: Vec<Segment>,
    pub(super) spellings: Spellings,
}

/// A segment of a prefix, the segments that follow it, and the routes that end in it.
#[derive(Debug, Default)]
struct Segment {
    /// The next segments, sorted, and the indices of their nodes. Sorted rather than hashed: clients
    /// choose what is looked up, and a comparison ends at the first byte that differs.
    children: Vec<(Box<str>, usize)>,
    /// The routes whose prefix ends here.
    choices: Option<Choices>,
}

/// What a look-up found.
#[derive(Debug, Clone, Copy)]
pub enum Resolved<'a> {
    /// The route to take.
    Route(&'a Arc<Route>),
    /// The path matches, but only with other methods.
    MethodNotAllowed {
        /// The value of `Allow`.
        allow: &'a str,
        /// The route for those methods, if it is one, or several of one name.
        route: Option<&'a Arc<Route>>,
    },
    /// Nothing matches.
    NoRoute,
}

impl<'a> Resolved<'a> {
    /// The route to take.
    pub fn route(self) -> Option<&'a Arc<Route>> {
        match self {
            Self::Route(route) => Some(route),
            Self::MethodNotAllowed { .. } | Self::NoRoute => None,
        }
    }

    /// The route that the log names.
    pub fn named(self) -> Option<&'a Arc<Route>> {
        match self {
            Self::Route(route) => Some(route),
            Self::MethodNotAllowed { route, .. } => route,
            Self::NoRoute => None,
        }
    }
}

impl RouteTable {
    /// Compiles `routes`.
    ///
    /// # Errors
    ///
    /// When two of them match the same requests; the indices are into `routes`. If there are several
    /// such pairs, one is returned.
    pub fn new(routes: Vec<Route>) -> Result<Self, Indistinguishable> {
        let mut by_prefix: BTreeMap<&str, Vec<(usize, &Route)>> = BTreeMap::new();
        for (place, route) in routes.iter().enumerate() {
            let same = by_prefix.entry(route.prefix.as_str()).or_default();
            same.push((place, route));
        }
        let mut nodes = vec![Segment::default()];
        for same in by_prefix.values() {
            let mut at = 0;
            for segment in same.iter().take(1).flat_map(|(_, r)| r.prefix.segments()) {
                at = child(&mut nodes, at, segment);
            }
            nodes[at].choices = Some(Choices::compile(same)?);
        }
        let routes = routes.into_iter().enumerate();
        Ok(Self {
            routes: routes
                .map(|(place, route)| Arc::new(Route { place, ..route }))
                .collect(),
            nodes,
            spellings: Spellings::default(),
        })
    }

    /// All routes, in the order given.
    pub fn routes(&self) -> &[Arc<Route>] {
        &self.routes
    }

    /// Whether any route names this host, itself or by a wildcard.
    pub fn names_host(&self, host: &[u8]) -> bool {
        let host = host_name(host);
        let names = self.routes.iter().flat_map(|route| &route.hosts);
        names.into_iter().any(|name| covers_host(name, host))
    }

    /// Finds the route of a request. `host` is the value of its `Host`, in any case, with or without
    /// a port.
    ///
    /// If the longest prefix has no route for the host, the next shorter one is tried. If it has one
    /// for the host, but not for the method, the answer is 405: a shorter prefix is another resource,
    /// with other methods.
    pub fn find(&self, host: &[u8], method: &Method, path: &str) -> Resolved<'_> {
        let Some(choices) = self.longest(host, path) else {
            return Resolved::NoRoute;
        };
        match choices.of_method(method).and_then(|at| self.routes.get(at)) {
            Some(route) => Resolved::Route(route),
            None => Resolved::MethodNotAllowed {
                allow: choices.allow(),
                route: self.only(choices),
            },
        }
    }

    /// The first of these routes, if all have its name.
    fn only(&self, choices: &ByMethod) -> Option<&Arc<Route>> {
        let mut routes = choices.places().filter_map(|at| self.routes.get(at));
        let first = routes.next()?;
        routes
            .all(|route| route.name == first.name)
            .then_some(first)
    }

    /// The longest prefix of `path` that has routes for `host`.
    fn longest(&self, host: &[u8], path: &str) -> Option<&ByMethod> {
        let mut longest = None;
        let mut node = self.nodes.first();
        let mut rest = path.as_bytes();
        while let Some(here) = node {
            let choices = here.choices.as_ref();
            longest = choices.and_then(|c| c.of_host(host)).or(longest);
            // Checked first, so that a path longer than all prefixes is not split to its end.
            node = match rest {
                [b'/', after @ ..] if !here.children.is_empty() => {
                    let end = after.iter().position(|b| *b == b'/');
                    let (segment, after) = after.split_at(end.unwrap_or(after.len()));
                    rest = after;
                    here.next(segment).and_then(|at| self.nodes.get(at))
                }
                _ => None,
            };
        }
        longest
    }

    /// The routes that [`RouteTable::find`] passed over for this request, the longest prefix first.
    pub fn near_misses(&self, host: &[u8], method: &Method, path: &str) -> Vec<NearMiss<'_>> {
        let winner = self.find(host, method, path).route();
        near_misses(&self.routes, winner, host_name(host), method, path)
    }
}

impl Segment {
    fn find(&self, segment: &[u8]) -> Result<usize, usize> {
        self.children
            .binary_search_by(|(own, _)| own.as_bytes().cmp(segment))
    }

    fn next(&self, segment: &[u8]) -> Option<usize> {
        let at = self.find(segment).ok()?;
        self.children.get(at).map(|(_, node)| *node)
    }
}

/// The node for `segment` below the node `at`, added if it is not there yet.
fn child(nodes: &mut Vec<Segment>, at: usize, segment: &str) -> usize {
    match nodes[at].find(segment.as_bytes()) {
        Ok(found) => nodes[at].children[found].1,
        Err(position) => {
            let new = nodes.len();
            nodes.push(Segment::default());
            nodes[at].children.insert(position, (segment.into(), new));
            new
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::{select, subsequence};

    use super::*;
    use crate::route::testing::route;

    /// The index of the route, or the methods that are allowed instead.
    fn ask(
        table: &RouteTable,
        host: &str,
        method: &Method,
        path: &str,
    ) -> Result<usize, Option<String>> {
        match table.find(host.as_bytes(), method, path) {
            Resolved::Route(found) => Ok(table
                .routes()
                .iter()
                .position(|route| Arc::ptr_eq(route, found))
                .expect("a route of the table")),
            Resolved::MethodNotAllowed { allow, .. } => Err(Some(allow.to_owned())),
            Resolved::NoRoute => Err(None),
        }
    }

    #[test]
    fn the_longest_prefix_wins_by_whole_segments() {
        let prefixes = ["/api", "/api/orders", "/api/orders/7/lines"];
        let table = RouteTable::new(prefixes.map(|p| route(p, 0)).to_vec()).unwrap();
        let find = |path| ask(&table, "h", &Method::GET, path).ok();
        assert_eq!(find("/api"), Some(0));
        assert_eq!(find("/api/"), Some(0));
        assert_eq!(find("/api/orders"), Some(1));
        assert_eq!(find("/api/orders/"), Some(1));
        assert_eq!(find("/api/orders/7"), Some(1));
        assert_eq!(find("/api/orders/7/lines/1"), Some(2));
        assert_eq!(find("/api/orders-admin"), Some(0));
        assert_eq!(find("/api/Orders"), Some(0));
        for nothing in ["/", "/API/orders", "/apis", "/ap", "/x/api"] {
            assert_eq!(find(nothing), None, "{nothing}");
        }
    }

    #[test]
    fn the_root_takes_what_is_left() {
        let table = RouteTable::new(vec![route("/", 0), route("/x", 0)]).unwrap();
        for path in ["/", "/a", "/xy", "/a/x"] {
            assert_eq!(ask(&table, "h", &Method::GET, path), Ok(0), "{path}");
        }
        let empty = RouteTable::default();
        assert_eq!(ask(&empty, "h", &Method::GET, "/"), Err(None));
    }

    #[test]
    fn hosts_are_compared_without_case_port_and_final_dot() {
        let named = |host: &str| Route {
            hosts: vec![host.to_owned()],
            ..route("/x", 0)
        };
        let table = RouteTable::new(vec![named("a.test"), named("[::1]")]).unwrap();
        for host in ["a.test", "A.TEST:3000", "a.test.", "a.Test.:80"] {
            assert_eq!(ask(&table, host, &Method::GET, "/x"), Ok(0), "{host}");
        }
        for host in ["[::1]", "[::1]:3000"] {
            assert_eq!(ask(&table, host, &Method::GET, "/x"), Ok(1), "{host}");
        }
        for host in ["", "b.test", "a.test..", "x.a.test", "::1"] {
            assert_eq!(ask(&table, host, &Method::GET, "/x"), Err(None), "{host}");
        }
    }

    #[test]
    fn another_host_leaves_the_path_to_a_shorter_prefix_another_method_does_not() {
        let of_host = Route {
            hosts: vec!["a.test".to_owned()],
            ..route("/x/y", 0)
        };
        let of_method = Route {
            methods: vec![Method::POST],
            ..route("/x/z", 0)
        };
        let table = RouteTable::new(vec![route("/x", 0), of_host, of_method]).unwrap();
        assert_eq!(ask(&table, "a.test", &Method::GET, "/x/y"), Ok(1));
        assert_eq!(ask(&table, "b.test", &Method::GET, "/x/y"), Ok(0));
        let refused = ask(&table, "b.test", &Method::GET, "/x/z/1");
        assert_eq!(refused, Err(Some("POST".to_owned())));
    }

    #[test]
    fn equal_routes_are_refused_by_their_places() {
        let routes = vec![route("/a", 0), route("/b", 0), route("/a", 0)];
        let error = RouteTable::new(routes).unwrap_err();
        assert_eq!((error.first, error.second), (0, 2));
    }

    const HOSTS: [&str; 2] = ["g.test", "h.test"];
    const METHODS: [Method; 4] = [Method::GET, Method::HEAD, Method::POST, Method::PUT];

    fn some_path() -> impl Strategy<Value = String> {
        let segment = select(vec!["a", "b", "ab", "A", ""]);
        prop::collection::vec(segment, 0..5).prop_map(|segments| {
            let full: Vec<_> = segments.into_iter().filter(|s| !s.is_empty()).collect();
            format!("/{}", full.join("/"))
        })
    }

    fn some_route() -> impl Strategy<Value = Route> {
        (
            some_path(),
            subsequence(HOSTS.to_vec(), 0..=2),
            subsequence(METHODS.to_vec(), 0..=2),
        )
            .prop_map(|(prefix, hosts, methods)| Route {
                hosts: hosts.into_iter().map(str::to_owned).collect(),
                methods,
                ..route(&prefix, 0)
            })
    }

    fn takes_host(route: &Route, host: &str) -> bool {
        route.hosts.is_empty() || route.hosts.iter().any(|own| own == host)
    }

    /// How specifically a route takes a method, if it does.
    fn takes(route: &Route, method: &Method) -> Option<u8> {
        if route.methods.contains(method) {
            Some(2)
        } else if *method == Method::HEAD && route.methods.contains(&Method::GET) {
            Some(1)
        } else {
            route.methods.is_empty().then_some(0)
        }
    }

    /// The same rules as a search of a list.
    fn plain_search(
        routes: &[Route],
        host: &str,
        method: &Method,
        path: &str,
    ) -> Result<usize, Option<String>> {
        let matching = |route: &&Route| {
            let prefix = route.prefix.as_str().trim_end_matches('/');
            let whole = path == prefix || path.starts_with(&format!("{prefix}/"));
            whole && takes_host(route, host)
        };
        let length = |route: &Route| route.prefix.as_str().len();
        let longest = routes.iter().filter(matching).map(length).max();
        let candidates =
            |(_, route): &(usize, &Route)| matching(route) && Some(length(route)) == longest;
        let rank = |route: &Route| Some((!route.hosts.is_empty(), takes(route, method)?));
        let best = routes.iter().enumerate().filter(candidates);
        let best = best
            .filter_map(|(at, route)| Some((rank(route)?, at)))
            .max();
        best.map(|(_, at)| at).ok_or_else(|| {
            longest?;
            let mut allowed: Vec<String> = METHODS
                .iter()
                .filter(|method| {
                    let mut all = routes.iter().enumerate().filter(candidates);
                    all.any(|(_, route)| takes(route, method).is_some())
                })
                .map(ToString::to_string)
                .collect();
            allowed.sort();
            Some(allowed.join(", "))
        })
    }

    proptest! {
        #[test]
        fn the_tree_equals_a_plain_search(
            routes in prop::collection::vec(some_route(), 0..12),
            host in select(vec!["g.test", "h.test", "i.test"]),
            method in select(METHODS.iter().cloned().chain([Method::DELETE]).collect::<Vec<_>>()),
            path in some_path(),
        ) {
            let mut routes = routes;
            // Routes that match the same requests are left out.
            let table = loop {
                match RouteTable::new(routes.clone()) {
                    Ok(table) => break table,
                    Err(pair) => drop(routes.remove(pair.second)),
                }
            };
            let expected = plain_search(&routes, host, &method, &path);
            prop_assert_eq!(ask(&table, host, &method, &path), expected);
        }
    }
}
