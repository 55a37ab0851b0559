//! The route table: the longest prefix wins, by whole segments, case-sensitively; among equal
//! prefixes a route that names the host, then one that names the method.
//!
//! A tree by segments. A look-up walks down as far as the prefixes go, so that its cost is bounded by
//! the deepest prefix and not by the path that a client sends.

use std::collections::HashMap;
use std::sync::Arc;

use http::Method;

use crate::message::target::host_without_port;

use super::Route;

/// All routes, compiled for look-up.
#[derive(Debug, Default)]
pub struct RouteTable {
    routes: Vec<Arc<Route>>,
    root: Branch,
}

#[derive(Debug, Default)]
struct Branch {
    below: HashMap<Box<str>, Branch>,
    /// The routes whose prefix ends here: those that name the host first, then those that name the
    /// method.
    here: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    route: Arc<Route>,
    /// The value of `Allow` for this prefix and the hosts of this route.
    allow: Box<str>,
}

/// What a look-up found.
#[derive(Debug)]
pub enum Resolved<'a> {
    /// The route to take.
    Route(&'a Arc<Route>),
    /// The path matches, but only with other methods.
    MethodNotAllowed {
        /// The value of `Allow`.
        allow: &'a str,
    },
    /// Nothing matches.
    NoRoute,
}

/// A route that could have been meant, and why it was not taken.
#[derive(Debug)]
pub struct NearMiss<'a> {
    /// The route.
    pub route: &'a Arc<Route>,
    /// Why it was not taken.
    pub why: WhyLost,
}

/// Why a route was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhyLost {
    /// Same prefix, but the winner names the host or the method.
    LessSpecific,
    /// It is for other methods.
    Method,
    /// It is for other hosts.
    Host,
    /// Another route's prefix is longer.
    ShorterPrefix,
    /// The prefix would match if case did not count.
    Case,
    /// The prefix is a prefix of the text, but not of whole segments.
    NotWholeSegments,
}

/// How many near misses are told.
const TOLD: usize = 8;

impl Route {
    /// Whether the route takes requests for this host (without a port).
    fn takes_host(&self, host: &[u8]) -> bool {
        let host = host.strip_suffix(b".").unwrap_or(host);
        self.hosts.is_empty()
            || self
                .hosts
                .iter()
                .any(|own| own.as_bytes().eq_ignore_ascii_case(host))
    }

    /// Whether the route takes this method. One that takes GET takes HEAD: they differ only in what
    /// of the answer is sent (RFC 9110 section 9.3.2).
    fn takes_method(&self, method: &Method) -> bool {
        let named = |method: &Method| self.methods.contains(method);
        self.methods.is_empty() || named(method) || (*method == Method::HEAD && named(&Method::GET))
    }

    /// The order among routes of one prefix: the smaller comes first.
    fn breadth(&self) -> (bool, bool) {
        (self.hosts.is_empty(), self.methods.is_empty())
    }

    /// Whether some request fits both routes, of one prefix, and neither is the more specific.
    fn is_indistinguishable(&self, other: &Self) -> bool {
        let hosts =
            self.hosts.is_empty() || self.hosts.iter().any(|host| other.hosts.contains(host));
        let methods = self.methods.is_empty()
            || self.methods.iter().any(|method| other.takes_method(method))
            || other.methods.iter().any(|method| self.takes_method(method));
        self.breadth() == other.breadth() && hosts && methods
    }
}

impl RouteTable {
    /// Compiles `routes`.
    ///
    /// # Errors
    /// When no request can tell two of them apart; the indices are into `routes`.
    pub fn new(routes: Vec<Route>) -> Result<Self, Indistinguishable> {
        for (second, route) in routes.iter().enumerate() {
            let same =
                |first: &Route| first.prefix == route.prefix && first.is_indistinguishable(route);
            if let Some(first) = routes[..second].iter().position(same) {
                return Err(Indistinguishable { first, second });
            }
        }
        let mut table = Self {
            routes: routes.into_iter().map(Arc::new).collect(),
            root: Branch::default(),
        };
        for route in &table.routes {
            let mut branch = &mut table.root;
            for segment in route.prefix.segments() {
                branch = branch.below.entry(segment.into()).or_default();
            }
            branch.here.push(Entry {
                route: Arc::clone(route),
                allow: allow(&table.routes, route),
            });
        }
        table.root.sort();
        Ok(table)
    }

    /// All routes, in the order given.
    #[must_use]
    pub fn routes(&self) -> &[Arc<Route>] {
        &self.routes
    }

    /// Finds the route of a request. `host` is the value of its `Host`, in any case and with or
    /// without a port. A prefix none of whose routes is for the host does not count; one that has a
    /// route for the host, but not for the method, does, and ends in 405.
    #[must_use]
    pub fn find(&self, host: &[u8], method: &Method, path: &str) -> Resolved<'_> {
        let host = host_without_port(host);
        let mut found = Resolved::NoRoute;
        let mut branch = Some(&self.root);
        let mut segments = path.split('/').skip(1);
        while let Some(here) = branch {
            let mut for_host = here
                .here
                .iter()
                .filter(|entry| entry.route.takes_host(host))
                .peekable();
            if let Some(first) = for_host.peek() {
                let allow = &first.allow;
                found = match for_host.find(|entry| entry.route.takes_method(method)) {
                    Some(entry) => Resolved::Route(&entry.route),
                    None => Resolved::MethodNotAllowed { allow },
                };
            }
            branch = if here.below.is_empty() {
                None
            } else {
                segments.next().and_then(|segment| here.below.get(segment))
            };
        }
        found
    }

    /// The routes that [`RouteTable::find`] passed over for this request, the nearest first.
    #[must_use]
    pub fn near_misses(&self, host: &[u8], method: &Method, path: &str) -> Vec<NearMiss<'_>> {
        let winner = match self.find(host, method, path) {
            Resolved::Route(route) => Some(route),
            Resolved::MethodNotAllowed { .. } | Resolved::NoRoute => None,
        };
        let host = host_without_port(host);
        let why = |route: &Route| {
            let prefix = route.prefix.as_str();
            if route.prefix.covers(path) {
                Some(
                    match (route.takes_host(host), route.takes_method(method), winner) {
                        (false, _, _) => WhyLost::Host,
                        (_, false, _) => WhyLost::Method,
                        (true, true, Some(winner)) if winner.prefix == route.prefix => {
                            WhyLost::LessSpecific
                        }
                        (true, true, _) => WhyLost::ShorterPrefix,
                    },
                )
            } else if path.starts_with(prefix) {
                Some(WhyLost::NotWholeSegments)
            } else if path.is_char_boundary(prefix.len())
                && path[..prefix.len()].eq_ignore_ascii_case(prefix)
            {
                Some(WhyLost::Case)
            } else {
                None
            }
        };
        let lost = self
            .routes
            .iter()
            .filter(|route| winner.is_none_or(|winner| !Arc::ptr_eq(winner, route)));
        let mut misses: Vec<NearMiss<'_>> = lost
            .filter_map(|route| {
                Some(NearMiss {
                    route,
                    why: why(route)?,
                })
            })
            .collect();
        misses.sort_by_key(|miss| {
            (
                std::cmp::Reverse(miss.route.prefix.as_str().len()),
                miss.why as u8,
            )
        });
        misses.truncate(TOLD);
        misses
    }
}

impl Branch {
    fn sort(&mut self) {
        self.here.sort_by_key(|entry| entry.route.breadth());
        self.below.values_mut().for_each(Self::sort);
    }
}

/// All methods that requests for the same prefix and one of the same hosts may have.
fn allow(routes: &[Arc<Route>], route: &Route) -> Box<str> {
    let shares_host = |other: &Route| {
        other.hosts.is_empty()
            || route.hosts.is_empty()
            || other.hosts.iter().any(|host| route.hosts.contains(host))
    };
    let same = routes
        .iter()
        .filter(|other| other.prefix == route.prefix && shares_host(other));
    let mut methods: Vec<&str> = same
        .flat_map(|route| route.methods.iter().map(Method::as_str))
        .collect();
    if methods.contains(&"GET") {
        methods.push("HEAD");
    }
    methods.sort_unstable();
    methods.dedup();
    methods.join(", ").into()
}

/// Two routes that no request can tell apart.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no request can tell these two routes apart")]
pub struct Indistinguishable {
    /// The one that stands first.
    pub first: usize,
    /// The other.
    pub second: usize,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::route::testing::route;

    fn found(table: &RouteTable, host: &str, method: &Method, path: &str) -> Option<usize> {
        match table.find(host.as_bytes(), method, path) {
            Resolved::Route(route) => Some(route.upstream),
            Resolved::MethodNotAllowed { .. } | Resolved::NoRoute => None,
        }
    }

    #[test]
    fn the_longest_prefix_wins_by_whole_segments() {
        let table = RouteTable::new(vec![
            route("/", 0),
            route("/api", 1),
            route("/api/orders", 2),
        ])
        .unwrap();
        let find = |path| found(&table, "h", &Method::GET, path);
        assert_eq!(find("/api/orders"), Some(2));
        assert_eq!(find("/api/orders/7"), Some(2));
        assert_eq!(find("/api/orders-admin"), Some(1));
        assert_eq!(find("/API/orders"), Some(0));
        assert_eq!(find("/api/"), Some(1));
        assert_eq!(find("/"), Some(0));
        assert!(matches!(
            RouteTable::default().find(b"h", &Method::GET, "/"),
            Resolved::NoRoute
        ));
    }

    #[test]
    fn the_host_comes_before_the_method() {
        let by_host = Route {
            hosts: vec!["a.test".into()],
            ..route("/x", 1)
        };
        let by_method = Route {
            methods: vec![Method::GET],
            ..route("/x", 2)
        };
        let table = RouteTable::new(vec![route("/x", 0), by_method, by_host]).unwrap();
        assert_eq!(found(&table, "A.test:80", &Method::GET, "/x"), Some(1));
        assert_eq!(found(&table, "a.test.", &Method::POST, "/x"), Some(1));
        assert_eq!(found(&table, "b.test", &Method::HEAD, "/x"), Some(2));
        assert_eq!(found(&table, "b.test", &Method::POST, "/x"), Some(0));
    }

    #[test]
    fn another_method_is_told_what_is_allowed() {
        let post = Route {
            methods: vec![Method::POST],
            ..route("/x/y", 1)
        };
        let get = Route {
            methods: vec![Method::GET],
            ..route("/x/y", 2)
        };
        let elsewhere = Route {
            hosts: vec!["b.test".into()],
            methods: vec![Method::PUT],
            ..route("/x/y", 3)
        };
        let table = RouteTable::new(vec![route("/x", 0), post, get, elsewhere]).unwrap();
        let Resolved::MethodNotAllowed { allow } = table.find(b"a.test", &Method::DELETE, "/x/y/z")
        else {
            panic!("the longest prefix decides, though a shorter one would take the method");
        };
        assert_eq!(allow, "GET, HEAD, POST, PUT");
        assert_eq!(found(&table, "a.test", &Method::DELETE, "/x/z"), Some(0));
    }

    #[test]
    fn routes_that_no_request_can_tell_apart_are_refused() {
        let get = |upstream| Route {
            methods: vec![Method::GET, Method::POST],
            ..route("/x", upstream)
        };
        let head = Route {
            methods: vec![Method::HEAD],
            ..route("/x", 3)
        };
        let error = RouteTable::new(vec![route("/x", 0), get(1), get(2)]).unwrap_err();
        assert_eq!((error.first, error.second), (1, 2));
        assert!(
            RouteTable::new(vec![get(0), head]).is_err(),
            "GET takes HEAD as well"
        );
        assert!(RouteTable::new(vec![route("/x", 0), get(1), route("/y", 2)]).is_ok());
    }

    #[test]
    fn near_misses_say_why_they_lost() {
        let put = Route {
            methods: vec![Method::PUT],
            ..route("/api/orders", 4)
        };
        let other = Route {
            hosts: vec!["b.test".into()],
            ..route("/api/orders", 5)
        };
        let all = vec![
            route("/api", 0),
            route("/api/orders", 1),
            route("/API", 2),
            route("/api/ord", 3),
            put,
            other,
        ];
        let table = RouteTable::new(all).unwrap();
        let misses = table.near_misses(b"a.test", &Method::GET, "/api/orders/7");
        let told: Vec<(usize, WhyLost)> = misses
            .iter()
            .map(|miss| (miss.route.upstream, miss.why))
            .collect();
        assert_eq!(
            told,
            [
                (4, WhyLost::Method),
                (5, WhyLost::Host),
                (3, WhyLost::NotWholeSegments),
                (0, WhyLost::ShorterPrefix),
                (2, WhyLost::Case)
            ]
        );
    }

    fn some_route() -> impl Strategy<Value = Route> {
        let prefixes = ["/", "/a", "/a/b", "/a/b/c", "/b", "/ab"];
        let hosts = [
            vec![],
            vec!["h".to_owned()],
            vec!["g".to_owned(), "h".to_owned()],
        ];
        let methods = [vec![], vec![Method::GET], vec![Method::POST, Method::PUT]];
        (
            prop::sample::select(prefixes.to_vec()),
            prop::sample::select(hosts.to_vec()),
            prop::sample::select(methods.to_vec()),
        )
            .prop_map(|(prefix, hosts, methods)| Route {
                hosts,
                methods,
                ..route(prefix, 0)
            })
    }

    proptest! {
        #[test]
        fn the_tree_equals_a_plain_search(
            routes in prop::collection::vec(some_route(), 0..12),
            host in prop::sample::select(vec!["g", "h", "i"]),
            method in prop::sample::select(vec![Method::GET, Method::HEAD, Method::POST, Method::DELETE]),
            path in prop::sample::select(vec!["/", "/a", "/a/", "/a/b", "/a/b/c/d", "/ab", "/a/bc", "/b/x", "/c"]),
        ) {
            let routes: Vec<Route> = routes.into_iter().enumerate().map(|(at, route)| Route { upstream: at, ..route }).collect();
            if let Ok(table) = RouteTable::new(routes.clone()) {
                let for_host: Vec<&Route> = routes.iter().filter(|r| r.prefix.covers(path) && r.takes_host(host.as_bytes())).collect();
                let longest = for_host.iter().map(|r| r.prefix.as_str().len()).max();
                let candidates = for_host.into_iter().filter(|r| Some(r.prefix.as_str().len()) == longest && r.takes_method(&method));
                let naive = candidates.min_by_key(|r| r.breadth()).map(|r| r.upstream);
                prop_assert_eq!(found(&table, host, &method, path), naive);
            }
        }
    }
}
