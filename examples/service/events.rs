//! A stream of server-sent events: ten of them, one a second, then the end. Nothing is made ahead
//! of time, so a proxy that holds a stream back shows at once.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::Response;
use hyper::body::{Body, Bytes, Frame};
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE};
use serde_json::Value;
use tokio::time::{Interval, interval};

use super::Answer;

const EVENTS: usize = 10;
const PERIOD: Duration = Duration::from_secs(1);

/// `/events`: the values that `event` makes of 1, 2, ... 10, one a second.
pub(crate) fn events(event: fn(usize) -> Value) -> Answer {
    let stream = EventStream {
        event,
        sent: 0,
        ticks: interval(PERIOD),
    };
    let mut answer = Response::new(stream.boxed_unsync());
    let headers = answer.headers_mut();
    let kind = "text/event-stream".parse().expect("a valid field value");
    headers.insert(CONTENT_TYPE, kind);
    headers.insert(
        CACHE_CONTROL,
        "no-store".parse().expect("a valid field value"),
    );
    answer
}

struct EventStream {
    event: fn(usize) -> Value,
    sent: usize,
    ticks: Interval,
}

impl Body for EventStream {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.sent == EVENTS {
            return Poll::Ready(None);
        }
        ready!(self.ticks.poll_tick(cx));
        self.sent += 1;
        let event = format!("id: {}\ndata: {}\n\n", self.sent, (self.event)(self.sent));
        Poll::Ready(Some(Ok(Frame::data(event.into()))))
    }
}
