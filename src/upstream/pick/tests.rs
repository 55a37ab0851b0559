mod probes;
mod trouble;

use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::upstream::address::{Address, Check};
use crate::upstream::failure::Failure;
use crate::upstream::pools::Pools;
use crate::upstream::rules::{HashBy, HealthCall, HealthRules, Rules};
use crate::upstream::{AddressState, Endpoint, EndpointUrl, Unready, Upstream};

const SECOND: Duration = Duration::from_secs(1);

/// An upstream whose endpoints have these weights; a negative one is a backup's.
fn candidates(weights: &[i32], rules: Rules) -> Candidates {
    let endpoint = |(nth, weight): (usize, &i32)| Endpoint {
        weight: weight.unsigned_abs(),
        backup: *weight < 0,
        ..Endpoint::new(
            EndpointUrl::parse(&format!("http://10.0.{}.{}", nth / 250, nth % 250)).unwrap(),
            None,
        )
    };
    let endpoints = weights.iter().enumerate().map(endpoint).collect();
    let upstream = Arc::new(Upstream::new("up", endpoints, rules));
    Pools::default().of(&[upstream]).remove(0)
}

fn balanced(weights: &[i32], balance: Balance) -> Candidates {
    candidates(
        weights,
        Rules {
            balance,
            ..Rules::default()
        },
    )
}

fn checked(weights: &[i32]) -> Candidates {
    let health = Arc::new(HealthRules {
        call: HealthCall::Grpc { service: "".into() },
        interval: SECOND,
        timeout: SECOND,
        up: 1,
        down: 1,
        host: None,
    });
    candidates(
        weights,
        Rules {
            health: Some(health),
            ..Rules::default()
        },
    )
}

fn asked(now: Instant) -> Asked<'static> {
    Asked {
        now,
        hash: 0,
        repeatable: true,
        whole: true,
        longest: SECOND,
        tried: &[],
    }
}

impl Candidates {
    /// Where each of so many tries goes that are over at once.
    fn picks(&self, times: usize, now: Instant) -> Vec<usize> {
        let mut picks = vec![0; self.upstream.endpoints.len()];
        for _ in 0..times {
            picks[self.pick(&asked(now)).unwrap().candidate().endpoint] += 1;
        }
        picks
    }

    fn address(&self, endpoint: usize) -> Arc<Address> {
        let list = self.list();
        let mut all = list.all.iter();
        Arc::clone(
            &all.find(|one| one.endpoint == endpoint)
                .unwrap()
                .pool
                .address,
        )
    }

    fn fail(&self, endpoint: usize, why: Failure, now: Instant) {
        let ticket = self
            .address(endpoint)
            .circuit
            .enter()
            .expect("it is closed");
        let list = self.list();
        let one = list
            .all
            .iter()
            .find(|one| one.endpoint == endpoint)
            .unwrap();
        self.upstream.failed(&Try::new(one, ticket), why, now);
    }

    /// Refuses connections until the circuit is open.
    fn refuse(&self, endpoint: usize, now: Instant) {
        while !self.address(endpoint).circuit.is_open() {
            self.fail(endpoint, Failure::Refused, now);
        }
    }

    fn check(&self, endpoint: usize, found: Check, now: Instant) {
        self.upstream
            .checked(&self.address(endpoint), found, None, now);
    }
}

#[test]
fn the_least_loaded_is_picked() {
    let (candidates, now) = (balanced(&[1, 1, 2], Balance::LeastRequests), Instant::now());
    let held: Vec<Try> = (0..400)
        .map(|_| candidates.pick(&asked(now)).unwrap())
        .collect();
    let of = |endpoint| {
        held.iter()
            .filter(|one| one.candidate().endpoint == endpoint)
            .count()
    };
    assert_eq!([of(0), of(1), of(2)].map(|n| n.div_ceil(10)), [10, 10, 20]);
    drop(held);
    assert_eq!(candidates.address(2).load.in_flight(), 0);
}

/// With as many requests in flight as there are clients, all of which take as long.
#[test]
fn shares_follow_weights_however_many_clients_there_are() {
    let now = Instant::now();
    let many = |heavy: &[i32], light| [heavy, &vec![1; light]].concat();
    for weights in [
        many(&[9], 1),
        many(&[9; 10], 10),
        many(&[9; 5], 5),
        many(&[9, 9, 9, 9, 9, -1000], 5),
        many(&[81], 9),
        many(&[100], 9),
    ] {
        let is_light = |one: &Try| weights[one.candidate().endpoint] == 1;
        let sum = weights.iter().filter(|weight| **weight > 0).sum::<i32>();
        let light = weights.iter().filter(|weight| **weight == 1).count();
        let expected = f64::from(u32::try_from(light).unwrap()) / f64::from(sum);
        for clients in [1, 2, 4, 8, 16, 32, 64] {
            let candidates = balanced(&weights, Balance::LeastRequests);
            let (mut in_flight, mut to_light) = (std::collections::VecDeque::new(), 0);
            for _ in 0..20_000 {
                if in_flight.len() == clients {
                    in_flight.pop_front();
                }
                let one = candidates.pick(&asked(now)).unwrap();
                to_light += u32::from(is_light(&one));
                in_flight.push_back(one);
            }
            let share = f64::from(to_light) / 20_000.0;
            assert!(
                (share - expected).abs() <= 0.02,
                "{share} for {clients} clients, should be {expected}: {weights:?}"
            );
        }
    }
}

#[test]
fn of_many_two_are_compared() {
    let (candidates, now) = (balanced(&[1; 100], Balance::LeastRequests), Instant::now());
    let held: Vec<Try> = (0..10_000)
        .map(|_| candidates.pick(&asked(now)).unwrap())
        .collect();
    let loads = (0..100).map(|nth| candidates.address(nth).load.in_flight());
    let most = loads.max().unwrap();
    assert!((100..115).contains(&most), "{most}");
    drop(held);
}

#[test]
fn turns_are_taken_by_weight_and_apart() {
    let (candidates, now) = (balanced(&[9, 1], Balance::RoundRobin), Instant::now());
    assert_eq!(candidates.picks(1000, now), [900, 100]);
    let (candidates, now) = (balanced(&[2, 1], Balance::RoundRobin), Instant::now());
    let order: Vec<_> = (0..6).map(|_| candidates.picks(1, now)[1]).collect();
    assert!(
        order
            .windows(3)
            .all(|three| three.iter().sum::<usize>() == 1),
        "{order:?}"
    );
}

#[test]
fn a_text_stays_where_it_is() {
    for count in [3, 100] {
        let balance = Balance::Hash(HashBy::Ip);
        let [one, other] = [0, 0].map(|_| balanced(&vec![1; count], balance.clone()));
        for text in 0..200_u8 {
            let asked = Asked {
                hash: crate::upstream::hash(&[text]),
                ..asked(Instant::now())
            };
            let pick =
                |candidates: &Candidates| candidates.pick(&asked).unwrap().candidate().endpoint;
            assert_eq!(pick(&one), pick(&other));
        }
    }
}

#[test]
fn the_endpoint_of_a_text_is_known_without_a_pick() {
    for weights in [vec![1, 3, 0, -1, 2], vec![1; 10], vec![2; 100]] {
        let candidates = balanced(&weights, Balance::Hash(HashBy::Ip));
        let now = Instant::now();
        for text in 0..200_u64 {
            let hash = text.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let picked = candidates.pick(&Asked { hash, ..asked(now) }).unwrap();
            let expected = &candidates.upstream.endpoints[picked.candidate().endpoint];
            let known = candidates.upstream.hashed(hash).expect("no names");
            assert_eq!(known.url, expected.url);
        }
    }
    let endpoint = Endpoint::new(EndpointUrl::parse("http://localhost").unwrap(), None);
    let named = Upstream::new("up", vec![endpoint], Rules::default());
    assert!(named.hashed(1).is_none());
}

#[test]
fn the_least_loaded_is_known_without_a_pick_where_that_is_certain() {
    for (weights, held, certain) in [
        (vec![1, 1], vec![], None),
        (vec![1, 1], vec![0], Some(1)),
        (vec![1, 1], vec![0, 1], None),
        (vec![4, 1], vec![], None),
        (vec![4, 1], vec![1], None),
        (vec![4, 1], vec![1, 1], Some(0)),
        (vec![1, 1, 0, -1], vec![1], Some(0)),
        (vec![1; 9], vec![0], None),
    ] {
        let (candidates, now) = (balanced(&weights, Balance::LeastRequests), Instant::now());
        for endpoint in &held {
            candidates.address(*endpoint).load.begin();
        }
        let outlook = candidates.upstream.outlook(true, now).unwrap();
        let least = outlook.least.map(|one| one.url.to_string());
        let expected = certain.map(|nth: usize| &candidates.upstream.endpoints[nth]);
        assert_eq!(
            least,
            expected.map(|one| one.url.to_string()),
            "{weights:?}, {held:?}"
        );
        let picked = candidates.picks(200, now);
        assert!(certain.is_none_or(|nth| picked[nth] == 200), "{picked:?}");
    }
}

#[test]
fn a_text_with_too_much_to_do_goes_elsewhere() {
    for count in [4, 100] {
        let candidates = balanced(&vec![1; count], Balance::Hash(HashBy::Ip));
        let requests = count * 20;
        let held: Vec<Try> = (0..requests)
            .map(|_| candidates.pick(&asked(Instant::now())).unwrap())
            .collect();
        let loads = (0..count).map(|nth| candidates.address(nth).load.in_flight());
        assert!(loads.max().unwrap() <= 25, "at most 1.25 times its share");
        drop(held);
    }
}

#[test]
fn weight_0_takes_nothing() {
    let now = Instant::now();
    for balance in [
        Balance::LeastRequests,
        Balance::RoundRobin,
        Balance::Hash(HashBy::Ip),
    ] {
        assert_eq!(balanced(&[0, 1], balance).picks(100, now), [0, 100]);
    }
    let none = balanced(&[0], Balance::LeastRequests).pick(&asked(now));
    let why = Unready {
        failing: 0,
        drained: 0,
        weightless: 1,
    };
    assert_eq!(none.unwrap_err(), NoEndpoint::Unhealthy(why));
}

#[test]
fn a_backup_is_used_while_no_other_can_be() {
    let (candidates, now) = (balanced(&[1, -1], Balance::LeastRequests), Instant::now());
    assert_eq!(candidates.picks(10, now), [10, 0]);
    candidates.refuse(0, now);
    assert_eq!(candidates.picks(10, now), [0, 10]);
    candidates.address(0).circuit.close(now);
    assert_eq!(candidates.picks(10, now), [10, 0]);
}

#[test]
fn the_endpoint_that_failed_is_tried_again_only_if_there_is_no_other() {
    let (candidates, now) = (balanced(&[1, 1], Balance::LeastRequests), Instant::now());
    let tried = [candidates.address(0)];
    let again = |candidates: &Candidates| {
        let asked = Asked {
            tried: &tried,
            ..asked(now)
        };
        candidates.pick(&asked).unwrap().candidate().endpoint
    };
    assert!((0..20).all(|_| again(&candidates) == 1));
    candidates.refuse(1, now);
    assert_eq!(again(&candidates), 0);
}
