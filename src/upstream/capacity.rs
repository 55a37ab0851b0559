//! How much an upstream has to do at once, in the whole process. A request takes a place before it is
//! sent anywhere and holds it to the end of its exchange. Where all are taken, requests wait in order
//! of arrival, whichever worker they came to: a place that becomes free is handed to the first of
//! them, so that nobody who comes later can take it. Whatever becomes of a request, its place, or its
//! turn, is given back when that is dropped.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use smallvec::SmallVec;
use tokio::sync::oneshot;

use crate::lock::lock;
use crate::seldom::Seldom;

use super::gradient::Gradient;
use super::rules::{CapacityRules, MaxRequests};

/// The places of an upstream; they outlive reloads.
#[derive(Debug, Default)]
pub struct Capacity {
    places: Mutex<Places>,
    /// Of requests that are refused.
    pub(crate) refusals_log: Seldom<10>,
}

#[derive(Debug)]
struct Places {
    /// How many there are.
    limit: usize,
    taken: usize,
    /// How many requests have had to wait so far; the number of the next one.
    arrived: u64,
    /// Somebody has asked for a place since all are taken.
    wanted: bool,
    /// Only while all places are taken. By number, so that the first is the one that came first.
    waiting: BTreeMap<u64, oneshot::Sender<Place>>,
    /// What the number of places follows from, if that is not fixed.
    gradient: Option<Gradient>,
}

/// How full an upstream is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Occupancy {
    /// How many requests it may have at once, if that is bounded.
    pub limit: Option<usize>,
    /// How many it has of those that are bounded.
    pub taken: usize,
    /// How many wait for a place.
    pub waiting: usize,
}

/// A request's place.
#[derive(Debug)]
pub struct Place(Arc<Capacity>);

/// A request's turn among those that wait.
#[derive(Debug)]
pub struct Turn {
    number: u64,
    capacity: Arc<Capacity>,
    place: oneshot::Receiver<Place>,
}

/// What a request gets that comes to an upstream.
#[derive(Debug)]
pub enum Entry {
    /// It may be sent.
    Place(Place),
    /// It has to wait.
    Turn(Turn),
    /// As many wait as may.
    Full,
}

impl Default for Places {
    fn default() -> Self {
        Self {
            limit: usize::MAX,
            taken: 0,
            arrived: 0,
            wanted: false,
            waiting: BTreeMap::new(),
            gradient: None,
        }
    }
}

impl Capacity {
    /// Takes a place, or a turn unless `max_waiting` requests wait already.
    pub fn enter(self: &Arc<Self>, max_waiting: usize) -> Entry {
        let mut places = lock(&self.places);
        if places.taken < places.limit {
            places.taken += 1;
            return Entry::Place(Place(Arc::clone(self)));
        }
        places.wanted = true;
        if places.waiting.len() >= max_waiting {
            return Entry::Full;
        }
        let (sender, place) = oneshot::channel();
        let number = places.arrived;
        places.arrived += 1;
        places.waiting.insert(number, sender);
        Entry::Turn(Turn {
            number,
            capacity: Arc::clone(self),
            place,
        })
    }

    /// Does as a new configuration says. Requests that it has begun without such rules are not counted.
    pub(super) fn follow(self: &Arc<Self>, rules: Option<&CapacityRules>) {
        self.change(|places| {
            let gradient = places.gradient.take();
            places.limit = match rules.map(|rules| rules.max_requests) {
                Some(MaxRequests::Fixed(number)) => number,
                Some(MaxRequests::Adaptive) => {
                    let gradient = gradient.unwrap_or_else(|| Gradient::new(Instant::now()));
                    places.gradient.insert(gradient).limit()
                }
                None => usize::MAX,
            };
        });
    }

    /// Notes how long an answer took, or that there was none in time.
    pub(super) fn note_time(self: &Arc<Self>, took: Option<Duration>, now: Instant) {
        self.change(|places| {
            if let Some(gradient) = &mut places.gradient {
                gradient.note(took, places.taken, now);
                places.limit = gradient.limit();
            }
        });
    }

    /// How full it is.
    pub fn occupancy(&self) -> Occupancy {
        let places = lock(&self.places);
        Occupancy {
            limit: (places.limit < usize::MAX).then_some(places.limit),
            taken: places.taken,
            waiting: places.waiting.len(),
        }
    }

    /// Whether all places are taken, and others have asked for one.
    pub fn is_wanted(&self) -> bool {
        lock(&self.places).wanted
    }

    /// How many places there are.
    pub fn limit(&self) -> usize {
        lock(&self.places).limit
    }

    /// Changes something, and hands out the places that are free then.
    fn change(self: &Arc<Self>, change: impl FnOnce(&mut Places)) {
        let mut places = lock(&self.places);
        change(&mut places);
        let admitted = places.admit();
        drop(places);
        for next in admitted {
            // A turn that has just been given up drops its place, which comes back here; no more turns
            // can be in that state at once than there are workers.
            let _ = next.send(Place(Arc::clone(self)));
        }
    }
}

impl Places {
    /// Takes the free places for those that have waited longest.
    fn admit(&mut self) -> SmallVec<[oneshot::Sender<Place>; 1]> {
        let mut admitted = SmallVec::new();
        while self.taken < self.limit
            && let Some((_, next)) = self.waiting.pop_first()
        {
            self.taken += 1;
            admitted.push(next);
        }
        self.wanted &= self.taken >= self.limit;
        admitted
    }
}

impl Turn {
    /// Waits for the place.
    pub fn poll_place(&mut self, cx: &mut Context<'_>) -> Poll<Place> {
        // It is never dropped unsent, but by this turn itself.
        ready!(Pin::new(&mut self.place).poll(cx)).map_or(Poll::Pending, Poll::Ready)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.change(|places| places.taken -= 1);
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        // A place that has come meanwhile goes with the receiver, once nothing is locked any more.
        let waited = lock(&self.capacity.places).waiting.remove(&self.number);
        drop(waited);
    }
}

#[cfg(test)]
mod tests;
