//! Near misses: routes that could have been meant for a request, and why they were not taken. Only
//! `explain` asks for them; nothing here is on the request path.

use std::cmp::Reverse;
use std::sync::Arc;

use http::Method;

use super::Route;
use super::choices::covers_host;

/// How many near misses are shown. There are fewer reasons, so each of them is shown at least once.
const MAX_SHOWN: usize = 8;

/// A route that could have been meant, and why it was not taken.
#[derive(Debug)]
pub struct NearMiss<'a> {
    /// The route.
    pub route: &'a Arc<Route>,
    /// Why it was not taken.
    pub why: WhyLost,
}

/// Why a route was not taken. The nearer miss comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum WhyLost {
    /// Same prefix, but the winner names the host or the method.
    LessSpecific,
    /// It is for other methods.
    Method,
    /// It is for other hosts.
    Host,
    /// Another route's prefix is longer.
    ShorterPrefix,
    /// The prefix differs from the path in letter case only.
    Case,
    /// The path begins with the prefix, but the prefix ends within a segment.
    NotWholeSegments,
}

/// Finds the near misses among `routes`, of which `winner` was taken; the longest prefixes first.
/// `host` is without port and final dot.
pub(super) fn near_misses<'a>(
    routes: &'a [Arc<Route>],
    winner: Option<&Arc<Route>>,
    host: &[u8],
    method: &Method,
    path: &str,
) -> Vec<NearMiss<'a>> {
    let decisive = routes
        .iter()
        .filter(|route| route.prefix.covers(path) && takes_host(route, host))
        .map(|route| length(route))
        .max();
    let mut misses: Vec<NearMiss<'a>> = routes
        .iter()
        .filter(|route| winner.is_none_or(|winner| !Arc::ptr_eq(winner, route)))
        .filter_map(|route| {
            let why = why_lost(route, host, method, path, decisive)?;
            Some(NearMiss { route, why })
        })
        .collect();
    misses.sort_by_key(|miss| (Reverse(length(miss.route)), miss.why));
    best_of_each(&mut misses);
    misses
}

fn why_lost(
    route: &Route,
    host: &[u8],
    method: &Method,
    path: &str,
    decisive: Option<usize>,
) -> Option<WhyLost> {
    let prefix = &route.prefix;
    if !prefix.covers(path) {
        if path.starts_with(prefix.as_str()) {
            return Some(WhyLost::NotWholeSegments);
        }
        // Changing the case of ASCII letters moves no slash.
        let lower = path.to_ascii_lowercase();
        let covers = under(&prefix.as_str().to_ascii_lowercase(), &lower);
        return covers.then_some(WhyLost::Case);
    }
    Some(if !takes_host(route, host) {
        WhyLost::Host
    } else if Some(length(route)) < decisive {
        WhyLost::ShorterPrefix
    } else if !takes_method(route, method) {
        WhyLost::Method
    } else {
        WhyLost::LessSpecific
    })
}

/// Whether `path` lies under `prefix` by whole segments.
fn under(prefix: &str, path: &str) -> bool {
    let rest = path.strip_prefix(prefix);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn length(route: &Route) -> usize {
    route.prefix.as_str().len()
}

pub(super) fn takes_host(route: &Route, host: &[u8]) -> bool {
    route.hosts.is_empty() || route.hosts.iter().any(|own| covers_host(own, host))
}

fn takes_method(route: &Route, method: &Method) -> bool {
    let named = |method: &Method| route.methods.contains(method);
    route.methods.is_empty() || named(method) || (*method == Method::HEAD && named(&Method::GET))
}

/// Keeps [`MAX_SHOWN`] of them, in their order: the first of each reason, then the second of each,
/// and so on, so that twenty routes for other hosts do not hide the one for another method.
fn best_of_each(misses: &mut Vec<NearMiss<'_>>) {
    let turn = |at: usize| {
        let same = |miss: &&NearMiss<'_>| miss.why == misses[at].why;
        misses[..at].iter().filter(same).count()
    };
    let mut turns: Vec<(usize, usize)> = (0..misses.len()).map(|at| (turn(at), at)).collect();
    turns.sort_unstable();
    turns.truncate(MAX_SHOWN);
    let mut at = 0;
    misses.retain(|_| {
        at += 1;
        turns.iter().any(|(_, kept)| *kept == at - 1)
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route::testing::route;

    fn shown(routes: &[Route], method: &Method, path: &str) -> Vec<(usize, WhyLost)> {
        let routes: Vec<Arc<Route>> = routes.iter().cloned().map(Arc::new).collect();
        near_misses(&routes, None, b"A.test", method, path)
            .iter()
            .map(|miss| (miss.route.upstream().unwrap(), miss.why))
            .collect()
    }

    fn of_host(host: &str, prefix: &str, upstream: usize) -> Route {
        Route {
            hosts: vec![host.to_owned()],
            ..route(prefix, upstream)
        }
    }

    fn of_method(method: Method, prefix: &str, upstream: usize) -> Route {
        Route {
            methods: vec![method],
            ..route(prefix, upstream)
        }
    }

    #[test]
    fn each_says_why_it_lost_the_longest_prefix_first() {
        let routes = [
            route("/api", 0),
            of_host("a.test", "/api/orders", 1),
            of_method(Method::PUT, "/api/orders", 2),
            of_host("b.test", "/api/orders/7", 3),
            route("/api/ord", 4),
            route("/API/orders", 5),
            route("/API/ord", 6),
            route("/other", 7),
            of_method(Method::GET, "/", 8),
            of_host("b.test", "/API", 9),
        ];
        let shown = shown(&routes, &Method::HEAD, "/api/orders/7");
        assert_eq!(
            shown,
            [
                (3, WhyLost::Host),
                (1, WhyLost::LessSpecific),
                (2, WhyLost::Method),
                (5, WhyLost::Case),
                (4, WhyLost::NotWholeSegments),
                (0, WhyLost::ShorterPrefix),
                (9, WhyLost::Case),
                (8, WhyLost::ShorterPrefix),
            ]
        );
    }

    #[test]
    fn the_winner_is_no_near_miss() {
        let routes = [Arc::new(route("/x", 0)), Arc::new(route("/", 1))];
        let misses = near_misses(&routes, Some(&routes[0]), b"h", &Method::GET, "/x");
        assert_eq!(misses.len(), 1);
        assert!(Arc::ptr_eq(misses[0].route, &routes[1]));
        assert_eq!(misses[0].why, WhyLost::ShorterPrefix);
    }

    #[test]
    fn many_of_one_reason_hide_no_other() {
        let mut routes: Vec<Route> = (0..100)
            .map(|n| of_host(&format!("h{n}.test"), "/x/y", n))
            .collect();
        routes.push(of_method(Method::PUT, "/x", 100));
        routes.push(route("/", 101));
        let shown = shown(&routes, &Method::GET, "/x/y/z");
        assert_eq!(shown.len(), MAX_SHOWN);
        assert_eq!(
            shown[MAX_SHOWN - 2..],
            [(100, WhyLost::Method), (101, WhyLost::ShorterPrefix)]
        );
    }
}
