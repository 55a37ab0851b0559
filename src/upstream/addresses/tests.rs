use super::*;
use crate::upstream::testing::ips;

const SECOND: Duration = Duration::from_secs(1);

/// What is known after an answer.
fn after(found: &[&str], now: Instant) -> Addresses {
    let mut addresses = Addresses::default();
    addresses.answered(found, now);
    addresses
}

impl Addresses {
    fn answered(&mut self, found: &[&str], now: Instant) {
        self.settle(&Ok(ips(found)), 80, now);
    }

    fn failed(&mut self, now: Instant) {
        let error = io::Error::other("the name server is on fire");
        self.settle(&Err(Arc::new(error)), 80, now);
    }

    /// In the order in which they would be tried, while IPv6 connects, IPv4 or nothing yet.
    fn order(&self, ipv6_connects: Option<bool>, now: Instant) -> Vec<String> {
        let order = self.in_order(ipv6_connects, now).unwrap();
        let ip = |address: &Arc<Address>| address.socket.ip().to_string();
        order.iter().map(ip).collect()
    }

    fn refuse(&self, nth: usize, now: Instant) {
        let address = self.iter().nth(nth).unwrap();
        address.failed(&io::ErrorKind::ConnectionRefused.into(), now);
    }
}

#[test]
fn an_address_is_gone_when_three_answers_did_not_have_it() {
    let t = Instant::now();
    let mut addresses = after(&["10.0.0.1", "10.0.0.2"], t);
    let second = addresses.iter().nth(1).map(Arc::clone).unwrap();
    for seconds in [10, 20] {
        let now = t + seconds * SECOND;
        addresses.answered(&["10.0.0.3", "10.0.0.2"], now);
        let order = addresses.order(None, now);
        assert_eq!(order, ["10.0.0.3", "10.0.0.2", "10.0.0.1"]);
        assert!(Arc::ptr_eq(addresses.iter().nth(1).unwrap(), &second));
    }
    let now = t + 30 * SECOND;
    addresses.answered(&["10.0.0.3", "10.0.0.2"], now);
    assert_eq!(addresses.order(None, now), ["10.0.0.3", "10.0.0.2"]);
}

#[test]
fn a_resolver_that_answers_with_a_part_takes_nothing_away() {
    let t = Instant::now();
    let all = ["10.0.0.1", "10.0.0.2", "10.0.0.3"];
    let mut addresses = after(&all, t);
    for (turn, ip) in (0..12).zip(all.into_iter().cycle()) {
        let now = t + turn * 10 * SECOND;
        addresses.answered(&[ip], now);
        assert_eq!(addresses.order(None, now)[0], ip);
        assert_eq!(addresses.iter().count(), 3);
    }
}

#[test]
fn a_failed_lookup_takes_nothing_away() {
    let t = Instant::now();
    let mut addresses = after(&["10.0.0.1", "10.0.0.2"], t);
    let mut now = t;
    for _ in 1..100 {
        now += 60 * SECOND;
        addresses.failed(now);
        assert_eq!(addresses.order(None, now), ["10.0.0.1", "10.0.0.2"]);
        assert!(addresses.are_fresh(now));
    }
    // Nor does the first answer after that.
    addresses.answered(&["10.0.0.2"], now);
    assert_eq!(addresses.order(None, now), ["10.0.0.2", "10.0.0.1"]);
}

#[test]
fn a_name_that_was_never_resolved_says_why() {
    let t = Instant::now();
    let mut addresses = Addresses::default();
    assert!(!addresses.are_fresh(t), "nothing was asked yet");
    addresses.note_late_lookup(t);
    assert!(!addresses.are_fresh(t), "nor answered");
    addresses.failed(t);
    let error = addresses.in_order(None, t).unwrap_err().to_string();
    assert!(error.ends_with("the name server is on fire"), "{error}");
    assert!(addresses.are_fresh(t), "it is not asked for again at once");
    assert!(!addresses.are_fresh(t + SECOND), "but soon");
}

#[test]
fn an_address_twice_in_an_answer_is_one() {
    let t = Instant::now();
    let addresses = after(&["10.0.0.1", "10.0.0.2", "10.0.0.1"], t);
    assert_eq!(addresses.order(None, t), ["10.0.0.1", "10.0.0.2"]);
}

#[test]
fn an_address_that_failed_comes_last() {
    let t = Instant::now();
    let mut addresses = after(&["10.0.0.1", "10.0.0.2"], t);
    addresses.refuse(0, t);
    assert_eq!(addresses.order(None, t), ["10.0.0.2", "10.0.0.1"]);
    // Even before one that is missing from the last answer.
    addresses.answered(&["10.0.0.1"], t);
    assert_eq!(addresses.order(None, t), ["10.0.0.2", "10.0.0.1"]);
}

#[test]
fn families_take_turns_until_one_connects() {
    let t = Instant::now();
    let addresses = after(&["fd00::1", "fd00::2", "10.0.0.1", "10.0.0.2"], t);
    let turns = ["fd00::1", "10.0.0.1", "fd00::2", "10.0.0.2"];
    assert_eq!(addresses.order(None, t), turns);
    let ipv4_first = ["10.0.0.1", "10.0.0.2", "fd00::1", "fd00::2"];
    assert_eq!(addresses.order(Some(false), t), ipv4_first);
    for nth in [2, 3] {
        addresses.refuse(nth, t);
    }
    let ipv6_first = ["fd00::1", "fd00::2", "10.0.0.1", "10.0.0.2"];
    assert_eq!(addresses.order(Some(false), t), ipv6_first);
}
