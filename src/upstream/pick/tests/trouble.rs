//! Circuits that are open, checks that fail, endpoints that ask to be spared.

use super::*;

#[test]
fn all_circuits_open_say_when_the_next_probe_is_due() {
    let (candidates, now) = (balanced(&[1, 1], Balance::LeastRequests), Instant::now());
    candidates.refuse(0, now);
    candidates.refuse(1, now + SECOND);
    let pick = |now| {
        candidates
            .pick(&asked(now))
            .map(|one| one.candidate().endpoint)
    };
    assert_eq!(
        pick(now + SECOND),
        Err(NoEndpoint::CircuitsOpen(4 * SECOND))
    );
    let probe = candidates.pick(&asked(now + 5 * SECOND)).unwrap();
    assert!(probe.is_probe());
    assert_eq!(
        pick(now + 5 * SECOND),
        Err(NoEndpoint::CircuitsOpen(SECOND))
    );
    let answered = now + 5 * SECOND;
    candidates
        .upstream
        .answered(&probe, Some(SECOND), false, answered);
    assert_eq!(pick(answered), Ok(0));
}

#[test]
fn a_request_that_can_be_repeated_is_the_probe() {
    let (candidates, now) = (balanced(&[1, 1], Balance::LeastRequests), Instant::now());
    candidates.refuse(0, now);
    let due = now + 30 * SECOND;
    let post = Asked {
        repeatable: false,
        ..asked(due)
    };
    assert!(!candidates.pick(&post).unwrap().is_probe());
    assert!(candidates.pick(&asked(due)).unwrap().is_probe());
    // If none comes, it is any.
    let post = Asked {
        now: due + 10 * SECOND,
        ..post
    };
    assert!(candidates.pick(&post).unwrap().is_probe());
}

#[test]
fn a_probe_whose_client_leaves_is_no_verdict() {
    let (candidates, now) = (balanced(&[1, 1], Balance::LeastRequests), Instant::now());
    candidates.refuse(0, now);
    let due = now + 30 * SECOND;
    for _ in 0..20 {
        let probe = candidates.pick(&asked(due)).unwrap();
        assert!(probe.is_probe());
        assert!(!candidates.pick(&asked(due)).unwrap().is_probe());
        candidates.upstream.failed(&probe, Failure::Impatient, due);
    }
    let probe = candidates.pick(&asked(due)).unwrap();
    let hurry = |average| {
        if let Some(average) = average {
            candidates.address(0).load.note_time(average);
        }
        probe.patience_with_client(5 * SECOND)
    };
    assert_eq!(hurry(None), SECOND / 2);
    assert_eq!(hurry(Some(SECOND)), 2 * SECOND);
    let other = candidates.pick(&asked(due)).unwrap();
    assert_eq!(other.patience_with_client(5 * SECOND), 5 * SECOND);
}

#[test]
fn at_most_half_are_left_out_for_their_load() {
    let now = Instant::now();
    for (count, expected) in [(1, 1), (2, 1), (3, 1), (4, 2), (5, 2)] {
        let candidates = balanced(&vec![1; count], Balance::LeastRequests);
        for endpoint in 0..count {
            for _ in 0..3 {
                if !candidates.address(endpoint).circuit.is_open() {
                    candidates.fail(endpoint, Failure::TimedOut, now);
                }
            }
        }
        let open = (0..count).filter(|nth| candidates.address(*nth).circuit.is_open());
        assert_eq!(open.count(), expected, "of {count}");
    }
    let candidates = balanced(&[1, 1], Balance::LeastRequests);
    candidates.refuse(0, now);
    candidates.refuse(1, now);
    assert!(
        candidates.pick(&asked(now)).is_err(),
        "nothing listens on either"
    );
}

#[test]
fn what_fails_its_checks_takes_nothing() {
    let (candidates, now) = (checked(&[1, 1]), Instant::now());
    assert_eq!(
        candidates
            .picks(100, now)
            .iter()
            .filter(|n| **n > 0)
            .count(),
        2
    );
    candidates.check(0, Check::Up, now);
    assert_eq!(
        candidates.picks(10, now),
        [10, 0],
        "the other is not known to be good"
    );
    candidates.check(1, Check::Up, now);
    candidates.check(0, Check::Down, now);
    assert_eq!(candidates.picks(10, now), [0, 10]);
    candidates.check(1, Check::Down, now);
    assert_eq!(
        candidates.pick(&asked(now)).unwrap_err(),
        NoEndpoint::Unhealthy(Unready {
            failing: 2,
            drained: 0,
            weightless: 0,
        })
    );
}

#[test]
fn checks_alone_do_not_take_out_the_last_that_serves() {
    let (candidates, now) = (checked(&[1, 1]), Instant::now());
    for endpoint in [0, 1] {
        candidates.check(endpoint, Check::Up, now);
    }
    let served = loop {
        let one = candidates.pick(&asked(now)).unwrap();
        if one.candidate().endpoint == 0 {
            break one;
        }
    };
    candidates
        .upstream
        .answered(&served, Some(SECOND), false, now);
    drop(served);
    for endpoint in [0, 1] {
        candidates.check(endpoint, Check::Down, now);
    }
    assert_eq!(candidates.picks(10, now), [10, 0]);
    let state = |now| {
        let looks = candidates.upstream.looks(now);
        let mut addresses = looks.flat_map(|(_, look)| look.addresses);
        let states = [(); 2].map(|()| addresses.next().unwrap().state);
        (states, candidates.upstream.is_usable(now))
    };
    let (up, down) = (AddressState::Up, AddressState::Down);
    assert_eq!(state(now), ([up, down], true));

    // A single failure is not enough; then one request a second finds out whether it is back.
    let fails = now + SECOND;
    candidates.fail(0, Failure::Reset, fails);
    assert_eq!(candidates.picks(10, fails), [10, 0]);
    let gone = fails + SECOND;
    assert_eq!(state(gone), ([down, down], false));
    for now in [gone, gone + SECOND] {
        let outlook = candidates.upstream.outlook(true, now).unwrap();
        assert!(outlook.is_probe && outlook.endpoints.len() == 1);
        let trial = candidates.pick(&asked(now)).unwrap();
        assert_eq!(trial.candidate().endpoint, 0);
        assert!(candidates.pick(&asked(now)).is_err(), "one at a time");
        assert!(candidates.upstream.outlook(true, now).is_err());
        let upstream = &candidates.upstream;
        if now == gone {
            upstream.failed(&trial, Failure::Reset, now);
        } else {
            upstream.answered(&trial, Some(SECOND), false, now);
        }
    }
    assert_eq!(candidates.picks(10, gone + SECOND), [10, 0]);
    assert_eq!(state(gone + SECOND), ([up, down], true));
}

#[test]
fn one_that_asks_to_be_spared_is_while_there_are_others() {
    let (candidates, now) = (balanced(&[1, 1], Balance::LeastRequests), Instant::now());
    let list = candidates.list();
    let one = Try::new(&list.all[0], Ticket::Unguarded);
    candidates.upstream.spare(&one, SECOND, now);
    drop(one);
    assert_eq!(candidates.picks(10, now), [0, 10]);
    let both = candidates.picks(100, now + SECOND);
    assert!(both.iter().all(|n| *n > 0), "{both:?}");
    assert_eq!(candidates.upstream.state.trouble(), 0, "all are well again");
}

#[test]
fn one_that_fails_fast_does_not_attract_requests() {
    let (candidates, now) = (balanced(&[1, 1], Balance::LeastRequests), Instant::now());
    for _ in 0..100 {
        let one = candidates.pick(&asked(now)).unwrap();
        let is_error = one.candidate().endpoint == 0;
        if is_error {
            candidates
                .upstream
                .answered(&one, Some(SECOND / 1000), true, now);
        } else {
            std::mem::forget(one);
        }
    }
    let failed = 100 - candidates.address(1).load.in_flight();
    assert!((45..=55).contains(&failed), "{failed}");
}

#[test]
fn a_slow_start_is_slow() {
    let rules = Rules {
        balance: Balance::RoundRobin,
        slow_start: Some(10 * SECOND),
        ..Rules::default()
    };
    let (candidates, begun) = (candidates(&[1, 1], rules), Instant::now());
    let now = begun + 60 * SECOND;
    candidates.address(0).came_back(now);
    assert_eq!(candidates.picks(110, now)[0], 10);
    let half = candidates.picks(150, now + 5 * SECOND)[0];
    assert!((49..=51).contains(&half), "{half}");
    let whole = candidates.picks(100, now + 10 * SECOND)[0];
    assert!((49..=51).contains(&whole), "{whole}");
}

/// A lease that began in the past would end before its try does.
#[test]
fn the_probe_of_a_request_that_cannot_be_repeated_is_the_only_one_too() {
    let (candidates, now) = (balanced(&[1, 1], Balance::LeastRequests), Instant::now());
    candidates.refuse(0, now);
    let at = now + 60 * SECOND;
    let post = Asked {
        repeatable: false,
        longest: 5 * SECOND,
        ..asked(at)
    };
    let probe = candidates.pick(&post).unwrap();
    assert!(probe.is_probe());
    for later in [at, at + 4 * SECOND] {
        assert!(!candidates.pick(&asked(later)).unwrap().is_probe());
    }
}

#[test]
fn a_probe_under_way_does_not_make_clients_wait_for_its_lease() {
    let (candidates, now) = (balanced(&[1], Balance::LeastRequests), Instant::now());
    candidates.refuse(0, now);
    let at = now + 5 * SECOND;
    let long = Asked {
        longest: 32 * SECOND,
        ..asked(at)
    };
    let probe = candidates.pick(&long).unwrap();
    assert!(probe.is_probe());
    let refused = candidates.pick(&asked(at)).unwrap_err();
    assert_eq!(refused, NoEndpoint::CircuitsOpen(5 * SECOND));
}

#[test]
fn clients_that_leave_do_not_open_the_only_circuit() {
    let now = Instant::now();
    for (count, expected) in [(1, false), (2, true)] {
        let candidates = balanced(&vec![1; count], Balance::LeastRequests);
        for _ in 0..3 {
            candidates.fail(0, Failure::Impatient, now);
        }
        assert_eq!(candidates.address(0).circuit.is_open(), expected);
    }
}

#[test]
fn one_of_many_that_is_out_moves_what_belongs_to_it() {
    let candidates = balanced(&[1; 100], Balance::Hash(HashBy::Ip));
    let now = Instant::now();
    let pick = |text: u64| {
        let hash = text.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let picked = candidates.pick(&Asked { hash, ..asked(now) }).unwrap();
        picked.candidate().endpoint
    };
    let before: Vec<_> = (0..500).map(pick).collect();
    candidates.refuse(7, now);
    for (text, endpoint) in (0..).zip(before) {
        let after = pick(text);
        assert!(after == endpoint || endpoint == 7 && after != 7);
    }
}

#[test]
fn a_circuit_closes_though_the_breaker_was_turned_off() {
    let (candidates, now) = (balanced(&[1], Balance::LeastRequests), Instant::now());
    candidates.refuse(0, now);
    let mut off = Upstream::clone(&candidates.upstream);
    off.rules.breaker = None;
    let off = Pools::default().of(&[Arc::new(off)]).remove(0);
    let served = off.pick(&asked(now)).unwrap();
    off.upstream.answered(&served, Some(SECOND), false, now);
    assert!(candidates.pick(&asked(now)).is_ok());
}

/// Three impatient clients would otherwise take the service from everybody.
#[test]
fn endpoints_that_take_nothing_are_no_others() {
    let now = Instant::now();
    let drained = || {
        let candidates = balanced(&[1, 1], Balance::LeastRequests);
        let endpoint = &candidates.upstream.endpoints[1];
        endpoint.state.set_drained(Some(now));
        Pools::default()
            .of(&[Arc::clone(&candidates.upstream)])
            .remove(0)
    };
    let down = || {
        let candidates = checked(&[1, 1]);
        candidates.check(0, Check::Up, now);
        candidates.check(1, Check::Down, now);
        candidates
    };
    for (candidates, why, opens) in [
        (drained(), Failure::Impatient, false),
        (down(), Failure::Impatient, false),
        // As if it were the only one.
        (drained(), Failure::TimedOut, true),
        // More than half would be out.
        (down(), Failure::TimedOut, false),
    ] {
        for _ in 0..3 {
            candidates.fail(0, why, now);
        }
        let is_open = candidates.address(0).circuit.is_open();
        assert_eq!(is_open, opens, "{why}");
    }

    // Nor do they serve while a circuit is open.
    let candidates = drained();
    candidates.refuse(0, now);
    let due = now + 5 * SECOND;
    let probe = candidates.pick(&asked(due)).unwrap();
    candidates.upstream.failed(&probe, Failure::Refused, due);
    let address = candidates.address(0);
    assert_eq!(address.circuit.until_probe(false, due), 30 * SECOND);
}

#[test]
fn checks_go_before_requests_as_probes_of_the_only_endpoint() {
    let (candidates, now) = (checked(&[1]), Instant::now());
    candidates.refuse(0, now);
    candidates.check(0, Check::Down, now);
    // A check every second, which may take a second.
    for seconds in [5, 6] {
        let at = now + seconds * SECOND;
        let refused = candidates.pick(&asked(at)).unwrap_err();
        assert!(
            matches!(refused, NoEndpoint::CircuitsOpen(_)),
            "{refused:?}"
        );
        assert!(candidates.upstream.outlook(true, at).is_err());
    }
    let probe = candidates.pick(&asked(now + 7 * SECOND)).unwrap();
    assert!(probe.is_probe());
}
