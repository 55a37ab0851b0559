//! Redis is several servers, and one of them goes, is demoted, or hands over what it had.

use super::offer::Offered;
use super::{LIMIT, Site, caller, gateways_at, most_by_local, spent};
use crate::support::eventually;
use crate::support::redis::Redis;
use crate::support::redis_cluster::Cluster;
use crate::support::redis_sentinel::{MASTER, Sentinel};

/// Fails if the fleet admitted more than the limit, what Redis lost of it, and the local shares.
fn is_bounded(all: &Offered, lost: u64) {
    let most = LIMIT + lost + most_by_local(LIMIT, 2);
    assert!(all.admitted() <= most, "{lost} were lost: {all:?}");
}

fn behind(sentinels: &Sentinel) -> Site {
    let urls = sentinels.urls();
    Site::with(&format!(
        "url = {urls:?}\nmode = \"sentinel\"\nmaster = \"{MASTER}\""
    ))
}

/// Bound: the limit, what the old master had counted alone, and the local shares. It takes writes
/// for a while after the replica was promoted, until it is told.
#[test]
fn master_becomes_a_read_only_replica() {
    let servers = Sentinel::start();
    let site = behind(&servers);
    let [old, new] = &servers.servers;
    let from = caller(9);
    let load = site.under_load(|load| {
        let before = site.offer(from, 30);
        servers.fail_over();
        servers.promoted();
        let meanwhile = site.offer(from, 30);
        let () = old.ask(&["REPLICAOF", "127.0.0.1", &new.port().to_string()]);
        load.goes_on();
        eventually("the gateways to leave the replica", || {
            (gateways_at(old) == 0).then_some(())
        });
        site.healed();
        let already = spent(new, from);
        let after = site.offer(from, 300);

        after.were_given_once();
        if after.by_process() == 0 {
            assert_eq!(after.counted(), LIMIT - already, "{after:?}");
        }
        let counted = before.and(&[&meanwhile]).counted();
        let all = before.and(&[&meanwhile, &after]);
        is_bounded(&all, counted.saturating_sub(already));
    });
    // Those who are sent on in time do without nothing, and have no trouble to tell of.
    load.nobody_suffered();
    site.is_exact_again();
    site.told_nothing_twice();
}

/// Bound: the limit and the local shares; nothing is lost, for the replica had everything. Of what a
/// frozen master had received, nothing counts any more when it wakes as a replica.
fn master_lost_behind_sentinels(lose: impl Fn(&mut Redis), find: impl Fn(&mut Redis)) {
    let mut servers = Sentinel::start();
    let site = behind(&servers);
    let from = caller(9);
    let load = site.under_load(|load| {
        let before = site.offer(from, 60);
        servers.servers[0].is_replicated_to(&servers.servers[1]);
        lose(&mut servers.servers[0]);
        load.goes_on();
        let meanwhile = site.offer(from, 300);
        meanwhile.local_shares_hold();
        servers.promoted();
        site.healed();
        find(&mut servers.servers[0]);
        load.goes_on();
        site.healed();
        let already = spent(&servers.servers[1], from);
        assert!(already >= before.counted(), "{already}: {before:?}");
        let after = site.offer(from, 300);
        after.were_given_once();
        if after.by_process() == 0 {
            assert_eq!(after.counted(), LIMIT - already, "{after:?}");
        }
        is_bounded(&before.and(&[&meanwhile, &after]), 0);
    });
    load.nobody_suffered().some_did_without();
    site.is_exact_again();
    site.told_once();
}

#[test]
fn master_killed_behind_sentinels() {
    master_lost_behind_sentinels(Redis::kill, |_| ());
}

#[test]
fn master_frozen_behind_sentinels() {
    master_lost_behind_sentinels(|master| master.pause(), |master| master.resume());
}

/// Where a caller is counted at first.
fn master_of(servers: &Cluster, nth: u8) -> usize {
    servers.master_of(&format!("{{ip:{}}}", caller(nth)))
}

/// Bound: the limit and the local shares, for callers of its slots; nothing is lost, for the replica
/// had everything. The limit, for everybody else.
#[test]
fn master_of_a_cluster_killed() {
    let mut servers = Cluster::start();
    let urls = servers.urls();
    let site = Site::with(&format!("url = {urls:?}\nmode = \"cluster\""));
    // That of the load's caller.
    let victim = master_of(&servers, 0);
    let find = |of_victim| {
        let fits = |&nth: &u8| (master_of(&servers, nth) == victim) == of_victim;
        (1..240).filter(fits).map(caller).collect::<Vec<_>>()
    };
    let (theirs, others) = (find(true), find(false));
    let from = theirs[0];
    let load = site.under_load(|load| {
        let before = site.offer(from, 60);
        servers.is_replicated(victim);
        servers.nodes[victim].kill();
        load.goes_on();
        let meanwhile = site.offer(from, 300);
        meanwhile.local_shares_hold();
        site.is_exact(others.iter().copied());
        servers.promoted(victim);
        site.healed_for(from);
        let after = site.offer(from, 300);
        let all = before.and(&[&meanwhile, &after]);
        all.were_given_once();
        is_bounded(&all, 0);
        if before.and(&[&after]).by_process() == 0 {
            assert_eq!(all.counted(), LIMIT, "{all:?}");
        }
    });
    load.nobody_suffered().some_did_without();
    site.is_exact(theirs[1..].iter().copied());
    site.is_exact(others[5..].iter().copied());
}

/// Bound: the limit, for nothing is lost and nobody has to do without.
#[test]
fn slot_of_a_cluster_moved() {
    let servers = Cluster::start();
    let urls = servers.urls();
    let site = Site::that_misses_nothing(&format!("url = {urls:?}\nmode = \"cluster\""));
    for nth in 0..4 {
        site.healed_for(caller(nth));
    }
    let load = site.under_load(|load| {
        // The first is the load's caller, which meets the move of its own slot.
        for nth in 0..4 {
            let from = caller(nth);
            let slot = servers.slot(&format!("{{ip:{from}}}"));
            let master = master_of(&servers, nth);
            let before = site.offer(from, 10);
            let mut between = None;
            let meanwhile = std::thread::scope(|scope| {
                let offering = scope.spawn(|| site.offer(from, 50));
                servers.move_slot_while(slot, master, (master + 1) % 3, || {
                    load.goes_on();
                    between = Some(site.offer(from, 30));
                });
                offering.join().expect("the offer")
            });
            load.goes_on();
            let after = site.offer(from, 120);
            let between = between.expect("the slot has moved");
            let all = before.and(&[&meanwhile, &between, &after]);
            all.are_exact();
        }
    });
    load.nobody_suffered().none_did_without();
    site.is_exact((10..15).map(caller));
}
