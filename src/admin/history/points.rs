//! Points of the charts: one a second, kept for fifteen minutes.

use std::collections::VecDeque;
use std::time::Duration;

use serde::Serialize;

use super::took::{Millis, Took, rounded};

/// How many seconds are kept.
pub(super) const KEPT: usize = 15 * 60;

/// What was counted in one second, about: in the time from one look to the next.
#[derive(Debug)]
pub(super) struct Second {
    /// When it ended, in milliseconds since 1970.
    pub ended_ms: i64,
    /// How long it was.
    pub passed: Duration,
    pub requests: u32,
    pub errors: u32,
    pub refused: u32,
    pub in_flight: u32,
    pub took: Took,
    pub gateway: Took,
    pub service: Took,
    /// By the place of the code.
    pub codes: Box<[u32]>,
}

impl Second {
    /// So many in this time, each second.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "seven digits are enough for a chart"
    )]
    fn rate(&self, count: u32) -> f32 {
        let seconds = self.passed.as_secs_f64();
        let rate = if seconds > 0.0 {
            f64::from(count) / seconds
        } else {
            0.0
        };
        rounded(rate as f32)
    }

    #[expect(clippy::cast_precision_loss, reason = "milliseconds of today fit")]
    fn ended(&self) -> f64 {
        self.ended_ms as f64 / 1000.0
    }

    /// As a point of the chart of everything.
    pub(super) fn row(&self) -> Row {
        Row(
            self.ended(),
            self.rate(self.requests),
            Some(self.rate(self.errors)),
            Some(self.rate(self.refused)),
            Some(self.in_flight),
            self.took.p50,
            self.took.p90,
            self.took.p99,
            self.gateway.p99,
            self.service.p99,
            self.gateway.p50,
            self.gateway.p90,
            self.service.p50,
            self.service.p90,
        )
    }

    /// As a point of the chart of one route.
    pub(super) fn row_of_route(&self, point: Point) -> Row {
        let (requests, errors) = (self.rate(point.requests), self.rate(point.errors));
        Row {
            2: Some(errors),
            7: point.p99.shown(),
            ..Row::of(self.ended(), requests)
        }
    }

    /// As a point of the chart of one code, by its place.
    pub(super) fn row_of_code(&self, place: usize) -> Row {
        let refused = self.rate(self.codes.get(place).copied().unwrap_or(0));
        Row {
            3: Some(refused),
            ..Row::of(self.ended(), refused)
        }
    }

    /// How many requests of a route there were each second.
    pub(super) fn rate_of(&self, point: Point) -> f32 {
        self.rate(point.requests)
    }
}

/// A route's second.
#[derive(Debug, Clone, Copy)]
pub(super) struct Point {
    pub requests: u32,
    pub errors: u32,
    pub p99: Millis,
}

const _: () = assert!(size_of::<Point>() == 12);

impl Point {
    const NOTHING: Self = Self {
        requests: 0,
        errors: 0,
        p99: Millis::NONE,
    };
}

/// A route's last seconds. Those after the last one with a request take no room.
#[derive(Debug, Default)]
pub(super) struct Points {
    /// The number of the second after the last that is in the list.
    next: u64,
    list: VecDeque<Point>,
}

impl Points {
    /// Adds a second that is later than all before it.
    pub(super) fn push(&mut self, second: u64, point: Point) {
        let missed = second.saturating_sub(self.next);
        match usize::try_from(missed) {
            Ok(missed) if missed < KEPT => {
                let nothing = std::iter::repeat_n(Point::NOTHING, missed);
                self.list.extend(nothing);
            }
            _ => self.list.clear(),
        }
        self.list.push_back(point);
        let too_many = self.list.len().saturating_sub(KEPT);
        self.list.drain(..too_many);
        self.next = second + 1;
    }

    /// That of a second.
    pub(super) fn at(&self, second: u64) -> Point {
        let back = self.next.checked_sub(second);
        let back = back.and_then(|back| usize::try_from(back).ok());
        let at = back.and_then(|back| self.list.len().checked_sub(back));
        let point = at.and_then(|at| self.list.get(at));
        point.copied().unwrap_or(Point::NOTHING)
    }
}

/// A point as it is shown: the time in seconds since 1970; requests, errors and refusals a second; requests
/// in flight; p50, p90, p99, the gateway's p99 and the services', the gateway's p50 and p90, the services', in
/// milliseconds. What is not known is null.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(in crate::admin) struct Row(
    f64,
    f32,
    Option<f32>,
    Option<f32>,
    Option<u32>,
    Option<f32>,
    Option<f32>,
    Option<f32>,
    Option<f32>,
    Option<f32>,
    Option<f32>,
    Option<f32>,
    Option<f32>,
    Option<f32>,
);

impl Row {
    /// So many requests a second at that time, and nothing else is known.
    #[rustfmt::skip]
    fn of(time: f64, requests: f32) -> Self {
        Self(time, requests, None, None, None, None, None, None, None, None, None, None, None, None)
    }

    /// Its time, in seconds since 1970.
    pub(in crate::admin) fn time(&self) -> f64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(requests: u32) -> Point {
        Point {
            requests,
            ..Point::NOTHING
        }
    }

    #[test]
    fn seconds_without_requests_are_between_those_with_some() {
        let mut points = Points::default();
        points.push(5, point(1));
        points.push(6, point(2));
        points.push(9, point(3));
        let found: Vec<_> = (3..12).map(|at| points.at(at).requests).collect();
        assert_eq!(found, [0, 0, 1, 2, 0, 0, 3, 0, 0]);
    }

    #[test]
    fn so_many_are_kept_and_a_long_rest_leaves_nothing() {
        let mut points = Points::default();
        for second in 1..=2000 {
            points.push(second, point(u32::try_from(second).unwrap()));
        }
        assert_eq!(points.list.len(), KEPT);
        assert_eq!(points.at(2000).requests, 2000);
        assert_eq!(points.at(1101).requests, 1101);
        assert_eq!(points.at(1100).requests, 0);
        points.push(2500, point(7));
        assert_eq!(points.list.len(), KEPT);
        assert_eq!(
            (points.at(2000).requests, points.at(2500).requests),
            (2000, 7)
        );
        points.push(9000, point(8));
        assert_eq!((points.list.len(), points.at(9000).requests), (1, 8));
    }

    #[test]
    fn a_point_is_a_flat_list_with_nulls() {
        let second = Second {
            ended_ms: 1_700_000_000_250,
            passed: Duration::from_secs(2),
            requests: 7,
            errors: 1,
            refused: 0,
            in_flight: 3,
            took: Took {
                p50: Some(1.235),
                ..Took::NONE
            },
            gateway: Took {
                p50: Some(0.25),
                p99: Some(0.5),
                ..Took::NONE
            },
            service: Took {
                p90: Some(7.0),
                ..Took::NONE
            },
            codes: [0, 4].into(),
        };
        let json = |row: Row| serde_json::to_string(&row).unwrap();
        assert_eq!(
            json(second.row()),
            "[1700000000.25,3.5,0.5,0.0,3,1.235,null,null,0.5,null,0.25,null,null,7.0]"
        );
        assert_eq!(
            json(second.row_of_route(point(2))),
            "[1700000000.25,1.0,0.0,null,null,null,null,null,null,null,null,null,null,null]"
        );
        assert_eq!(
            json(second.row_of_code(1)),
            "[1700000000.25,2.0,null,2.0,null,null,null,null,null,null,null,null,null,null]"
        );
    }
}
