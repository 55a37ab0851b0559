//! Which requests are kept.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};

use super::*;
use crate::metrics::filter::Statuses;

const MS: Duration = Duration::from_millis(1);

/// A worker whose requests end when the test says.
struct Bench {
    recent: Recent,
    worker: RecentOfWorker,
    begun: Instant,
    kept: Cell<u32>,
}

impl Bench {
    fn new() -> Self {
        let recent = Recent::default();
        Self {
            worker: recent.worker(),
            recent,
            begun: Instant::now(),
            kept: Cell::new(0),
        }
    }

    fn ends(&self, at: Duration, status: u16, code: Option<&'static str>, took: Duration) {
        note(&self.worker, self.begun, at, status, code, took, &self.kept);
    }

    fn ok(&self, at: Duration, took: Duration) {
        self.ends(at, 200, None, took);
    }

    fn kinds(&self) -> BTreeMap<&'static str, (usize, u32)> {
        let mut kinds = BTreeMap::new();
        for entry in self.recent.list(&Filter::default()) {
            let (kept, more) = kinds.entry(entry.kind).or_default();
            *kept += 1;
            *more += entry.more;
        }
        kinds
    }
}

fn note(
    worker: &RecentOfWorker,
    begun: Instant,
    at: Duration,
    status: u16,
    code: Option<&'static str>,
    took: Duration,
    kept: &Cell<u32>,
) {
    let seen = Seen {
        status,
        code,
        took,
        now: begun + at,
    };
    worker.note(&seen, |kind| {
        kept.set(kept.get() + 1);
        Entry {
            time: Timestamp::UNIX_EPOCH + SignedDuration::try_from(at).unwrap(),
            request_id: "id".into(),
            trace_id: None,
            client: None,
            client_kind: None,
            ip: IpAddr::from([127, 0, 0, 1]),
            method: None,
            host: None,
            path: None,
            route: Some("orders".into()),
            upstream: None,
            endpoint: None,
            status,
            code,
            detail: None,
            limit: None,
            took,
            upstream_time: None,
            limit_time: None,
            kind,
            more: 0,
        }
    });
}

#[test]
fn a_flood_costs_an_entry_in_ten_milliseconds_and_pushes_nothing_else_out() {
    let bench = Bench::new();
    bench.ends(Duration::ZERO, 502, Some("upstream_unreachable"), MS);
    // A second of 429s, 100 in each millisecond.
    for nth in 0..100_000 {
        let at = Duration::from_micros(10 * nth);
        bench.ends(at, 429, Some("rate_limited"), MS);
    }
    assert_eq!(bench.kept.get(), 101);
    let kinds = bench.kinds();
    assert_eq!(kinds["upstream_unreachable"], (1, 0));
    let each = 999;
    assert_eq!(
        kinds["rate_limited"],
        (KEPT, each * u32::try_from(KEPT).unwrap())
    );
}

#[test]
fn the_number_of_those_that_came_after_the_newest_can_be_read_at_once() {
    let bench = Bench::new();
    for nth in 0..4 {
        bench.ends(nth * MS, 404, Some("no_route"), MS);
    }
    assert_eq!(bench.kinds()["no_route"], (1, 3));
    bench.ends(10 * MS, 404, Some("no_route"), MS);
    let list = bench.recent.list(&Filter::default());
    assert_eq!((list[0].more, list[1].more), (0, 3));
}

#[test]
fn errors_of_services_are_kept_by_status_and_shown_by_class() {
    let bench = Bench::new();
    for status in [400, 404, 404, 500, 503] {
        bench.ends(MS, status, None, MS);
    }
    assert_eq!(
        bench.kinds(),
        BTreeMap::from([("4xx", (2, 1)), ("5xx", (2, 0))])
    );
}

#[test]
fn a_flood_of_a_services_own_errors_does_not_push_another_one_out() {
    let bench = Bench::new();
    bench.ends(Duration::ZERO, 502, None, MS);
    for nth in 0..1000 {
        bench.ends(nth * 10 * MS, 500, None, MS);
    }
    let list = bench.recent.list(&Filter::default());
    let count = |status| list.iter().filter(|it| it.status == status).count();
    assert_eq!((count(502), count(500)), (1, KEPT_OF_STATUS));
}

#[test]
fn a_service_with_all_statuses_makes_a_bounded_number_of_kinds() {
    let bench = Bench::new();
    for nth in 0..20_000_u16 {
        bench.ends(u32::from(nth) * 10 * MS, 400 + nth % 600, None, MS);
    }
    let kept = bench.recent.list(&Filter::default()).len();
    assert!(kept <= 43 * KEPT_OF_STATUS, "{kept}");
}

#[test]
fn the_slowest_of_each_second_is_kept_and_all_that_take_a_second() {
    let bench = Bench::new();
    for (at, took) in [
        (0, 5),
        (1, 3),
        (2, 300),
        (3, 200),
        (990, 400),
        (1000, 7),
        (1001, 6),
    ] {
        bench.ok(at * MS, took * MS);
    }
    bench.ok(1500 * MS, 2000 * MS);
    let slow = Filter {
        slow: Some(200 * MS),
        ..Filter::default()
    };
    let list = bench.recent.list(&slow);
    let took: Vec<_> = list.iter().map(|it| (it.kind, it.took)).collect();
    // 200 ms were not the slowest, and came within the pause after another request.
    assert_eq!(took, [("slow", 2000 * MS), ("slowest", 400 * MS)]);
    assert_eq!(bench.kinds()["ok"], (2, 1));
    assert_eq!(bench.kinds()["slowest"], (2, 0));
}

#[test]
fn workers_are_read_together_and_the_newest_comes_first() {
    let bench = Bench::new();
    let other = bench.recent.worker();
    bench.ends(MS, 502, Some("a"), MS);
    note(&other, bench.begun, 2 * MS, 404, Some("b"), MS, &bench.kept);
    bench.ends(3 * MS, 503, Some("c"), MS);
    let codes = |filter: &Filter| {
        let list = bench.recent.list(filter);
        list.iter().map(|it| it.kind).collect::<Vec<_>>()
    };
    assert_eq!(codes(&Filter::default()), ["c", "b", "a"]);
    let failed = Filter {
        status: Statuses::parse("5xx"),
        ..Filter::default()
    };
    assert_eq!(codes(&failed), ["c", "a"]);
    let of = |name: &str| Filter {
        route: Some(name.into()),
        ..Filter::default()
    };
    assert_eq!(codes(&of("orders")).len(), 3);
    assert!(codes(&of("stock")).is_empty());
}

#[test]
fn an_entry_has_no_more_of_a_text_than_a_few_hundred_bytes_and_no_half_characters() {
    assert_eq!(Entry::cut("/short").as_ref(), "/short");
    let long = "ü".repeat(1000);
    assert_eq!(Entry::cut(&format!("x{long}")).len(), 255);
    assert!(Entry::cut_bytes(&[0xff; 1000]).len() <= 256);
}

#[test]
fn an_entry_reads_as_the_log_does() {
    let bench = Bench::new();
    bench.ends(
        1500 * MS,
        429,
        Some("rate_limited"),
        Duration::from_micros(1234),
    );
    let list = bench.recent.list(&Filter::default());
    let json = serde_json::to_value(&list[0]).unwrap();
    assert_eq!(json["time"], "1970-01-01T00:00:01.500Z");
    assert_eq!(json["duration_ms"], 1.234);
    assert!(json["upstream_ms"].is_null() && json["more"] == 0);
}
