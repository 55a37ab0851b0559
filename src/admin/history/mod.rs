//! What was counted in each second of the last fifteen minutes, for charts, and in the last ten, for what is
//! said of the present. Looked at once a second by the admin thread; what rests costs next to nothing.
//!
//! Rates are by the time that has passed from one look to the next, by a clock that does not leap: a look that
//! is late, or a machine that slept, makes no spike.

mod lately;
mod points;
mod present;
mod shown;
mod took;

pub(super) use lately::Rate;
pub(super) use points::Row;
pub(super) use present::Present;
pub(super) use took::Took;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::metrics::{
    ClientOutcome, EndpointName, HistogramTotals, Metrics, OutcomeTotals, RouteReading, Total as _,
    TryOutcome, WorkerTotals,
};

use self::lately::{Counted, Timed};
use self::points::{KEPT, Point, Points, Second};
use self::took::Millis;

/// How many routes have points of their own; of others there is the present alone.
const MOST_ROUTES: usize = 1000;

/// What was counted, second by second.
#[derive(Debug)]
pub(super) struct History {
    /// The number of the last second.
    number: u64,
    looked: Instant,
    seconds: VecDeque<Second>,
    routes: BTreeMap<Arc<str>, Route>,
    routes_with_points: usize,
    upstreams: BTreeMap<Arc<str>, Upstream>,
    endpoints: BTreeMap<EndpointName, Seen<Counted>>,
    clients: BTreeMap<Arc<str>, Seen<Counted>>,
    workers: BTreeMap<usize, Seen<Counted>>,
    all: All,
}

/// What was counted of everything.
#[derive(Debug, Default)]
struct All {
    duration: Timed,
    overhead: Timed,
    service: Timed,
    store_calls: Counted,
    store_duration: Timed,
    /// Why requests were refused, so far.
    refused: Vec<u64>,
}

#[derive(Debug, Default)]
struct Route {
    seen: u64,
    stamp: u64,
    counted: Counted,
    duration: Timed,
    overhead: Timed,
    points: Option<Points>,
}

#[derive(Debug, Default)]
struct Upstream {
    seen: u64,
    stamp: u64,
    counted: Counted,
    duration: Timed,
}

/// With the number of the last second in which it was there.
#[derive(Debug, Default)]
struct Seen<T> {
    seen: u64,
    of: T,
}

/// What the routes, or the upstreams, have come to in a second.
#[derive(Default)]
struct New {
    requests: u32,
    errors: u32,
    duration: HistogramTotals,
    overhead: HistogramTotals,
}

impl History {
    /// Nothing has been seen before this moment.
    pub(super) fn new(now: Instant) -> Self {
        Self {
            number: 0,
            looked: now,
            seconds: VecDeque::new(),
            routes: BTreeMap::new(),
            routes_with_points: 0,
            upstreams: BTreeMap::new(),
            endpoints: BTreeMap::new(),
            clients: BTreeMap::new(),
            workers: BTreeMap::new(),
            all: All::default(),
        }
    }

    /// Looks at what has been counted by now.
    pub(super) fn look(&mut self, metrics: &Metrics, now: Instant, now_ms: i64) {
        let passed = now.saturating_duration_since(self.looked);
        self.looked = now;
        self.number += 1;
        let routes = self.look_at_routes(metrics);
        let service = self.look_at_upstreams(metrics);
        let workers = self.look_at_workers(metrics);
        self.look_at_rest(metrics);
        let number = self.number;
        self.all.duration.keep(number, &routes.duration);
        self.all.overhead.keep(number, &routes.overhead);
        self.all.service.keep(number, &service);
        let codes = self.all.take_refused(workers.refused());
        self.straighten(now_ms, passed);
        if self.seconds.len() == KEPT {
            self.seconds.pop_front();
        }
        self.seconds.push_back(Second {
            ended_ms: now_ms,
            passed,
            requests: routes.requests,
            errors: routes.errors,
            refused: codes.iter().fold(0, |sum, more| sum.saturating_add(*more)),
            in_flight: u32::try_from(workers.in_flight).unwrap_or(u32::MAX),
            took: Took::of(&routes.duration),
            gateway: Took::of(&routes.overhead),
            service: Took::of(&service),
            codes,
        });
    }

    /// A clock that was set back: what was before is moved with it, so that times only grow. After a
    /// machine slept there is a gap, as there was.
    fn straighten(&mut self, now_ms: i64, passed: Duration) {
        let passed_ms = i64::try_from(passed.as_millis()).unwrap_or(0).max(1);
        let Some(last) = self.seconds.back().map(|last| last.ended_ms) else {
            return;
        };
        if last >= now_ms {
            let ahead = last - now_ms + passed_ms;
            for second in &mut self.seconds {
                second.ended_ms -= ahead;
            }
        }
    }

    fn look_at_routes(&mut self, metrics: &Metrics) -> New {
        let (number, mut new) = (self.number, New::default());
        let mut room = MOST_ROUTES.saturating_sub(self.routes_with_points);
        metrics.visit_routes(|name, reading| {
            let route = entry(&mut self.routes, name);
            route.seen = number;
            let begins = route.look(number, reading, room > 0, &mut new);
            room -= usize::from(begins);
        });
        self.routes.retain(|_, route| route.seen == number);
        let with_points = self.routes.values().filter(|it| it.points.is_some());
        self.routes_with_points = with_points.count();
        new
    }

    fn look_at_upstreams(&mut self, metrics: &Metrics) -> HistogramTotals {
        let (number, mut new) = (self.number, HistogramTotals::default());
        metrics.visit_upstreams(|name, reading| {
            let upstream = entry(&mut self.upstreams, name);
            upstream.seen = number;
            let stamp = reading.stamp();
            if std::mem::replace(&mut upstream.stamp, stamp) != stamp {
                let duration = reading.duration();
                let count = duration.count();
                upstream.counted.take(number, [count, 0]);
                new.add(&upstream.duration.take(number, duration));
            }
        });
        self.upstreams.retain(|_, it| it.seen == number);
        new
    }

    fn look_at_workers(&mut self, metrics: &Metrics) -> WorkerTotals {
        let (number, mut all) = (self.number, WorkerTotals::default());
        metrics.visit_workers(|worker, totals| {
            let seen = entry(&mut self.workers, &worker);
            seen.seen = number;
            seen.of.take(number, [totals.requests, 0]);
            all.add(&totals);
        });
        let calls = all.store_calls.made();
        self.all.store_calls.take(number, [calls, 0]);
        let duration = std::mem::take(&mut all.store_duration);
        self.all.store_duration.take(number, duration);
        all
    }

    fn look_at_rest(&mut self, metrics: &Metrics) {
        let number = self.number;
        metrics.visit_endpoints(|name, tries| {
            let seen = entry(&mut self.endpoints, name);
            seen.seen = number;
            seen.of.take(number, [tries.sum(), failed(&tries)]);
        });
        self.endpoints.retain(|_, it| it.seen == number);
        metrics.visit_clients(|name, requests| {
            let seen = entry(&mut self.clients, name);
            seen.seen = number;
            let errors = requests.of(ClientOutcome::Failed);
            seen.of.take(number, [requests.sum(), errors]);
        });
        self.clients.retain(|_, it| it.seen == number);
    }
}

impl All {
    /// Takes why requests have been refused by now, and says how many are new.
    fn take_refused(&mut self, now: &[u64]) -> Box<[u32]> {
        self.refused.resize(now.len(), 0);
        let new = self.refused.iter_mut().zip(now).map(|(before, now)| {
            let new = now.saturating_sub(*before);
            *before = *now;
            u32::try_from(new).unwrap_or(u32::MAX)
        });
        new.collect()
    }
}

impl Route {
    /// Looks at it; says whether it has points from now on.
    fn look(
        &mut self,
        number: u64,
        reading: RouteReading<'_>,
        may_have_points: bool,
        new: &mut New,
    ) -> bool {
        let stamp = reading.stamp();
        if std::mem::replace(&mut self.stamp, stamp) == stamp {
            return false;
        }
        let totals = reading.totals();
        let counts = [totals.count(), totals.errors()];
        let [requests, errors] = self.counted.take(number, counts);
        let duration = self.duration.take(number, totals.duration);
        let overhead = self.overhead.take(number, totals.overhead);
        new.requests = new.requests.saturating_add(requests);
        new.errors = new.errors.saturating_add(errors);
        new.duration.add(&duration);
        new.overhead.add(&overhead);
        let has_more = self.points.is_none() && may_have_points;
        if has_more {
            self.points = Some(Points::default());
        }
        if let Some(points) = &mut self.points {
            let p99 = Millis::of(&duration, 0.99);
            points.push(
                number,
                Point {
                    requests,
                    errors,
                    p99,
                },
            );
        }
        has_more
    }
}

/// What is kept of a name; new names come seldom.
fn entry<'m, K: Ord + Clone, V: Default>(map: &'m mut BTreeMap<K, V>, name: &K) -> &'m mut V {
    if !map.contains_key(name) {
        map.insert(name.clone(), V::default());
    }
    map.get_mut(name).expect("it has just been put there")
}

/// How many tries have failed: neither answered well, nor left by the client.
fn failed(tries: &OutcomeTotals<TryOutcome>) -> u64 {
    let fine = [TryOutcome::Ok, TryOutcome::ClientLeft];
    let fine: u64 = fine.iter().map(|outcome| tries.of(*outcome)).sum();
    tries.sum().saturating_sub(fine)
}

#[cfg(test)]
mod tests;
