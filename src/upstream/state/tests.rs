use super::*;
use crate::upstream::testing::ips;

const SECOND: Duration = Duration::from_secs(1);

fn named() -> EndpointState {
    EndpointState::new("up.test", 80, Arc::default())
}

fn answer(state: &EndpointState, found: &[&str], now: Instant) {
    state.settle(&Ok(ips(found)), now);
}

fn fail(state: &EndpointState, now: Instant) {
    let error = io::Error::other("the name server is on fire");
    state.settle(&Err(Arc::new(error)), now);
}

fn addresses(state: &EndpointState, now: Instant) -> Vec<Arc<Address>> {
    state.order(&state.resolved.borrow(), now).unwrap()
}

/// In the order in which they would be tried.
fn order(state: &EndpointState, now: Instant) -> Vec<String> {
    let ip = |address: Arc<Address>| address.socket.ip().to_string();
    addresses(state, now).into_iter().map(ip).collect()
}

fn refuse(address: &Address, now: Instant) {
    address.failed(&io::ErrorKind::ConnectionRefused.into(), now);
}

#[test]
fn an_address_is_gone_when_three_answers_did_not_have_it() {
    let (state, t) = (named(), Instant::now());
    answer(&state, &["10.0.0.1", "10.0.0.2"], t);
    let known = addresses(&state, t);
    for seconds in [10, 20] {
        let now = t + seconds * SECOND;
        answer(&state, &["10.0.0.3", "10.0.0.2"], now);
        assert_eq!(order(&state, now), ["10.0.0.3", "10.0.0.2", "10.0.0.1"]);
        assert!(Arc::ptr_eq(&addresses(&state, now)[1], &known[1]));
    }
    let now = t + 30 * SECOND;
    answer(&state, &["10.0.0.3", "10.0.0.2"], now);
    assert_eq!(order(&state, now), ["10.0.0.3", "10.0.0.2"]);
}

#[test]
fn a_resolver_that_answers_with_a_part_takes_nothing_away() {
    let (state, t) = (named(), Instant::now());
    let all = ["10.0.0.1", "10.0.0.2", "10.0.0.3"];
    answer(&state, &all, t);
    for turn in 0..12 {
        let now = t + turn * 10 * SECOND;
        answer(&state, &[all[turn as usize % 3]], now);
        assert_eq!(order(&state, now)[0], all[turn as usize % 3]);
        assert_eq!(order(&state, now).len(), 3);
    }
}

#[test]
fn a_failed_lookup_takes_nothing_away() {
    let (state, t) = (named(), Instant::now());
    answer(&state, &["10.0.0.1"], t);
    for minutes in 1..100 {
        let now = t + minutes * 60 * SECOND;
        fail(&state, now);
        assert_eq!(order(&state, now), ["10.0.0.1"]);
        assert!(state.is_fresh(now));
    }
}

#[test]
fn a_name_that_was_never_resolved_says_why() {
    let (state, t) = (named(), Instant::now());
    fail(&state, t);
    let resolved = state.resolved.borrow();
    let error = state.order(&resolved, t).unwrap_err().to_string();
    assert!(error.ends_with("the name server is on fire"), "{error}");
    assert!(state.is_fresh(t), "it is not asked for again at once");
    assert!(!state.is_fresh(t + SECOND), "but soon");
}

#[test]
fn an_address_twice_in_an_answer_is_one() {
    let (state, t) = (named(), Instant::now());
    answer(&state, &["10.0.0.1", "10.0.0.2", "10.0.0.1"], t);
    assert_eq!(order(&state, t), ["10.0.0.1", "10.0.0.2"]);
}

#[test]
fn an_address_that_failed_comes_last() {
    let (state, t) = (named(), Instant::now());
    answer(&state, &["10.0.0.1", "10.0.0.2"], t);
    refuse(&addresses(&state, t)[0], t);
    assert_eq!(order(&state, t), ["10.0.0.2", "10.0.0.1"]);
    // Also before one that is missing: the other may be all there is.
    answer(&state, &["10.0.0.1"], t + SECOND);
    assert_eq!(order(&state, t), ["10.0.0.2", "10.0.0.1"]);
}

#[test]
fn families_take_turns_until_one_connects() {
    let (state, t) = (named(), Instant::now());
    answer(&state, &["fd00::1", "fd00::2", "10.0.0.1", "10.0.0.2"], t);
    assert_eq!(
        order(&state, t),
        ["fd00::1", "10.0.0.1", "fd00::2", "10.0.0.2"]
    );
    let connected = Arc::clone(&addresses(&state, t)[1]);
    state.connected(&connected);
    assert_eq!(
        order(&state, t),
        ["10.0.0.1", "10.0.0.2", "fd00::1", "fd00::2"]
    );
    for address in addresses(&state, t).iter().take(2) {
        refuse(address, t);
    }
    assert_eq!(
        order(&state, t),
        ["fd00::1", "fd00::2", "10.0.0.1", "10.0.0.2"]
    );
}

#[test]
fn a_name_in_use_is_looked_up_every_ten_seconds() {
    let state = named();
    assert!(!state.needs_lookup(Duration::MAX), "nobody uses it");
    state.mark_used();
    assert!(!state.needs_lookup(9 * SECOND));
    assert!(state.needs_lookup(10 * SECOND));
    state.lookup_begins();
    assert!(!state.needs_lookup(60 * SECOND), "nobody has used it since");
    state.want_lookup();
    assert!(!state.needs_lookup(SECOND / 2));
    assert!(state.needs_lookup(SECOND));
    answer(&state, &["10.0.0.1"], Instant::now());
    assert!(!state.needs_lookup(SECOND), "it has been answered");
}

#[test]
fn an_address_needs_no_lookup() {
    for (host, socket) in [("10.0.0.1", "10.0.0.1:81"), ("::1", "[::1]:81")] {
        let state = EndpointState::new(host, 81, Arc::default());
        assert_eq!(state.name(), None);
        let addresses = addresses(&state, Instant::now());
        assert_eq!(addresses[0].socket.to_string(), socket);
    }
}
