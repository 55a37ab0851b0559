//! `GET /api/v1/stream`: a frame a second, as server-sent events. Made once for all who watch.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use serde::Serialize;

use crate::admin::history::Row;
use crate::admin::live::MOST_VIEWERS;
use crate::admin::problem::Problem;
use crate::admin::view::View;
use crate::logging::Event;

use super::asked::Asked;
use super::history::ChartMark;
use super::status::{self, Status, rounded};
use super::upstreams;

/// How many upstreams a frame has.
const MOST_UPSTREAMS: usize = 50;

/// What is shown each second.
#[derive(Serialize)]
struct Shown {
    status: Status,
    point: Option<Row>,
    marks: Vec<ChartMark>,
    /// How many in all, and each second lately.
    rejections: BTreeMap<&'static str, (u64, f64)>,
    /// Those with trouble and the busiest, if there are too many for all.
    upstreams: Vec<upstreams::Item>,
}

/// Frames until the end of the process, or until the viewer does not take them.
pub(super) async fn stream(
    State(view): State<Arc<View>>,
    asked: Asked,
) -> Result<Response, Problem> {
    asked.nothing_else(&[])?;
    let frames = view.live.watch().ok_or_else(|| {
        Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "too_many_viewers",
            "Too many viewers",
            format!("{MOST_VIEWERS} watch already, as many as may."),
        )
    })?;
    let fields = [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    Ok((fields, Body::new(frames)).into_response())
}

/// A frame, as a server-sent event, with what has been marked since the one before.
pub(in crate::admin) fn frame(view: &View, marks: &[Arc<Event>]) -> Vec<u8> {
    let status = status::look(view);
    let refused = view.metrics.refused(&view.metrics.read_workers());
    let history = view.live.history();
    let rejections = refused.into_iter().enumerate();
    let shown = Shown {
        status,
        point: history.last(),
        marks: marks.iter().filter_map(|it| ChartMark::of(it)).collect(),
        rejections: rejections
            .map(|(place, (code, count))| {
                let lately = rounded(history.refused_lately(place));
                (code, (count, lately))
            })
            .collect(),
        upstreams: upstreams::first(view, &history, MOST_UPSTREAMS),
    };
    let mut frame = b"event: frame\ndata: ".to_vec();
    // Neither fails: there are no maps with keys that are no text, and a list takes what it gets.
    let written = serde_json::to_writer(&mut frame, &shown);
    debug_assert!(written.is_ok(), "{written:?}");
    frame.extend_from_slice(b"\n\n");
    frame
}
