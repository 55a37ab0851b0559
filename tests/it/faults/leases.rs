//! With permits taken several at a time, as by default, the same bounds hold: permits are counted
//! before they are spent, so nothing that happens to Redis or a gateway makes them more. They may
//! be lost, so a caller may get less.

use super::{Site, WIDE, caller, most_by_local, spent_of};
use crate::support::redis::Redis;

fn spent(redis: &Redis) -> u64 {
    spent_of(redis, "wide", caller(9))
}

/// Bound: what the lost counter had counted, permits included, and the local shares, on top of the
/// limit. Permits of the lost counter are spent on.
#[test]
fn killed_and_restarted_empty() {
    let mut redis = Redis::start();
    let site = Site::leasing(&format!("url = \"{}\"", redis.url()));
    let from = caller(9);
    let load = site.under_load(|load| {
        let before = site.offer_much(from, 600);
        let lost = spent(&redis);
        redis.kill();
        load.goes_on();
        let meanwhile = site.offer_much(from, 600);
        redis.restart();
        site.healed();
        let after = site.offer_much(from, 2500);
        let all = before.and(&[&meanwhile, &after]);
        let most = WIDE + lost + most_by_local(WIDE, 2);
        assert!(all.admitted() <= most, "{} of {most}", all.admitted());
        // Of the lost counter's permits no more are spent than it had counted.
        let counted = all.counted();
        assert!(counted <= WIDE + lost, "{counted}, {lost} were lost");
        assert!(spent(&redis) <= WIDE);
    });
    load.nobody_suffered();
    site.is_exact_again();
}

/// Bound: the limit and the local shares. A call that was under way may take its permits when Redis
/// wakes, and nobody has them.
#[test]
fn frozen() {
    let redis = Redis::start();
    let site = Site::leasing(&format!("url = \"{}\"", redis.url()));
    let from = caller(9);
    let load = site.under_load(|load| {
        let before = site.offer_much(from, 600);
        redis.pause();
        load.goes_on();
        let meanwhile = site.offer_much(from, 600);
        redis.resume();
        site.healed();
        let after = site.offer_much(from, 2500);
        let all = before.and(&[&meanwhile, &after]);
        let counted = all.counted();
        assert!(counted <= spent(&redis), "{counted}");
        assert!(spent(&redis) <= WIDE);
        let most = WIDE + most_by_local(WIDE, 2);
        assert!(all.admitted() <= most, "{} of {most}", all.admitted());
    });
    load.nobody_suffered();
    site.is_exact_again();
}

/// Bound: the limit, killed or drained. What was leased to a killed gateway is lost to the caller;
/// a drained one returns it.
#[test]
fn all_instances_restarted_at_once() {
    let redis = Redis::start();
    let mut site = Site::leasing(&format!("url = \"{}\"", redis.url()));
    let from = caller(9);
    let before = site.offer_much(from, 500);
    let gateways = std::mem::take(&mut site.gateways);
    std::thread::scope(|scope| {
        for gateway in gateways {
            scope.spawn(|| gateway.finish());
        }
    });
    if before.by_process() == 0 {
        assert_eq!(spent(&redis), 500, "the rest was returned");
    }
    site.start(2);
    site.healed();
    let between = site.offer_much(from, 500);
    // Killed.
    site.gateways.clear();
    site.start(2);
    site.healed();
    let after = site.offer_much(from, 2500);
    let all = before.and(&[&between, &after]);
    let counted = all.counted();
    assert!(counted <= WIDE, "{counted}");
    assert!(spent(&redis) <= WIDE);
    site.is_exact_again();
}
