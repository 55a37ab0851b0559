//! The keys of the configuration, table by table: what each takes, its default, and what it says.
//! A key is added here and used where the file is compiled; nothing else has to know of it.

mod access;
mod acme;
mod limits;
mod routes;
mod server;
mod tls;
mod traces;
mod upstreams;

pub(super) use access::{AccessKeys, ClientKeys, CorsKeys, KeyKeys, ProtectedKeys};
pub(super) use acme::AcmeKeys;
pub(super) use limits::{Algorithm, LimitKeys, LimitsKeys, PolicyKeys, RedisKeys, RedisMode};
pub(super) use routes::{FieldRulesKeys, RespondKeys, RouteKeys};
pub(super) use server::{ListenKeys, LogKeys, ServerKeys};
pub(super) use tls::{CertificateKeys, ClientAuthKeys, TlsKeys};
pub(super) use traces::TracesKeys;
pub(super) use upstreams::{
    BalanceWord, EndpointKeys, HealthKeys, RetryKeys, UpstreamKeys, UpstreamRuleKeys,
    UpstreamTlsKeys,
};

use std::fmt::{self, Display};
use std::net::SocketAddr;
use std::path::Path;

use super::keys::{Kind, List, Map, table};
use super::kinds::{InFile, Name};
use super::source::{At, Span};
use super::texts::Texts;
use crate::client::ClientName;
use crate::route::{PathPrefix, ProtectedPrefix, ProtectedPrefixes};

use access::ClientsFileKeys;
use routes::LongRouteKeys;
use server::AdminKeys;

table! {
    /// The whole file.
    File {
        /// The addresses on which clients connect, each an IP address and a port, such as
        /// `127.0.0.1:3000` or `[::]:3000`. Port 0 is any free port.
        listen: List<ListenKeys> = any_address(), restart;
        /// TLS towards clients.
        tls: TlsKeys;
        /// A file with more routes, written as `[routes]` is. A prefix may be in only one of the two.
        routes_file: Option<InFile<Map<PathPrefix, RouteKeys>>>;
        /// Path prefixes and where each leads. A string is short for a table with `upstream`.
        routes: Map<PathPrefix, RouteKeys> = Map::default();
        /// Routes in the long form, each `[[route]]`: a prefix may come several times, for different
        /// hosts or methods.
        route: List<LongRouteKeys> = List::empty();
        /// What holds for every upstream that does not say it itself, also for those that routes name by
        /// their URL: the same keys, but for `endpoints`.
        upstream_defaults: UpstreamRuleKeys;
        /// Services behind the gateway, by name.
        upstreams: Map<Name, UpstreamKeys> = Map::default();
        /// Who may call what.
        access: AccessKeys;
        /// The clients that call with a key, by name.
        clients: Map<ClientName, ClientKeys> = Map::default();
        /// A file with more clients, each `[clients.NAME]`, and nothing else. A client may be in only one
        /// of the two.
        clients_file: Option<InFile<ClientsFileKeys>>;
        /// How many requests callers may make.
        limits: LimitsKeys;
        /// How connections are served.
        server: ServerKeys;
        /// The operator's own port.
        admin: AdminKeys;
        /// What is logged.
        log: LogKeys;
        /// Traces of requests. Absent: none are made.
        traces: Option<TracesKeys>;
    }
}

/// A route, however it was written.
#[derive(Clone, Copy)]
pub(in crate::config) struct WrittenRoute<'f> {
    pub prefix: &'f At<PathPrefix>,
    /// Absent if what stands there has been reported.
    pub keys: Option<&'f RouteKeys>,
    /// It stands in a map, in which every prefix stands once; not in a `[[route]]`.
    pub in_map: bool,
}

/// A file that the configuration names.
pub(in crate::config) struct NamedFile<'f> {
    /// What stands in it.
    pub what: &'static str,
    /// Where it is named.
    pub span: Span,
    pub path: &'f Path,
    /// How many there are.
    pub entries: usize,
}

impl File {
    /// Takes in what stands in the files that it names.
    pub(in crate::config) fn with_files(mut self) -> Self {
        if let Some(file) = &mut self.routes_file.value {
            file.entries = file.content.0.len();
            self.routes.value.0.append(&mut file.content.0);
        }
        if let Some(file) = &mut self.clients_file.value {
            let clients = &mut file.content.clients.value;
            file.entries = clients.0.len();
            self.clients.value.0.append(&mut clients.0);
        }
        self
    }

    /// The files that it names for a part of its entries.
    pub(in crate::config) fn named(&self) -> impl Iterator<Item = NamedFile<'_>> {
        let routes = self.routes_file.written().map(|file| NamedFile {
            what: "routes",
            span: file.span,
            path: &file.value.path,
            entries: file.value.entries,
        });
        let clients = self.clients_file.written().map(|file| NamedFile {
            what: "clients",
            span: file.span,
            path: &file.value.path,
            entries: file.value.entries,
        });
        routes.into_iter().chain(clients)
    }

    /// All routes whose keys are there.
    pub(in crate::config) fn good_routes(
        &self,
    ) -> impl Iterator<Item = (&At<PathPrefix>, &RouteKeys)> {
        let routes = self.all_routes();
        routes.filter_map(|route| Some((route.prefix, route.keys?)))
    }

    /// All routes.
    pub(in crate::config) fn all_routes(&self) -> impl Iterator<Item = WrittenRoute<'_>> {
        let short = self.routes.0.iter().map(|(prefix, keys)| WrittenRoute {
            prefix,
            keys: keys.as_ref().map(|keys| &keys.value),
            in_map: true,
        });
        let long = self.route.iter().map(|route| WrittenRoute {
            prefix: &route.prefix,
            keys: Some(&route.route),
            in_map: false,
        });
        short.chain(long)
    }

    /// What only identified clients reach; `allow` makes the list of those who may come in.
    pub(in crate::config) fn protected(
        &self,
        mut allow: impl FnMut(&ProtectedKeys) -> Option<usize>,
    ) -> ProtectedPrefixes {
        let prefixes = self.access.protected.iter().map(|keys| ProtectedPrefix {
            prefix: keys.prefix.value.clone(),
            methods: keys.methods.values(),
            allow: allow(keys),
        });
        ProtectedPrefixes::new(prefixes.collect(), self.access.public.values())
    }

    /// The same, as far as it keeps anonymous callers out.
    pub(in crate::config) fn not_public(&self) -> ProtectedPrefixes {
        self.protected(|_| None)
    }
}

/// A configuration as it was written, with all defaults.
pub struct Written {
    pub(super) file: Box<File>,
    /// What it was read from.
    pub texts: Texts,
}

impl Written {
    /// What a configuration before this one had and this one has none of, and in which of the files that
    /// it names; the main file has no routes if that is none. Nobody empties a file and leaves it named.
    pub fn emptied(&self, before: &Self) -> Option<(&'static str, Option<&Path>)> {
        let has_routes = |it: &Self| it.file.all_routes().next().is_some();
        if has_routes(before) && !has_routes(self) {
            return Some(("routes", None));
        }
        let had = |what| {
            before
                .file
                .named()
                .any(|it| it.what == what && it.entries > 0)
        };
        let mut named = self.file.named();
        let file = named.find(|file| file.entries == 0 && had(file.what))?;
        Some((file.what, Some(file.path)))
    }

    /// How many limits there are.
    pub fn limits(&self) -> usize {
        let limits = &self.file.limits;
        let own = [limits.anonymous.is_some(), limits.identified.is_some()];
        let own = own.into_iter().filter(|is_there| *is_there).count();
        own + limits.tiers.0.len() + limits.policies.0.len()
    }

    /// Whether a variable that names Redis is empty, so that there is none.
    pub fn has_empty_redis(&self) -> bool {
        self.file
            .limits
            .redis
            .as_ref()
            .is_some_and(RedisKeys::is_off)
    }
}

/// What is not as by default, without secrets.
impl fmt::Debug for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Display::fmt(&self.file.shown(), f)
    }
}

/// Port 3000 of all of the machine's addresses of IPv4.
fn any_address() -> List<ListenKeys> {
    let span = Span::NOWHERE;
    let value = SocketAddr::from(([0, 0, 0, 0], 3000));
    List::of([ListenKeys {
        address: At { value, span },
        tls: At { value: false, span },
        redirect: At { value: None, span },
        proxy_protocol: At { value: false, span },
    }])
}
