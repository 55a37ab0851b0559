//! Redis says nothing: it is paused, frozen, cut off, or never speaks at all.

use std::time::{Duration, Instant};

use super::proxy::Proxy;
use super::{LIMIT, Site, caller, most_by_local, spent};
use crate::support::redis::Redis;
use crate::support::{PATIENCE, eventually};

/// How long it lasts: many deadlines.
const SILENCE: Duration = Duration::from_secs(2);

/// How long where it ends by itself: on a machine that stands still gateways are slow to notice it.
const PAUSE: Duration = Duration::from_secs(5);

/// Bound, of both kinds of silence: the limit and the local shares. Redis loses nothing; what it had
/// received before may be counted when it wakes, which is too much, never too little.
fn silent_for_a_while(redis: &Redis, begin: impl Fn(), end: impl Fn()) {
    let site = Site::with(&format!("url = \"{}\"", redis.url()));
    let from = caller(9);
    let mut since = Instant::now();
    let load = site.under_load(|load| {
        let before = site.offer(from, 60);
        site.offer_briefly(from, 300);
        since = Instant::now();
        begin();
        site.all_have_met_it();
        load.goes_on();
        let meanwhile = site.offer(from, 300);
        site.offer_briefly(from, 300);
        load.lasts(SILENCE.saturating_sub(since.elapsed()));
        end();
        site.healed();
        let already = spent(redis, from);
        let after = site.offer(from, 300);

        meanwhile.local_shares_hold();
        let all = before.and(&[&meanwhile, &after]);
        all.were_given_once();
        if before.and(&[&after]).by_process() == 0 {
            assert!(already >= before.counted(), "{already}, {before:?}");
            assert_eq!(after.counted(), LIMIT - already, "{after:?}");
        }
        assert!(all.counted() <= LIMIT, "{all:?}");
        let most = LIMIT + most_by_local(LIMIT, 2);
        assert!(all.admitted() <= most, "{all:?}");
    });
    load.nobody_suffered().some_did_without().few_waited(since);
    site.is_exact_in_the_next_window(redis, from);
    site.is_exact_again();
    site.told_once();
}

#[test]
fn frozen() {
    let redis = Redis::start();
    silent_for_a_while(&redis, || redis.pause(), || redis.resume());
}

#[test]
fn paused() {
    let redis = Redis::start();
    let millis = PAUSE.as_millis().to_string();
    let pause = || redis.ask(&["CLIENT", "PAUSE", &millis, "ALL"]);
    // Over by itself, after which the first question is answered.
    silent_for_a_while(&redis, pause, || redis.ask(&["PING"]));
}

/// Bound: the limit and the local shares. The call whose answer was cut is sent once more, if there is a
/// new connection in time. The answers that come later belong to those who asked: none is given out
/// twice.
#[test]
fn reset_in_the_middle_of_an_answer() {
    let redis = Redis::start();
    let proxy = Proxy::to(redis.port());
    let site = Site::with(&format!("url = \"{}\"", proxy.url()));
    let load = site.under_load(|load| {
        for nth in 1..=5 {
            let from = caller(nth);
            let offered = std::thread::scope(|scope| {
                let offering = scope.spawn(|| site.offer(from, 240));
                proxy.cuts();
                eventually("an answer to be cut", || proxy.has_cut().then_some(()));
                offering.join().expect("the offer")
            });
            load.goes_on();
            site.healed();
            let after = site.offer(from, 240);
            let all = offered.and(&[&after]);
            offered.local_shares_hold();
            all.were_given_once();
            assert!(all.counted() <= spent(&redis, from), "{all:?}");
            if after.by_process() == 0 {
                assert_eq!(spent(&redis, from), LIMIT);
            }
            let most = LIMIT + most_by_local(LIMIT, 2);
            assert!(all.admitted() <= most, "{all:?}");
        }
    });
    load.nobody_suffered();
    site.is_exact_again();
    site.told_nothing_twice();
}

/// Bound: the local shares while nothing is said, and from then on the limit.
#[test]
fn accepts_and_never_answers() {
    let redis = Redis::start();
    let proxy = Proxy::silent_to(redis.port());
    let begun = Instant::now();
    let site = Site::with(&format!("url = \"{}\"", proxy.url()));
    assert!(begun.elapsed() < PATIENCE / 4, "{:?}", begun.elapsed());
    let from = caller(9);
    let load = site.under_load(|load| {
        load.lasts(SILENCE / 2);
        let offered = site.offer(from, 300);
        assert_eq!(offered.counted(), 0, "by whom?");
        offered.local_shares_hold();
        proxy.speaks();
        site.healed();
        let after = site.offer(from, 240);
        after.were_given_once();
        if after.by_process() == 0 {
            assert_eq!(after.counted(), LIMIT, "{after:?}");
        }
        // It falls silent under way, too.
        proxy.says_nothing();
        load.lasts(SILENCE / 2);
        proxy.speaks();
        site.healed();
    });
    load.nobody_suffered().some_did_without().few_waited(begun);
    site.is_exact_again();
    site.told_once();
}
