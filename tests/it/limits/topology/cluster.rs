//! A cluster whose slots move and whose nodes go.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tollgate::limit::{
    Check, Clock, LimitStore, Limiter, RedisSettings, RedisTarget, RedisTopology, Subject, Verdict,
    Who,
};

use super::super::log::Log;
use super::super::store::INSTANCES;
use super::super::{MINUTE, client, cost, is_degraded, is_up, policy};
use super::{DEADLINE, PATIENCE, eventually, healed, left, settings, store, urls};
use crate::support::redis::Redis;
use crate::support::redis_cluster::Cluster;

fn cluster(cluster: &Cluster) -> RedisTarget {
    RedisTarget::new(&urls(&cluster.urls()), RedisTopology::Cluster, None).unwrap()
}

/// Clients whose counters are on a given master of a cluster.
fn clients_of(cluster: &Cluster, master: usize, how_many: usize) -> Vec<Subject> {
    let all = (0..).map(|nth| format!("c{nth}"));
    let there = all.filter(|name| cluster.master_of(&format!("{{client:{name}}}")) == master);
    there.take(how_many).map(|name| client(&name)).collect()
}

#[tokio::test(flavor = "local")]
async fn a_cluster_counts_each_caller_on_its_node() {
    let servers = Cluster::start();
    let stores = [store(cluster(&servers)), store(cluster(&servers))];
    let limiters = [stores[0].for_worker(), stores[1].for_worker()];
    for limiter in &limiters {
        assert!(limiter.wait_ready(PATIENCE).await);
    }
    for master in 0..3 {
        for caller in clients_of(&servers, master, 3) {
            for n in 1..=20 {
                assert_eq!(healed(&limiters[n % 2], &caller).await, 1000 - n as u64);
            }
        }
        let mut counters = servers.nodes[master].keys();
        counters.retain(|key| key != INSTANCES);
        assert_eq!(counters.len(), 3);
    }
    let known = |node: &Redis| node.try_ask::<u32>(&["ZCARD", INSTANCES]) == Some(2);
    eventually(|| servers.nodes.iter().any(known)).await;
}

/// A request under limits of two subjects, which are on two nodes.
#[tokio::test(flavor = "local")]
async fn in_a_cluster_too_a_refused_request_spends_nothing() {
    let servers = Cluster::start();
    let store = store(cluster(&servers));
    let callers = [0, 1].map(|master| clients_of(&servers, master, 1).remove(0));
    let wide = policy("wide", 100, MINUTE * 60);
    let narrow = policy("narrow", 10, MINUTE * 60);
    let [wide, narrow] = [(&wide, &callers[0]), (&narrow, &callers[1])]
        .map(|(policy, subject)| Check { policy, subject });
    for n in 1..=15 {
        // A worker of its own for each, for one that has heard of a refusal asks no more.
        let limiter = store.for_worker();
        assert!(limiter.wait_ready(PATIENCE).await);
        let outcome = limiter.decide(&[wide, narrow], cost(1)).await;
        let spent = n.min(10);
        let verdict = if n <= 10 {
            Verdict::Admitted
        } else {
            Verdict::Refused
        };
        assert_eq!(outcome.verdict, verdict, "{n}");
        let left = outcome
            .decisions
            .iter()
            .map(|decision| decision.unwrap().remaining);
        assert_eq!(left.collect::<Vec<_>>(), [100 - spent, 10 - spent]);
    }
    // Over the first limit, nobody is counted under the second.
    let limiter = store.for_worker();
    assert!(limiter.wait_ready(PATIENCE).await);
    let outcome = limiter.decide(&[narrow, wide], cost(1)).await;
    assert_eq!(outcome.verdict, Verdict::Refused);
    assert!(outcome.decisions[1].is_none());
}

/// Also: the rights that `docs/limits.md` names are enough.
#[tokio::test(flavor = "local")]
async fn the_count_is_exact_while_slots_move() {
    let servers = Cluster::start();
    let rights = "on >p@ss ~tollgate:* +eval +evalsha +get +set +time +cluster|slots +asking \
         +zadd +zcard +zrem +zremrangebyscore +pexpire";
    for node in &servers.nodes {
        let command = ["ACL", "SETUSER", "gate"].into_iter();
        let () = node.ask(&command.chain(rights.split_whitespace()).collect::<Vec<_>>());
    }
    let with_user = |url: &String| url.replace("redis://", "redis://gate:p%40ss@");
    let with_user: Vec<_> = servers.urls().iter().map(with_user).collect();
    let target = RedisTarget::new(&urls(&with_user), RedisTopology::Cluster, None).unwrap();
    let settings = RedisSettings {
        deadline: PATIENCE,
        ..settings(target)
    };
    let limiter = LimitStore::new(1000, Some(&settings), Clock::system()).for_worker();
    let limiter = Rc::new(limiter);
    assert!(limiter.wait_ready(PATIENCE).await);
    let caller = clients_of(&servers, 0, 1).remove(0);
    let Who::Client(name) = caller.who() else {
        unreachable!("made as a client")
    };
    let slot = servers.slot(&format!("{{client:{name}}}"));
    let stop = Rc::new(Cell::new(false));
    let mut load = JoinSet::new();
    for _ in 0..8 {
        let (limiter, caller, stop) = (limiter.clone(), caller.clone(), stop.clone());
        load.spawn_local(async move {
            let mut asked = 0;
            while !stop.get() {
                ask_two(&limiter, &caller).await;
                asked += 1;
                tokio::task::yield_now().await;
            }
            asked
        });
    }
    let moved = tokio::task::spawn_blocking(move || {
        for round in 0..12 {
            servers.move_slot(slot, round % 3, (round + 1) % 3);
        }
        servers
    });
    let _servers = moved.await.unwrap();
    stop.set(true);
    let asked = load.join_all().await.iter().sum::<u64>();
    assert!(asked > 100, "{asked}");
    assert_eq!(ask_two(&limiter, &caller).await, [MANY - asked - 1; 2]);
}

/// More than anybody asks for.
const MANY: u64 = 1_000_000;

/// Asks under two limits of a caller, which must have been counted; says what is left of each. While
/// their slot moves, one key may be here and one there.
async fn ask_two(limiter: &Limiter, caller: &Subject) -> [u64; 2] {
    let policies = ["one", "two"].map(|name| policy(name, MANY, MINUTE * 60));
    let checks = [&policies[0], &policies[1]].map(|policy| Check {
        policy,
        subject: caller,
    });
    let outcome = limiter.decide(&checks, cost(1)).await;
    assert_eq!(outcome.verdict, Verdict::Admitted);
    [0, 1].map(|nth| {
        let decision = outcome.decisions[nth].unwrap();
        assert!(!is_degraded(&decision));
        decision.remaining
    })
}

#[tokio::test(flavor = "local")]
async fn a_killed_master_of_a_cluster_costs_only_its_own_callers() {
    let log = Log::capture();
    let mut servers = Cluster::start();
    let store = store(cluster(&servers));
    let limiter = store.for_worker();
    assert!(limiter.wait_ready(PATIENCE).await);
    let victim = clients_of(&servers, 1, 1).remove(0);
    let others = [0, 2].map(|master| clients_of(&servers, master, 1).remove(0));
    assert_eq!(healed(&limiter, &victim).await, 999);
    servers.is_replicated(1);
    servers.nodes[1].kill();
    let begun = Instant::now();
    let mut asked = 0;
    let after = loop {
        asked += 1;
        for other in &others {
            assert_eq!(left(&limiter, other).await, Some(1000 - asked));
        }
        if let Some(left) = left(&limiter, &victim).await {
            break left;
        }
        assert!(begun.elapsed() < PATIENCE, "it has not healed");
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    // And what was admitted meanwhile, perhaps by now.
    assert!(after <= 998, "the replica has counted what the master had");
    assert!(left(&limiter, &victim).await < Some(after));
    servers.promoted(1);
    let lines = log.lines();
    let told = |line: &&String| line.contains("WARN");
    assert_eq!(lines.iter().filter(told).count(), 1, "{lines:?}");
}

#[tokio::test(flavor = "local")]
async fn a_frozen_node_holds_up_a_few_of_its_own_callers_and_nobody_else() {
    let servers = Cluster::start();
    let limiter = store(cluster(&servers)).for_worker();
    assert!(limiter.wait_ready(PATIENCE).await);
    let victim = clients_of(&servers, 1, 1).remove(0);
    let others = [0, 2].map(|master| clients_of(&servers, master, 1).remove(0));
    healed(&limiter, &victim).await;
    servers.nodes[1].pause();
    let (mut asked, mut slow, mut slow_others) = (0, 0, 0_u64);
    let begun = Instant::now();
    // Until the breaker is open, and as long as the cluster takes to fail over.
    while begun.elapsed() < DEADLINE * 8 {
        asked += 1;
        for other in &others {
            let begun = Instant::now();
            assert_eq!(left(&limiter, other).await, Some(1000 - asked));
            slow_others += u64::from(begun.elapsed() >= DEADLINE);
        }
        let begun = Instant::now();
        let _ = left(&limiter, &victim).await;
        slow += u64::from(begun.elapsed() >= DEADLINE);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // The machine may have held up some; the node would have held up all of them.
    assert!(slow_others < asked / 4, "{slow_others} of {asked}");
    assert!(
        (1..=5 + slow_others).contains(&slow),
        "{slow} calls waited for the deadline, {slow_others} of others"
    );
    servers.nodes[1].resume();
    let now = healed(&limiter, &victim).await;
    assert!(now < 1000);
}

#[tokio::test(flavor = "local")]
async fn a_cluster_that_goes_and_comes_back_is_told_of_once() {
    let log = Log::capture();
    let mut servers = Cluster::start();
    let store = store(cluster(&servers));
    let limiter = store.for_worker();
    assert!(limiter.wait_ready(PATIENCE).await);
    let callers = [0, 1, 2].map(|master| clients_of(&servers, master, 1).remove(0));
    for node in &mut servers.nodes {
        node.kill();
    }
    let begun = Instant::now();
    // As long as a few attempts to connect take.
    while begun.elapsed() < 4 * DEADLINE {
        for caller in &callers {
            assert_eq!(left(&limiter, caller).await, None);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(!is_up(&limiter).await);
    for node in &mut servers.nodes {
        node.restart();
    }
    for caller in &callers {
        healed(&limiter, caller).await;
    }
    let lines = log.lines();
    let told = |word: &str| lines.iter().filter(|line| line.contains(word)).count();
    // Of three masters, perhaps of a replica that took a place for a moment, and of the whole.
    assert!((2..=7).contains(&told("WARN")), "{lines:?}");
    assert_eq!(told("; counting in this process"), 1, "{lines:?}");
    assert_eq!(told("outage::log: redis answers again"), 1, "{lines:?}");
}
