use super::*;
use crate::metrics::{ClientKind, Names, RouteRow, Served, StoreOutcome, WorkerMetrics};

const SECOND: Duration = Duration::from_secs(1);

/// A history over counters of its own.
struct Looked {
    metrics: Arc<Metrics>,
    worker: WorkerMetrics,
    history: History,
    now: Instant,
    now_ms: i64,
}

fn looked(routes: &[&str]) -> Looked {
    let metrics = Arc::new(Metrics::new(&["rate_limited", "upstream_timeout"]));
    keep(&metrics, routes);
    let now = Instant::now();
    Looked {
        worker: metrics.worker(),
        metrics,
        history: History::new(now),
        now,
        now_ms: 1_700_000_000_000,
    }
}

fn keep(metrics: &Metrics, routes: &[&str]) {
    metrics.keep(Names {
        routes: routes.iter().map(|name| Arc::from(*name)).collect(),
        ..Names::default()
    });
}

impl Looked {
    fn route(&self, name: &str) -> Arc<RouteRow> {
        self.worker.route(&name.into())
    }

    /// Looks after so long.
    fn after(&mut self, time: Duration) {
        self.now += time;
        self.now_ms += i64::try_from(time.as_millis()).unwrap();
        self.history.look(&self.metrics, self.now, self.now_ms);
    }

    fn points(&self) -> serde_json::Value {
        serde_json::to_value(self.history.rows()).unwrap()
    }
}

fn note(row: &RouteRow, count: usize, status: u16, millis: u64) {
    for _ in 0..count {
        row.note(&Served {
            kind: ClientKind::Anonymous,
            status,
            duration: Duration::from_millis(millis),
            overhead: Duration::from_micros(500),
            request_bytes: 0,
            response_bytes: 0,
        });
    }
}

#[test]
fn each_second_has_what_was_counted_in_it() {
    let mut looked = looked(&["a", "b"]);
    note(&looked.route("a"), 8, 200, 300);
    note(&looked.route("b"), 2, 502, 300);
    looked.worker.note_refused("rate_limited");
    looked.after(SECOND);
    looked.after(SECOND);
    note(&looked.route("a"), 1, 200, 10);
    looked.after(SECOND);
    let points = looked.points();
    assert_eq!(points[0][0], 1_700_000_001.0);
    let counts: Vec<_> = (0..3)
        .map(|at| [1, 2, 3].map(|column| points[at][column].as_f64().unwrap()))
        .collect();
    assert_eq!(counts, [[10.0, 2.0, 1.0], [0.0; 3], [1.0, 0.0, 0.0]]);
    let p99 = points[0][7].as_f64().unwrap();
    assert!((273.0..=327.0).contains(&p99), "{p99}");
    let gateway = points[0][8].as_f64().unwrap();
    assert!((0.45..=0.55).contains(&gateway), "{gateway}");
    assert!(points[1][7].is_null());

    let present = looked.history.present();
    assert_eq!((present.requests.count, present.requests.errors), (11, 2));
    assert!((present.requests.per_second - 11.0 / 3.0).abs() < 1e-9);
    assert_eq!(looked.history.most_errors(), Some(("b", 2)));
    let of_b = looked.history.route("b").unwrap();
    assert_eq!((of_b.count, of_b.error_ratio), (2, Some(1.0)));
    assert!(looked.history.refused_lately(0) > 0.3);
    assert_eq!(looked.history.route_rates("a", 2), Some(vec![0.0, 1.0]));
    let of_code = serde_json::to_value(looked.history.rows_of_code(0)).unwrap();
    assert_eq!((&of_code[0][1], &of_code[1][1]), (&1.0.into(), &0.0.into()));
}

#[test]
fn a_late_look_and_a_clock_that_leaps_make_no_spike() {
    let mut looked = looked(&["a"]);
    let row = looked.route("a");
    note(&row, 100, 200, 1);
    looked.after(SECOND);
    note(&row, 400, 200, 1);
    looked.after(4 * SECOND);
    let points = looked.points();
    assert_eq!(
        (&points[0][1], &points[1][1]),
        (&100.0.into(), &100.0.into())
    );
    // The machine slept for an hour: the clock that does not leap stood still.
    looked.now_ms += 3_600_000;
    note(&row, 100, 200, 1);
    looked.after(SECOND);
    assert_eq!(looked.points()[2][1], 100.0);
    // The wall clock is set back by two hours.
    looked.now_ms -= 7_200_000;
    looked.after(SECOND);
    let points = looked.points();
    let times: Vec<_> = (0..4).map(|at| points[at][0].as_f64().unwrap()).collect();
    assert!(times.is_sorted_by(|a, b| a < b), "{times:?}");
    assert!((times[3] - times[2] - 1.0).abs() < 1e-6);
    assert!((times[2] - times[1] - 3601.0).abs() < 1e-6, "the gap stays");
}

#[test]
fn fifteen_minutes_are_kept() {
    let mut looked = looked(&["a"]);
    for _ in 0..1000 {
        note(&looked.route("a"), 1, 200, 1);
        looked.after(SECOND);
    }
    assert_eq!(looked.history.rows().len(), KEPT);
    assert_eq!(looked.history.rows_of_route("a").unwrap().len(), KEPT);
    assert_eq!(looked.history.present().requests.count, 10);
    assert_eq!(looked.history.route_total("a"), 1000);
}

#[test]
fn so_many_routes_have_points_and_all_have_a_present() {
    let names: Vec<_> = (0..MOST_ROUTES + 5).map(|n| format!("/{n:04}")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let mut looked = looked(&names);
    for name in &names {
        note(&looked.route(name), 1, 200, 1);
    }
    looked.after(SECOND);
    let last = names[names.len() - 1];
    assert!(looked.history.rows_of_route(names[0]).is_some());
    assert!(looked.history.rows_of_route(last).is_none());
    assert_eq!(looked.history.route(last).unwrap().count, 1);
    assert!(looked.history.route_took(last).0.p99.is_some());
    // A reload takes most away: there is room for others then.
    keep(&looked.metrics, &[names[0], last]);
    looked.after(SECOND);
    assert!(looked.history.route(names[1]).is_none());
    note(&looked.route(last), 1, 200, 1);
    looked.after(SECOND);
    assert!(looked.history.rows_of_route(last).is_some());
}

#[test]
fn only_calls_that_were_made_are_calls() {
    let mut looked = looked(&[]);
    let calls = &looked.worker.row.store_calls;
    let outcomes = [
        StoreOutcome::Ok,
        StoreOutcome::Timeout,
        StoreOutcome::Error,
        StoreOutcome::Unavailable,
        StoreOutcome::Unavailable,
    ];
    for outcome in outcomes {
        calls.note(outcome);
    }
    looked.after(SECOND);
    assert_eq!(looked.history.present().store_calls.count, 3);
}
