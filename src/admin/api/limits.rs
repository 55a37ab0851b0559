//! `GET /api/v1/limits`: what limits there are, and how they have decided.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;

use crate::admin::problem::Problem;
use crate::admin::view::View;
use crate::limit::{By, Policy};
use crate::metrics::PolicyOutcome;
use crate::pipeline::snapshot::{Limits, Snapshot};
use crate::words::Word;

use super::asked::{Asked, Listed, SortKey};
use super::with_code::WithCode;

const SORTS: [&str; 3] = ["policy", "allowed", "limited"];
/// The codes with which a limit refuses. With any other one, the limit of a request is only the closest.
const OF_LIMITS: [&str; 2] = ["limiter_unavailable", "rate_limited"];

/// A limit.
#[derive(Debug, Serialize)]
pub(super) struct Item {
    policy: String,
    limit: u64,
    window_seconds: u64,
    burst: Option<u64>,
    algorithm: &'static str,
    by: &'static str,
    mode: &'static str,
    allowed: u64,
    limited: u64,
    shadow: u64,
    degraded: u64,
    cached: u64,
}

/// All limits.
pub(super) async fn limits(
    State(view): State<Arc<View>>,
    mut asked: Asked,
) -> Result<Json<Listed<Item>>, Problem> {
    let with_code = WithCode::take(&mut asked, &view, |entry| {
        let refused = entry.code.is_some_and(|code| OF_LIMITS.contains(&code));
        entry.limit.filter(|_| refused)
    })?;
    let part = asked.part(&SORTS, &["code"])?;
    let snapshot = Arc::clone(&view.snapshots.borrow());
    let items = policies(&snapshot)
        .into_values()
        .filter(|policy| part.takes(&policy.name) && with_code.has(&policy.name))
        .map(|policy| item(&view, &snapshot.limits, policy));
    Ok(Json(part.of(items.collect(), key, |item| item)))
}

fn key(item: &Item, field: usize) -> SortKey<'_> {
    match field {
        0 => SortKey::Text(&item.policy),
        1 => SortKey::count(item.allowed),
        _ => SortKey::count(item.limited),
    }
}

/// All that the configuration names, by name.
fn policies(snapshot: &Snapshot) -> BTreeMap<&str, &Policy> {
    let limits = &snapshot.limits;
    let general = [&limits.anonymous, &limits.identified, &limits.invalid_keys];
    let of_clients = snapshot.access.clients.iter().map(|it| &it.policy);
    let of_routes = snapshot.routes.routes().iter().flat_map(|it| &it.limits);
    let all = general.into_iter().chain(of_clients).flatten();
    let all = all.chain(of_routes);
    all.map(|policy| (&*policy.name, &**policy)).collect()
}

/// Who shares a counter. Callers without a good key are known by their address alone.
fn counted_by(limits: &Limits, policy: &Policy) -> By {
    let mut of_addresses = [&limits.anonymous, &limits.invalid_keys]
        .into_iter()
        .flatten();
    if of_addresses.any(|it| it.name == policy.name) {
        By::Ip
    } else {
        policy.by
    }
}

fn item(view: &View, limits: &Limits, policy: &Policy) -> Item {
    let decided = view.metrics.policy(&policy.name).unwrap_or_default();
    let limit = policy.limit;
    Item {
        policy: policy.name.to_string(),
        limit: limit.requests(),
        window_seconds: limit.window().as_secs(),
        burst: limit.algorithm().burst(),
        algorithm: limit.algorithm().as_str(),
        by: counted_by(limits, policy).word(),
        mode: policy.mode.word(),
        allowed: decided.of(PolicyOutcome::Allowed),
        limited: decided.of(PolicyOutcome::Limited),
        shadow: decided.of(PolicyOutcome::Shadow),
        degraded: decided.of(PolicyOutcome::Degraded),
        cached: decided.of(PolicyOutcome::Cached),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::codes::CODES;

    #[test]
    fn the_codes_of_limits_are_codes() {
        assert!(OF_LIMITS.iter().all(|code| CODES.contains(code)));
    }
}
