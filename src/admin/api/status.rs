//! `GET /api/v1/status`: how the gateway is, in a sentence and in numbers.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::State;
use jiff::Timestamp;
use serde::Serialize;

use crate::admin::assessment::{Assessment, Ending, Loss, RedisAway, ShownTo, Situation, Trouble};
use crate::admin::health::reasons;
use crate::admin::history::{History, Present};
use crate::admin::problem::Problem;
use crate::admin::process::Process;
use crate::admin::time::Time;
use crate::admin::view::View;
use crate::limit::StoreLook;
use crate::metrics::{Total as _, WorkerTotals};
use crate::server::Phase;
use crate::tls::Source;
use crate::upstream::{AddressState, Upstream};

use super::asked::Asked;
use super::config::InForceNow;

/// For how long spans that were dropped are told of.
const LATELY: Duration = Duration::from_mins(1);

/// How the gateway is.
#[derive(Serialize)]
pub(super) struct Status {
    version: &'static str,
    started: Time,
    uptime_seconds: u64,
    phase: &'static str,
    ready: bool,
    #[serde(flatten)]
    pub(super) assessment: Assessment,
    now: Now,
    workers: Vec<WorkerNow>,
    process: ProcessNow,
    limit_store: StoreNow,
    config: InForceNow,
    connections: Connections,
    viewers: usize,
    access_log_lines_dropped: u64,
    spans_dropped: u64,
}

/// The last ten seconds.
#[derive(Serialize)]
struct Now {
    requests_per_second: f64,
    error_ratio: Option<f64>,
    in_flight: u64,
    p50_ms: Option<f32>,
    p90_ms: Option<f32>,
    p99_ms: Option<f32>,
    gateway_p50_ms: Option<f32>,
    gateway_p90_ms: Option<f32>,
    gateway_p99_ms: Option<f32>,
    service_p50_ms: Option<f32>,
    service_p90_ms: Option<f32>,
    service_p99_ms: Option<f32>,
    refused_per_second: f64,
}

#[derive(Serialize)]
struct WorkerNow {
    worker: usize,
    requests_per_second: f64,
    in_flight: u64,
    connections: u64,
}

#[derive(Serialize)]
struct ProcessNow {
    cpu_ratio: Option<f64>,
    cpu_seconds: Option<f64>,
    resident_bytes: Option<u64>,
    open_fds: Option<u64>,
    max_fds: Option<u64>,
}

#[derive(Serialize)]
struct StoreNow {
    kind: &'static str,
    up: bool,
    since: Option<Time>,
    breaker: Option<&'static str>,
    leases: Option<u64>,
    calls_per_second: Option<f64>,
    calls_per_request: Option<f64>,
    fleet: Option<u32>,
    memory_keys: usize,
    max_keys: usize,
    p99_ms: Option<f32>,
}

#[derive(Serialize)]
struct Connections {
    client: u64,
    upstream: u64,
}

/// How the gateway is.
pub(super) async fn status(
    State(view): State<Arc<View>>,
    asked: Asked,
) -> Result<Json<Status>, Problem> {
    asked.nothing_else(&[])?;
    Ok(Json(look(&view)))
}

/// Looks at everything that a status says.
pub(super) fn look(view: &View) -> Status {
    let (now, wall) = (Instant::now(), Timestamp::now());
    let phase = *view.phase.borrow();
    let not_ready = reasons(view);
    let ready = not_ready.is_empty();
    let mut each = Vec::new();
    view.metrics
        .visit_workers(|number, totals| each.push((number, totals)));
    let mut all = WorkerTotals::default();
    for (_, totals) in &each {
        all.add(totals);
    }
    let store = view.store.look();
    let history = view.live.history();
    let present = history.present();
    let snapshot = Arc::clone(&view.snapshots.borrow());
    let situation = Situation {
        phase,
        requests_per_second: present.requests.per_second,
        requests: present.requests.count,
        errors: present.requests.errors,
        most_errors: most_errors(&history),
        in_flight: all.in_flight,
        not_ready,
        redis: redis_away(&store, each.len(), now),
        reload_refused: reload_refused(view),
        upstreams: troubles(snapshot.used_upstreams(), now),
        losses: losses(view, now),
        certificates: endings(view, wall),
        now: wall,
    };
    let dropped = view.metrics.read_dropped();
    let age = wall.duration_since(view.started);
    Status {
        version: crate::VERSION,
        started: Time(view.started),
        uptime_seconds: u64::try_from(age.as_secs()).unwrap_or(0),
        phase: phase_word(phase),
        ready,
        assessment: situation.assess(),
        now: Now::of(&present, all.in_flight),
        workers: workers(&each, &history),
        process: ProcessNow::look(view),
        limit_store: StoreNow::of(&store, &present),
        config: InForceNow::look(view),
        connections: Connections {
            client: all.clients,
            upstream: all.services + all.tls_services,
        },
        viewers: view.live.viewers(),
        access_log_lines_dropped: dropped.lines,
        spans_dropped: dropped.spans,
    }
}

fn phase_word(phase: Phase) -> &'static str {
    match phase {
        Phase::Starting => "starting",
        Phase::Serving => "serving",
        Phase::Leaving | Phase::Draining | Phase::Stopping => "draining",
    }
}

fn most_errors(history: &History) -> Option<(String, u64)> {
    let (route, errors) = history.most_errors()?;
    Some((route.to_owned(), errors))
}

fn redis_away(store: &StoreLook, workers: usize, now: Instant) -> Option<RedisAway> {
    let redis = store.redis.as_ref()?;
    let since = redis.away_since?;
    Some(RedisAway {
        for_time: now.saturating_duration_since(since),
        in_part: redis.workers_without < workers,
        why: redis.why.clone(),
        on_failure: redis.on_failure,
        instances: redis.instances,
    })
}

/// What cannot be kept, at present or within the last minute.
fn losses(view: &View, now: Instant) -> Vec<Loss> {
    let for_time = |since| now.saturating_duration_since(since);
    let log = view.access_log.as_ref();
    let lines = log.and_then(|log| log.lost_of_late(now));
    let lines = lines.map(|(since, why)| Loss::AccessLines {
        for_time: for_time(since),
        why,
    });
    let counters = view.state.as_ref().and_then(|file| file.failing());
    let counters = counters.map(|(since, why)| Loss::Counters {
        for_time: for_time(since),
        why,
    });
    let spans = view.traces.drops_within(LATELY, now).then_some(Loss::Spans);
    lines.into_iter().chain(counters).chain(spans).collect()
}

/// When the last reload was refused and why, if no other has succeeded since.
fn reload_refused(view: &View) -> Option<(Timestamp, String)> {
    let in_force = view.reloads.in_force();
    let last = &in_force.last;
    Some((last.time, last.refused.clone()?))
}

/// Those of these upstreams with endpoints that take no requests though they should, those without any left first.
fn troubles<'u>(upstreams: impl Iterator<Item = &'u Arc<Upstream>>, now: Instant) -> Vec<Trouble> {
    let trouble = |upstream: &Arc<Upstream>| {
        let (mut all, mut out) = (0, 0);
        let (mut first, mut last) = (None, None);
        let mut causes: Vec<String> = Vec::new();
        let looks = upstream.looks(now);
        for (_, look) in looks.filter(|(one, _)| one.takes_requests()) {
            if let Some(why) = look.unresolved.filter(|_| look.addresses.is_empty()) {
                (all, out) = (all + 1, out + 1);
                causes.push(format!("no address: {why}"));
            }
            for address in look.addresses {
                all += 1;
                if address.state.is_out() {
                    out += 1;
                    first = first.min(Some(address.since)).or(Some(address.since));
                    last = last.max(Some(address.since));
                    causes.extend(address.why);
                }
            }
        }
        // All are out only since the last of them is.
        let since = if out == all { last } else { first };
        let since = since.unwrap_or(now);
        let mut why: Vec<String> = Vec::new();
        for cause in causes {
            if !why.contains(&cause) {
                why.push(cause);
            }
        }
        (out > 0).then(|| Trouble {
            upstream: upstream.name.to_string(),
            out,
            all,
            for_time: now.saturating_duration_since(since),
            why,
        })
    };
    let mut troubles: Vec<_> = upstreams.filter_map(trouble).collect();
    troubles.sort_by_key(|trouble| trouble.out < trouble.all);
    troubles
}

/// Certificates that end soon or have ended. One that is renewed by itself is not among them before that is
/// late.
fn endings(view: &View, now: Timestamp) -> Vec<Ending> {
    let snapshot = Arc::clone(&view.snapshots.borrow());
    let shown = snapshot.tls.iter().flat_map(|tls| tls.certificates());
    let shown = shown.filter_map(|(source, certificate)| {
        let expiry = certificate.expiry(now)?;
        let is_in_time = |name: &str| !expiry.has_expired && !view.acme.is_late(name, now);
        let is_to_come = matches!(&source, Source::Acme(name) if is_in_time(name));
        (!is_to_come).then_some(Ending {
            shown_to: ShownTo::Clients,
            expiry,
        })
    });
    let to_services = snapshot.upstreams.iter().filter_map(|upstream| {
        let mut endpoints = upstream.endpoints.iter();
        let certificate = endpoints.find_map(|one| one.tls.as_ref()?.tls.certificate())?;
        Some(Ending {
            shown_to: ShownTo::Upstream(upstream.name.to_string()),
            expiry: certificate.expiry(now)?,
        })
    });
    let to_redis = view.redis_certificate.iter().filter_map(|certificate| {
        Some(Ending {
            shown_to: ShownTo::Redis,
            expiry: certificate.expiry(now)?,
        })
    });
    shown.chain(to_services).chain(to_redis).collect()
}

impl AddressState {
    /// Whether it gets no requests though the configuration has it.
    pub(super) fn is_out(self) -> bool {
        match self {
            Self::Up | Self::Drained => false,
            Self::Down | Self::CircuitOpen | Self::HalfOpen => true,
        }
    }
}

impl Now {
    fn of(present: &Present, in_flight: u64) -> Self {
        Self {
            requests_per_second: rounded(present.requests.per_second),
            error_ratio: present.requests.error_ratio,
            in_flight,
            p50_ms: present.took.p50,
            p90_ms: present.took.p90,
            p99_ms: present.took.p99,
            gateway_p50_ms: present.gateway.p50,
            gateway_p90_ms: present.gateway.p90,
            gateway_p99_ms: present.gateway.p99,
            service_p50_ms: present.service.p50,
            service_p90_ms: present.service.p90,
            service_p99_ms: present.service.p99,
            refused_per_second: rounded(present.refused_per_second),
        }
    }
}

fn workers(each: &[(usize, WorkerTotals)], history: &History) -> Vec<WorkerNow> {
    let rates: Vec<_> = history.workers().collect();
    let worker = |(number, totals): &(usize, WorkerTotals)| {
        let rate = rates.iter().find(|(of, _)| of == number);
        WorkerNow {
            worker: *number,
            requests_per_second: rate.map_or(0.0, |(_, rate)| rounded(rate.per_second)),
            in_flight: totals.in_flight,
            connections: totals.clients,
        }
    };
    each.iter().map(worker).collect()
}

impl ProcessNow {
    fn look(view: &View) -> Self {
        let process = Process::look();
        Self {
            cpu_ratio: view.live.cpu_ratio().map(rounded),
            cpu_seconds: process.cpu.map(|cpu| rounded(cpu.as_secs_f64())),
            resident_bytes: process.resident_bytes,
            open_fds: process.open_fds,
            max_fds: process.max_fds,
        }
    }
}

impl StoreNow {
    #[expect(clippy::cast_precision_loss, reason = "a ratio")]
    fn of(store: &StoreLook, present: &Present) -> Self {
        let memory = Self {
            kind: "memory",
            up: true,
            since: None,
            breaker: None,
            leases: None,
            calls_per_second: None,
            calls_per_request: None,
            fleet: None,
            memory_keys: store.counters,
            max_keys: store.max_counters,
            p99_ms: None,
        };
        let Some(redis) = &store.redis else {
            return memory;
        };
        let (calls, requests) = (present.store_calls, present.requests);
        let per_request = calls.count as f64 / requests.count as f64;
        Self {
            kind: "redis",
            up: redis.away_since.is_none(),
            since: redis.away_since.and_then(Time::of),
            breaker: Some(if redis.workers_without == 0 {
                "closed"
            } else {
                "open"
            }),
            leases: Some(redis.leases),
            calls_per_second: Some(rounded(calls.per_second)),
            calls_per_request: (requests.count > 0).then(|| rounded(per_request)),
            fleet: Some(redis.instances),
            p99_ms: present.store_p99_ms,
            ..memory
        }
    }
}

/// With three digits behind the point.
pub(super) fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}
