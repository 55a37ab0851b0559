//! Which requests become probes, and where they go when these fail.

use super::*;

/// What a request is picked by that was tried at these endpoints before.
fn retried(tried: &[Arc<Address>], now: Instant) -> Asked<'_> {
    Asked {
        tried,
        ..asked(now)
    }
}

#[test]
fn a_request_is_one_probe_while_another_endpoint_can_be_used() {
    let (candidates, now) = (balanced(&[1; 4], Balance::LeastRequests), Instant::now());
    for endpoint in 0..3 {
        candidates.refuse(endpoint, now);
    }
    let due = now + 30 * SECOND;
    let probe = candidates.pick(&asked(due)).unwrap();
    assert!(probe.is_probe());
    candidates.upstream.failed(&probe, Failure::Refused, due);
    let mut tried = vec![candidates.address(probe.candidate().endpoint)];
    let second = candidates.pick(&retried(&tried, due)).unwrap();
    assert_eq!((second.candidate().endpoint, second.is_probe()), (3, false));

    // That one fails, too: rather another probe than the same again.
    tried.push(candidates.address(3));
    let third = candidates.pick(&retried(&tried, due)).unwrap();
    assert!(third.is_probe());
    assert_ne!(third.candidate().endpoint, probe.candidate().endpoint);
}

#[test]
fn a_request_probes_all_of_them_if_none_can_be_used() {
    let (candidates, now) = (balanced(&[1, 1], Balance::LeastRequests), Instant::now());
    candidates.refuse(0, now);
    candidates.refuse(1, now);
    let due = now + 30 * SECOND;
    let probe = candidates.pick(&asked(due)).unwrap();
    candidates.upstream.failed(&probe, Failure::Refused, due);
    let tried = [candidates.address(probe.candidate().endpoint)];
    assert!(candidates.pick(&retried(&tried, due)).unwrap().is_probe());
}

#[test]
fn a_request_that_is_still_to_come_is_the_probe_of_nothing_at_once() {
    let now = Instant::now();
    for (count, due, patience) in [(1, 5, 1), (2, 30, 10)] {
        let candidates = balanced(&vec![1; count], Balance::LeastRequests);
        candidates.refuse(0, now);
        let upload = |at| Asked {
            whole: false,
            ..asked(at)
        };
        let is_probe = |asked: &Asked<'_>| candidates.pick(asked).is_ok_and(|one| one.is_probe());
        let (due, long) = (now + due * SECOND, SECOND * patience);
        let shortly_before = due + SECOND * (patience - 1) + SECOND / 2;
        assert!(!is_probe(&upload(due)));
        assert!(!is_probe(&upload(shortly_before)));
        assert!(is_probe(&asked(shortly_before)));
        let at = due + long;
        let probe = candidates.pick(&upload(at)).unwrap();
        assert!(probe.is_probe());

        // It waits for its client, and others do not wait for it.
        assert!(!is_probe(&asked(at)));
        probe.give_way(at);
        assert!(!probe.is_probe());
        assert!(!is_probe(&upload(at)), "one slow client after another");
        let next = candidates.pick(&asked(at)).unwrap();
        assert!(next.is_probe());
        drop(probe);
        assert!(next.is_probe());
        candidates.upstream.answered(&next, None, false, at);
        assert!(!candidates.address(0).circuit.is_open());
    }
}
