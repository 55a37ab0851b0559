//! Redis answers, but does not count: it does not know us, or has no room.

use super::{LIMIT, Site, caller, most_by_local, spent};
use crate::support::redis::Redis;

/// Bound: the local shares while it does not know us, and from then on the limit.
#[test]
fn wrong_password_at_the_start() {
    let mut redis = Redis::start_with_password("first-secret");
    let url = redis.url().replace("first", "second");
    let site = Site::with(&format!("url = \"{url}\""));
    let from = caller(9);
    let load = site.under_load(|load| {
        load.goes_on();
        let meanwhile = site.offer(from, 300);
        assert_eq!(meanwhile.counted(), 0, "by whom?");
        meanwhile.local_shares_hold();
        redis.set_password("second-secret");
        site.healed();
        let after = site.offer(from, 300);
        after.were_given_once();
        if after.by_process() == 0 {
            assert_eq!(after.counted(), LIMIT, "{after:?}");
        }
    });
    load.nobody_suffered().some_did_without();
    site.is_exact_again();
    site.told_once();
    site.keeps("secret");
}

/// Bound: the limit and the local shares, for Redis keeps its counters. A password that is changed
/// locks nobody out who is connected, so all connections are cut as well.
#[test]
fn wrong_password_after_a_rotation() {
    let mut redis = Redis::start_with_password("first-secret");
    let site = Site::with(&format!("url = \"{}\"", redis.url()));
    let from = caller(9);
    let load = site.under_load(|load| {
        let before = site.offer(from, 30);
        redis.set_password("second-secret");
        let connected = site.offer(from, 30);
        if connected.by_process() == 0 {
            assert_eq!(connected.counted(), 30, "who is connected stays so");
        }
        let () = redis.ask(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
        load.goes_on();
        let meanwhile = site.offer(from, 300);
        meanwhile.local_shares_hold();
        redis.set_password("first-secret");
        site.healed();
        let already = spent(&redis, from);
        let after = site.offer(from, 300);
        let all = before.and(&[&connected, &meanwhile, &after]);
        all.were_given_once();
        if after.by_process() == 0 {
            assert_eq!(after.counted(), LIMIT - already, "{after:?}");
        }
        let most = LIMIT + most_by_local(LIMIT, 2);
        assert!(all.admitted() <= most, "{all:?}");
    });
    load.nobody_suffered().some_did_without();
    site.is_exact_again();
    site.told_once();
    site.keeps("secret");
}

/// Bound: the limit and the local shares, for Redis keeps its counters. Who is connected meets it at
/// once, unlike a new password.
#[test]
fn rights_taken_away() {
    let redis = Redis::start();
    let set = |rights: &[&str]| {
        let () = redis.ask(&[&["ACL", "SETUSER", "gate"], rights].concat());
    };
    let all = ["on", ">s3cret", "~tollgate:*", "+@all"];
    set(&all);
    let port = redis.port();
    let site = Site::with(&format!("url = \"redis://gate:s3cret@127.0.0.1:{port}\""));
    let from = caller(9);
    let load = site.under_load(|load| {
        let before = site.offer(from, 60);
        set(&["-@all"]);
        load.goes_on();
        let meanwhile = site.offer(from, 300);
        assert_eq!(meanwhile.counted(), 0, "by whom?");
        meanwhile.local_shares_hold();
        set(&all);
        site.healed();
        let already = spent(&redis, from);
        let after = site.offer(from, 300);
        let all = before.and(&[&meanwhile, &after]);
        all.were_given_once();
        if before.and(&[&after]).by_process() == 0 {
            assert_eq!((already, after.counted()), (60, LIMIT - 60), "{after:?}");
        }
        let most = LIMIT + most_by_local(LIMIT, 2);
        assert!(all.admitted() <= most, "{all:?}");
    });
    load.nobody_suffered().some_did_without();
    site.is_exact_again();
    site.told_once();
    site.keeps("s3cret");
}

/// Bound: the limit and the local shares, for Redis keeps its counters. A caller that is over its
/// limit stays so: nothing is written for it.
#[test]
fn maxmemory_reached_with_noeviction() {
    let redis = Redis::start();
    let site = Site::with(&format!("url = \"{}\"", redis.url()));
    let (from, over) = (caller(9), caller(10));
    let load = site.under_load(|load| {
        let before = site.offer(from, 60);
        site.offer(over, 240).were_given_once();
        let () = redis.ask(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]);
        let () = redis.ask(&["CONFIG", "SET", "maxmemory", "1"]);
        load.goes_on();
        let meanwhile = site.offer(from, 300);
        meanwhile.local_shares_hold();
        let () = redis.ask(&["CONFIG", "SET", "maxmemory", "0"]);
        site.healed();
        let already = spent(&redis, from);
        let after = site.offer(from, 300);
        let all = before.and(&[&meanwhile, &after]);
        all.were_given_once();
        if before.and(&[&after]).by_process() == 0 {
            assert_eq!(already, 60, "nothing was written");
            assert_eq!(after.counted(), 40, "{after:?}");
        }
        let most = LIMIT + most_by_local(LIMIT, 2);
        assert!(all.admitted() <= most, "{all:?}");
        assert_eq!(spent(&redis, over), LIMIT);
    });
    load.nobody_suffered().some_did_without();
    site.is_exact_again();
    site.told_once();
}
