//! `[upstreams.NAME]` and `[upstream_defaults]`.

use std::time::Duration;

use rustls::pki_types::ServerName;

use crate::config::keys::{List, Number, OrOff, table};
use crate::config::kinds::{
    GrpcCheck, HealthPath, ReloadedPem, ServiceProtocol, Size, StatusRange, Within,
};
use crate::route::SentHost;
use crate::upstream::{EndpointUrl, HashBy, MaxRequests};
use crate::wire::proxy_protocol::Version;
use crate::words::words;

const MIB: u64 = 1024 * 1024;

/// In milliseconds.
const DAY: u64 = 24 * 3_600_000;

table! {
    /// A service behind the gateway.
    UpstreamKeys, such as r#"endpoints = @["http://127.0.0.1:4001"]"# {
        ..rules: UpstreamRuleKeys;
        /// Where it is: `http://host[:port][/path]`, or the same with `https` for TLS, without user, query
        /// and fragment. The URL's own
        /// path, which has to be the same for all, is put in front of the request's. A request for the
        /// prefix alone goes to the URL as it is written, with a slash at its end or without. Each host
        /// and port stands here once.
        endpoints: List<EndpointKeys>;
    }
}

table! {
    /// How a service is reached, and what happens when it fails.
    UpstreamRuleKeys, such as r#"connect_timeout = "2s""# {
        /// Which endpoint gets a request. `least-requests`: of two that are picked by weight, the one
        /// with fewer requests in flight for its weight. `round-robin`: one after another, by weight.
        /// `hash`: the same one for the same `hash_by`, as long as it can be used and is not overloaded.
        balance: BalanceWord = BalanceWord::LeastRequests;
        /// With `balance = "hash"`: what requests for the same endpoint have in common. `client`: the
        /// client's name, for anonymous callers the address. `ip`: the address. `header:NAME` and
        /// `cookie:NAME`: the value, and the address where there is none or it is empty.
        hash_by: HashBy = HashBy::Client;
        /// The `Host` that the service gets, where the route does not say it: `preserve`, as the client
        /// sent it; `endpoint`, as the URL of the endpoint that is picked has it; or a name.
        host: SentHost = SentHost::Preserve;
        /// Which HTTP is spoken to the service: `http1`, which is HTTP/1.1, or `auto`, the newest that both
        /// sides speak. The gateway speaks no HTTP/2 to services yet, so that `auto` is HTTP/1.1, too.
        protocol: ServiceProtocol = ServiceProtocol::Auto;
        /// The longest time for connecting, including the lookup of the name.
        connect_timeout: Duration = Duration::from_secs(2);
        /// The longest wait for the head of the answer to one try, from the end of the request on. The
        /// route's `timeout` is for all tries together.
        try_timeout: OrOff<Duration> = OrOff(None);
        /// The longest pause without a byte in either direction while the gateway waits for the service
        /// (for the client: `server.idle_timeout`); also how long an idle connection stays open for the
        /// next request.
        idle_timeout: Duration = Duration::from_mins(1);
        /// How many idle connections each worker leaves open for later requests, for each address of an
        /// endpoint. A connection that becomes idle beyond this number is closed; with `proxy_protocol` the
        /// oldest is. With 0 services are told `Connection: close`.
        keep: Number<0, 1_000_000> = Number(1024);
        /// How many requests of this process may be in flight at once, to all endpoints together; more
        /// get 503 `overloaded` unless they may wait. `adaptive`: as many as do not slow the answers
        /// down, and never fewer than 20.
        max_requests: OrOff<MaxRequests> = OrOff(None);
        /// How many requests may wait until one of `max_requests` has ended.
        max_waiting: Number<0, 1_000_000> = Number(0);
        /// The longest time that a request waits so; then it gets 503 `overloaded`. What it has waited counts
        /// towards the route's `timeout`.
        queue_timeout: Duration = Duration::from_secs(1);
        /// How long a new or recovered endpoint takes to its full share of the requests, which grows step
        /// by step. Not with `balance = "hash"`: what belongs to an endpoint is sent there from the first
        /// request on.
        slow_start: OrOff<Duration> = OrOff(None);
        /// Whether each connection to the service begins with a PROXY protocol header, of version 1 or 2,
        /// which says where the client's connection comes from and leads to. Such a connection is used for
        /// this client's requests alone. The service has to expect the header, from the gateway's checks
        /// too.
        proxy_protocol: OrOff<Version> = OrOff(None);
        /// Requests of the gateway's own that find out whether endpoints are well. `off`: none.
        health: OrOff<HealthKeys> = OrOff(None);
        /// When an endpoint is left alone for a while because requests to it fail (a circuit breaker).
        /// `off`: never.
        breaker: OrOff<BreakerKeys>;
        /// Which failed requests are tried again, and how often. `off`: none of which anything was sent.
        retry: OrOff<RetryKeys>;
        /// TLS with endpoints whose URL begins with `https`.
        tls: UpstreamTlsKeys;
    }
}

table! {
    /// Whom the gateway takes for the service, and what it proves itself with.
    UpstreamTlsKeys, such as r#"ca = @"ca.pem""# {
        /// A file in PEM with the certificates of authorities: what one of them has signed is the
        /// service's. Absent: those that the platform trusts.
        ca: Option<ReloadedPem>;
        /// A file in PEM with the certificate that the service is shown if it asks for one, followed by
        /// those that lead from it to its authority. Needs `key`.
        cert: Option<ReloadedPem>;
        /// A file in PEM with the key of that certificate, not encrypted.
        key: Option<ReloadedPem>;
        /// The name or address that the service's certificate has to be for, and the name that it is asked
        /// for (SNI). Absent: the host of the endpoint's URL.
        server_name: Option<ServerName<'static>>;
        /// Whether the service's certificate is verified. `false`: anybody is taken for the service, which
        /// the log warns of at each start and reload.
        verify: bool = true;
    }
}

table! {
    /// One address of a service.
    EndpointKeys [url], such as r#"url = "http://10.0.0.1:4002", weight = 2"# {
        /// Its URL.
        url: EndpointUrl;
        /// Its share of the requests, in proportion to the weights of the others. 0: it gets none that
        /// is new.
        weight: Number<0, 65_535> = Number(1);
        /// Whether it gets requests only while no endpoint without `backup` can be used.
        backup: bool = false;
    }
}

table! {
    /// How endpoints are checked.
    HealthKeys, such as r#"path = @"/healthz""# {
        /// Whether endpoints are checked by the health protocol of gRPC, over HTTP/2, in the place of a
        /// GET: `path` and `statuses` are refused beside it. `true`: whether the server as a whole serves.
        /// A name: whether this service does, as the server calls it.
        grpc: GrpcCheck = GrpcCheck::Off;
        /// What is asked for with GET, after the path of the endpoint's URL: a path, possibly with a
        /// query.
        path: HealthPath = HealthPath("/healthz".to_owned());
        /// The pause between two checks of an endpoint, give or take a tenth.
        interval: Within<10, DAY, 1> = Within(Duration::from_secs(5));
        /// The longest time that a check may take.
        timeout: Within<1, DAY, 1> = Within(Duration::from_secs(2));
        /// How many checks in a row have to pass until an endpoint that was down gets requests again.
        up: Number<1, 1000> = Number(2);
        /// How many checks in a row have to fail until an endpoint gets no more requests.
        down: Number<1, 1000> = Number(3);
        /// The statuses of answers that pass.
        statuses: List<StatusRange> = List::of([StatusRange { first: 200, last: 399 }]);
    }
}

table! {
    /// When an endpoint's circuit opens.
    BreakerKeys, such as "failures = @3" {
        /// After how many failures in a row without any success for 250 ms. Refused connections count at
        /// once, even right after a success. However often a request is tried on an endpoint counts once.
        failures: Number<1, 1_000_000> = Number(3);
        /// How long the circuit stays open before one request may try again. It doubles up to two minutes
        /// while that fails and another endpoint serves.
        cool_down: Within<10, DAY, 1> = Within(Duration::from_secs(30));
        /// The statuses of answers that are failures; so are errors of the connection, time-outs and
        /// answers that are not valid.
        statuses: List<StatusRange> = gateway_errors();
    }
}

table! {
    /// Which failed requests are tried again.
    RetryKeys, such as "attempts = @2" {
        /// How often a request is tried again, beyond the first try.
        attempts: Number<0, 10> = Number(2);
        /// How many retries there may be, of all requests of the process to the upstream.
        budget: BudgetKeys;
        /// How much of the body of a request with an idempotent method is kept for another try, at most
        /// `64MiB`. A request whose body is larger is sent once.
        body: Size<0, { 64 * MIB }> = Size(64 * 1024);
        /// The statuses of answers in whose place another endpoint is asked.
        statuses: List<StatusRange> = gateway_errors();
    }
}

table! {
    /// How many retries there may be. Both are added up.
    BudgetKeys, such as "percent = @20" {
        /// For each hundred requests of the last 10 seconds.
        percent: Number<0, 1000> = Number(20);
        /// For each second, however few requests there are.
        per_second: Number<0, 1_000_000> = Number(10);
    }
}

words! {
    /// How an endpoint is picked.
    pub(in crate::config) enum BalanceWord {
        LeastRequests = "least-requests",
        RoundRobin = "round-robin",
        Hash = "hash",
    }
}

/// What gateways and overloaded services answer.
fn gateway_errors() -> List<StatusRange> {
    List::of([502, 503, 504].map(StatusRange::one))
}
