//! The routes of one prefix, by host and then by method. The order of precedence is computed once,
//! when the configuration is compiled: a look-up finds one list for its host, and in it one entry
//! for its method. Two routes that match the same requests are refused.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use http::Method;

use crate::message::target::host_without_port;

use super::Route;

/// What a host begins with that stands for all that are one label longer.
const WILDCARD: &str = "*.";

/// The routes of one prefix. A route is named by its index in the table's list.
#[derive(Debug)]
pub(super) struct Choices {
    /// Sorted by the host, in lower case.
    by_host: Box<[(Box<str>, ByMethod)]>,
    /// For any host one label below these, sorted as well.
    by_parent: Box<[(Box<str>, ByMethod)]>,
    /// For hosts that no route names; none if all routes name hosts.
    other_hosts: Option<ByMethod>,
}

/// What the routes of one prefix do for one host: those that name it first, then those for any.
#[derive(Debug)]
pub(super) struct ByMethod {
    named: Box<[(Method, usize)]>,
    other_methods: Option<usize>,
    allow: Box<str>,
}

/// Two routes that match the same requests.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no request can tell these two routes apart")]
pub struct Indistinguishable {
    /// The one that stands first.
    pub first: usize,
    /// The other.
    pub second: usize,
}

impl Choices {
    /// Compiles the routes of one prefix, each with its place, in the order of their places.
    pub(super) fn compile(routes: &[(usize, &Route)]) -> Result<Self, Indistinguishable> {
        let mut by_host: BTreeMap<&str, Layer<'_>> = BTreeMap::new();
        let mut any_host = Layer::default();
        for (place, route) in routes {
            if route.hosts.is_empty() {
                any_host.add(*place, route)?;
            }
            for host in &route.hosts {
                by_host.entry(host).or_default().add(*place, route)?;
            }
        }
        let has_any_host = routes.iter().any(|(_, route)| route.hosts.is_empty());
        let none = Layer::default();
        let (mut names, mut parents) = (Vec::new(), Vec::new());
        for (host, layer) in &by_host {
            if let Some(parent) = host.strip_prefix(WILDCARD) {
                parents.push((parent.into(), ByMethod::compile(&[layer, &any_host])));
            } else {
                let parent = parent_of(host.as_bytes());
                let wildcard = parent.and_then(|parent| {
                    let mut layers = by_host.iter();
                    layers
                        .find(|(host, _)| is_below(host, parent))
                        .map(|(_, it)| it)
                });
                let layers = [layer, wildcard.unwrap_or(&none), &any_host];
                names.push(((*host).into(), ByMethod::compile(&layers)));
            }
        }
        Ok(Self {
            by_host: names.into(),
            by_parent: parents.into(),
            other_hosts: has_any_host.then(|| ByMethod::compile(&[&any_host])),
        })
    }

    /// What holds for requests to `host` (as they name it, in any case), if anything does.
    pub(super) fn of_host(&self, host: &[u8]) -> Option<&ByMethod> {
        if self.by_host.is_empty() && self.by_parent.is_empty() {
            return self.other_hosts.as_ref();
        }
        let host = host_name(host);
        find(&self.by_host, host)
            .or_else(|| {
                let parent = parent_of(host).filter(|_| !self.by_parent.is_empty())?;
                find(&self.by_parent, parent)
            })
            .or(self.other_hosts.as_ref())
    }
}

impl ByMethod {
    /// Lays `layers` over each other, the more specific first.
    fn compile(layers: &[&Layer<'_>]) -> Self {
        let mut named: BTreeMap<&str, (&Method, usize)> = BTreeMap::new();
        let mut other_methods = None;
        for layer in layers {
            for (method, place) in layer.named_and_implied() {
                named.entry(method.as_str()).or_insert((method, place));
            }
            if layer.any_method.is_some() {
                // This route takes all other methods, so the next layer is never reached.
                other_methods = layer.any_method;
                break;
            }
        }
        let allow: Vec<&str> = named.keys().copied().collect();
        Self {
            allow: allow.join(", ").into(),
            named: named
                .into_values()
                .map(|(method, place)| (method.clone(), place))
                .collect(),
            other_methods,
        }
    }

    /// The route for `method`, if there is one.
    pub(super) fn of_method(&self, method: &Method) -> Option<usize> {
        // A handful at most: looking at each is faster than any index.
        let named = self.named.iter().find(|(own, _)| own == method);
        if let Some((_, place)) = named {
            return Some(*place);
        }
        // Many frameworks write methods in upper case before they look at them: `post` must not get
        // around a route for POST by one for all methods. It is neither's.
        let same = |own: &Method| own.as_str().eq_ignore_ascii_case(method.as_str());
        if self.named.iter().any(|(own, _)| same(own)) {
            return None;
        }
        self.other_methods
    }

    /// The places of the routes that name methods.
    pub(super) fn places(&self) -> impl Iterator<Item = usize> {
        self.named.iter().map(|(_, place)| *place)
    }

    /// The value of `Allow`: all methods that have a route, sorted.
    pub(super) fn allow(&self) -> &str {
        &self.allow
    }
}

/// The routes of one prefix that name the same host, or of those that name none.
#[derive(Debug, Default)]
struct Layer<'r> {
    named: BTreeMap<&'r str, (&'r Method, usize)>,
    any_method: Option<usize>,
}

impl<'r> Layer<'r> {
    fn add(&mut self, place: usize, route: &'r Route) -> Result<(), Indistinguishable> {
        // A route may name the same host or method twice; it is still one route.
        let taken_by_other = |first: usize| {
            let second = place;
            if first == second {
                Ok(())
            } else {
                Err(Indistinguishable { first, second })
            }
        };
        if route.methods.is_empty() {
            taken_by_other(*self.any_method.get_or_insert(place))?;
        }
        for method in &route.methods {
            let entry = self.named.entry(method.as_str());
            taken_by_other(entry.or_insert((method, place)).1)?;
        }
        Ok(())
    }

    /// The methods with their routes. A route for GET takes HEAD, unless another one names it: the
    /// two differ only in how much of the answer is sent (RFC 9110 section 9.3.2).
    fn named_and_implied(&self) -> impl Iterator<Item = (&'r Method, usize)> {
        let implied = match self.named.get("GET") {
            Some((_, place)) if !self.named.contains_key("HEAD") => Some((&Method::HEAD, *place)),
            _ => None,
        };
        self.named.values().copied().chain(implied)
    }
}

fn find<'c>(hosts: &'c [(Box<str>, ByMethod)], host: &[u8]) -> Option<&'c ByMethod> {
    let at = hosts.binary_search_by(|(own, _)| compare(own, host)).ok()?;
    hosts.get(at).map(|(_, choices)| choices)
}

/// Whether a configured host is `host` or has it below its wildcard.
pub(super) fn covers_host(own: &str, host: &[u8]) -> bool {
    own.as_bytes().eq_ignore_ascii_case(host)
        || parent_of(host).is_some_and(|parent| is_below(own, parent))
}

/// The name in a `Host` field, as routes have it: without port, and without the final dot of a fully
/// qualified name.
pub(super) fn host_name(host: &[u8]) -> &[u8] {
    let host = host_without_port(host);
    host.strip_suffix(b".").unwrap_or(host)
}

/// Whether a configured host is a wildcard for what is one label below `parent`.
fn is_below(own: &str, parent: &[u8]) -> bool {
    let own = own.strip_prefix(WILDCARD).map(str::as_bytes);
    own.is_some_and(|own| own.eq_ignore_ascii_case(parent))
}

/// A host without its first label.
fn parent_of(host: &[u8]) -> Option<&[u8]> {
    let dot = host.iter().position(|b| *b == b'.').filter(|at| *at > 0)?;
    host.get(dot + 1..)
}

/// Compares a configured host, which is in lower case, with one that a client sent.
fn compare(own: &str, sent: &[u8]) -> Ordering {
    own.bytes().cmp(sent.iter().map(u8::to_ascii_lowercase))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route::testing::route;

    fn with(hosts: &[&str], methods: &[&str]) -> Route {
        Route {
            hosts: hosts.iter().map(|host| (*host).to_owned()).collect(),
            methods: methods.iter().map(|m| m.parse().unwrap()).collect(),
            ..route("/x", 0)
        }
    }

    fn compile(routes: &[Route]) -> Result<Choices, Indistinguishable> {
        let placed: Vec<_> = routes.iter().enumerate().collect();
        Choices::compile(&placed)
    }

    /// The place of the route, or what is allowed instead, or nothing for other hosts.
    fn ask(choices: &Choices, host: &str, method: &str) -> Result<usize, Option<String>> {
        let of_host = choices.of_host(host.as_bytes()).ok_or(None)?;
        let found = of_host.of_method(&method.parse().unwrap());
        found.ok_or_else(|| Some(of_host.allow().to_owned()))
    }

    #[test]
    fn the_host_comes_before_the_method() {
        let choices = compile(&[
            with(&[], &[]),
            with(&[], &["GET", "PUT"]),
            with(&["a.test"], &["PUT"]),
            with(&["b.test"], &[]),
            with(&["b.test"], &["PUT"]),
        ])
        .unwrap();
        assert_eq!(ask(&choices, "a.test", "PUT"), Ok(2));
        assert_eq!(ask(&choices, "A.Test", "GET"), Ok(1));
        assert_eq!(ask(&choices, "a.test", "POST"), Ok(0));
        assert_eq!(ask(&choices, "b.test", "PUT"), Ok(4));
        assert_eq!(ask(&choices, "B.TEST", "GET"), Ok(3));
        assert_eq!(ask(&choices, "c.test", "PUT"), Ok(1));
        assert_eq!(ask(&choices, "", "POST"), Ok(0));
    }

    #[test]
    fn allow_is_complete_sorted_and_about_the_host_asked_for() {
        let choices = compile(&[
            with(&["a.test", "b.test"], &["PUT"]),
            with(&["b.test"], &["DELETE"]),
            with(&[], &["POST", "GET"]),
        ])
        .unwrap();
        let allowed = |host: &str| ask(&choices, host, "OPTIONS").unwrap_err().unwrap();
        assert_eq!(allowed("a.test"), "GET, HEAD, POST, PUT");
        assert_eq!(allowed("b.test"), "DELETE, GET, HEAD, POST, PUT");
        assert_eq!(allowed("c.test"), "GET, HEAD, POST");
    }

    #[test]
    fn a_wildcard_is_one_label_deep_and_comes_after_names() {
        let choices = compile(&[
            with(&["*.test"], &[]),
            with(&["*.a.test"], &["GET"]),
            with(&["x.a.test"], &["PUT"]),
            with(&[], &["POST"]),
        ])
        .unwrap();
        assert_eq!(ask(&choices, "A.Test", "GET"), Ok(0));
        assert_eq!(ask(&choices, "y.A.test", "GET"), Ok(1));
        assert_eq!(ask(&choices, "y.a.test", "POST"), Ok(3));
        assert_eq!(ask(&choices, "x.a.test", "PUT"), Ok(2));
        assert_eq!(ask(&choices, "x.a.test", "GET"), Ok(1));
        for other in ["test", ".test", "z.y.a.test", "a.test2", "", "."] {
            assert_eq!(ask(&choices, other, "POST"), Ok(3), "{other}");
        }
        for (own, host, covers) in [
            ("*.a.test", "X.A.test", true),
            ("a.test", "A.test", true),
            ("*.a.test", "a.test", false),
            ("*.a.test", "y.x.a.test", false),
            ("*.a.test", ".a.test", false),
        ] {
            assert_eq!(covers_host(own, host.as_bytes()), covers, "{own} {host}");
        }
    }

    #[test]
    fn hosts_that_no_route_is_for_have_nothing() {
        let choices = compile(&[with(&["a.test"], &["PUT"])]).unwrap();
        for host in ["", "a", "a.tes", "a.test2", "b.a.test"] {
            assert_eq!(ask(&choices, host, "PUT"), Err(None), "{host}");
        }
    }

    #[test]
    fn get_takes_head_unless_another_route_names_it() {
        let one = compile(&[with(&[], &["GET"]), with(&[], &[])]).unwrap();
        assert_eq!(ask(&one, "h", "HEAD"), Ok(0));
        let two = compile(&[with(&[], &["GET"]), with(&[], &["HEAD"])]).unwrap();
        assert_eq!(ask(&two, "h", "HEAD"), Ok(1));
        let by_host = compile(&[with(&[], &["HEAD"]), with(&["h"], &["GET"])]).unwrap();
        assert_eq!(ask(&by_host, "h", "HEAD"), Ok(1));
    }

    #[test]
    fn routes_that_no_request_can_tell_apart_are_refused() {
        let refused = [
            [with(&[], &[]), with(&[], &[])],
            [with(&[], &["GET", "PUT"]), with(&[], &["PUT", "POST"])],
            [with(&["a", "b"], &[]), with(&["b", "c"], &[])],
            [with(&["a"], &["GET"]), with(&["b", "a"], &["GET"])],
        ];
        for routes in refused {
            let (first, second) = (0, 1);
            let error = compile(&routes).expect_err("indistinguishable");
            assert_eq!(error, Indistinguishable { first, second }, "{routes:?}");
        }
        let fine = [
            [with(&[], &[]), with(&["a"], &[])],
            [with(&[], &["GET"]), with(&[], &["PUT"])],
            [with(&["a"], &["GET"]), with(&["b"], &["GET"])],
            [with(&["a"], &[]), with(&["a"], &["GET"])],
            [with(&["a", "a"], &["GET", "GET"]), with(&[], &["GET"])],
        ];
        for routes in fine {
            assert!(compile(&routes).is_ok(), "{routes:?}");
        }
    }
}
