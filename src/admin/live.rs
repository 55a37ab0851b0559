//! The history, and who watches it. One frame is made for all who do; whoever does not take frames as they
//! come is let go, so that nothing piles up.

use std::io;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use hyper::body::{Body, Bytes, Frame};
use jiff::Timestamp;
use tokio::sync::mpsc;

use crate::lock::lock;
use crate::metrics::Metrics;

use super::history::History;
use super::process::Process;

/// How many may watch.
pub(super) const MOST_VIEWERS: usize = 64;
/// How many frames may wait for a viewer.
const WAITING: usize = 3;

/// The history, and who watches.
#[derive(Debug)]
pub struct Live {
    history: Mutex<History>,
    viewers: Mutex<Vec<mpsc::Sender<Bytes>>>,
    processor: Mutex<Processor>,
}

/// How much of a processor the process takes.
#[derive(Debug, Default)]
struct Processor {
    before: Option<(Instant, Duration)>,
    ratio: Option<f64>,
}

impl Default for Live {
    fn default() -> Self {
        Self {
            history: Mutex::new(History::new(Instant::now())),
            viewers: Mutex::default(),
            processor: Mutex::default(),
        }
    }
}

impl Live {
    /// What was counted, second by second.
    pub(super) fn history(&self) -> MutexGuard<'_, History> {
        lock(&self.history)
    }

    /// How many watch.
    pub(super) fn viewers(&self) -> usize {
        let viewers = lock(&self.viewers);
        viewers.iter().filter(|it| !it.is_closed()).count()
    }

    /// The part of one processor that the process took in the last second.
    pub(super) fn cpu_ratio(&self) -> Option<f64> {
        lock(&self.processor).ratio
    }

    /// The frames from now on, as the body of an answer; `None`: as many watch as may.
    pub(super) fn watch(&self) -> Option<Frames> {
        let mut viewers = lock(&self.viewers);
        viewers.retain(|viewer| !viewer.is_closed());
        if viewers.len() >= MOST_VIEWERS {
            return None;
        }
        let (sender, receiver) = mpsc::channel(WAITING);
        viewers.push(sender);
        Some(Frames {
            first: Some(Bytes::from_static(HELLO)),
            receiver,
        })
    }

    /// Gives a frame to all who watch.
    pub(super) fn show(&self, frame: &Bytes) {
        lock(&self.viewers).retain(|viewer| viewer.try_send(frame.clone()).is_ok());
    }

    /// Lets all go who watch.
    pub(super) fn end(&self) {
        lock(&self.viewers).clear();
    }

    /// Looks at what has been counted by now.
    pub(super) fn look(&self, metrics: &Metrics) {
        let (now, wall) = (Instant::now(), Timestamp::now());
        self.history().look(metrics, now, wall.as_millisecond());
        let Some(cpu) = Process::cpu_time() else {
            return;
        };
        let mut processor = lock(&self.processor);
        if let Some((then, before)) = processor.before.replace((now, cpu)) {
            let passed = now.saturating_duration_since(then).as_secs_f64();
            let took = cpu.saturating_sub(before).as_secs_f64();
            processor.ratio = (passed > 0.0).then(|| took / passed);
        }
    }
}

/// A browser that has lost us asks again after two seconds.
const HELLO: &[u8] = b"retry: 2000\n\n";

/// Frames, as server-sent events.
pub(super) struct Frames {
    first: Option<Bytes>,
    receiver: mpsc::Receiver<Bytes>,
}

impl Body for Frames {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(Frame::data(first))));
        }
        let next = self.receiver.poll_recv(cx);
        next.map(|frame| frame.map(|frame| Ok(Frame::data(frame))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(frames: &mut Frames) -> Poll<Option<Bytes>> {
        let mut cx = Context::from_waker(std::task::Waker::noop());
        let frame = Pin::new(frames).poll_frame(&mut cx);
        frame.map(|it| it.map(|it| it.unwrap().into_data().unwrap()))
    }

    #[test]
    fn so_many_may_watch_and_one_that_leaves_makes_room() {
        let live = Live::default();
        let mut all: Vec<_> = (0..MOST_VIEWERS).map(|_| live.watch().unwrap()).collect();
        assert_eq!(live.viewers(), MOST_VIEWERS);
        assert!(live.watch().is_none());
        all.pop();
        assert_eq!(live.viewers(), MOST_VIEWERS - 1);
        assert!(live.watch().is_some());
    }

    #[test]
    fn who_does_not_take_frames_is_let_go_and_others_get_all() {
        let live = Live::default();
        let (mut lazy, mut eager) = (live.watch().unwrap(), live.watch().unwrap());
        assert_eq!(next(&mut eager), Poll::Ready(Some(HELLO.into())));
        for nth in 0..=WAITING {
            let frame = Bytes::from(vec![b'0' + u8::try_from(nth).unwrap()]);
            live.show(&frame);
            assert_eq!(next(&mut eager), Poll::Ready(Some(frame)));
        }
        assert_eq!(next(&mut eager), Poll::Pending);
        assert_eq!(live.viewers(), 1);
        assert_eq!(next(&mut lazy), Poll::Ready(Some(HELLO.into())));
        for nth in 0..WAITING {
            let frame = vec![b'0' + u8::try_from(nth).unwrap()];
            assert_eq!(next(&mut lazy), Poll::Ready(Some(frame.into())));
        }
        assert_eq!(next(&mut lazy), Poll::Ready(None), "it was let go");
    }
}
