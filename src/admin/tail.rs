//! `GET /api/v1/tail`: access lines as they come, as server-sent events. A line is an event without a
//! name; how many found no room is `lost`. It ends when this process does not answer operators any more: `end`
//! then says why.

use std::fmt::Write as _;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, RawQuery, State};
use axum::response::Response;
use http::{HeaderValue, StatusCode, header};
use hyper::body::{Bytes, Frame};
use tokio::time::{Interval, interval};

use crate::logging::{Following, Heard};

use super::filter::{Asked, well_escaped};
use super::problem::Problem;
use super::view::{Presence, View, leaves};

/// How often a stream on which nothing happens says that it is there.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// Lines are sent together, up to about so many bytes.
const BATCH: usize = 32 << 10;

/// Follows the requests that are asked for.
pub(super) async fn tail(
    State(view): State<Arc<View>>,
    RawQuery(query): RawQuery,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Result<Response, Problem> {
    well_escaped(query.as_deref().unwrap_or_default())?;
    let Query(asked) = asked.map_err(|error| Problem::bad_request(error.body_text()))?;
    let following = view.tap.follow(asked.filter()?).ok_or_else(|| {
        Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "too_many_followers",
            "Too many followers",
            "Eight follow the access lines already: end one of them.",
        )
    })?;
    let mut presence = view.presence.clone();
    let events = Events {
        following,
        heartbeat: interval(HEARTBEAT),
        end: Box::pin(async move {
            leaves(&mut presence).await;
            match *presence.borrow() {
                Presence::HandedOver => "handed_over",
                _ => "ended",
            }
        }),
        ends: None,
        has_ended: false,
    };
    let mut response = Response::new(Body::new(events));
    let fields = response.headers_mut();
    let event_stream = HeaderValue::from_static("text/event-stream");
    fields.insert(header::CONTENT_TYPE, event_stream);
    let no_store = HeaderValue::from_static("no-store");
    fields.insert(header::CACHE_CONTROL, no_store);
    Ok(response)
}

/// The body of such an answer.
struct Events {
    following: Following,
    heartbeat: Interval,
    /// Done when the stream is to end, with why.
    end: Pin<Box<dyn Future<Output = &'static str> + Send>>,
    /// Why it is to end.
    ends: Option<&'static str>,
    has_ended: bool,
}

impl hyper::body::Body for Events {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if self.has_ended {
            return Poll::Ready(None);
        }
        // Before the lines: those that are there by then are still sent, however many.
        if self.ends.is_none()
            && let Poll::Ready(why) = self.end.as_mut().poll(cx)
        {
            self.ends = Some(why);
        }
        let mut text = String::new();
        while text.len() < BATCH
            && let Poll::Ready(heard) = self.following.poll_next(cx)
        {
            // Writing to a string never fails.
            let _ = match heard {
                Heard::Line(line) => write!(text, "data: {line}\n\n"),
                Heard::Lost(lost) => write!(text, "event: lost\ndata: {{\"lost\":{lost}}}\n\n"),
            };
        }
        if let Some(why) = self.ends.filter(|_| text.len() < BATCH) {
            self.has_ended = true;
            let _ = write!(text, "event: end\ndata: {{\"reason\":\"{why}\"}}\n\n");
        }
        // The first one is due at once, and lets the client see that it is heard.
        if text.is_empty() && self.heartbeat.poll_tick(cx).is_ready() {
            text.push_str(":\n\n");
        }
        if text.is_empty() {
            return Poll::Pending;
        }
        Poll::Ready(Some(Ok(Frame::data(text.into()))))
    }
}
