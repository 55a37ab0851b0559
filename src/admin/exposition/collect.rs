//! One scrape: everything as it is now, and how it is written down. Families are in the order of the
//! documentation (`docs/metrics.md`).

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Unit;

use crate::metrics::{Outcome, OutcomeTotals, RouteCounts, Totals};
use crate::upstream::{AddressState, CircuitState};
use crate::words::Word;

use super::super::process::Process;
use super::super::view::View;
use super::labels::Labels;
use super::put::{Out, counter, durations};

/// Everything as it is at one time.
#[derive(Debug)]
pub(super) struct Scrape {
    totals: Totals,
    endpoints: Vec<EndpointNow>,
    /// Upstreams with TLS, and whether all their certificates are verified.
    verified: Vec<(Arc<str>, bool)>,
    /// Names and the seconds since 1970 when they expire.
    certificates: BTreeMap<String, i64>,
    /// Whether Redis is there, if there should be one, and how many gateways share it.
    redis: Option<(bool, u32)>,
    process: Process,
}

/// An endpoint's address.
#[derive(Debug)]
struct EndpointNow {
    upstream: Arc<str>,
    address: String,
    is_up: bool,
    circuit: CircuitState,
}

impl Scrape {
    /// Reads everything.
    pub(super) fn of(view: &View) -> Self {
        let snapshot = Arc::clone(&view.snapshots.borrow());
        let now = Instant::now();
        let mut endpoints = Vec::new();
        for upstream in &snapshot.upstreams {
            for (_, look) in upstream.looks(now) {
                for address in look.addresses {
                    endpoints.push(EndpointNow {
                        upstream: Arc::clone(&upstream.name),
                        address: address.socket.to_string(),
                        is_up: address.state == AddressState::Up,
                        circuit: address.circuit,
                    });
                }
            }
        }
        // An address may stand in two endpoints of an upstream, which are then counted together.
        endpoints.sort_by(|a, b| (&a.upstream, &a.address).cmp(&(&b.upstream, &b.address)));
        endpoints.dedup_by(|a, b| a.upstream == b.upstream && a.address == b.address);
        let verified = snapshot.upstreams.iter().filter_map(|upstream| {
            let endpoints = upstream.endpoints.iter();
            let mut tls = endpoints.filter_map(|one| one.tls.as_ref()).peekable();
            tls.peek()?;
            Some((Arc::clone(&upstream.name), tls.all(|it| it.tls.verifies())))
        });
        let store = view.store.look();
        Self {
            totals: view.metrics.read(),
            endpoints,
            verified: verified.collect(),
            certificates: super::certificates(&snapshot),
            redis: store
                .redis
                .map(|redis| (redis.away_since.is_none(), redis.instances)),
            process: Process::look(),
        }
    }
}

impl Scrape {
    /// The routes, in the order in which they are written down.
    pub(super) fn routes(&self) -> &[RouteCounts] {
        &self.totals.routes
    }

    /// A number of each of them.
    fn by_route<'s, N>(
        &'s self,
        of: impl Fn(&'s RouteCounts) -> N,
    ) -> impl Iterator<Item = (Labels<'s, 1>, N)> {
        let routes = self.routes().iter();
        routes.map(move |route| (Labels([("route", route.name())]), of(route)))
    }
}

impl Collector for Scrape {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut out = Out(&mut encoder);
        self.put_requests(&mut out)?;
        self.put_refusals(&mut out)?;
        self.put_limits(&mut out)?;
        self.put_upstreams(&mut out)?;
        self.put_connections(&mut out)?;
        self.put_process(&mut out)
    }
}

impl Scrape {
    fn put_requests(&self, out: &mut Out<'_, '_>) -> fmt::Result {
        let help = "Requests that have ended, by route, who has called, and status";
        out.family(
            "tollgate_requests",
            help,
            None,
            MetricType::Counter,
            |out| {
                for route in self.routes() {
                    for (kind, status, count) in route.requests().iter() {
                        let status = status.map_or_else(|| "other".to_owned(), |it| it.to_string());
                        let labels = Labels([
                            ("route", route.name()),
                            ("client_kind", kind.word()),
                            ("status", &status),
                        ]);
                        counter(&mut out.encode_family(&labels)?, count)?;
                    }
                }
                Ok(())
            },
        )?;
        let help = "Requests that were answered with 500 or more, whether or not that status is registered";
        let errors = self.by_route(RouteCounts::errors);
        out.counters("tollgate_request_errors", help, errors)?;
        let help = "From a request's head to the end of its answer";
        let durations = self.by_route(RouteCounts::duration);
        out.durations("tollgate_request_duration", help, durations)?;
        let help = "What the gateway took of that itself: up to the answer's head, less what services took";
        let overheads = self.by_route(RouteCounts::overhead);
        out.durations("tollgate_gateway_overhead", help, overheads)?;
        let help = "Requests that are being served";
        let in_flight = self.by_route(RouteCounts::in_flight);
        out.gauges("tollgate_requests_in_flight", help, in_flight)?;
        let help = "Bytes of requests' bodies, as they were received";
        let bytes = self.by_route(RouteCounts::request_bytes);
        out.counters("tollgate_request_body_bytes", help, bytes)?;
        let help = "Bytes of answers' bodies, as they were sent";
        let bytes = self.by_route(RouteCounts::response_bytes);
        out.counters("tollgate_response_body_bytes", help, bytes)
    }

    fn put_refusals(&self, out: &mut Out<'_, '_>) -> fmt::Result {
        let help = "Requests that were refused, or ended without a whole answer, by the code in log and problem";
        let refused = self.totals.refused.iter();
        let refused = refused.map(|(code, count)| (Labels([("code", code)]), *count));
        out.counters("tollgate_rejections", help, refused)?;
        let help = "Requests of clients, by what has become of them; `_other` are those of clients beyond the first 200";
        let clients = by_outcome("client", &self.totals.clients, |it| it);
        out.counters("tollgate_client_requests", help, clients)
    }

    fn put_limits(&self, out: &mut Out<'_, '_>) -> fmt::Result {
        let help = "What limits have said of requests";
        let policies = by_outcome("policy", &self.totals.policies, |it| it);
        out.counters("tollgate_rate_limit_decisions", help, policies)?;
        let Some((up, instances)) = self.redis else {
            return Ok(());
        };
        let all = &self.totals.all;
        let help = "How long Redis took to decide";
        let unit = Some(&Unit::Seconds);
        let name = "tollgate_limit_store_duration";
        out.family(name, help, unit, MetricType::Histogram, |out| {
            durations(out, &all.store_duration)
        })?;
        let help = "1 while all workers have a connection to Redis";
        out.gauge("tollgate_limit_store_up", help, u8::from(up).into())?;
        let help = "Calls to Redis for a decision";
        let calls = outcomes(&all.store_calls);
        out.counters("tollgate_limit_store_calls", help, calls)?;
        let help = "Gateways that share the counters in Redis";
        out.gauge("tollgate_limit_instances", help, instances.into())
    }

    fn put_upstreams(&self, out: &mut Out<'_, '_>) -> fmt::Result {
        let help = "Tries at endpoints, by what has come of them";
        let tries = self.totals.endpoints.iter().flat_map(|(name, totals)| {
            let all = totals.all().filter(|(_, count)| *count > 0);
            all.map(|(outcome, count)| {
                let labels = Labels([
                    ("upstream", &*name.upstream),
                    ("endpoint", &*name.address),
                    ("outcome", outcome),
                ]);
                (labels, count)
            })
        });
        out.counters("tollgate_upstream_requests", help, tries)?;
        let upstreams = &self.totals.upstreams;
        let help = "From the end of what an endpoint was sent to the head of its answer";
        let durations = upstreams.iter();
        let durations = durations.map(|(name, it)| (Labels([("upstream", name)]), &it.duration));
        out.durations("tollgate_upstream_duration", help, durations)?;
        let help = "Tries beyond a request's first, by what has come of them";
        let retries = by_outcome("upstream", upstreams, |it| &it.retries);
        out.counters("tollgate_retries", help, retries)?;
        let help = "1 while an endpoint takes requests: it is not drained, its checks do not fail, and its circuit is not open";
        let up = self.endpoints.iter();
        let up = up.map(|one| (one.labels(), u64::from(one.is_up)));
        out.gauges("tollgate_endpoint_up", help, up)?;
        let help = "An endpoint's circuit: 0 closed, 1 half-open, 2 open";
        let circuits = self.endpoints.iter().map(|one| {
            let state = match one.circuit {
                CircuitState::Open => 2_u64,
                CircuitState::HalfOpen => 1,
                CircuitState::Closed => 0,
            };
            (one.labels(), state)
        });
        out.gauges("tollgate_circuit_state", help, circuits)?;
        let help = "0 for upstreams with `tls.verify = false`, 1 for others that speak TLS";
        let verified = self.verified.iter();
        let verified = verified.map(|(name, all)| (Labels([("upstream", name)]), u64::from(*all)));
        out.gauges("tollgate_upstream_tls_verified", help, verified)
    }

    fn put_connections(&self, out: &mut Out<'_, '_>) -> fmt::Result {
        let all = &self.totals.all;
        let help = "Open connections, of clients and to services";
        let connections = [
            (
                "client",
                "http",
                all.clients.saturating_sub(all.tls_clients),
            ),
            ("client", "https", all.tls_clients),
            ("upstream", "http", all.services),
            ("upstream", "https", all.tls_services),
        ];
        let connections = connections.map(|(side, protocol, count)| {
            (Labels([("side", side), ("protocol", protocol)]), count)
        });
        out.gauges("tollgate_connections", help, connections)?;
        let help = "Handshakes of clients with TLS, by how they have ended";
        let handshakes = outcomes(&all.handshakes);
        out.counters("tollgate_tls_handshakes", help, handshakes)?;
        let help = "When a certificate expires, in seconds since 1970";
        let certificates = self.certificates.iter();
        let certificates = certificates.map(|(name, ends)| (Labels([("name", name)]), *ends));
        let name = "tollgate_certificate_expiry_timestamp_seconds";
        out.gauges(name, help, certificates)?;
        let help = "Lines of the access log that could not be written";
        let name = "tollgate_access_log_lines_dropped";
        out.counter(name, help, self.totals.dropped.lines)?;
        let help = "Spans of traces that could not be exported";
        out.counter("tollgate_spans_dropped", help, self.totals.dropped.spans)
    }

    #[allow(clippy::cast_precision_loss)] // doubles are what Prometheus reads
    fn put_process(&self, out: &mut Out<'_, '_>) -> fmt::Result {
        let help = "Reloads of the configuration, the start among them";
        let reloads = outcomes(&self.totals.reloads);
        out.counters("tollgate_config_reloads", help, reloads)?;
        let help = "When the configuration in force was loaded, in seconds since 1970";
        let loaded = self.totals.last_reload_success_ms as f64 / 1000.0;
        let name = "tollgate_config_last_reload_success_timestamp_seconds";
        out.gauge(name, help, loaded)?;
        let help = "1, with the version of the program";
        let version = (Labels([("version", crate::VERSION)]), 1_u64);
        out.gauges("tollgate_build_info", help, [version])?;
        let process = &self.process;
        if let Some(cpu) = process.cpu {
            let help = "Processor time of this process";
            out.family(
                "process_cpu",
                help,
                Some(&Unit::Seconds),
                MetricType::Counter,
                |out| out.encode_counter::<NoLabelSet, f64, f64>(&cpu.as_secs_f64(), None),
            )?;
        }
        let (resident, virtually) = (process.resident_bytes, process.virtual_bytes);
        let (open, most) = (process.open_fds, process.max_fds);
        let gauges = [
            ("process_resident_memory_bytes", "Memory in use", resident),
            ("process_virtual_memory_bytes", "Address space", virtually),
            ("process_open_fds", "Open files and sockets", open),
            ("process_max_fds", "How many may be open", most),
        ];
        for (name, help, value) in gauges {
            if let Some(value) = value {
                out.gauge(name, help, value as f64)?;
            }
        }
        let start = process.start_seconds;
        let help = "When this process began, in seconds since 1970";
        start.map_or(Ok(()), |start| {
            out.gauge("process_start_time_seconds", help, start)
        })
    }
}

impl EndpointNow {
    fn labels(&self) -> Labels<'_, 2> {
        Labels([("upstream", &self.upstream), ("endpoint", &self.address)])
    }
}

fn outcomes<O: Outcome>(
    totals: &OutcomeTotals<O>,
) -> impl Iterator<Item = (Labels<'static, 1>, u64)> {
    let all = totals.all();
    all.map(|(outcome, count)| (Labels([("outcome", outcome)]), count))
}

/// The same for each of several; `label` is what their names are.
fn by_outcome<'t, T, O: Outcome + 't>(
    label: &'static str,
    names: &'t BTreeMap<Arc<str>, T>,
    of: impl Fn(&'t T) -> &'t OutcomeTotals<O>,
) -> impl Iterator<Item = (Labels<'t, 2>, u64)> {
    names.iter().flat_map(move |(name, totals)| {
        let all = of(totals).all();
        all.map(move |(outcome, count)| (Labels([(label, name), ("outcome", outcome)]), count))
    })
}
