//! Sentinels that name another master, for whatever reason.

use std::time::{Duration, Instant};

use tollgate::limit::{RedisTarget, RedisTopology};

use super::super::log::Log;
use super::super::store::INSTANCES;
use super::super::{client, is_up};
use super::{DEADLINE, PATIENCE, eventually, healed, left, store, urls};
use crate::support::redis::Redis;
use crate::support::redis_sentinel::{MASTER, Sentinel};

/// Where `caller` is counted.
const KEY: &str = "tollgate:{client:caller}:test";

fn sentinel(sentinel: &Sentinel) -> RedisTarget {
    let topology = RedisTopology::Sentinel {
        master: MASTER.into(),
    };
    RedisTarget::new(&urls(&sentinel.urls()), topology, None).unwrap()
}

#[tokio::test(flavor = "local")]
async fn the_sentinels_name_another_master_when_one_is_killed() {
    let mut servers = Sentinel::start();
    let store = store(sentinel(&servers));
    let limiter = store.for_worker();
    assert!(limiter.wait_ready(PATIENCE).await);
    let caller = client("caller");
    for n in 1..=10 {
        assert_eq!(healed(&limiter, &caller).await, 1000 - n);
    }
    servers.servers[0].is_replicated_to(&servers.servers[1]);
    servers.kill_sentinel(0);
    servers.servers[0].kill();
    healed(&limiter, &client("other")).await;
    let now = left(&limiter, &caller).await;
    assert_eq!(
        now,
        Some(989),
        "the replica has counted what the master had"
    );
    // The replica knows of this gateway, too, and of another that comes now.
    let other = super::store(sentinel(&servers));
    let _worker = other.for_worker();
    let known = || servers.servers[1].try_ask::<u32>(&["ZCARD", INSTANCES]) == Some(2);
    eventually(known).await;
}

#[tokio::test(flavor = "local")]
async fn a_master_that_the_sentinels_replace_is_left_while_it_runs() {
    let servers = Sentinel::start();
    let limiter = store(sentinel(&servers)).for_worker();
    assert!(limiter.wait_ready(PATIENCE).await);
    let caller = client("caller");
    assert_eq!(healed(&limiter, &caller).await, 999);
    servers.fail_over();
    servers.promoted();
    // The old one goes on as a master for ten seconds.
    let begun = Instant::now();
    let counted = || -> Option<String> { servers.servers[1].try_ask(&["GET", KEY]) };
    let at_first = counted();
    while counted() == at_first {
        healed(&limiter, &caller).await;
        assert!(begun.elapsed() < PATIENCE);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let now = healed(&limiter, &caller).await;
    assert_eq!(left(&limiter, &caller).await, Some(now - 1));
}

#[tokio::test(flavor = "local")]
async fn a_server_that_takes_no_writes_any_more_is_left_at_once() {
    let (redis, other) = (Redis::start(), Redis::start());
    let target = RedisTarget::new(&urls(&[redis.url()]), RedisTopology::Single, None).unwrap();
    let store = store(target);
    let limiter = store.for_worker();
    assert!(limiter.wait_ready(PATIENCE).await);
    let caller = client("caller");
    assert_eq!(healed(&limiter, &caller).await, 999);
    let () = redis.ask(&["REPLICAOF", "127.0.0.1", &other.port().to_string()]);
    assert_eq!(left(&limiter, &caller).await, None);
    let begun = Instant::now();
    while is_up(&limiter).await {
        assert!(begun.elapsed() < PATIENCE);
        tokio::task::yield_now().await;
    }
    let () = redis.ask(&["REPLICAOF", "NO", "ONE"]);
    healed(&limiter, &caller).await;
}

#[tokio::test(flavor = "local")]
async fn sentinels_that_want_a_password_get_that_of_the_url() {
    let master = Redis::start_with_password("s3cret");
    let one = Sentinel::one_with_password(&master, "s3cret");
    let topology = RedisTopology::Sentinel {
        master: MASTER.into(),
    };
    let target = RedisTarget::new(&urls(&[one.url()]), topology, None).unwrap();
    let limiter = store(target).for_worker();
    assert!(limiter.wait_ready(PATIENCE).await);
    assert_eq!(healed(&limiter, &client("caller")).await, 999);
}

#[tokio::test(flavor = "local")]
async fn a_name_that_no_sentinel_knows_is_told() {
    let log = Log::capture();
    let master = Redis::start_with_password("s3cret");
    let one = Sentinel::one_with_password(&master, "s3cret");
    let topology = RedisTopology::Sentinel {
        master: "another".into(),
    };
    let target = RedisTarget::new(&urls(&[one.url()]), topology, None).unwrap();
    let limiter = store(target).for_worker();
    assert!(!limiter.wait_ready(DEADLINE).await);
    let lines = log.lines();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains("the Sentinels name no master of this name"));
    assert!(!lines[0].contains("s3cret"));
}
