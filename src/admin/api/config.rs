//! `GET /api/v1/config`: the configuration in force, without secrets, what has changed with it, and what came
//! of the last reload.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;

use crate::admin::problem::Problem;
use crate::admin::reloads::Last;
use crate::admin::time::Time;
use crate::admin::view::View;
use crate::config::{Change, WrittenLine};

use super::asked::Asked;

/// What is in force, and since when.
#[derive(Serialize)]
pub(super) struct InForceNow {
    file: String,
    loaded: Time,
    generation: u64,
    last: Last,
    changes: Vec<Change>,
}

/// The same with what it says.
#[derive(Serialize)]
pub(super) struct ConfigAnswer {
    #[serde(flatten)]
    loaded: InForceNow,
    text: Vec<WrittenLine>,
}

impl InForceNow {
    pub(super) fn look(view: &View) -> Self {
        let in_force = view.reloads.in_force();
        Self {
            file: view.file.display().to_string(),
            loaded: Time(in_force.loaded),
            generation: in_force.generation,
            last: in_force.last.clone(),
            changes: in_force.changes.clone(),
        }
    }
}

/// The configuration in force.
pub(super) async fn config(
    State(view): State<Arc<View>>,
    mut asked: Asked,
) -> Result<Json<ConfigAnswer>, Problem> {
    let q = asked.take("q").map(|q| q.to_lowercase());
    asked.nothing_else(&["q"])?;
    let mut text = view.reloads.in_force().written.shown_lines();
    if let Some(q) = q {
        text.retain(|line| {
            let whole = format!("{}.{} {}", line.table, line.key, line.value);
            whole.to_lowercase().contains(&q)
        });
    }
    let loaded = InForceNow::look(&view);
    Ok(Json(ConfigAnswer { loaded, text }))
}
