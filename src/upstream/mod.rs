//! Upstreams: the services behind the gateway, how they are reached, and one exchange with them.

mod connect;
mod pool;
mod pools;
mod url;

pub use connect::ConnectError;
pub use pool::{Link, Pool};
pub use pools::Pools;
pub use url::{EndpointUrl, InvalidEndpointUrl};

use std::sync::Arc;
use std::time::Duration;

/// A service behind the gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upstream {
    /// The configured name, or the endpoint's URL when a route names it directly.
    pub name: Arc<str>,
    /// Where it is.
    pub endpoint: EndpointUrl,
    /// The longest that connecting may take.
    pub connect_timeout: Duration,
    /// No byte in either direction; also how long a kept connection is pooled.
    pub idle_timeout: Duration,
    /// How many idle connections a worker keeps to each endpoint.
    pub max_idle: usize,
}
