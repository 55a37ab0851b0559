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

use crate::metrics::{RouteCounts, Totals};
use crate::upstream::{AddressState, CircuitState};
use crate::words::Word;

use super::super::process::Process;
use super::super::view::View;
use super::labels::Labels;
use super::put::{Out, counter, durations, gauge, put_durations};

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
        let routes = &self.totals.routes;
        let help = "Requests that have ended, by route, who has called, and status";
        out.counters("tollgate_requests", help, |out| {
            for route in routes {
                for (kind, status, count) in route.requests().iter() {
                    let status = status.map_or_else(|| "other".to_owned(), |it| it.to_string());
                    let labels = Labels([
                        ("route", route.name()),
                        ("client_kind", kind.word()),
                        ("status", &status),
                    ]);
                    counter(out, &labels, count)?;
                }
            }
            Ok(())
        })?;
        let help = "Requests that were answered with 500 or more, whether or not that status is registered";
        out.counters("tollgate_request_errors", help, |out| {
            let mut routes = routes.iter();
            routes.try_for_each(|it| counter(out, &of_route(it), it.errors()))
        })?;
        let help = "From a request's head to the end of its answer";
        out.durations("tollgate_request_duration", help, |out| {
            let mut routes = routes.iter();
            routes.try_for_each(|it| durations(out, &of_route(it), &it.duration()))
        })?;
        let help = "What the gateway took of that itself: up to the answer's head, less what services took";
        out.durations("tollgate_gateway_overhead", help, |out| {
            let mut routes = routes.iter();
            routes.try_for_each(|it| durations(out, &of_route(it), &it.overhead()))
        })?;
        let help = "Requests that are being served";
        out.gauges("tollgate_requests_in_flight", help, |out| {
            let mut routes = routes.iter();
            routes.try_for_each(|it| gauge(out, &of_route(it), it.in_flight()))
        })?;
        let help = "Bytes of requests' bodies, as they were received";
        out.counters("tollgate_request_body_bytes", help, |out| {
            let mut routes = routes.iter();
            routes.try_for_each(|it| counter(out, &of_route(it), it.request_bytes()))
        })?;
        let help = "Bytes of answers' bodies, as they were sent";
        out.counters("tollgate_response_body_bytes", help, |out| {
            let mut routes = routes.iter();
            routes.try_for_each(|it| counter(out, &of_route(it), it.response_bytes()))
        })
    }

    fn put_refusals(&self, out: &mut Out<'_, '_>) -> fmt::Result {
        let help = "Requests that were refused, or ended without a whole answer, by the code in log and problem";
        out.counters("tollgate_rejections", help, |out| {
            let mut refused = self.totals.refused.iter();
            refused.try_for_each(|(code, count)| counter(out, &Labels([("code", code)]), *count))
        })?;
        let help = "Requests of clients, by what has become of them; `_other` are those of clients beyond the first 200";
        out.counters("tollgate_client_requests", help, |out| {
            for (client, totals) in &self.totals.clients {
                for (outcome, count) in totals.all() {
                    counter(
                        out,
                        &Labels([("client", client), ("outcome", outcome)]),
                        count,
                    )?;
                }
            }
            Ok(())
        })
    }

    fn put_limits(&self, out: &mut Out<'_, '_>) -> fmt::Result {
        let help = "What limits have said of requests";
        out.counters("tollgate_rate_limit_decisions", help, |out| {
            for (policy, totals) in &self.totals.policies {
                for (outcome, count) in totals.all() {
                    counter(
                        out,
                        &Labels([("policy", policy), ("outcome", outcome)]),
                        count,
                    )?;
                }
            }
            Ok(())
        })?;
        let Some((up, instances)) = self.redis else {
            return Ok(());
        };
        let all = &self.totals.all;
        let help = "How long Redis took to decide";
        out.durations("tollgate_limit_store_duration", help, |out| {
            put_durations(out, &all.store_duration)
        })?;
        let help = "1 while all workers have a connection to Redis";
        out.gauge("tollgate_limit_store_up", help, u8::from(up).into())?;
        let help = "Calls to Redis for a decision";
        out.counters("tollgate_limit_store_calls", help, |out| {
            let mut calls = all.store_calls.all();
            calls.try_for_each(|(outcome, count)| {
                counter(out, &Labels([("outcome", outcome)]), count)
            })
        })?;
        let help = "Gateways that share the counters in Redis";
        out.gauge("tollgate_limit_instances", help, instances.into())
    }

    fn put_upstreams(&self, out: &mut Out<'_, '_>) -> fmt::Result {
        let help = "Tries at endpoints, by what has come of them";
        out.counters("tollgate_upstream_requests", help, |out| {
            for (name, totals) in &self.totals.endpoints {
                for (outcome, count) in totals.all().filter(|(_, count)| *count > 0) {
                    let labels = Labels([
                        ("upstream", &name.upstream),
                        ("endpoint", &name.address),
                        ("outcome", outcome),
                    ]);
                    counter(out, &labels, count)?;
                }
            }
            Ok(())
        })?;
        let upstreams = &self.totals.upstreams;
        let help = "From the end of what an endpoint was sent to the head of its answer";
        out.durations("tollgate_upstream_duration", help, |out| {
            let mut all = upstreams.iter();
            all.try_for_each(|(name, it)| {
                durations(out, &Labels([("upstream", name)]), &it.duration)
            })
        })?;
        let help = "Tries beyond a request's first, by what has come of them";
        out.counters("tollgate_retries", help, |out| {
            for (upstream, totals) in upstreams {
                for (outcome, count) in totals.retries.all() {
                    counter(
                        out,
                        &Labels([("upstream", upstream), ("outcome", outcome)]),
                        count,
                    )?;
                }
            }
            Ok(())
        })?;
        let help = "1 while an endpoint takes requests: it is not drained, its checks do not fail, and its circuit is not open";
        out.gauges("tollgate_endpoint_up", help, |out| {
            let mut all = self.endpoints.iter();
            all.try_for_each(|one| gauge(out, &one.labels(), one.is_up.into()))
        })?;
        let help = "An endpoint's circuit: 0 closed, 1 half-open, 2 open";
        out.gauges("tollgate_circuit_state", help, |out| {
            let mut all = self.endpoints.iter();
            all.try_for_each(|one| {
                let state = match one.circuit {
                    CircuitState::Open => 2,
                    CircuitState::HalfOpen => 1,
                    CircuitState::Closed => 0,
                };
                gauge(out, &one.labels(), state)
            })
        })?;
        let help = "0 for upstreams with `tls.verify = false`, 1 for others that speak TLS";
        out.gauges("tollgate_upstream_tls_verified", help, |out| {
            let mut all = self.verified.iter();
            all.try_for_each(|(upstream, verified)| {
                gauge(out, &Labels([("upstream", upstream)]), u64::from(*verified))
            })
        })
    }

    fn put_connections(&self, out: &mut Out<'_, '_>) -> fmt::Result {
        let all = &self.totals.all;
        let help = "Open connections, of clients and to services";
        out.gauges("tollgate_connections", help, |out| {
            let plain = all.clients.saturating_sub(all.tls_clients);
            let mut put = |side, protocol, count| {
                gauge(
                    out,
                    &Labels([("side", side), ("protocol", protocol)]),
                    count,
                )
            };
            put("client", "http", plain)?;
            put("client", "https", all.tls_clients)?;
            put("upstream", "http", all.services)?;
            put("upstream", "https", all.tls_services)
        })?;
        let help = "Handshakes of clients with TLS, by how they have ended";
        out.counters("tollgate_tls_handshakes", help, |out| {
            let mut handshakes = all.handshakes.all();
            handshakes.try_for_each(|(outcome, count)| {
                counter(out, &Labels([("outcome", outcome)]), count)
            })
        })?;
        let help = "When a certificate expires, in seconds since 1970";
        out.gauges(
            "tollgate_certificate_expiry_timestamp_seconds",
            help,
            |out| {
                let mut certificates = self.certificates.iter();
                certificates.try_for_each(|(name, expires)| {
                    out.encode_family(&Labels([("name", name)]))?
                        .encode_gauge(expires)
                })
            },
        )?;
        let help = "Lines of the access log that could not be written";
        out.counter(
            "tollgate_access_log_lines_dropped",
            help,
            self.totals.dropped.lines,
        )?;
        let help = "Spans of traces that could not be exported";
        out.counter("tollgate_spans_dropped", help, self.totals.dropped.spans)
    }

    #[allow(clippy::cast_precision_loss)] // doubles are what Prometheus reads
    fn put_process(&self, out: &mut Out<'_, '_>) -> fmt::Result {
        let help = "Reloads of the configuration, the start among them";
        out.counters("tollgate_config_reloads", help, |out| {
            let mut reloads = self.totals.reloads.all();
            reloads.try_for_each(|(outcome, count)| {
                counter(out, &Labels([("outcome", outcome)]), count)
            })
        })?;
        let help = "When the configuration in force was loaded, in seconds since 1970";
        let loaded = self.totals.last_reload_success_ms as f64 / 1000.0;
        out.gauge(
            "tollgate_config_last_reload_success_timestamp_seconds",
            help,
            loaded,
        )?;
        out.gauges(
            "tollgate_build_info",
            "1, with the version of the program",
            |out| gauge(out, &Labels([("version", crate::VERSION)]), 1),
        )?;
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
        let gauges = [
            (
                "process_resident_memory_bytes",
                "Memory in use",
                process.resident_bytes,
            ),
            (
                "process_virtual_memory_bytes",
                "Address space",
                process.virtual_bytes,
            ),
            (
                "process_open_fds",
                "Open files and sockets",
                process.open_fds,
            ),
            ("process_max_fds", "How many may be open", process.max_fds),
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

fn of_route(route: &RouteCounts) -> Labels<'_, 1> {
    Labels([("route", route.name())])
}
