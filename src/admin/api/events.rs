//! `GET /api/v1/events`: the last lines of the operator's log, the newest first.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::admin::problem::Problem;
use crate::admin::time::Time;
use crate::admin::view::View;
use crate::logging::{Event, Mark};
use crate::words::Word;

use super::asked::{Asked, Listed, SortKey};

const LEVELS: [&str; 3] = ["error", "warn", "info"];

/// A line.
#[derive(Debug, Serialize)]
pub(super) struct Item {
    time: Time,
    level: String,
    kind: Option<&'static str>,
    text: String,
    fields: Map<String, Value>,
}

/// All lines that are kept.
pub(super) async fn events(
    State(view): State<Arc<View>>,
    mut asked: Asked,
) -> Result<Json<Listed<Item>>, Problem> {
    let (kind, level) = (asked.take("kind"), asked.take("level"));
    let part = asked.part(&["time"], &["kind", "level"])?;
    let kinds = || Mark::ALL.iter().map(|(word, _)| *word);
    if kind
        .as_deref()
        .is_some_and(|kind| !kinds().any(|it| it == kind))
    {
        let all = kinds().collect::<Vec<_>>().join(", ");
        return Err(Problem::bad_request(format!("`kind` is one of {all}.")));
    }
    if level
        .as_deref()
        .is_some_and(|level| !LEVELS.contains(&level))
    {
        let all = LEVELS.join(", ");
        return Err(Problem::bad_request(format!("`level` is one of {all}.")));
    }
    let takes = |event: &Arc<Event>| {
        part.takes(&event.text)
            && kind.is_none() | (kind.as_deref() == event.mark.map(Word::word))
            && level.as_ref().is_none_or(|level| *level == word(event))
    };
    let all = view.events.newest().into_iter().filter(takes);
    let listed = part.of(all.collect(), key, |event| Item {
        time: Time(event.time),
        level: word(&event),
        kind: event.mark.map(Word::word),
        text: event.text.to_string(),
        fields: event
            .fields
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect(),
    });
    Ok(Json(listed))
}

fn key(event: &Arc<Event>, _: usize) -> SortKey<'_> {
    SortKey::count(event.number)
}

fn word(event: &Event) -> String {
    event.level.as_str().to_ascii_lowercase()
}
