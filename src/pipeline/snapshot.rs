//! Everything a request is judged by, compiled. A reload makes a new snapshot and swaps it in
//! whole; a request that has begun keeps the one it began with.

use std::collections::HashSet;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;

use crate::acme::{Acme, AcmeSettings};
use crate::client::{AllowList, ApiKeyHash, CertificateTable, Client, KeyTable};
pub use crate::limit::LimitHeaders;
use crate::limit::Policy;
use crate::logging::Lines;
use crate::message::address_rules::AddressRules;
use crate::message::caller::TlsPeer;
use crate::message::cors::Cors;
use crate::message::forward::Names;
use crate::message::target::host_without_port;
use crate::route::{ProtectedPrefixes, RouteTable};
use crate::tls::{Challenges, Fit, ServerTls};
use crate::traces::TraceSettings;
use crate::upstream::Upstream;
use crate::wire::head::HeadLimits;
use crate::words::words;

/// The compiled configuration, as far as a reload may change it.
#[derive(Debug)]
pub struct Snapshot {
    /// Who may come in.
    pub access: Access,
    /// How much.
    pub limits: Limits,
    /// Where to.
    pub routes: RouteTable,
    /// What routes lead to, by their index.
    pub upstreams: Vec<Arc<Upstream>>,
    /// Whose word about the caller's address is taken.
    pub trusted_proxies: Vec<IpNet>,
    /// How large a request's head may be.
    pub head_limits: HeadLimits,
    /// The longest that a request's head may take from its first byte to its last.
    pub header_timeout: Duration,
    /// How long a kept client connection may rest between requests, and a body between two pieces.
    pub idle_timeout: Duration,
    /// How many connections an address may have.
    pub max_connections_per_ip: Option<NonZeroU32>,
    /// How many bytes of bodies a client has to send or read each second while it is waited for.
    pub min_body_rate: Option<NonZeroU32>,
    /// TLS towards clients; absent if none is spoken anywhere.
    pub tls: Option<Arc<ServerTls>>,
    /// What is asked of a certificate authority.
    pub acme: Option<Arc<AcmeSettings>>,
    /// What a certificate authority is to see.
    pub challenges: Arc<Challenges>,
    /// Which requests are traced; absent if none are.
    pub traces: Option<Arc<TraceSettings>>,
    /// What the access log has of requests.
    pub access_lines: Lines,
    /// Who may do what on the admin port.
    pub operators: Operators,
}

/// Who may come in.
#[derive(Debug)]
pub struct Access {
    /// All keys of all clients.
    pub keys: KeyTable,
    /// What clients with a certificate are known by.
    pub certificates: CertificateTable,
    /// All clients, sorted by name, for `explain --client`.
    pub clients: Vec<Client>,
    /// From which addresses requests may come; `None` is any.
    pub addresses: Option<AddressRules>,
    /// Lists of clients that may come in somewhere; routes and protected prefixes name them by their
    /// index.
    pub allow: Vec<AllowList>,
    /// What anonymous callers are kept out of.
    pub protected: ProtectedPrefixes,
    /// The field names that the configuration decides.
    pub names: Names,
    /// What pages of other origins may do where no route says otherwise.
    pub cors: Option<Arc<Cors>>,
}

words! {
    /// What a gateway may need to be ready.
    pub enum ReadyNeed {
        /// A certificate for each name that one is ordered for.
        Certificates = "certificates",
        /// Redis, where requests are refused without it.
        Limiter = "limiter",
        /// For each upstream an endpoint that can be used.
        Upstreams = "upstreams",
    }
}

/// Who may do what on the admin port.
#[derive(Debug)]
pub struct Operators {
    /// The token for changes and reading.
    pub token: Option<ApiKeyHash>,
    /// The token for reading.
    pub read_token: Option<ApiKeyHash>,
    /// What has to be there for the gateway to be ready.
    pub ready_needs: Vec<ReadyNeed>,
    /// More names that the port is known by, also `*.example.com`.
    pub hosts: Vec<Box<str>>,
}

/// How much.
#[derive(Debug)]
pub struct Limits {
    /// For anonymous callers, counted per address.
    pub anonymous: Option<Arc<Policy>>,
    /// For clients without a tier; each carries the policy that holds for it.
    pub identified: Option<Arc<Policy>>,
    /// For requests with wrong keys, counted per address.
    pub invalid_keys: Option<Arc<Policy>>,
    /// All limits, by their places.
    pub all: Vec<Arc<Policy>>,
    /// How answers report a limit.
    pub headers: LimitHeaders,
    /// IPv6 callers are counted by this many leading bits.
    pub ipv6_prefix: u8,
}

impl Limits {
    /// Whether answers report a limit, and the services' own reports give way to that.
    pub fn are_reported(&self) -> bool {
        self.headers != LimitHeaders::Off
    }
}

impl Snapshot {
    /// The upstreams that a route leads to: no request gets to the others.
    pub fn used_upstreams(&self) -> impl Iterator<Item = &Arc<Upstream>> {
        let routes = self.routes.routes().iter();
        let used: HashSet<usize> = routes.filter_map(|route| route.upstream()).collect();
        let all = self.upstreams.iter().enumerate();
        all.filter(move |(place, _)| used.contains(place))
            .map(|(_, upstream)| upstream)
    }

    /// Takes what the process knows of ACME: the certificates that there are, and challenges to be answered.
    /// Asks for the certificates that there are not.
    pub fn join_acme(&mut self, acme: &Acme) {
        acme.join(self.acme.as_ref(), self.tls.clone());
        self.challenges = Arc::clone(acme.challenges());
    }

    /// Whether clients find this host at `https`: a route names it, or a certificate is for it.
    pub fn has_https(&self, host: &[u8]) -> bool {
        let Ok(name) = std::str::from_utf8(host_without_port(host)) else {
            return false;
        };
        let has_certificate = self.tls.as_ref().is_some_and(|tls| tls.is_for(name));
        !name.is_empty() && (has_certificate || self.routes.names_host(host))
    }

    /// Whether a request for this host may come on a connection that was made for another name: the
    /// same certificate is shown for both (RFC 9110 section 7.4), and the same is asked of the client.
    pub fn fit(&self, connection: &TlsPeer, host: &[u8]) -> Fit {
        let (Some(tls), Ok(host)) = (&self.tls, std::str::from_utf8(host)) else {
            return Fit::Fits;
        };
        let sni = connection.sni.as_deref();
        if !tls.same_certificate(sni, host) {
            return Fit::OtherHost;
        }
        let client_auth = tls.client_auth();
        client_auth.map_or(Fit::Fits, |it| {
            it.fits(connection.asked.as_deref(), sni, host)
        })
    }

    /// Whether what `peer` says about who came before it is believed.
    pub fn trusts(&self, peer: IpAddr) -> bool {
        self.trusted_proxies.iter().any(|net| net.contains(&peer))
    }
}
