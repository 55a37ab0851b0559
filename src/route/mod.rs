//! Routes: which requests go to which upstream, and under which rules. Compiled from the
//! configuration; looked up once a request on the canonical path.

mod choices;
mod near_miss;
mod prefix;
mod protected;
mod table;

pub use choices::Indistinguishable;
pub use near_miss::{NearMiss, WhyLost};
pub use prefix::{InvalidPrefix, PathPrefix};
pub use protected::ProtectedPrefixes;
pub use table::{Resolved, RouteTable};

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use http::Method;

use crate::limit::{Policy, Subject};

/// One route, ready to be used.
#[derive(Debug, Clone)]
pub struct Route {
    /// What its paths begin with.
    pub prefix: PathPrefix,
    /// Host names in lower case, without port. Empty: any.
    pub hosts: Vec<String>,
    /// Empty: any.
    pub methods: Vec<Method>,
    /// Index into the snapshot's upstreams.
    pub upstream: usize,
    /// Whether the prefix is taken off before the path goes on.
    pub strip_prefix: bool,
    /// The longest wait for the head of the answer, from the moment the request is sent.
    pub timeout: Duration,
    /// Bytes; `None` is off.
    pub body_limit: Option<u64>,
    /// What becomes of paths with `%2F`.
    pub encoded_slash: EncodedSlash,
    /// As how many requests one counts.
    pub cost: NonZeroU32,
    /// The limits that hold here, beside each caller's own.
    pub limits: Vec<Arc<Policy>>,
    /// Under what everybody who uses it is counted together.
    pub subject: Subject,
}

/// What a route does with `%2F` in a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EncodedSlash {
    /// Such paths are refused.
    #[default]
    Reject,
    /// They go on as they are.
    Keep,
}

#[cfg(test)]
mod testing {
    use super::{EncodedSlash, PathPrefix, Route};

    /// A route with nothing special about it.
    pub(super) fn route(prefix: &str, upstream: usize) -> Route {
        Route {
            prefix: PathPrefix::parse(prefix).unwrap(),
            hosts: Vec::new(),
            methods: Vec::new(),
            upstream,
            strip_prefix: true,
            timeout: std::time::Duration::from_secs(30),
            body_limit: None,
            encoded_slash: EncodedSlash::Reject,
            cost: std::num::NonZeroU32::MIN,
            limits: Vec::new(),
            subject: crate::limit::Subject::Route(prefix.into()),
        }
    }
}
