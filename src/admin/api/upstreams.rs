//! `GET /api/v1/upstreams`: services and their endpoints, with the state of each, since when and why.

use std::sync::Arc;
use std::time::Instant;

use axum::Json;
use axum::extract::State;
use serde::Serialize;

use crate::admin::history::{History, Rate, Took};
use crate::admin::problem::Problem;
use crate::admin::time::Time;
use crate::admin::view::View;
use crate::metrics::EndpointName;
use crate::upstream::{AddressLook, Balance, Endpoint, EndpointLook, Upstream};
use crate::words::Word;

use super::asked::{Asked, Listed, SortKey};
use super::status::rounded;
use super::with_code::WithCode;

const SORTS: [&str; 4] = ["name", "requests_per_second", "p99_ms", "state"];

/// A service.
#[derive(Debug, Serialize)]
pub(in crate::admin) struct Item {
    name: String,
    balance: &'static str,
    requests_per_second: f64,
    p50_ms: Option<f32>,
    p99_ms: Option<f32>,
    max_requests: Option<usize>,
    in_flight: u32,
    waiting: usize,
    endpoints: Vec<EndpointItem>,
}

/// An address of an endpoint, or an endpoint whose name has none.
#[derive(Debug, Serialize)]
struct EndpointItem {
    url: String,
    address: Option<String>,
    weight: u32,
    backup: bool,
    state: &'static str,
    since: Option<Time>,
    why: Option<String>,
    requests_per_second: f64,
    error_ratio: Option<f64>,
    in_flight: u32,
    latency_ms: Option<f64>,
}

struct Sorted<'s> {
    upstream: &'s Upstream,
    rate: Option<Rate>,
    p99_ms: Option<f32>,
    /// How many of its addresses take no requests.
    out: u32,
}

/// All upstreams.
pub(super) async fn upstreams(
    State(view): State<Arc<View>>,
    mut asked: Asked,
) -> Result<Json<Listed<Item>>, Problem> {
    let with_code = WithCode::take(&mut asked, &view, |entry| entry.upstream)?;
    let part = asked.part(&SORTS, &["code"])?;
    let snapshot = Arc::clone(&view.snapshots.borrow());
    let (history, now) = (view.live.history(), Instant::now());
    let upstreams = snapshot.upstreams.iter();
    let taken = upstreams.filter(|it| part.takes(&it.name) && with_code.has(&it.name));
    let sorted = taken.map(|upstream| {
        let lately = history.upstream(&upstream.name);
        Sorted {
            upstream,
            rate: lately.map(|(rate, _)| rate),
            p99_ms: lately.and_then(|(_, took)| took.p99),
            out: if part.sorts_by(3) {
                out(upstream, now)
            } else {
                0
            },
        }
    });
    let listed = part.of(sorted.collect(), key, |sorted| {
        item(&history, sorted.upstream, now)
    });
    Ok(Json(listed))
}

fn key<'k>(sorted: &'k Sorted<'_>, field: usize) -> SortKey<'k> {
    match field {
        0 => SortKey::Text(&sorted.upstream.name),
        1 => SortKey::Number(sorted.rate.map_or(0.0, |rate| rate.per_second)),
        2 => SortKey::Number(sorted.p99_ms.map_or(-1.0, f64::from)),
        _ => SortKey::Number(f64::from(sorted.out)),
    }
}

fn out(upstream: &Upstream, now: Instant) -> u32 {
    let out = upstream.looks(now).map(|(_, look)| {
        let out = look.addresses.iter().filter(|it| it.state.is_out());
        u32::try_from(out.count()).unwrap_or(u32::MAX) + u32::from(look.addresses.is_empty())
    });
    out.fold(0, u32::saturating_add)
}

/// Those of a frame: the ones with trouble, then the busiest, at most so many.
pub(super) fn first(view: &View, history: &History, most: usize) -> Vec<Item> {
    let now = Instant::now();
    let snapshot = Arc::clone(&view.snapshots.borrow());
    let mut ranked: Vec<_> = snapshot
        .upstreams
        .iter()
        .map(|upstream| {
            let rate = history.upstream(&upstream.name);
            let per_second = rate.map_or(0.0, |(rate, _)| rate.per_second);
            (out(upstream, now), per_second, upstream)
        })
        .collect();
    if ranked.len() > most {
        ranked.sort_by(|a, b| b.0.cmp(&a.0).then(b.1.total_cmp(&a.1)));
        ranked.truncate(most);
    }
    let upstreams = ranked.iter().map(|(_, _, upstream)| upstream);
    upstreams.map(|it| item(history, it, now)).collect()
}

fn item(history: &History, upstream: &Upstream, now: Instant) -> Item {
    let (rate, took) = history.upstream(&upstream.name).unzip();
    let took = took.unwrap_or(Took::NONE);
    let occupancy = upstream.occupancy();
    let looks = upstream.looks(now);
    let endpoints: Vec<_> = looks
        .flat_map(|look| endpoint_items(history, upstream, look))
        .collect();
    Item {
        name: upstream.name.to_string(),
        balance: balance(&upstream.rules.balance),
        requests_per_second: rate.map_or(0.0, |rate| rounded(rate.per_second)),
        p50_ms: took.p50,
        p99_ms: took.p99,
        max_requests: occupancy.limit,
        in_flight: endpoints.iter().map(|it| it.in_flight).sum(),
        waiting: occupancy.waiting,
        endpoints,
    }
}

fn balance(balance: &Balance) -> &'static str {
    match balance {
        Balance::LeastRequests => "least-requests",
        Balance::RoundRobin => "round-robin",
        Balance::Hash(_) => "hash",
    }
}

fn endpoint_items(
    history: &History,
    upstream: &Upstream,
    (endpoint, look): (&Endpoint, EndpointLook),
) -> Vec<EndpointItem> {
    let nothing = EndpointItem {
        url: endpoint.url.to_string(),
        address: None,
        weight: endpoint.weight,
        backup: endpoint.backup,
        state: "unresolved",
        since: None,
        why: look.unresolved,
        requests_per_second: 0.0,
        error_ratio: None,
        in_flight: 0,
        latency_ms: None,
    };
    if look.addresses.is_empty() {
        return vec![nothing];
    }
    let item = |address: AddressLook| {
        let name = EndpointName {
            upstream: Arc::clone(&upstream.name),
            address: address.socket.to_string().into(),
        };
        let rate = history.endpoint(&name);
        EndpointItem {
            url: nothing.url.clone(),
            address: Some(address.socket.to_string()),
            state: address.state.word(),
            since: Time::of(address.since),
            why: address.why,
            requests_per_second: rate.map_or(0.0, |rate| rounded(rate.per_second)),
            error_ratio: rate.and_then(|rate| rate.error_ratio),
            in_flight: address.in_flight,
            latency_ms: address.latency.map(|it| rounded(it.as_secs_f64() * 1000.0)),
            ..nothing
        }
    };
    look.addresses.into_iter().map(item).collect()
}
