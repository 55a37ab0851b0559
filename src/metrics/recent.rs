//! The requests of late, so that an operator can look at some of each kind: at most one in 10 ms of each
//! kind and worker, and how many like it came meanwhile. So a flood of refusals neither costs nor pushes
//! the one request out that a service has failed.
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
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::filter::{Filter, SLOW};

/// For so long after a request no other of its kind is kept.
const PAUSE: Duration = Duration::from_millis(10);
/// How long a request has to be the slowest.
const SECOND: Duration = Duration::from_secs(1);
/// How many requests are kept of each kind.
const KEPT: usize = 32;

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

#[derive(Debug)]
struct Kind {
    name: &'static str,
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
        let (kind, replaces) = self.kind(seen);
        let mut kinds = self.kinds.borrow_mut();
        let place = kinds
            .iter()
            .position(|it| ptr::eq(it.name, kind) || it.name == kind);
        if let Some(known) = place.and_then(|place| kinds.get_mut(place))
            && seen.now < known.next
            && kind != SLOWEST
        {
            let more = known.more.load(Ordering::Relaxed);
            known.more.store(more.saturating_add(1), Ordering::Relaxed);
            return;
        }
        self.keep(&mut kinds, place, seen.now, replaces, entry(kind));
    }

    /// The kind of a request, and whether it takes the place of the last one of that kind.
    #[inline]
    fn kind(&self, seen: &Seen) -> (&'static str, bool) {
        match (seen.code, seen.status) {
            (Some(code), _) => return (code, false),
            (None, 500..) => return ("5xx", false),
            (None, 400..) => return ("4xx", false),
            (None, _) if seen.took >= SLOW => return ("slow", false),
            (None, _) => {}
        }
        match self.slowest.get() {
            Some((slowest, next)) if seen.now < next => {
                if seen.took <= slowest {
                    return ("ok", false);
                }
                self.slowest.set(Some((seen.took, next)));
                (SLOWEST, true)
            }
            _ => {
                self.slowest.set(Some((seen.took, seen.now + SECOND)));
                (SLOWEST, false)
            }
        }
    }

    #[cold]
    fn keep(
        &self,
        kinds: &mut Vec<Kind>,
        place: Option<usize>,
        now: Instant,
        replaces: bool,
        entry: Entry,
    ) {
        let name = entry.kind;
        let entry = Arc::new(entry);
        let mut ring = lock(&self.ring.kinds);
        let place = place.unwrap_or_else(|| {
            let more = Arc::<AtomicU32>::default();
            ring.push(Kept {
                entries: VecDeque::new(),
                more: Arc::clone(&more),
            });
            kinds.push(Kind {
                name,
                next: now,
                more,
            });
            kinds.len() - 1
        });
        let (Some(kind), Some(kept)) = (kinds.get_mut(place), ring.get_mut(place)) else {
            return;
        };
        kind.next = now + PAUSE;
        let more = kept.more.swap(0, Ordering::Relaxed);
        let given_up = match kept.entries.back_mut() {
            Some(_) if replaces => kept.entries.pop_back(),
            Some(last) => {
                last.1 = more;
                (kept.entries.len() >= KEPT)
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

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
