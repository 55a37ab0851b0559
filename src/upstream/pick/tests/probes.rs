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
