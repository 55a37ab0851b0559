//! Redis forgets: everything, because it was killed, or only its scripts. And gateways forget,
//! because they are restarted.

use std::net::{IpAddr, Ipv4Addr};

use super::offer::Offered;
use super::{LIMIT, LONG_DEADLINE, Site, caller, most_by_local, spent};
use crate::support::redis::Redis;
use crate::support::{Gateway, eventually};

/// Bound: what the lost counter had admitted, and the local shares, on top of the limit. On the way,
/// by the caller's own answers: each life of Redis gives each place in its window once.
#[test]
fn killed_and_restarted_empty() {
    let mut redis = Redis::start();
    let site = Site::with(&format!("url = \"{}\"", redis.url()));
    site.is_exact((10..30).map(caller));
    let from = caller(9);
    let load = site.under_load(|load| {
        let lost = site.offer(from, 60);
        site.offer_briefly(from, 300);
        redis.kill();
        load.goes_on();
        let meanwhile = site.offer(from, 300);
        let briefly = site.offer_briefly(from, 300);
        redis.restart();
        site.healed();
        let already = spent(&redis, from);
        let after = site.offer(from, 300);

        lost.were_given_once();
        assert_eq!(meanwhile.counted(), 0, "by whom?");
        meanwhile.local_shares_hold();
        briefly.local_shares_hold();
        after.were_given_once();
        if after.by_process() == 0 {
            assert_eq!(after.counted(), LIMIT - already, "{after:?}");
        }
        let admitted = lost.and(&[&meanwhile, &after]).admitted();
        let most = LIMIT + lost.counted() + most_by_local(LIMIT, 2);
        assert!(admitted <= most, "{admitted} of at most {most}");
    });
    load.nobody_suffered().some_did_without();
    site.is_exact_in_the_next_window(&redis, from);
    site.is_exact_again();
    site.told_once();
}

/// Bound: the limit. Redis keeps its counters, and a script that it has forgotten is sent again.
#[test]
fn scripts_flushed() {
    let redis = Redis::start();
    let site = Site::that_misses_nothing(&format!("url = \"{}\"", redis.url()));
    site.healed();
    let load = site.under_load(|load| {
        for nth in 1..=10 {
            let () = redis.ask(&["SCRIPT", "FLUSH"]);
            load.goes_on();
            let offered = std::thread::scope(|scope| {
                let offering = scope.spawn(|| site.offer(caller(nth), 120));
                let () = redis.ask(&["SCRIPT", "FLUSH"]);
                offering.join().expect("the offer")
            });
            offered.are_exact();
        }
    });
    load.nobody_suffered().none_did_without();
    site.is_exact_again();
}

/// Bound: the limit, for Redis keeps its counters; and no less than that, but for the requests that
/// were under way when the gateways were killed, which may have been counted without an answer.
#[test]
fn all_instances_restarted_at_once() {
    const CONNECTIONS: usize = 6;
    let redis = Redis::start();
    let mut site = Site::of(3, LONG_DEADLINE, &format!("url = \"{}\"", redis.url()));
    site.healed();
    // Every client's address, unless it says otherwise.
    let from = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let addresses: Vec<_> = site.gateways.iter().map(Gateway::address).collect();
    let before: Vec<_> = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CONNECTIONS)
            .map(|nth| {
                let address = addresses[nth % addresses.len()];
                scope.spawn(move || Offered::until_cut(address))
            })
            .collect();
        eventually("half of the limit to be spent", || {
            (spent(&redis, from) >= LIMIT / 2).then_some(())
        });
        // Killed, in the middle of what they do.
        site.gateways.clear();
        let clients = clients.into_iter();
        clients
            .flat_map(|client| client.join().expect("a client"))
            .collect()
    });
    let before = Offered::of(&before, 3);
    site.start(3);
    site.healed();
    let after = site.offer(from, 300);
    let all = before.and(&[&after]);
    all.were_given_once();
    assert_eq!(all.by_process(), 0, "{all:?}");
    assert_eq!(spent(&redis, from), LIMIT);
    assert!(all.counted() <= LIMIT, "{all:?}");
    assert!(all.counted() + CONNECTIONS as u64 >= LIMIT, "{all:?}");
    site.is_exact_again();
}
