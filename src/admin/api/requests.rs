//! `GET /api/v1/requests`: requests of late, some of each kind, the newest first.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;

use crate::admin::filter;
use crate::admin::problem::Problem;
use crate::admin::view::View;
use crate::metrics::recent::Entry;

use super::asked::{Asked, Listed, SortKey};

const SORTS: [&str; 2] = ["time", "duration_ms"];

/// Those that are kept and asked for.
pub(super) async fn requests(
    State(view): State<Arc<View>>,
    mut asked: Asked,
) -> Result<Json<Listed<Entry>>, Problem> {
    let trouble = match asked.take("trouble").as_deref() {
        None | Some("false") => false,
        Some("true") => true,
        Some(_) => return Err(Problem::bad_request("`trouble` is true or false.")),
    };
    let mut name = |name| asked.take(name).map(String::into_boxed_str);
    let wanted = filter::Asked {
        route: name("route"),
        client: name("client"),
        code: name("code"),
        status: asked.take("status"),
        slow: asked.take("slow"),
        trouble,
    };
    let filter = wanted.filter()?;
    let part = asked.part(
        &SORTS,
        &["status", "code", "route", "client", "slow", "trouble"],
    )?;
    let mut all = view.recent.list(&filter);
    all.retain(|entry| part.takes(entry.path.as_deref().unwrap_or_default()));
    Ok(Json(part.of(all, key, |entry| entry)))
}

fn key(entry: &Entry, field: usize) -> SortKey<'_> {
    match field {
        0 => SortKey::time(Some(entry.time), 0.0),
        _ => SortKey::Number(entry.took.as_secs_f64()),
    }
}
