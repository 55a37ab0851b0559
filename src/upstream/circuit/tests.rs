use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn rules() -> BreakerRules {
    BreakerRules::default()
}

impl Circuit {
    /// Fails until it is open.
    fn refuse(&self, now: Instant) {
        let opened = [(); 3].map(|()| self.fail(Failure::Refused, now));
        assert_eq!(opened, [false, false, true]);
    }

    fn fail(&self, why: Failure, now: Instant) -> bool {
        let ticket = self.enter().expect("it is closed");
        self.failed(ticket, (why, Row::Tries), &rules(), now, || true)
    }
}

/// One that has been opened at the moment that is returned.
fn open() -> (Circuit, Instant) {
    let (circuit, now) = (Circuit::default(), Instant::now());
    circuit.refuse(now);
    (circuit, now)
}

#[test]
fn failures_in_a_row_open_it() {
    let (circuit, now) = (Circuit::default(), Instant::now());
    for expected in [false, false, true] {
        assert_eq!(circuit.fail(Failure::TimedOut, now), expected);
    }
    assert!(circuit.is_open());
    assert_eq!(*lock(&circuit.opened), Some((now, Failure::TimedOut)));
}

#[test]
fn a_service_that_sheds_now_and_then_is_not_cut_off() {
    let (circuit, begun) = (Circuit::default(), Instant::now());
    for tenth in 0..100 {
        let now = begun + tenth * SECOND / 10;
        let ticket = circuit.enter().unwrap();
        assert_eq!(circuit.succeeded(ticket, now), None);
        for _ in 0..9 {
            assert!(!circuit.fail(Failure::TimedOut, now));
        }
    }
    // But when the successes end.
    let now = begun + 11 * SECOND;
    assert!(circuit.fail(Failure::TimedOut, now));
}

#[test]
fn refused_connections_open_it_however_short_ago_it_served() {
    let (circuit, now) = (Circuit::default(), Instant::now());
    let ticket = circuit.enter().unwrap();
    circuit.succeeded(ticket, now);
    circuit.refuse(now);
}

#[test]
fn tries_from_before_a_change_do_not_count() {
    let circuit = Circuit::default();
    let now = Instant::now();
    let old = circuit.enter().unwrap();
    circuit.refuse(now);
    circuit.succeeded(old, now);
    assert!(circuit.is_open(), "a late success");
    circuit.close(now);
    for _ in 0..3 {
        circuit.failed(old, (Failure::Refused, Row::Tries), &rules(), now, || true);
    }
    assert!(!circuit.is_open(), "late failures");
}

#[test]
fn one_probe_at_a_time_after_the_cool_down() {
    let (circuit, now) = open();
    assert!(circuit.probe(false, SECOND, now + 29 * SECOND).is_none());
    let due = now + 30 * SECOND;
    let Some(Ticket::Probe(lease)) = circuit.probe(false, SECOND, due) else {
        panic!("it is due");
    };
    assert!(circuit.probe(false, SECOND, due).is_none());
    assert!(circuit.probe(true, SECOND, due).is_none());
    // A client that leaves is no verdict.
    circuit.free(lease);
    let next = circuit.probe(false, SECOND, due).expect("at once");
    let (open_for, why) = circuit.succeeded(next, due).expect("it closes");
    assert_eq!((open_for, why), (30 * SECOND, Failure::Refused));
    assert!(!circuit.is_open());
}

#[test]
fn a_lease_ends_with_its_time() {
    let (circuit, now) = open();
    let due = now + 30 * SECOND;
    let Some(Ticket::Probe(old)) = circuit.probe(false, 2 * SECOND, due) else {
        panic!("it is due");
    };
    assert!(circuit.probe(false, SECOND, due + SECOND).is_none());
    let later = due + 2 * SECOND;
    assert!(circuit.probe(false, SECOND, later).is_some());
    // The first ends after all, and must not free what the second holds.
    circuit.free(old);
    circuit.probe_failed(old, true, later);
    assert!(circuit.probe(false, SECOND, later).is_none());
}

#[test]
fn only_the_probe_that_holds_the_lease_closes_it() {
    let (circuit, now) = open();
    let due = now + 30 * SECOND;
    // One that takes long, for its upload is slow: another has begun meanwhile.
    let slow = circuit.probe(false, 2 * SECOND, due).expect("it is due");
    let later = due + 2 * SECOND;
    let second = circuit.probe(false, SECOND, later).expect("it is due");
    assert_eq!(circuit.succeeded(slow, later), None);
    assert!(circuit.is_open(), "the second is to say so");
    assert!(circuit.succeeded(second, later).is_some());
    assert_eq!(circuit.succeeded(slow, later), None);

    // It has opened again, and the lease of the next probe would end at the same time.
    circuit.refuse(later);
    assert_eq!(circuit.succeeded(slow, later), None);
    assert_eq!(circuit.succeeded(second, later), None);
    assert!(circuit.is_open());
    let due = later + 30 * SECOND;
    let first = circuit.probe(false, SECOND, due).expect("it is due");
    circuit.close(due);
    circuit.refuse(later);
    let next = circuit.probe(false, SECOND, due).expect("it is due");
    assert_eq!(circuit.succeeded(first, due), None);
    assert!(circuit.is_open());
    assert!(circuit.succeeded(next, due).is_some());
}

#[test]
fn a_probe_that_outlasts_its_lease_counts_while_there_is_no_other() {
    let (circuit, now) = open();
    let due = now + 30 * SECOND;
    let probe = circuit.probe(false, SECOND, due).expect("it is due");
    assert!(circuit.succeeded(probe, due + 9 * SECOND).is_some());
}

#[test]
fn the_cool_down_doubles_while_another_endpoint_serves() {
    let (circuit, mut now) = open();
    for seconds in [30, 60, 120, 120] {
        assert_eq!(circuit.until_probe(false, now), seconds * SECOND);
        now += seconds * SECOND;
        let Some(Ticket::Probe(lease)) = circuit.probe(false, SECOND, now) else {
            panic!("it is due");
        };
        circuit.probe_failed(lease, true, now);
    }
    circuit.close(now);
    circuit.refuse(now);
    assert_eq!(circuit.until_probe(false, now), 30 * SECOND);
}

#[test]
fn while_all_are_open_each_is_probed_every_five_seconds() {
    let (circuit, mut now) = open();
    for _ in 0..5 {
        assert_eq!(circuit.until_probe(true, now), 5 * SECOND);
        now += 5 * SECOND;
        let Some(Ticket::Probe(lease)) = circuit.probe(true, SECOND, now) else {
            panic!("it is due");
        };
        circuit.probe_failed(lease, false, now);
    }
    assert_eq!(circuit.until_probe(false, now), 30 * SECOND);
}

#[test]
fn it_serves_until_tries_have_failed_for_a_second() {
    let (circuit, begun) = (Circuit::default(), Instant::now());
    let at = |millis| begun + Duration::from_millis(millis);
    assert!(!circuit.serves(at(0)), "nothing was tried yet");
    assert!(!circuit.begin_trial(at(0)), "it never served");
    circuit.succeeded(circuit.enter().unwrap(), at(0));
    assert!(circuit.serves(at(60_000)));
    circuit.fail(Failure::Impatient, at(60_000));
    assert!(circuit.serves(at(62_000)), "that is no verdict");
    circuit.succeeded(circuit.enter().unwrap(), at(62_000));
    circuit.fail(Failure::TimedOut, at(70_000));
    assert!(circuit.serves(at(70_999)));
    circuit.fail(Failure::TimedOut, at(70_999));
    assert!(!circuit.serves(at(71_000)));
    // One try a second finds out whether it is back.
    for (millis, expected) in [(71_000, true), (71_999, false), (72_000, true)] {
        assert_eq!(circuit.is_trial_due(at(millis)), expected, "{millis}");
        assert_eq!(circuit.begin_trial(at(millis)), expected, "{millis}");
    }
    circuit.succeeded(circuit.enter().unwrap(), at(72_000));
    assert!(circuit.serves(at(72_000)));
}

#[test]
fn answers_that_break_off_in_a_row_open_it_though_each_begins_well() {
    let (circuit, begun) = (Circuit::default(), Instant::now());
    let ask = |millis: u64| {
        let now = begun + Duration::from_millis(millis);
        let ticket = circuit.enter().expect("it is closed");
        circuit.succeeded(ticket, now);
        (ticket, now)
    };
    let breaks_off = |millis| {
        let (ticket, now) = ask(millis);
        circuit.failed(
            ticket,
            (Failure::Reset, Row::Answers),
            &rules(),
            now,
            || true,
        )
    };
    for millis in [0, 10, 20, 30, 240] {
        assert!(!breaks_off(millis), "not for 250 ms yet");
    }
    ask(245);
    circuit.ended_whole();
    for millis in [300, 400] {
        assert!(!breaks_off(millis), "one was whole");
    }
    let (late, _) = ask(500);
    assert!(breaks_off(550));
    assert!(circuit.is_open());
    // Of tries from before nothing counts, and the row begins anew.
    let now = begun + SECOND;
    circuit.close(now);
    for _ in 0..3 {
        circuit.failed(late, (Failure::Reset, Row::Answers), &rules(), now, || true);
    }
    assert!(!breaks_off(1300));
}
