//! The requests of late, so that an operator can look at some of each kind: at most one in 10 ms of each
//! kind and worker, and how many like it came meanwhile. So a flood of refusals neither costs nor pushes
//! the one request out that a service has failed, nor a flood of a service's 500s its one 502.
//!
//! A worker decides by numbers of its own, and takes the lock of its ring only for a request that is
//! kept; a reader takes it to copy what there is.

mod entry;

pub use entry::Entry;

use std::cell::{Cell, RefCell};
use std::cmp::Reverse;
use std::collections::VecDeque;
use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::lock::lock;

use super::filter::{Filter, SLOW};
use super::status::slot;

/// For so long after a request no other of its kind is kept.
const PAUSE: Duration = Duration::from_millis(10);
/// How long a request has to be the slowest.
const SECOND: Duration = Duration::from_secs(1);
/// How many requests are kept of each kind.
const KEPT: usize = 32;
/// The same of each status that a service answers with. Fewer, because a service may send them all.
const KEPT_OF_STATUS: usize = 16;

/// The requests of late, of all workers.
#[derive(Debug, Default)]
pub struct Recent {
    workers: Mutex<Vec<Arc<Ring>>>,
}

impl Recent {
    /// What one more worker notes its requests with.
    pub fn worker(&self) -> RecentOfWorker {
        let ring = Arc::<Ring>::default();
        lock(&self.workers).push(Arc::clone(&ring));
        RecentOfWorker {
            ring,
            kinds: RefCell::default(),
            slowest: Cell::new(None),
        }
    }

    /// Those that a filter takes, the newest first.
    pub fn list(&self, filter: &Filter) -> Vec<Entry> {
        let rings = lock(&self.workers).clone();
        let all = rings.iter().flat_map(|ring| ring.copy());
        let mut list: Vec<_> = all
            .filter(|(entry, _)| filter.takes(&entry.facts()))
            .collect();
        list.sort_by_key(|(entry, _)| Reverse(entry.time));
        let list = list.into_iter();
        list.map(|(entry, more)| Entry {
            more,
            ..Entry::clone(&entry)
        })
        .collect()
    }
}

/// What a worker keeps, by kind.
#[derive(Debug, Default)]
struct Ring {
    kinds: Mutex<Vec<Kept>>,
}

impl Ring {
    /// All that there is, each with how many like it came after it.
    fn copy(&self) -> Vec<(Arc<Entry>, u32)> {
        let mut all = Vec::with_capacity(8 * KEPT);
        for kept in &*lock(&self.kinds) {
            all.extend(kept.entries.iter().cloned());
            if let Some((_, more)) = all.last_mut() {
                *more = kept.more.load(Ordering::Relaxed);
            }
        }
        all
    }
}

/// The requests of one kind, the oldest first.
#[derive(Debug)]
struct Kept {
    entries: VecDeque<(Arc<Entry>, u32)>,
    /// How many have come since the newest. Written by the worker alone.
    more: Arc<AtomicU32>,
}

/// A worker's way to note its requests.
#[derive(Debug)]
pub struct RecentOfWorker {
    ring: Arc<Ring>,
    /// In the order of the ring.
    kinds: RefCell<Vec<Kind>>,
    /// How long the slowest took, and when the next second begins.
    slowest: Cell<Option<(Duration, Instant)>>,
}

/// What requests have in common.
#[derive(Debug, Clone, Copy)]
struct Key {
    /// As it is shown.
    name: &'static str,
    /// Of errors of services: where the status is counted. So there are no more kinds than statuses that are
    /// registered, and two for all others.
    status: Option<usize>,
}

impl Key {
    fn named(name: &'static str) -> Self {
        Self { name, status: None }
    }

    fn is(self, other: Self) -> bool {
        self.status == other.status && (ptr::eq(self.name, other.name) || self.name == other.name)
    }
}

#[derive(Debug)]
struct Kind {
    key: Key,
    /// When the next one may be kept.
    next: Instant,
    more: Arc<AtomicU32>,
}

/// What decides whether a request is kept.
#[derive(Debug, Clone, Copy)]
pub struct Seen {
    /// The status that was sent.
    pub status: u16,
    /// Why the gateway itself answered, or the answer broke off.
    pub code: Option<&'static str>,
    /// How long the request took.
    pub took: Duration,
    /// When it ended.
    pub now: Instant,
}

impl RecentOfWorker {
    /// Notes a request that has ended; `entry` makes what is kept of it, if it is kept, under the kind
    /// that it is given.
    #[inline]
    pub fn note(&self, seen: &Seen, entry: impl FnOnce(&'static str) -> Entry) {
        let (key, replaces) = self.key(seen);
        let mut kinds = self.kinds.borrow_mut();
        let place = kinds.iter().position(|it| it.key.is(key));
        if let Some(known) = place.and_then(|place| kinds.get_mut(place))
            && seen.now < known.next
            && key.name != SLOWEST
        {
            let more = known.more.load(Ordering::Relaxed);
            known.more.store(more.saturating_add(1), Ordering::Relaxed);
            return;
        }
        let place = place.unwrap_or_else(|| self.add(&mut kinds, key, seen.now));
        if let Some(kind) = kinds.get_mut(place) {
            kind.next = seen.now + PAUSE;
            self.keep(key, place, replaces, entry(key.name));
        }
    }

    /// The kind of a request, and whether it takes the place of the last one of that kind.
    #[inline]
    fn key(&self, seen: &Seen) -> (Key, bool) {
        let name = match (seen.code, seen.status) {
            (Some(code), _) => code,
            (None, status @ 400..) => {
                let name = if status >= 500 { "5xx" } else { "4xx" };
                let status = Some(slot(status));
                return (Key { name, status }, false);
            }
            (None, _) if seen.took >= SLOW => "slow",
            (None, _) => return self.good(seen),
        };
        (Key::named(name), false)
    }

    /// The same of one that is neither an error nor slow.
    #[inline]
    fn good(&self, seen: &Seen) -> (Key, bool) {
        match self.slowest.get() {
            Some((slowest, next)) if seen.now < next => {
                if seen.took <= slowest {
                    return (Key::named("ok"), false);
                }
                self.slowest.set(Some((seen.took, next)));
                (Key::named(SLOWEST), true)
            }
            _ => {
                self.slowest.set(Some((seen.took, seen.now + SECOND)));
                (Key::named(SLOWEST), false)
            }
        }
    }

    /// Makes room for one kind more, and says where.
    #[cold]
    fn add(&self, kinds: &mut Vec<Kind>, key: Key, next: Instant) -> usize {
        let more = Arc::<AtomicU32>::default();
        lock(&self.ring.kinds).push(Kept {
            entries: VecDeque::new(),
            more: Arc::clone(&more),
        });
        kinds.push(Kind { key, next, more });
        kinds.len() - 1
    }

    #[cold]
    fn keep(&self, key: Key, place: usize, replaces: bool, entry: Entry) {
        let most = key.status.map_or(KEPT, |_| KEPT_OF_STATUS);
        let entry = Arc::new(entry);
        let mut ring = lock(&self.ring.kinds);
        let Some(kept) = ring.get_mut(place) else {
            return;
        };
        let more = kept.more.swap(0, Ordering::Relaxed);
        let given_up = match kept.entries.back_mut() {
            Some(_) if replaces => kept.entries.pop_back(),
            Some(last) => {
                last.1 = more;
                (kept.entries.len() >= most)
                    .then(|| kept.entries.pop_front())
                    .flatten()
            }
            None => None,
        };
        kept.entries.push_back((entry, 0));
        drop(ring);
        // Memory is given back when the lock has been.
        drop(given_up);
    }
}

/// The kind of the slowest request of each second.
const SLOWEST: &str = "slowest";

#[cfg(test)]
mod tests;
