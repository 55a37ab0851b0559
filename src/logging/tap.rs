//! Access lines as they come, for a few who follow them: `tollgate tail`. While nobody does, a request
//! looks at one number. A follower that falls behind loses lines, and hears how many; it holds up nothing.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use tokio::sync::mpsc::{Receiver, Sender, channel};

use crate::lock::lock;
use crate::metrics::filter::{Facts, Filter};

/// How many may follow at once.
const MOST_FOLLOWERS: usize = 8;
/// How many lines may wait for a follower; each has a few KiB at most.
const QUEUE: usize = 512;

/// Where access lines can be followed. Shared by all workers.
#[derive(Debug, Default)]
pub struct Tap {
    /// How many follow.
    number: AtomicUsize,
    followers: Mutex<Vec<Arc<Follower>>>,
}

#[derive(Debug)]
struct Follower {
    filter: Filter,
    lines: Sender<Arc<str>>,
    lost: AtomicU64,
}

impl Tap {
    /// Follows the lines of requests that the filter takes, unless too many do already.
    pub fn follow(self: &Arc<Self>, filter: Filter) -> Option<Following> {
        let (sender, lines) = channel(QUEUE);
        let follower = Arc::new(Follower {
            filter,
            lines: sender,
            lost: AtomicU64::new(0),
        });
        let mut followers = lock(&self.followers);
        if followers.len() >= MOST_FOLLOWERS {
            return None;
        }
        followers.push(Arc::clone(&follower));
        self.number.store(followers.len(), Ordering::Relaxed);
        Some(Following {
            tap: Arc::clone(self),
            follower,
            lines,
            since_lost: 0,
        })
    }

    /// Whether anybody follows.
    #[inline]
    pub(super) fn is_followed(&self) -> bool {
        self.number.load(Ordering::Relaxed) > 0
    }

    /// Hands a line to those who want it; `put` makes it, without its line break.
    pub(super) fn offer(&self, facts: &Facts<'_>, put: impl FnOnce(&mut Vec<u8>)) {
        let wanting: Vec<_> = {
            let followers = lock(&self.followers);
            let wanting = followers.iter().filter(|it| it.filter.takes(facts));
            wanting.cloned().collect()
        };
        let mut put = Some(put);
        let mut line: Option<Arc<str>> = None;
        for follower in wanting {
            // Without room there is no need for a line.
            let Ok(room) = follower.lines.try_reserve() else {
                follower.lost.fetch_add(1, Ordering::Relaxed);
                continue;
            };
            if let Some(put) = put.take() {
                let mut text = Vec::with_capacity(1024);
                put(&mut text);
                line = Some(String::from_utf8_lossy(&text).into());
            }
            if let Some(line) = &line {
                room.send(Arc::clone(line));
            }
        }
    }
}

/// Somebody who follows, until it is dropped.
#[derive(Debug)]
pub struct Following {
    tap: Arc<Tap>,
    follower: Arc<Follower>,
    lines: Receiver<Arc<str>>,
    /// How many lines were taken since lost ones were last asked for.
    since_lost: usize,
}

/// What a follower hears.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// A line in JSON, without its line break.
    Line(Arc<str>),
    /// So many lines found no room.
    Lost(u64),
}

impl Following {
    /// The next line that is there; how many were lost, once there is none or many were taken.
    fn try_next(&mut self) -> Option<Heard> {
        if self.since_lost < QUEUE
            && let Ok(line) = self.lines.try_recv()
        {
            self.since_lost += 1;
            return Some(Heard::Line(line));
        }
        self.since_lost = 0;
        let lost = self.follower.lost.swap(0, Ordering::Relaxed);
        if lost > 0 {
            return Some(Heard::Lost(lost));
        }
        self.lines.try_recv().ok().map(Heard::Line)
    }

    /// The next line, or a wake-up when there is one.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Heard> {
        if let Some(heard) = self.try_next() {
            return Poll::Ready(heard);
        }
        match self.lines.poll_recv(cx) {
            Poll::Ready(Some(line)) => Poll::Ready(Heard::Line(line)),
            // It never ends: the sender is this one's own.
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        }
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        let mut followers = lock(&self.tap.followers);
        followers.retain(|it| !Arc::ptr_eq(it, &self.follower));
        self.tap.number.store(followers.len(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn facts(route: &str) -> Facts<'_> {
        Facts {
            route: Some(route),
            client: None,
            code: None,
            kind: "ok",
            status: 200,
            took: Duration::ZERO,
        }
    }

    fn to(route: &str) -> Filter {
        Filter {
            route: Some(route.into()),
            ..Filter::default()
        }
    }

    fn offer(tap: &Tap, route: &str) {
        tap.offer(&facts(route), |line| line.extend(route.as_bytes()));
    }

    #[test]
    fn a_follower_gets_the_lines_that_it_wants_as_long_as_it_follows() {
        let tap = Arc::<Tap>::default();
        assert!(!tap.is_followed());
        let (mut all, mut some) = (
            tap.follow(Filter::default()).unwrap(),
            tap.follow(to("a")).unwrap(),
        );
        assert!(tap.is_followed());
        offer(&tap, "a");
        offer(&tap, "b");
        let line = |text: &str| Some(Heard::Line(text.into()));
        assert_eq!(all.try_next(), line("a"));
        assert_eq!(all.try_next(), line("b"));
        assert_eq!(some.try_next(), line("a"));
        assert_eq!((all.try_next(), some.try_next()), (None, None));
        drop((all, some));
        assert!(!tap.is_followed());
        tap.offer(&facts("a"), |_| panic!("nobody wants it"));
    }

    #[test]
    fn one_more_than_may_is_turned_away_until_another_leaves() {
        let tap = Arc::<Tap>::default();
        let mut all: Vec<_> = (0..MOST_FOLLOWERS)
            .map(|_| tap.follow(Filter::default()).unwrap())
            .collect();
        assert!(tap.follow(Filter::default()).is_none());
        all.pop();
        assert!(tap.follow(Filter::default()).is_some());
    }

    #[test]
    fn what_finds_no_room_is_neither_made_nor_forgotten() {
        let tap = Arc::<Tap>::default();
        let mut slow = tap.follow(Filter::default()).unwrap();
        for _ in 0..QUEUE {
            offer(&tap, "a");
        }
        for _ in 0..3 {
            tap.offer(&facts("a"), |_| panic!("there is no room for it"));
        }
        let mut lines = 0;
        let lost = loop {
            match slow.try_next() {
                Some(Heard::Line(_)) => lines += 1,
                Some(Heard::Lost(lost)) => break lost,
                None => panic!("{lines} lines, and none was lost"),
            }
        };
        assert_eq!((lines, lost), (QUEUE, 3));
        assert_eq!(slow.try_next(), None);
    }
}
