//! `[server]`, `[admin]` and `[log]`.

use std::net::SocketAddr;
use std::time::Duration;

use http::HeaderName;
use ipnet::IpNet;

use crate::client::ApiKeyHash;
use crate::config::keys::{List, Number, OrOff, table};
use crate::config::kinds::{FieldName, HostName, Share, Size, Within, port_alone};
use crate::config::settings::{AccessLog, AdminListen, LogFormat};
use crate::logging::Member;
use crate::message::forward::OddFieldNames;
use crate::pipeline::snapshot::ReadyNeed;
use crate::wire::head::MOST_FIELDS;
use crate::words::{Word, words};

table! {
    /// Where clients connect.
    ListenKeys [address], otherwise port_alone, such as r#"address = "0.0.0.0:3000""# {
        /// An IP address and a port.
        address: SocketAddr;
        /// Whether clients speak TLS here, with the certificates of `[tls]`.
        tls: bool = false;
        /// `https`: nothing is served here, and clients are sent to the same URL with `https` (308), on
        /// its usual port, for hosts that routes or certificates name. `/health` is answered.
        redirect: Option<RedirectTo>;
        /// Whether those of `server.trusted_proxies` begin each connection with a PROXY protocol header
        /// (version 1 or 2), which says where the client's connection comes from. They must, and nobody
        /// else may.
        proxy_protocol: bool = false;
    }
}

table! {
    /// How connections are served.
    ServerKeys, such as "workers = @4" {
        /// Threads that serve; 0 is one for each available core.
        workers: Number<0, 1024> = Number(0), restart;
        /// Peers whose `X-Forwarded-For` is believed. It is read from right to left, up to the first
        /// address that is not trusted.
        trusted_proxies: List<IpNet> = List::empty();
        /// The header field in which the request's id travels.
        request_id_header: FieldName = FieldName(HeaderName::from_static("x-request-id"));
        /// What happens to fields and trailers of a request whose names have anything but letters,
        /// digits and `-`, such as `X_Tenant` or `SCRIPT_NAME`. `drop`: no service gets them. `pass`:
        /// services get them, except for those that look like a field which the gateway reads or
        /// sets.
        odd_field_names: OddFieldNames = OddFieldNames::Drop;
        /// Whether the gateway adds itself to `Via` of requests (RFC 9110 section 7.6.3). Many services,
        /// such as nginx, do not compress answers to requests with `Via`; `false` leaves the field as it
        /// came, and requests that go round in a circle are not noticed.
        via: bool = true;
        /// How many client connections may be open at once. When more arrive, those idle for longest are
        /// closed; if none is idle, new ones wait in the kernel.
        max_connections: Number<1, 10_000_000> = Number(10_000), restart;
        /// How many connections one address may have open, of IPv6 one network of `limits.ipv6_prefix`
        /// bits. Further ones are closed at once. Connections of `trusted_proxies` do not count.
        max_connections_per_ip: OrOff<Number<1, 10_000_000>> = OrOff(None);
        /// The largest head of a request, from `1KiB` to `16MiB`; a larger one gets 431.
        max_head: Size<1024, { 16 << 20 }> = Size(64 << 10);
        /// The most header fields in a request; more get 431.
        max_headers: Number<1, { MOST_FIELDS as u64 }> = Number(100);
        /// The longest time from the first byte of a head to its last; after that, 408.
        header_timeout: Duration = Duration::from_secs(10);
        /// How long a client's connection stays open without a request, and the longest pause within a
        /// body.
        idle_timeout: Duration = Duration::from_secs(75);
        /// How many bytes of a body a client has to send, or to read, each second while the gateway waits
        /// for it, on average; a slower one is cut, from 5 s on when it sends and from 11 s on when it
        /// reads. 0: no bound but `idle_timeout`. Time that a service takes, the pauses of an event
        /// stream, and tunnels do not count.
        min_body_rate: Number<0, 1_000_000> = Number(240);
        /// How long all goes on as before when the gateway is told to stop, but for `/readyz` of the admin
        /// port: time for a load balancer to notice, at most `1h`. A second signal ends it.
        drain_delay: Within<0, 3_600_000, 1> = Within(Duration::ZERO), restart;
        /// How long requests in flight may take when the gateway stops.
        drain_timeout: Duration = Duration::from_secs(30), restart;
        /// Reload when a file has changed and stayed the same for a second.
        watch: bool = false, restart;
    }
}

table! {
    /// The operator's own port.
    AdminKeys, such as r#"listen = @"127.0.0.1:9000""# {
        /// Where it listens: an IP address and a port, `unix:` and an absolute path, or `off`. Port 0 is
        /// any free port.
        listen: AdminListen = AdminListen::DEFAULT, restart;
        /// The hash of the token that may change and read. Needed, or `read_token`, wherever other machines
        /// can connect.
        token: Option<ApiKeyHash>;
        /// The hash of a token that may only read.
        read_token: Option<ApiKeyHash>;
        /// What `/readyz` asks for beside a gateway that serves. `certificates`: one for each name of
        /// `tls.acme`; `limiter`: Redis, where requests are refused without it; `upstreams`: an endpoint
        /// that can be used, for each.
        ready_needs: List<ReadyNeed> = List::of(ReadyNeed::ALL.iter().map(|it| it.1));
        /// More names that the port is known by, such as that of a proxy in front of it. `localhost`, loopback
        /// addresses and the address that was connected to always are.
        hosts: List<HostName> = List::empty();
        /// Where metrics and health are besides, without a token, and nothing else: written as `listen` is.
        metrics_listen: AdminListen = AdminListen::Off, restart;
    }
}

table! {
    /// What is logged.
    LogKeys, such as r#"level = "info""# {
        /// The level of the operator's log, which goes to standard error.
        level: tracing::Level = tracing::Level::INFO, restart;
        /// The format of log lines. `auto`: pretty on a terminal, JSON elsewhere.
        format: LogFormat = LogFormat::Auto, restart;
        /// Where the access log goes, one line a request. A file is reopened on SIGUSR1.
        access: AccessLog = AccessLog::Stdout, restart;
        /// The members that an access line has, in the log's own order; without any, it has all. For
        /// lines in JSON: those for a terminal stay as they are.
        fields: List<Member> = List::empty();
        /// The share of access lines that is written for answers below 400. A line then says for how many
        /// requests it stands (`weight`). Refusals, errors and answers that broke off have a line in any
        /// case.
        sample_ok: Share = Share(1.0);
    }
}

words! {
    /// Where a listener sends clients.
    pub(in crate::config) enum RedirectTo {
        Https = "https",
    }
}
