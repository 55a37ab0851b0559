//! `GET /api/v1/clients`: who may call, what they have done and have left, and their keys, of which nothing is
//! shown but their ids.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use jiff::Timestamp;
use serde::Serialize;

use crate::admin::history::{History, Rate};
use crate::admin::problem::Problem;
use crate::admin::time::Time;
use crate::admin::view::View;
use crate::client::{Client, ListedKey};
use crate::limit::{By, Check};
use crate::metrics::{ClientOutcome, MOST_CLIENTS, OutcomeTotals};

use super::asked::{Asked, Listed, SortKey};
use super::status::rounded;
use super::with_code::WithCode;

const SORTS: [&str; 4] = ["name", "requests_per_second", "next_expiry", "last_used"];

/// A client.
#[derive(Debug, Serialize)]
pub(super) struct Item {
    name: String,
    groups: Vec<String>,
    policy: Option<String>,
    /// Null for a client that is counted with others: only the first 200 have numbers of their own.
    requests: Option<u64>,
    limited: Option<u64>,
    refused: Option<u64>,
    errors: Option<u64>,
    requests_per_second: Option<f64>,
    quota: Option<QuotaItem>,
    keys: Vec<KeyItem>,
    next_expiry: Option<Time>,
}

/// What is left of a client's own limit, as far as this process knows.
#[derive(Debug, Serialize)]
struct QuotaItem {
    limit: u64,
    used: Option<u64>,
    left: Option<u64>,
    resets_in_seconds: Option<f64>,
}

#[derive(Debug, Serialize)]
struct KeyItem {
    key_id: String,
    last_used: Option<Time>,
    not_before: Option<Time>,
    expires: Option<Time>,
    state: &'static str,
}

struct Sorted<'s> {
    client: &'s Client,
    rate: Option<Rate>,
    keys: Vec<ListedKey<'s>>,
    next_expiry: Option<Timestamp>,
}

/// All clients.
pub(super) async fn clients(
    State(view): State<Arc<View>>,
    mut asked: Asked,
) -> Result<Json<Listed<Item>>, Problem> {
    let with_code = WithCode::take(&mut asked, &view, |entry| entry.client)?;
    let part = asked.part(&SORTS, &["code"])?;
    let snapshot = Arc::clone(&view.snapshots.borrow());
    let now = Timestamp::now();
    let mut keys = HashMap::<&str, Vec<ListedKey<'_>>>::new();
    for key in snapshot.access.keys.iter() {
        keys.entry(key.client.name.as_str()).or_default().push(key);
    }
    let history = view.live.history();
    let clients = snapshot.access.clients.iter();
    let taken = clients.filter(|client| {
        let name = client.name.as_str();
        part.takes(name) && with_code.has(name)
    });
    let sorted = taken.map(|client| {
        let name = client.name.as_str();
        let mut keys = keys.remove(name).unwrap_or_default();
        keys.sort_by_key(|key| key.hash.bytes());
        let expiries = keys.iter().filter_map(|key| key.expires_at);
        Sorted {
            client,
            rate: history.client(name),
            next_expiry: expiries.filter(|at| *at > now).min(),
            keys,
        }
    });
    let listed = part.of(sorted.collect(), key, |sorted| item(&view, &sorted, now));
    drop::<std::sync::MutexGuard<'_, History>>(history);
    Ok(Json(listed))
}

fn key<'k>(sorted: &'k Sorted<'_>, field: usize) -> SortKey<'k> {
    match field {
        0 => SortKey::Text(sorted.client.name.as_str()),
        1 => SortKey::Number(sorted.rate.map_or(0.0, |rate| rate.per_second)),
        // Those that never expire come after all that do.
        2 => SortKey::time(sorted.next_expiry, f64::INFINITY),
        _ => {
            let used = sorted.keys.iter().filter_map(|key| key.last_used);
            SortKey::time(used.max(), 0.0)
        }
    }
}

fn item(view: &View, sorted: &Sorted<'_>, now: Timestamp) -> Item {
    let Sorted {
        client,
        rate,
        keys,
        next_expiry,
    } = sorted;
    let counted = view.metrics.client(client.name.as_str());
    // Without so many clients each has numbers of its own, once it has called.
    let snapshot = view.snapshots.borrow();
    let all_counted = snapshot.access.clients.len() <= MOST_CLIENTS;
    let counted = counted.or_else(|| all_counted.then(OutcomeTotals::default));
    let of = |outcome| counted.as_ref().map(|counted| counted.of(outcome));
    Item {
        name: client.name.as_str().to_owned(),
        groups: client.groups().to_vec(),
        policy: client.policy.as_ref().map(|it| it.name.to_string()),
        requests: counted.as_ref().map(OutcomeTotals::sum),
        limited: of(ClientOutcome::Limited),
        refused: of(ClientOutcome::Refused),
        errors: of(ClientOutcome::Failed),
        requests_per_second: rate.map(|rate| rounded(rate.per_second)),
        quota: quota(view, client),
        keys: keys.iter().map(|key| key_item(key, now)).collect(),
        next_expiry: next_expiry.map(Time),
    }
}

/// Of a limit that counts the client by itself, and not its addresses or a route.
fn quota(view: &View, client: &Client) -> Option<QuotaItem> {
    let policy = client.policy.as_deref().filter(|it| it.by == By::Client)?;
    let limit = policy.limit.at_once();
    let subject = client.subject();
    let left = view.store.quota(&Check { policy, subject });
    Some(QuotaItem {
        limit,
        used: left.map(|quota| limit.saturating_sub(quota.left)),
        left: left.map(|quota| quota.left),
        resets_in_seconds: left.map(|quota| rounded(quota.reset.as_secs_f64())),
    })
}

fn key_item(key: &ListedKey<'_>, now: Timestamp) -> KeyItem {
    let state = if key.expires_at.is_some_and(|at| at <= now) {
        "expired"
    } else if key.not_before.is_some_and(|from| now < from) {
        "not_yet_valid"
    } else {
        "valid"
    };
    KeyItem {
        key_id: key.hash.id().to_string(),
        last_used: key.last_used.map(Time),
        not_before: key.not_before.map(Time),
        expires: key.expires_at.map(Time),
        state,
    }
}
