//! Spellings that would evade a route's rules. Say `/login` has a limit, and `/` leads to the same
//! service. `/LOGIN` is taken by `/`, without the limit, and a service that ignores letter case treats
//! it as a log-in. Such a request is refused; the client can use the configured spelling. The pairs of
//! routes this can happen to are computed when the configuration is compiled.

use std::collections::HashSet;
use std::sync::Arc;

use crate::upstream::{Endpoint, EndpointUrl, Upstream, may_be_same_service};

use super::wide::{WidePrefixes, same_reading};
use super::{Action, EncodedControls, EncodedSlash, PathEncoding, PathPrefix, Route};

/// The routes whose rules another spelling of their paths could get around.
#[derive(Debug, Default)]
pub(super) struct Spellings {
    /// Their prefixes, by the routes' places in the table.
    pub(super) prefixes: WidePrefixes,
    /// A route that takes other spellings, and the one whose handlers they may lead to.
    pub(super) pairs: HashSet<(usize, usize)>,
}

impl Spellings {
    /// Finds them among `routes`, which lead to `upstreams`.
    pub(super) fn compile(routes: &[Arc<Route>], upstreams: &[Arc<Upstream>]) -> Self {
        let prefixes = |places: &mut dyn Iterator<Item = usize>| {
            WidePrefixes::new(places.map(|place| (place, &routes[place].prefix))).with_streams()
        };
        let all = prefixes(&mut (0..routes.len()));
        let mut pairs = HashSet::new();
        for (place, route) in routes.iter().enumerate() {
            let depth = route.prefix.segments().count();
            all.find_map(route.prefix.as_str(), |other| {
                let taker = &routes[other];
                let shorter = taker.prefix.segments().count() < depth;
                let rules = !route.methods.is_empty() || is_stricter(route, taker);
                if shorter && rules && same_handlers(taker, route, upstreams) {
                    pairs.insert((other, place));
                }
                None::<()>
            });
        }
        let guarded: HashSet<usize> = pairs.iter().map(|(_, place)| *place).collect();
        Self {
            prefixes: prefixes(&mut guarded.into_iter()),
            pairs,
        }
    }
}

/// Whether a rule of `route` refuses or counts what `other` would let pass.
pub(super) fn is_stricter(route: &Route, other: &Route) -> bool {
    // A new rule must not compile without a decision here.
    let Route {
        name: _,
        place: _,
        prefix: _,
        hosts: _,
        methods: _,
        action,
        host: _,
        strip_prefix: _,
        replacement: _,
        rewrites_redirects: _,
        timeout: _,
        body_limit,
        encoded_slash,
        encoded_controls,
        merge_slashes: _,
        path_encoding,
        allow,
        addresses,
        // It keeps nobody out who is no browser.
        cors: _,
        request_headers,
        // Nor does this.
        response_headers: _,
        cost,
        limits,
        subject: _,
    } = route;
    let has_limit = |name: &str| other.limits.iter().any(|policy| &*policy.name == name);
    let answers = |action: &Action| !matches!(action, Action::Forward(_));
    (answers(action) && !answers(&other.action))
        || limits
            .iter()
            .any(|policy| policy.enforces() && !has_limit(&policy.name))
        || *cost > other.cost
        // What differs is taken for stricter: which of two lists lets in more is not told by a look.
        || (allow.is_some() && *allow != other.allow)
        || (addresses.is_some() && *addresses != other.addresses)
        // Without a field that the other one sets, a service may allow less.
        || *request_headers != other.request_headers
        || body_limit.is_some_and(|limit| other.body_limit.is_none_or(|others| others > limit))
        || (*encoded_slash != other.encoded_slash && *encoded_slash == EncodedSlash::Reject)
        || (*encoded_controls != other.encoded_controls
            && *encoded_controls == EncodedControls::Reject)
        || (*path_encoding != other.path_encoding && *path_encoding == PathEncoding::Utf8)
}

/// Whether a path below the prefix of `route`, spelled so that `taker` takes it, may arrive at a
/// service where `route` would have sent it. What `route` answers itself was not to arrive at all.
fn same_handlers(taker: &Route, route: &Route, upstreams: &[Arc<Upstream>]) -> bool {
    let below = route
        .prefix
        .segments()
        .skip(taker.prefix.segments().count());
    let below: String = below.flat_map(|segment| ["/", segment]).collect();
    if route.upstream().is_none() {
        return taker.upstream().is_some();
    }
    endpoints(taker, upstreams).iter().any(|one| {
        let sent = format!("{}{below}", mount(taker, &one.url, &taker.prefix));
        let same = |other: &EndpointUrl| {
            may_be_same_service(&one.url, other)
                && same_reading(&sent, &mount(route, other, &route.prefix))
        };
        let mut others = endpoints(route, upstreams).iter();
        others.any(|other| same(&other.url))
    })
}

/// Where a route leads.
pub(super) fn endpoints<'u>(route: &Route, upstreams: &'u [Arc<Upstream>]) -> &'u [Endpoint] {
    let upstream = route.upstream().and_then(|place| upstreams.get(place));
    upstream.map(|one| &one.endpoints[..]).unwrap_or_default()
}

/// The path at a service that a path of a route, which has the form of a prefix, arrives at.
pub(super) fn mount(route: &Route, url: &EndpointUrl, own: &PathPrefix) -> String {
    let mut path = Vec::new();
    let mapping = route.mapping(&url.base_path);
    mapping.put(&mut path, own.before_slash());
    let path = String::from_utf8_lossy(&path);
    path.trim_end_matches('/').to_owned()
}
