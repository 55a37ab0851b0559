//! `GET /api/v1/routes`: what routes there are, and what has come of their requests.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;

use crate::admin::history::{History, Rate};
use crate::admin::problem::Problem;
use crate::admin::view::View;
use crate::metrics::RouteCounts;
use crate::pipeline::snapshot::Snapshot;
use crate::route::Route;

use super::asked::{Asked, Listed, SortKey};
use super::status::rounded;
use super::with_code::WithCode;

/// By what they can be sorted.
const SORTS: [&str; 5] = [
    "name",
    "requests",
    "requests_per_second",
    "error_ratio",
    "p99_ms",
];
/// Seconds of the small chart beside a route.
const SPARK: usize = 60;

/// A route.
#[derive(Debug, Serialize)]
pub(super) struct Item {
    name: String,
    prefix: String,
    hosts: Vec<String>,
    methods: Vec<String>,
    upstream: Option<String>,
    protected: bool,
    limits: Vec<String>,
    requests: u64,
    requests_per_second: f64,
    error_ratio: Option<f64>,
    p50_ms: Option<f32>,
    p90_ms: Option<f32>,
    p99_ms: Option<f32>,
    gateway_p50_ms: Option<f32>,
    gateway_p90_ms: Option<f32>,
    gateway_p99_ms: Option<f32>,
    in_flight: u64,
    /// By status.
    codes: BTreeMap<String, u64>,
    /// Absent for a route without a history.
    spark: Option<Vec<f32>>,
}

/// A route with what it may be sorted by.
struct Sorted {
    route: Arc<Route>,
    rate: Option<Rate>,
    total: u64,
    p99_ms: Option<f32>,
}

/// All routes.
pub(super) async fn routes(
    State(view): State<Arc<View>>,
    mut asked: Asked,
) -> Result<Json<Listed<Item>>, Problem> {
    let with_code = WithCode::take(&mut asked, &view, |entry| entry.route)?;
    let part = asked.part(&SORTS, &["code"])?;
    let snapshot = Arc::clone(&view.snapshots.borrow());
    let history = view.live.history();
    let routes = snapshot.routes.routes().iter();
    let taken = routes.filter(|route| part.takes(&route.name) && with_code.has(&route.name));
    let by_p99 = part.sorts_by(4);
    let sorted = taken.map(|route| Sorted {
        route: Arc::clone(route),
        rate: history.route(&route.name),
        total: history.route_total(&route.name),
        p99_ms: by_p99
            .then(|| history.route_took(&route.name).0.p99)
            .flatten(),
    });
    let listed = part.of(sorted.collect(), key, |sorted| {
        item(&view, &snapshot, &history, &sorted)
    });
    Ok(Json(listed))
}

fn key(sorted: &Sorted, field: usize) -> SortKey<'_> {
    let rate = sorted.rate.as_ref();
    match field {
        0 => SortKey::Text(&sorted.route.name),
        1 => SortKey::count(sorted.total),
        2 => SortKey::Number(rate.map_or(0.0, |rate| rate.per_second)),
        3 => SortKey::Number(rate.and_then(|rate| rate.error_ratio).unwrap_or(-1.0)),
        _ => SortKey::Number(sorted.p99_ms.map_or(-1.0, f64::from)),
    }
}

fn item(view: &View, snapshot: &Snapshot, history: &History, sorted: &Sorted) -> Item {
    let Sorted { route, rate, .. } = sorted;
    let name = &*route.name;
    let counts = view.metrics.route(name);
    let counted = counts.as_ref().map(RouteCounts::requests);
    let counted = counted.unwrap_or_default();
    let (took, gateway) = history.route_took(name);
    let mut codes = BTreeMap::new();
    for (_, status, count) in counted.iter() {
        let status = status.map_or_else(|| "other".to_owned(), |status| status.to_string());
        *codes.entry(status).or_default() += count;
    }
    let prefix = route.prefix.as_str();
    Item {
        name: name.to_owned(),
        prefix: prefix.to_owned(),
        hosts: route.hosts.clone(),
        methods: route.methods.iter().map(ToString::to_string).collect(),
        upstream: route
            .upstream()
            .map(|at| snapshot.upstreams[at].name.to_string()),
        protected: snapshot.access.protected.find(prefix, None).is_some(),
        limits: route.limits.iter().map(|it| it.name.to_string()).collect(),
        requests: counted.count(),
        requests_per_second: rate.map_or(0.0, |rate| rounded(rate.per_second)),
        error_ratio: rate.and_then(|rate| rate.error_ratio),
        p50_ms: took.p50,
        p90_ms: took.p90,
        p99_ms: took.p99,
        gateway_p50_ms: gateway.p50,
        gateway_p90_ms: gateway.p90,
        gateway_p99_ms: gateway.p99,
        in_flight: counts.map_or(0, |it| it.in_flight()),
        codes,
        spark: history.route_rates(name, SPARK),
    }
}
