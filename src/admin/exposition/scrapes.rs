//! Collections of metrics: made one after another, so that others on this thread get their turn between
//! two, and read by whoever asked, slowly perhaps, or not at all. A whole answer is large, so all those that
//! are not read yet may take so much memory together: if one more finds no room, those are given up whose
//! readers have taken nothing for the longest.

use std::collections::BTreeMap;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes, to_bytes};
use axum::response::Response;
use hyper::body::{Frame, SizeHint};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::yield_now;

use crate::lock::lock;

use super::Format;

/// How many bytes may wait to be read, unless it is one answer alone.
const MOST_BYTES: usize = 64 << 20;
/// How long an answer may be read.
const LONGEST: Duration = Duration::from_mins(1);
/// A reader gets copies of parts: what a connection holds on to then is no more than a few of them.
const PART: usize = 16 << 10;

/// What collections share.
#[derive(Debug)]
pub struct Scrapes {
    turn: Arc<Semaphore>,
    unread: Arc<Unread>,
    /// How long the last answer in each [`Format`] was. The next will be as long: a text of megabytes that
    /// grows is copied over and over.
    lengths: [AtomicUsize; 3],
}

/// Goes with an answer that is being made: it is its turn.
#[derive(Debug, Clone)]
pub(super) struct Making {
    unread: Arc<Unread>,
    _turn: Arc<OwnedSemaphorePermit>,
}

/// Answers that are not read to their ends yet.
#[derive(Debug)]
struct Unread {
    answers: Mutex<Answers>,
    most_bytes: usize,
}

#[derive(Debug, Default)]
struct Answers {
    by_number: BTreeMap<u64, Answer>,
    next: u64,
}

#[derive(Debug)]
struct Answer {
    text: Bytes,
    /// How much of it its reader has taken.
    taken: usize,
    /// When it was made.
    begun: Instant,
    /// When its reader took something last.
    moved: Instant,
}

/// An answer, as the body that its reader gets.
struct Reading {
    unread: Arc<Unread>,
    number: u64,
    /// How many bytes are to come.
    left: usize,
}

impl Default for Scrapes {
    fn default() -> Self {
        Self::holding(MOST_BYTES)
    }
}

impl Scrapes {
    fn holding(most_bytes: usize) -> Self {
        Self {
            turn: Arc::new(Semaphore::new(1)),
            unread: Arc::new(Unread {
                answers: Mutex::default(),
                most_bytes,
            }),
            lengths: Default::default(),
        }
    }

    /// Waits for a turn to make an answer. The answer keeps it ([`finish`]).
    pub(super) async fn turn(&self) -> Making {
        let turn = Arc::clone(&self.turn).acquire_owned().await;
        Making {
            unread: Arc::clone(&self.unread),
            _turn: Arc::new(turn.expect("it is never closed")),
        }
    }

    /// An empty text with room for an answer.
    pub(super) fn text(&self, format: Format) -> String {
        let length = self.lengths[format as usize].load(Relaxed);
        String::with_capacity(length + length / 64)
    }

    /// An answer that is made, without room for more: what waits to be read is counted by its length.
    pub(super) fn whole(&self, format: Format, mut written: Vec<u8>) -> Vec<u8> {
        self.lengths[format as usize].store(written.len(), Relaxed);
        written.shrink_to_fit();
        written
    }
}

/// Ends the turn of an answer, if it has one; from now on it waits to be read.
pub(in crate::admin) async fn finish(mut answer: Response) -> Response {
    let Some(making) = answer.extensions_mut().remove::<Making>() else {
        return answer;
    };
    let (head, body) = answer.into_parts();
    // A whole body has one part, which is taken as it is and does not fail.
    let text = to_bytes(body, usize::MAX).await.unwrap_or_default();
    // Whoever waits on this thread goes before the next collection.
    yield_now().await;
    if text.is_empty() {
        return Response::from_parts(head, Body::empty());
    }
    let reading = making.unread.add(text, Instant::now());
    Response::from_parts(head, Body::new(reading))
}

impl Unread {
    fn add(self: &Arc<Self>, text: Bytes, now: Instant) -> Reading {
        let mut answers = lock(&self.answers);
        while answers.bytes() + text.len() > self.most_bytes && answers.give_one_up() {}
        let (number, left) = (answers.next, text.len());
        answers.next += 1;
        let answer = Answer {
            text,
            taken: 0,
            begun: now,
            moved: now,
        };
        answers.by_number.insert(number, answer);
        drop(answers);
        Reading {
            unread: Arc::clone(self),
            number,
            left,
        }
    }

    /// The next part of an answer; `None` if it was given up, or its time is over.
    fn take(&self, number: u64, now: Instant) -> Option<Bytes> {
        let mut answers = lock(&self.answers);
        let answer = answers.by_number.get_mut(&number)?;
        if now.saturating_duration_since(answer.begun) > LONGEST {
            return None;
        }
        let rest = &answer.text[answer.taken..];
        let part = Bytes::copy_from_slice(&rest[..rest.len().min(PART)]);
        answer.taken += part.len();
        answer.moved = now;
        Some(part)
    }
}

impl Answers {
    fn bytes(&self) -> usize {
        self.by_number.values().map(|it| it.text.len()).sum()
    }

    /// Gives up the one whose reader has taken nothing for the longest, if there is any.
    fn give_one_up(&mut self) -> bool {
        let slowest = self.by_number.iter().min_by_key(|(_, it)| it.moved);
        let Some(number) = slowest.map(|(number, _)| *number) else {
            return false;
        };
        self.by_number.remove(&number);
        true
    }
}

impl hyper::body::Body for Reading {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let part = self.unread.take(self.number, Instant::now());
        // An error ends the connection, which says that the answer is not whole.
        let part = part.ok_or_else(|| io::Error::other("too slow a reader of metrics"));
        Poll::Ready(Some(part.map(|part| {
            self.left -= part.len();
            Frame::data(part)
        })))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left as u64)
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        lock(&self.unread.answers).by_number.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    async fn made(scrapes: &Scrapes, text: &'static str) -> Response {
        let mut answer = Response::new(Body::from(text));
        answer.extensions_mut().insert(scrapes.turn().await);
        finish(answer).await
    }

    #[tokio::test]
    async fn answers_that_wait_to_be_read_keep_nobody_waiting() {
        let scrapes = Scrapes::default();
        let mut unread = Vec::new();
        for _ in 0..100 {
            unread.push(made(&scrapes, "metrics").await.into_body());
        }
        let read = to_bytes(unread.pop().unwrap(), 100).await.unwrap();
        assert_eq!(read, "metrics");
        assert_eq!(lock(&scrapes.unread.answers).by_number.len(), 99);
        drop(unread);
        assert_eq!(lock(&scrapes.unread.answers).by_number.len(), 0);
        let empty = made(&scrapes, "").await.into_body();
        assert_eq!(to_bytes(empty, 100).await.unwrap(), "");
    }

    #[test]
    fn an_answer_takes_no_more_memory_than_it_is_long() {
        let scrapes = Scrapes::default();
        let mut long = Vec::with_capacity(4096);
        long.resize(640, 0);
        let long = scrapes.whole(Format::Text, long);
        assert_eq!((long.len(), long.capacity()), (640, 640));
        scrapes.whole(Format::Protobuf, vec![0; 64]);
        let rooms = [Format::Text, Format::Protobuf, Format::OpenMetrics];
        let rooms = rooms.map(|format| scrapes.text(format).capacity());
        assert_eq!(rooms, [650, 65, 0]);
    }

    #[tokio::test]
    async fn one_is_made_after_another() {
        let scrapes = Scrapes::default();
        let making = scrapes.turn().await;
        let next = scrapes.turn();
        let mut next = std::pin::pin!(next);
        let waits = std::future::poll_fn(|cx| Poll::Ready(next.as_mut().poll(cx).is_pending()));
        assert!(waits.await);
        drop(making);
        next.await;
    }

    #[test]
    fn those_are_given_up_that_have_taken_nothing_for_the_longest() {
        let now = Instant::now();
        let scrapes = Scrapes::holding(3 * PART);
        let unread = &scrapes.unread;
        let text = || Bytes::from(vec![0; PART + 1]);
        let [one, two] = [0, 1].map(|nth| unread.add(text(), now + nth * SECOND));
        // The first reads on, the second does not.
        assert_eq!(
            unread.take(one.number, now + 2 * SECOND),
            Some(vec![0; PART].into())
        );
        let three = unread.add(text(), now + 3 * SECOND);
        assert_eq!(unread.take(two.number, now), None);
        assert_eq!(unread.take(one.number, now), Some(vec![0].into()));
        assert_eq!(lock(&unread.answers).bytes(), 2 * (PART + 1));
        // One alone may be as large as it is.
        let large = unread.add(vec![0; 10 * PART].into(), now + 4 * SECOND);
        for gone in [&one, &three] {
            assert_eq!(unread.take(gone.number, now), None);
        }
        assert!(unread.take(large.number, now).is_some());
        drop((one, two, three, large));
        assert_eq!(lock(&unread.answers).bytes(), 0);
    }

    #[test]
    fn a_reader_has_its_time() {
        let now = Instant::now();
        let scrapes = Scrapes::default();
        let one = scrapes.unread.add(vec![0; 3 * PART].into(), now);
        for moment in [now, now + LONGEST] {
            assert!(scrapes.unread.take(one.number, moment).is_some());
        }
        let late = now + LONGEST + SECOND;
        assert_eq!(scrapes.unread.take(one.number, late), None);
    }

    #[tokio::test]
    async fn one_that_was_given_up_is_not_whole() {
        let scrapes = Scrapes::holding(10);
        let first = made(&scrapes, "metrics").await.into_body();
        let second = made(&scrapes, "metrics").await.into_body();
        assert!(to_bytes(first, 100).await.is_err());
        assert_eq!(to_bytes(second, 100).await.unwrap(), "metrics");
    }
}
