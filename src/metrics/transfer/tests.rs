//! Tests of sums that move to a successor.

use std::sync::atomic::Ordering::Relaxed;

use super::*;
use crate::metrics::{
    ClientOutcome, Names, PolicyOutcome, ReloadOutcome, RetryOutcome, Served, TryOutcome,
};

fn metrics() -> Arc<Metrics> {
    let metrics = Arc::new(Metrics::new(&["a", "b"]));
    let name = || ["n".into()].into();
    metrics.keep(Names {
        routes: name(),
        clients: name(),
        policies: name(),
        upstreams: name(),
        ..Names::default()
    });
    metrics
}

fn count_all(metrics: &Arc<Metrics>) {
    let worker = metrics.worker();
    let name = "n".into();
    worker.route(&name).note(&Served {
        kind: ClientKind::Identified,
        status: 503,
        duration: Duration::from_millis(7),
        overhead: Duration::from_micros(70),
        request_bytes: 3,
        response_bytes: 5,
    });
    worker.client("n").note(ClientOutcome::Limited);
    worker.policy(&name).note(PolicyOutcome::Shadow);
    worker.upstream(&name).retries.note(RetryOutcome::NoBudget);
    worker.endpoint(&name, "1.2.3.4:5").note(TryOutcome::Tls);
    worker.note_refused("b");
    worker.row.requests.increment();
    worker.row.clients.up();
    metrics.note_reload(ReloadOutcome::Refused, 1);
    metrics.dropped.lines.fetch_add(11, Relaxed);
    metrics.dropped.spans.fetch_add(13, Relaxed);
}

#[test]
fn a_successor_goes_on_from_what_was_counted() {
    let (old, new) = (metrics(), metrics());
    count_all(&old);
    let first = old.portions();
    for portion in &first {
        let moved = Portion::from_bytes(&portion.to_bytes()).unwrap();
        new.take_in(&moved);
    }
    assert_eq!(new.portions(), old.portions());
    assert_eq!(new.read().all.clients, 0, "they stay where they are");
    count_all(&old);
    for portion in since(old.portions(), &first) {
        new.take_in(&portion);
    }
    assert_eq!(new.portions(), old.portions());
    count_all(&new);
    assert_eq!(new.route("n").unwrap().requests().count(), 3);
    let dropped = new.read().dropped;
    assert_eq!((dropped.lines, dropped.spans), (33, 39));
}

#[test]
fn a_successor_that_counts_otherwise_begins_at_zero() {
    let old = metrics();
    count_all(&old);
    let new = Metrics::new(&["a", "a new word", "b"]);
    for portion in old.portions() {
        new.take_in(&portion);
    }
    assert_eq!(new.read().all.requests, 0);
    assert!(new.read().refused.iter().all(|(_, count)| *count == 0));
}

#[test]
fn a_mark_counts_nothing() {
    let name = "up\nhost\n80";
    for for_time in [0, 90_000].map(Duration::from_millis) {
        let mark = Portion::drained((name.into(), for_time));
        let moved = Portion::from_bytes(&mark.to_bytes()).unwrap();
        assert_eq!(moved.as_drained(), Some((name, for_time)));
    }
    let moved = Portion::drained((name.into(), Duration::ZERO));
    let metrics = metrics();
    let before = metrics.portions();
    metrics.take_in(&moved);
    assert_eq!(metrics.portions(), before);
}

#[test]
fn what_makes_no_sense_is_no_portion() {
    for bytes in [&b""[..], b"r", b"r\x05\0ab", b"r\x01\0nabc", b"r\x01\0\xff"] {
        assert_eq!(Portion::from_bytes(bytes), None, "{bytes:?}");
    }
    let unknown = Portion::from_bytes(b"?\x01\0n\x01\0\x01\0\0\0\0\0\0\0").unwrap();
    metrics().take_in(&unknown);
}
