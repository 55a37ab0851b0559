//! What the history says when it is asked.

use std::time::Duration;

use crate::metrics::EndpointName;

use super::History;
use super::lately::{Counted, Rate, SECONDS, Timed};
use super::points::{Points, Row, Second};
use super::present::Present;
use super::took::Took;

impl History {
    /// How long the present is.
    fn present_time(&self) -> Duration {
        let ten = usize::try_from(SECONDS).unwrap_or(usize::MAX);
        self.seconds
            .iter()
            .rev()
            .take(ten)
            .map(|it| it.passed)
            .sum()
    }

    fn rate(&self, counted: &Counted) -> Rate {
        Rate::of(counted.sum(self.number), self.present_time())
    }

    /// The present of everything.
    pub(in crate::admin) fn present(&self) -> Present {
        let ten = usize::try_from(SECONDS).unwrap_or(usize::MAX);
        let mut requests = [0; 2];
        let mut refused = [0; 2];
        for second in self.seconds.iter().rev().take(ten) {
            requests[0] += u64::from(second.requests);
            requests[1] += u64::from(second.errors);
            refused[0] += u64::from(second.refused);
        }
        let (number, passed) = (self.number, self.present_time());
        let took = |timed: &Timed| Took::of(&timed.sum(number));
        Present {
            requests: Rate::of(requests, passed),
            refused_per_second: Rate::of(refused, passed).per_second,
            took: took(&self.all.duration),
            gateway: took(&self.all.overhead),
            service: took(&self.all.service),
            store_calls: self.rate(&self.all.store_calls),
            store_p99_ms: took(&self.all.store_duration).p99,
        }
    }

    /// The route with most errors in the last ten seconds, and how many it has.
    pub(in crate::admin) fn most_errors(&self) -> Option<(&str, u64)> {
        let errors = self.routes.iter().map(|(name, route)| {
            let [_, errors] = route.counted.sum(self.number);
            (&**name, errors)
        });
        let errors = errors.filter(|(_, errors)| *errors > 0);
        errors.max_by_key(|(_, errors)| *errors)
    }

    /// How much a route has had lately.
    pub(in crate::admin) fn route(&self, name: &str) -> Option<Rate> {
        self.routes.get(name).map(|route| self.rate(&route.counted))
    }

    /// How many requests of a route have ended in this process.
    pub(in crate::admin) fn route_total(&self, name: &str) -> u64 {
        self.routes.get(name).map_or(0, |it| it.counted.total())
    }

    /// How long requests of a route have taken lately, and what the gateway took of that itself.
    pub(in crate::admin) fn route_took(&self, name: &str) -> (Took, Took) {
        let Some(route) = self.routes.get(name) else {
            return (Took::NONE, Took::NONE);
        };
        let took = |timed: &Timed| Took::of(&timed.sum(self.number));
        (took(&route.duration), took(&route.overhead))
    }

    /// Requests of a route in each of the last seconds, the oldest first; `None` if it has no points.
    pub(in crate::admin) fn route_rates(&self, name: &str, most: usize) -> Option<Vec<f32>> {
        let points = self.routes.get(name)?.points.as_ref()?;
        let seconds = self
            .numbered()
            .skip(self.seconds.len().saturating_sub(most));
        Some(seconds.map(|(at, it)| it.rate_of(points.at(at))).collect())
    }

    /// How much an upstream has answered lately, and how long it took.
    pub(in crate::admin) fn upstream(&self, name: &str) -> Option<(Rate, Took)> {
        let upstream = self.upstreams.get(name)?;
        let took = Took::of(&upstream.duration.sum(self.number));
        Some((self.rate(&upstream.counted), took))
    }

    /// How much an endpoint was tried lately.
    pub(in crate::admin) fn endpoint(&self, name: &EndpointName) -> Option<Rate> {
        self.endpoints.get(name).map(|seen| self.rate(&seen.of))
    }

    /// How much a client has asked for lately.
    pub(in crate::admin) fn client(&self, name: &str) -> Option<Rate> {
        self.clients.get(name).map(|seen| self.rate(&seen.of))
    }

    /// How much each worker has had lately.
    pub(in crate::admin) fn workers(&self) -> impl Iterator<Item = (usize, Rate)> {
        let all = self.workers.iter();
        all.map(|(number, seen)| (*number, self.rate(&seen.of)))
    }

    /// The last point of everything.
    pub(in crate::admin) fn last(&self) -> Option<Row> {
        self.seconds.back().map(Second::row)
    }

    /// All points of everything.
    pub(in crate::admin) fn rows(&self) -> Vec<Row> {
        self.seconds.iter().map(Second::row).collect()
    }

    /// All points of a route; `None` if it has none.
    pub(in crate::admin) fn rows_of_route(&self, name: &str) -> Option<Vec<Row>> {
        let route = self.routes.get(name)?;
        let nothing = Points::default();
        let points = match &route.points {
            Some(points) => points,
            // It has had no requests yet.
            None if route.stamp == 0 => &nothing,
            None => return None,
        };
        let rows = self.numbered();
        Some(
            rows.map(|(at, it)| it.row_of_route(points.at(at)))
                .collect(),
        )
    }

    /// All points of a code, by its place among all.
    pub(in crate::admin) fn rows_of_code(&self, place: usize) -> Vec<Row> {
        let seconds = self.seconds.iter();
        seconds.map(|second| second.row_of_code(place)).collect()
    }

    /// How many were refused by each code in the last second, each second.
    pub(in crate::admin) fn refused_lately(&self, place: usize) -> f64 {
        let ten = usize::try_from(SECONDS).unwrap_or(usize::MAX);
        let seconds = self.seconds.iter().rev().take(ten);
        let counts = seconds.filter_map(|second| second.codes.get(place));
        let count = counts.map(|count| u64::from(*count)).sum();
        Rate::of([count, 0], self.present_time()).per_second
    }

    /// The seconds with their numbers.
    fn numbered(&self) -> impl Iterator<Item = (u64, &Second)> {
        let first = self.number + 1 - self.seconds.len() as u64;
        (first..).zip(&self.seconds)
    }
}
