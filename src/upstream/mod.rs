//! Upstreams: the services behind the gateway, where they are, and the connections to them.
//!
//! An upstream has endpoints, an endpoint has a host and a port, and a host that is a name has
//! addresses. What the process learns of them is shared by all workers and outlives reloads
//! ([`Registry`]); names are looked up by one thread ([`Control`]); connections are each worker's
//! own ([`Pools`]).

mod address;
mod addresses;
mod bound;
mod budget;
mod by_client;
mod candidates;
mod capacity;
mod check_failure;
mod checks;
mod circuit;
mod circuits;
mod connect;
mod control;
mod counted;
#[cfg(test)]
mod doc_charts;
mod drains;
mod failure;
mod gradient;
mod hash;
mod least;
mod load;
mod look;
mod missed;
mod moment;
mod pick;
mod pool;
mod pools;
mod registry;
mod rules;
mod same_service;
mod state;
mod statuses;
mod tls;
mod try_guard;
mod upstream_state;
mod url;
mod usable;
mod verdict;

pub use address::{Address, Check, ConnectError};
pub use bound::BoundLinks;
pub use by_client::Announcement;
pub use candidates::{Candidate, Candidates};
pub use capacity::{Capacity, Entry, Occupancy, Place, Turn};
pub use circuit::Standing;
pub use circuits::Circuits;
pub use control::Control;
pub use drains::Drains;
pub use failure::Failure;
pub use hash::hash;
pub use look::{AddressLook, AddressState, CircuitState, EndpointLook};
pub use missed::{Miss, Missed};
pub use pool::{AddressPool, Link, Pool};
pub use pools::Pools;
pub use registry::Registry;
pub use rules::{
    Balance, BreakerRules, CapacityRules, HashBy, HealthCall, HealthRules, MaxRequests, RetryRules,
    Rules,
};
pub use same_service::may_be_same_service;
pub use state::EndpointState;
pub use statuses::Statuses;
pub use tls::{EndpointTls, TlsError};
pub use try_guard::Try;
pub use upstream_state::UpstreamState;
pub use url::{EndpointUrl, InvalidEndpointUrl};
pub use usable::{Asked, NoEndpoint, Outlook, Unready};

use std::fmt;
use std::sync::Arc;

/// A service behind the gateway.
#[derive(Debug, Clone)]
pub struct Upstream {
    /// The configured name, or the endpoint's URL when a route names it directly.
    pub name: Arc<str>,
    /// Where it is. Never empty.
    pub endpoints: Vec<Endpoint>,
    /// The hosts of its endpoints, with their ports, as URLs have them.
    pub authorities: Vec<String>,
    /// What the configuration says of it.
    pub rules: Rules,
    /// What the process knows of it.
    pub state: Arc<UpstreamState>,
}

impl Upstream {
    /// An upstream of which nothing is known yet.
    pub fn new(name: &str, endpoints: Vec<Endpoint>, rules: Rules) -> Self {
        let authority = |endpoint: &Endpoint| endpoint.url.authority().to_owned();
        Self {
            name: name.into(),
            authorities: endpoints.iter().map(authority).collect(),
            endpoints,
            rules,
            state: Arc::default(),
        }
    }
}

/// One of the places where an upstream is.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// As it is configured.
    pub url: EndpointUrl,
    /// Its share of requests, in proportion to the others'. 0: it takes nothing new.
    pub weight: u32,
    /// It takes requests only while no other endpoint can.
    pub backup: bool,
    /// How TLS is spoken there, with `https`.
    pub tls: Option<EndpointTls>,
    /// What the process knows of it.
    pub state: Arc<EndpointState>,
}

impl Endpoint {
    /// An endpoint of which nothing is known, and of which nobody learns anything until it has
    /// joined a [`Registry`]. With `https` it needs `tls`.
    pub fn new(url: EndpointUrl, tls: Option<EndpointTls>) -> Self {
        let state = EndpointState::new(&url.host, url.port, Arc::default(), Arc::default());
        Self {
            url,
            weight: 1,
            backup: false,
            tls,
            state: Arc::new(state),
        }
    }

    /// Whether it is known to leave the bodies of some requests unread, and to take them for the next
    /// request.
    pub fn leaves_bodies(&self) -> bool {
        self.state.leaves_bodies()
    }
}

/// The URLs of its endpoints.
impl fmt::Display for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let urls: Vec<_> = self
            .endpoints
            .iter()
            .map(|one| one.url.to_string())
            .collect();
        f.write_str(&urls.join(", "))
    }
}

#[cfg(test)]
mod testing {
    use std::net::SocketAddr;

    use tokio::runtime::{Builder, LocalOptions};

    use super::*;

    /// Runs a test as workers and the control thread run.
    pub(super) fn run(test: impl Future<Output = ()>) {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build_local(LocalOptions::default());
        runtime.unwrap().block_on(test);
    }

    /// An upstream with one endpoint.
    pub(super) fn upstream(name: &str, url: &str) -> Arc<Upstream> {
        let endpoint = Endpoint::new(EndpointUrl::parse(url).unwrap(), None);
        Arc::new(Upstream::new(name, vec![endpoint], Rules::default()))
    }

    /// What a lookup may find.
    pub(super) fn ips(ips: &[&str]) -> Vec<SocketAddr> {
        let socket = |ip: &&str| SocketAddr::new(ip.parse().unwrap(), 0);
        ips.iter().map(socket).collect()
    }
}
