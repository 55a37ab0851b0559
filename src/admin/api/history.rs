//! `GET /api/v1/history`: a point for each second of the last fifteen minutes, of everything, of one route or
//! of one code, and what happened meanwhile.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;

use crate::admin::history::Row;
use crate::admin::problem::Problem;
use crate::admin::view::View;
use crate::logging::Event;
use crate::words::Word;

use super::asked::Asked;

/// Points, and marks.
#[derive(Serialize)]
pub(super) struct Charted {
    interval_seconds: u32,
    /// The time of the first point.
    from: Option<f64>,
    points: Vec<Row>,
    marks: Vec<ChartMark>,
}

/// Something that happened, for a chart.
#[derive(Serialize)]
pub(super) struct ChartMark {
    t: f64,
    kind: &'static str,
    text: String,
}

impl ChartMark {
    /// What an event marks, if anything.
    #[expect(clippy::cast_precision_loss, reason = "milliseconds of today fit")]
    pub(super) fn of(event: &Event) -> Option<Self> {
        let kind = event.mark?.word();
        let t = event.time.as_millisecond() as f64 / 1000.0;
        // Which endpoint, which file: fields are half of what a line says.
        let fields = event.fields.iter().filter(|(name, _)| *name != "event");
        let fields: String = fields
            .take(3)
            .map(|(name, value)| match value.as_str() {
                Some(text) => format!(" {name}={text}"),
                None => format!(" {name}={value}"),
            })
            .collect();
        let text = format!("{}{fields}", event.text);
        Some(Self { t, kind, text })
    }
}

/// The last fifteen minutes.
pub(super) async fn history(
    State(view): State<Arc<View>>,
    mut asked: Asked,
) -> Result<Json<Charted>, Problem> {
    let (route, code) = (asked.take("route"), asked.take("code"));
    asked.nothing_else(&["route", "code"])?;
    let history = view.live.history();
    let points = match (route, code) {
        (Some(_), Some(_)) => {
            return Err(Problem::bad_request(
                "`route` and `code` cannot be given together.",
            ));
        }
        (Some(route), None) => history.rows_of_route(&route).ok_or_else(|| {
            Problem::not_found(format!(
                "There is no history of a route `{route}`: it is not in the configuration, has not been asked \
                 for, or is not among the first 1000."
            ))
        })?,
        (None, Some(code)) => {
            let mut codes = view.metrics.codes().iter();
            let place = codes.position(|known| *known == code);
            let place = place.ok_or_else(|| {
                Problem::bad_request(format!("`{code}` is not a code of a refusal."))
            })?;
            history.rows_of_code(place)
        }
        (None, None) => history.rows(),
    };
    drop(history);
    let from = points.first().map(Row::time);
    let marks = view.events.marks_after(0);
    let marks = marks.iter().filter_map(|event| ChartMark::of(event));
    Ok(Json(Charted {
        interval_seconds: 1,
        from,
        points,
        marks: marks
            .filter(|mark| from.is_some_and(|from| mark.t >= from - 1.0))
            .collect(),
    }))
}
