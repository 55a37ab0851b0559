//! Gateways that know of each other through Redis, and share a limit among them when it is gone.

use std::time::{Duration, Instant};

use tollgate::limit::{Clock, LimitStore, Limiter, Policy, RedisSettings, Subject};

use super::log::Log;
use super::outage::eventually;
use super::store::{INSTANCES, settings, single};
use super::{MINUTE, ask_one, client, decided, is_degraded, is_up, policy};
use crate::support::redis::Redis;

/// The longest that anything here may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// A gateway that counts in Redis, with one worker.
struct Gateway {
    store: LimitStore,
    limiter: Limiter,
}

impl Gateway {
    async fn start(settings: &RedisSettings) -> Self {
        let store = LimitStore::new(1000, Some(settings), Clock::system());
        let limiter = store.for_worker();
        assert!(limiter.wait_ready(PATIENCE).await);
        Self { store, limiter }
    }

    /// Asks for `n`, wherever it is counted; says whether they are admitted, and what is left.
    async fn ask(&self, policy: &Policy, subject: &Subject, n: u32) -> (bool, u64) {
        let decision = decided(&ask_one(&self.limiter, policy, subject, n).await);
        assert_eq!(is_degraded(&decision), !is_up(&self.limiter).await);
        (decision.admitted, decision.remaining)
    }

    /// How many of a hundred it admits.
    async fn admits(&self, policy: &Policy, subject: &Subject) -> u32 {
        let mut admitted = 0;
        for _ in 0..100 {
            admitted += u32::from(self.ask(policy, subject, 1).await.0);
        }
        admitted
    }
}

/// So many gateways, each of which knows of all.
async fn fleet(redis: &Redis, gateways: usize) -> Vec<Gateway> {
    let settings = settings(redis);
    let mut fleet = Vec::new();
    for _ in 0..gateways {
        fleet.push(Gateway::start(&settings).await);
    }
    know_each_other(redis, gateways).await;
    fleet
}

/// Waits until each of so many gateways has asked how many there are, twice since all were there: by
/// then it has read the first answer.
async fn know_each_other(redis: &Redis, gateways: usize) {
    eventually(async || ids(redis).len() == gateways).await;
    for _ in 0..2 {
        let now: Vec<u64> = redis.ask(&["TIME"]);
        let now_ms = now[0] * 1000 + now[1].div_ceil(1000);
        let since = |now_ms: u64| -> usize {
            redis.ask(&["ZCOUNT", INSTANCES, &now_ms.to_string(), "+inf"])
        };
        eventually(async || since(now_ms) == gateways).await;
    }
}

/// Kills Redis; returns when everybody has noticed.
async fn kill(redis: &mut Redis, fleet: &[Gateway]) {
    redis.kill();
    for gateway in fleet {
        eventually(async || !is_up(&gateway.limiter).await).await;
    }
}

fn ids(redis: &Redis) -> Vec<String> {
    redis.ask(&["ZRANGE", INSTANCES, "0", "-1"])
}

#[tokio::test(flavor = "local")]
async fn gateways_know_of_each_other_until_one_drains() {
    let redis = Redis::start();
    let fleet = fleet(&redis, 2).await;
    let ids = ids(&redis);
    assert_eq!(ids.len(), 2, "{ids:?}");
    assert!(ids.iter().all(|id| id.len() == 16), "{ids:?}");
    let lasts: i64 = redis.ask(&["PTTL", INSTANCES]);
    assert!((1..=10_000).contains(&lasts), "{lasts}");

    fleet[1].limiter.leave().await;
    // At once. It serves on until it has drained, and does not count again.
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(3) {
        let left: u32 = redis.ask(&["ZCARD", INSTANCES]);
        assert_eq!(left, 1);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "local")]
async fn a_gateway_that_is_killed_is_missed_after_ten_seconds() {
    let redis = Redis::start();
    let settings = settings(&redis);
    let one = Gateway::start(&settings).await;
    eventually(async || ids(&redis).len() == 1).await;
    let own = ids(&redis).remove(0);
    let other = Gateway::start(&settings).await;
    know_each_other(&redis, 2).await;
    drop(other);
    let other = ids(&redis).into_iter().find(|id| *id != own).unwrap();
    // As if so much time had passed; what it has sent before its end has come by then.
    let age = |ms: &str| {
        let _: String = redis.ask(&["ZINCRBY", INSTANCES, ms, &other]);
    };
    age("-5000");
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(ids(&redis).len(), 2);
    age("-5000");
    eventually(async || ids(&redis) == [own.clone()]).await;
    drop(one);
}

#[tokio::test(flavor = "local")]
async fn workers_of_one_gateway_count_as_one() {
    let redis = Redis::start();
    let gateway = Gateway::start(&settings(&redis)).await;
    let more = [gateway.store.for_worker(), gateway.store.for_worker()];
    for worker in &more {
        assert!(worker.wait_ready(PATIENCE).await);
    }
    let other = Gateway::start(&settings(&redis)).await;
    know_each_other(&redis, 2).await;
    drop(other);
}

#[tokio::test(flavor = "local")]
async fn without_redis_each_admits_its_share_of_what_was_left() {
    let log = Log::capture();
    let mut redis = Redis::start();
    let fleet = fleet(&redis, 2).await;
    let (limit, caller) = (policy("test", 100, MINUTE * 60), client("caller"));
    assert_eq!(fleet[0].ask(&limit, &caller, 35).await, (true, 65));
    assert_eq!(fleet[1].ask(&limit, &caller, 25).await, (true, 40));
    assert_eq!(fleet[0].ask(&limit, &caller, 50).await, (false, 40));
    kill(&mut redis, &fleet).await;
    assert_eq!(fleet[0].ask(&limit, &caller, 1).await, (true, 19));
    assert_eq!(fleet[0].admits(&limit, &caller).await, 19);
    assert_eq!(fleet[1].admits(&limit, &caller).await, 20);
    let stranger = client("stranger");
    assert_eq!(fleet[0].admits(&limit, &stranger).await, 50);
    let lines = log.lines();
    let told = |line: &&String| line.contains("counting in this process");
    assert!(
        lines
            .iter()
            .filter(told)
            .all(|line| line.contains("instances=2")),
        "{lines:?}"
    );

    redis.restart();
    for gateway in &fleet {
        eventually(async || is_up(&gateway.limiter).await).await;
    }
    // Redis has come back empty, and counts the 40 that they have admitted.
    assert_eq!(fleet[0].ask(&limit, &caller, 1).await, (true, 59));
    assert_eq!(fleet[1].ask(&limit, &caller, 1).await, (true, 58));
    // While all come back, none takes itself for the only one.
    kill(&mut redis, &fleet).await;
    let stranger = client("another");
    assert_eq!(fleet[0].admits(&limit, &stranger).await, 50);
}

#[tokio::test(flavor = "local")]
async fn a_share_is_at_least_one() {
    let mut redis = Redis::start();
    let fleet = fleet(&redis, 5).await;
    kill(&mut redis, &fleet).await;
    let (limit, caller) = (policy("test", 2, MINUTE * 60), client("caller"));
    for gateway in &fleet {
        assert_eq!(gateway.admits(&limit, &caller).await, 1);
    }
}

/// With the rights to count, but not those to be counted.
#[tokio::test(flavor = "local")]
async fn a_user_that_may_not_do_this_is_told_of_once_and_counts_as_ever() {
    let log = Log::capture();
    let redis = Redis::start();
    let rights =
        "on >p@ss ~tollgate:* +eval +evalsha +get +set +time +zadd +zcard +zremrangebyscore";
    let mut command = vec!["ACL", "SETUSER", "gate"];
    command.extend(rights.split(' '));
    let () = redis.ask(&command);
    let mut settings = settings(&redis);
    settings.target = single(&format!("redis://gate:p%40ss@127.0.0.1:{}", redis.port()));
    let gateway = Gateway::start(&settings).await;
    let is_it = |line: &String| line.contains("know of each other");
    let told = || log.lines().into_iter().find(is_it);
    eventually(async || told().is_some()).await;
    let line = told().unwrap();
    assert!(
        line.contains("+pexpire") && line.contains(r#"cause="pexpire: "#),
        "{line}"
    );
    let begun = Instant::now();
    let (limit, caller) = (policy("test", 1000, MINUTE * 60), client("caller"));
    for n in 1.. {
        assert_eq!(gateway.ask(&limit, &caller, 1).await, (true, 1000 - n));
        if begun.elapsed() > Duration::from_secs(3) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(
        ids(&redis).is_empty(),
        "no key is left behind without a TTL"
    );
    let mut lines = log.lines();
    lines.retain(is_it);
    assert_eq!(lines.len(), 1, "{lines:?}");

    let _: () = redis.ask(&["ACL", "SETUSER", "gate", "+pexpire"]);
    eventually(async || !ids(&redis).is_empty()).await;
}
