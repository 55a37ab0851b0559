//! Whether the spelling of a request's path gets it around a route's rules: asked once a request, of
//! the pairs of routes that [`super::spellings`] has found.

use std::sync::Arc;

use http::Method;

use crate::message::path::RequestPath;
use crate::upstream::Upstream;

use super::choices::host_name;
use super::near_miss::takes_host;
use super::spellings::{Spellings, is_stricter};
use super::{Resolved, Route, RouteTable, slashes};

impl RouteTable {
    /// Keeps routes that lead to the same service from taking each other's paths by their spelling.
    pub fn guard_spellings(mut self, upstreams: &[Arc<Upstream>]) -> Self {
        self.spellings = Spellings::compile(self.routes(), upstreams);
        self
    }

    /// The route whose rules a request gets around that `taken` takes, because of how its path is
    /// spelled.
    pub fn evaded(
        &self,
        host: &[u8],
        method: &Method,
        path: &RequestPath<'_>,
        taken: &Arc<Route>,
    ) -> Option<&Arc<Route>> {
        let prefixes = &self.spellings.prefixes;
        slashes::find_map(prefixes, path, !taken.merge_slashes, |place| {
            let other = self.routes().get(place)?;
            if other.prefix.covers(path.as_str()) {
                // It was looked at, and another route won.
                return None;
            }
            let is_pair = self.spellings.pairs.contains(&(taken.place, place));
            match self.find(host, method, other.prefix.as_str()) {
                Resolved::Route(winner) => {
                    let wins = Arc::ptr_eq(winner, other) && is_pair;
                    (wins && is_stricter(other, taken)).then_some(other)
                }
                Resolved::MethodNotAllowed { .. } => {
                    (takes_host(other, host_name(host)) && is_pair).then_some(other)
                }
                Resolved::NoRoute => None,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;
    use std::time::Duration;

    use super::*;
    use crate::limit::{Limit, Policy};
    use crate::message::field_rules;
    use crate::route::testing::route;
    use crate::route::{EncodedControls, EncodedSlash, PathEncoding};
    use crate::upstream::{Endpoint, EndpointUrl, Rules};

    const SERVICE: &str = "http://one:1";

    fn upstream(url: &str) -> Arc<Upstream> {
        let endpoint = Endpoint::new(EndpointUrl::parse(url).unwrap(), None);
        Arc::new(Upstream::new(url, vec![endpoint], Rules::default()))
    }

    /// A route that keeps its prefix.
    fn kept(prefix: &str, upstream: usize) -> Route {
        Route {
            strip_prefix: false,
            ..route(prefix, upstream)
        }
    }

    fn dear(route: Route) -> Route {
        Route {
            cost: NonZeroU32::new(5).unwrap(),
            ..route
        }
    }

    /// The prefix of the route that a request gets around.
    fn evaded(routes: &[Route], urls: &[&str], method: &Method, path: &str) -> Option<String> {
        let upstreams: Vec<_> = urls.iter().map(|url| upstream(url)).collect();
        let table = RouteTable::new(routes.to_vec())
            .unwrap()
            .guard_spellings(&upstreams);
        let path = RequestPath::parse(path.as_bytes()).unwrap();
        let Resolved::Route(taken) = table.find(b"A.test:80", method, path.as_str()) else {
            panic!("{path:?} has no route");
        };
        let evaded = table.evaded(b"A.test:80", method, &path, taken);
        evaded.map(|route| route.prefix.as_str().to_owned())
    }

    #[test]
    fn other_spellings_of_a_route_with_rules_get_around_it() {
        let routes = [
            route("/", 0),
            dear(kept("/login", 0)),
            kept("/free", 0),
            route("/LOGIN/x", 0),
        ];
        let evaded = |path| evaded(&routes, &[SERVICE], &Method::GET, path);
        for path in [
            "/LOGIN",
            "/Login/7",
            "/login;x",
            "/login%20",
            "/login.",
            "/login%2Fx",
            "/login%3Fx",
            "/log%C4%B1n",
            "/login::$DATA",
            "/login:x",
            "/login%3Ax",
        ] {
            assert_eq!(evaded(path).as_deref(), Some("/login"), "{path}");
        }
        for path in [
            "/login",
            "/login/7",
            "/",
            "/FREE",
            "/log",
            "/loginx",
            "/login.css",
            "/x/LOGIN",
            "/LOGIN/x",
        ] {
            assert_eq!(evaded(path), None, "{path}");
        }
    }

    #[test]
    fn repeated_slashes_get_around_a_route_where_they_are_kept() {
        for (keeps, path, gets_around) in [
            (true, "/x//login", true),
            (true, "//h/login", true),
            (true, "/x//h/LOGIN/7", true),
            (true, "/x//y", false),
            (true, "//login", false),
            (false, "/x//login", false),
            (false, "//h/login", false),
        ] {
            let slashes = |route| Route {
                merge_slashes: !keeps,
                ..route
            };
            let routes = [slashes(route("/", 0)), slashes(dear(kept("/login", 0)))];
            let found = evaded(&routes, &[SERVICE], &Method::GET, path).is_some();
            assert_eq!(found, gets_around, "{path}");
        }
    }

    #[test]
    fn encoded_slashes_get_around_a_route() {
        let keep = |route| Route {
            encoded_slash: EncodedSlash::Keep,
            ..route
        };
        let routes = [keep(route("/", 0)), dear(keep(kept("/login", 0)))];
        for (path, gets_around) in [
            ("/x%2F%2Flogin", true),
            ("/x%2F%2Fh%2FLOGIN/7", true),
            ("/x/https%3A%2F%2Fh/login", true),
            ("/x/https%3A%2F%2Fh/y", false),
        ] {
            let found = evaded(&routes, &[SERVICE], &Method::GET, path).is_some();
            assert_eq!(found, gets_around, "{path}");
        }
    }

    #[test]
    fn only_what_arrives_at_the_same_handlers_counts() {
        let two = "http://two:1";
        let rows = [
            (route("/", 0), kept("/a", 0), vec![SERVICE], true),
            (route("/", 0), route("/a", 0), vec![SERVICE], false),
            (route("/", 0), kept("/a", 1), vec![SERVICE, two], false),
            (route("/", 0), kept("/a", 1), vec![SERVICE, SERVICE], true),
            (
                route("/", 0),
                route("/a", 1),
                vec![SERVICE, "http://one:1/a"],
                true,
            ),
            (
                route("/", 0),
                route("/a", 1),
                vec!["http://one:1/v1", "http://one:1/V1/A"],
                true,
            ),
            (route("/b", 0), kept("/b/a", 0), vec![SERVICE], false),
            (
                route("/b", 0),
                kept("/b/a", 1),
                vec!["http://one:1/b", SERVICE],
                true,
            ),
            (
                route("/", 0),
                kept("/a", 1),
                vec!["http://localhost:1", "http://[::1]:1"],
                true,
            ),
            (kept("/B", 0), kept("/b/a", 0), vec![SERVICE], true),
            (kept("/c", 0), kept("/b/a", 0), vec![SERVICE], false),
        ];
        for (taken, other, urls, same) in rows {
            let path = format!("{}/A", taken.prefix.as_str().trim_end_matches('/'));
            let routes = [taken, dear(other)];
            let found = evaded(&routes, &urls, &Method::GET, &path).is_some();
            assert_eq!(found, same, "{routes:?} {urls:?}");
        }
    }

    type Change<'c> = &'c dyn Fn(&mut Route);

    #[test]
    fn each_rule_that_is_stricter_counts() {
        let limit = Limit::new(1, Duration::from_secs(1)).unwrap();
        let policy = Arc::new(Policy::new("search", limit));
        let with = |change: Change<'_>| {
            let mut route = kept("/a", 0);
            change(&mut route);
            route
        };
        let loose = Route {
            encoded_slash: EncodedSlash::Keep,
            encoded_controls: EncodedControls::Keep,
            path_encoding: PathEncoding::Any,
            ..kept("/", 0)
        };
        let same = |route: &mut Route| {
            route.encoded_slash = EncodedSlash::Keep;
            route.encoded_controls = EncodedControls::Keep;
            route.path_encoding = PathEncoding::Any;
        };
        let fields = Some(Arc::new(field_rules::example()));
        let rules: [(Change<'_>, bool); 11] = [
            (&|_| {}, false),
            (&|route| route.limits = vec![Arc::clone(&policy)], true),
            (&|route| route.body_limit = Some(10), true),
            (&|route| route.request_headers.clone_from(&fields), true),
            (&|route| route.response_headers.clone_from(&fields), false),
            (&|route| route.encoded_slash = EncodedSlash::Reject, true),
            (
                &|route| route.encoded_controls = EncodedControls::Reject,
                true,
            ),
            (&|route| route.path_encoding = PathEncoding::Utf8, true),
            (&|route| route.methods = vec![Method::POST], true),
            (&|route| route.methods = vec![Method::GET], false),
            (
                &|route| (route.hosts, route.methods) = (vec!["b.test".into()], vec![Method::POST]),
                false,
            ),
        ];
        for (rule, counts) in rules {
            let route = with(&|route| {
                same(route);
                rule(route);
            });
            let routes = [loose.clone(), route];
            let found = evaded(&routes, &[SERVICE], &Method::GET, "/A").is_some();
            assert_eq!(found, counts, "{routes:?}");
        }
        // What the shorter prefix says of requests would hold instead.
        let taker = Route {
            request_headers: fields,
            ..loose.clone()
        };
        let routes = [taker, with(&same)];
        assert!(evaded(&routes, &[SERVICE], &Method::GET, "/A").is_some());
    }
}
