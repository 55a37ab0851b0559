//! The keys of the configuration, table by table: what each takes, its default, and what it says.
//! A key is added here and used where the file is compiled; nothing else has to know of it.

mod access;
mod limits;
mod routes;
mod server;
mod upstreams;

pub(super) use access::{AccessKeys, ClientKeys, KeyKeys};
pub(super) use limits::{Algorithm, LimitKeys, LimitsKeys, PolicyKeys, RedisKeys, RedisMode};
pub(super) use routes::{RouteKeys, WrittenRoute};
pub(super) use server::{LogKeys, ServerKeys};
pub(super) use upstreams::{UpstreamKeys, UpstreamRuleKeys};

use std::net::SocketAddr;

use super::keys::{List, Map, Table, table};
use super::kinds::Name;
use super::source::{At, Span};
use crate::client::ClientName;
use crate::route::{PathPrefix, ProtectedPrefixes};

use routes::{LongRouteKeys, RoutesFile};
use server::AdminKeys;

table! {
    /// The whole file.
    File {
        /// The addresses on which clients connect, each an IP address and a port, such as
        /// `127.0.0.1:3000` or `[::]:3000`. Port 0 is any free port.
        listen: At<List<SocketAddr>> = any_address(), restart;
        /// A file with more routes, written as `[routes]` is. A prefix stands in one of them only.
        routes_file: Option<At<RoutesFile>>;
        /// Path prefixes and where each leads. A string is short for a table with `upstream`.
        routes: At<Map<PathPrefix, RouteKeys>> = Map::default();
        /// Routes in the long form, each `[[route]]`: a prefix may come several times, for different
        /// hosts or methods.
        route: At<List<LongRouteKeys>> = List::empty();
        /// Services behind the gateway, by name.
        upstreams: At<Map<Name, UpstreamKeys>> = Map::default();
        /// Who may call what.
        access: Table<AccessKeys>;
        /// Those who call with a key, by name.
        clients: At<Map<ClientName, ClientKeys>> = Map::default();
        /// How much callers may ask for.
        limits: Table<LimitsKeys>;
        /// How connections are served.
        server: Table<ServerKeys>;
        /// The operator's own port.
        admin: Table<AdminKeys>;
        /// What is logged.
        log: Table<LogKeys>;
    }
}

impl File {
    /// What only identified clients reach.
    pub(in crate::config) fn protected(&self) -> ProtectedPrefixes {
        let prefixes = self.access.protected.iter();
        ProtectedPrefixes::new(prefixes.map(|prefix| prefix.value.clone()).collect())
    }
}

/// Port 3000 of all of the machine's addresses of IPv4.
fn any_address() -> List<SocketAddr> {
    List(vec![At {
        value: SocketAddr::from(([0, 0, 0, 0], 3000)),
        span: Span::NOWHERE,
    }])
}
