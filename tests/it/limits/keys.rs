//! What stands in Redis: which keys, for how long, and at what price in calls.

use std::time::Duration;

use tollgate::limit::{Limiter, Policy, Subject};

use super::store::{INSTANCES, limiter, settings, single};
use super::{MINUTE, address, ask_one, client, decided, is_degraded, policy};
use crate::support::redis::Redis;

/// A limiter that is connected to `redis`.
async fn connected(redis: &Redis) -> Limiter {
    let settings = settings(redis);
    let limiter = limiter(&settings);
    assert!(limiter.wait_ready(settings.deadline).await);
    limiter
}

/// Asks for `n`; says whether they are admitted, and how many are left.
async fn ask(limiter: &Limiter, policy: &Policy, subject: &Subject, n: u32) -> (bool, u64) {
    let decision = decided(&ask_one(limiter, policy, subject, n).await);
    assert!(!is_degraded(&decision));
    (decision.admitted, decision.remaining)
}

/// How often a command was called since the server last forgot.
pub(super) fn calls(redis: &Redis, command: &str) -> u64 {
    calls_in(&redis.ask::<String>(&["INFO", "commandstats"]), command)
}

/// How often a script was called with its text, but for the one that says that a gateway is alive.
fn evals(redis: &Redis) -> u64 {
    let stats: String = redis.ask(&["INFO", "commandstats"]);
    calls_in(&stats, "eval") - calls_in(&stats, "zcard")
}

fn calls_in(stats: &str, command: &str) -> u64 {
    let line = stats
        .lines()
        .find_map(|line| line.strip_prefix(&format!("cmdstat_{command}:")));
    let calls = |line: &str| line.strip_prefix("calls=")?.split(',').next()?.parse().ok();
    line.map_or(0, |line| calls(line).expect("calls=N,..."))
}

#[tokio::test(flavor = "local")]
async fn keys_name_subject_and_policy_and_always_have_a_ttl() {
    let redis = Redis::start();
    let limiter = connected(&redis).await;
    let (short, long) = (
        policy("short", 2, MINUTE),
        policy("gold", 2, Duration::from_hours(24)),
    );
    let subjects = [
        client("mobile-app"),
        address("203.0.113.7"),
        address("2001:db8::"),
    ];
    for policy in [&short, &long] {
        for subject in &subjects {
            for n in [3, 1, 2, 1, 1] {
                ask(&limiter, policy, subject, n).await;
                // The proof's key lives for a moment only, and may end in between.
                for key in redis
                    .keys()
                    .into_iter()
                    .filter(|key| !key.ends_with("{proof}"))
                {
                    let ttl: i64 = redis.ask(&["PTTL", &key]);
                    assert!(ttl > 0, "{key}: {ttl}");
                }
            }
        }
    }
    let counters: Vec<_> = redis
        .keys()
        .into_iter()
        .filter(|key| key != "tollgate:{proof}" && key != INSTANCES)
        .collect();
    assert_eq!(
        counters,
        [
            "tollgate:{client:mobile-app}:gold",
            "tollgate:{client:mobile-app}:short",
            "tollgate:{ip:2001:db8::}:gold",
            "tollgate:{ip:2001:db8::}:short",
            "tollgate:{ip:203.0.113.7}:gold",
            "tollgate:{ip:203.0.113.7}:short",
        ]
    );
}

#[tokio::test(flavor = "local")]
async fn a_request_costs_one_call_and_a_forgotten_script_one_more() {
    let redis = Redis::start();
    let limiter = connected(&redis).await;
    let (limit, caller) = (policy("test", 50, MINUTE), client("caller"));
    let () = redis.ask(&["CONFIG", "RESETSTAT"]);
    for _ in 0..10 {
        ask(&limiter, &limit, &caller, 1).await;
    }
    assert_eq!((calls(&redis, "evalsha"), evals(&redis)), (10, 0));

    let () = redis.ask(&["SCRIPT", "FLUSH"]);
    let () = redis.ask(&["CONFIG", "RESETSTAT"]);
    let other = client("other");
    assert_eq!(ask(&limiter, &limit, &other, 1).await, (true, 49));
    assert_eq!((calls(&redis, "evalsha"), evals(&redis)), (1, 1));
    assert_eq!(ask(&limiter, &limit, &other, 1).await, (true, 48));
    assert_eq!((calls(&redis, "evalsha"), evals(&redis)), (2, 1));
}

#[tokio::test(flavor = "local")]
async fn redis_is_not_asked_about_a_caller_that_is_over_its_limit() {
    let redis = Redis::start();
    let limiter = connected(&redis).await;
    let (limit, caller) = (policy("test", 10, MINUTE), client("caller"));
    let () = redis.ask(&["CONFIG", "RESETSTAT"]);
    assert_eq!(ask(&limiter, &limit, &caller, 8).await, (true, 2));
    for _ in 0..100 {
        assert_eq!(ask(&limiter, &limit, &caller, 3).await, (false, 2));
    }
    assert_eq!(calls(&redis, "evalsha"), 2);
    // What was too dear says nothing about what is cheaper.
    assert_eq!(ask(&limiter, &limit, &caller, 2).await, (true, 0));
    for _ in 0..100 {
        assert_eq!(ask(&limiter, &limit, &caller, 1).await, (false, 0));
    }
    assert_eq!(calls(&redis, "evalsha"), 3);
    assert!(ask(&limiter, &limit, &client("other"), 1).await.0);
}

#[tokio::test(flavor = "local")]
async fn what_others_left_under_a_counters_key_is_no_window() {
    let redis = Redis::start();
    let limiter = connected(&redis).await;
    let (limit, caller) = (policy("test", 5, MINUTE), client("caller"));
    let key = "tollgate:{client:caller}:test";
    let foreign: [&[&str]; 3] = [
        &["RPUSH", key, "1"],
        &["SET", key, "words", "PX", "60000"],
        &["SET", key, "5"],
    ];
    for command in foreign {
        let () = redis.ask(&["DEL", key]);
        let _: redis::Value = redis.ask(command);
        assert_eq!(
            ask(&limiter, &limit, &caller, 1).await,
            (true, 4),
            "{command:?}"
        );
        let ttl: i64 = redis.ask(&["PTTL", key]);
        assert!(ttl > 0, "{command:?}: {ttl}");
    }
}

#[tokio::test(flavor = "local")]
async fn counters_outlive_the_gateway() {
    let redis = Redis::start();
    let (limit, caller) = (policy("test", 5, MINUTE), client("caller"));
    assert_eq!(
        ask(&connected(&redis).await, &limit, &caller, 3).await,
        (true, 2)
    );
    assert_eq!(
        ask(&connected(&redis).await, &limit, &caller, 1).await,
        (true, 1)
    );
}

/// Adds the user `gate`.
fn add_user(redis: &Redis, rights: &str) {
    let mut command = vec!["ACL", "SETUSER", "gate"];
    command.extend(rights.split_whitespace());
    let () = redis.ask(&command);
}

/// The rights that `docs/limits.md` names are enough.
#[tokio::test(flavor = "local")]
async fn user_password_and_database_of_the_url_are_used() {
    let redis = Redis::start();
    let rights = "on >p@ss ~tollgate:* +eval +evalsha +get +set +time +select +zadd +zcard +zrem \
         +zremrangebyscore +pexpire";
    add_user(&redis, rights);
    let mut settings = settings(&redis);
    settings.target = single(&format!("redis://gate:p%40ss@127.0.0.1:{}/3", redis.port()));
    let limiter = limiter(&settings);
    assert!(limiter.wait_ready(settings.deadline).await);
    for seconds in [600, 60] {
        let limit = policy("test", 5, Duration::from_secs(seconds));
        assert!(ask(&limiter, &limit, &client("caller"), 1).await.0);
    }
    let databases: String = redis.ask(&["INFO", "keyspace"]);
    assert!(
        databases.contains("db3:") && !databases.contains("db0:"),
        "{databases}"
    );
}

/// Who may not read counters would find them all empty.
#[tokio::test(flavor = "local")]
async fn without_the_right_to_read_nobody_is_unlimited() {
    let redis = Redis::start();
    let rights = "on >pass ~tollgate:* +eval +evalsha +set +time";
    add_user(&redis, rights);
    let mut settings = settings(&redis);
    settings.target = single(&format!("redis://gate:pass@127.0.0.1:{}", redis.port()));
    let limiter = limiter(&settings);
    assert!(!limiter.wait_ready(Duration::from_millis(300)).await);
    let limit = policy("test", 2, MINUTE);
    for admitted in [true, true, false] {
        let decision = decided(&ask_one(&limiter, &limit, &client("caller"), 1).await);
        assert_eq!(
            (decision.admitted, is_degraded(&decision)),
            (admitted, true)
        );
    }
}

/// The line of the docs by which operators measure their Redis.
#[test]
fn the_benchmark_of_the_docs_runs() {
    let redis = Redis::start();
    let script: String = redis.ask(&[
        "SCRIPT",
        "LOAD",
        include_str!("../../../src/limit/redis/decide.lua"),
    ]);
    let docs = include_str!("../../../docs/limits.md");
    let line = docs
        .lines()
        .find(|line| line.contains("EVALSHA $SHA"))
        .unwrap();
    let call = &line[line.find("EVALSHA").unwrap()..];
    let call: Vec<&str> = call.split_whitespace().collect();
    let call = call.iter().map(|word| word.trim_matches('\''));
    let call: Vec<&str> = call
        .map(|word| if word == "$SHA" { &script } else { word })
        .collect();
    let answer: Vec<i64> = redis.ask(&call);
    assert_eq!(answer, [1, 1, 599, 60_000, 0, 0]);
}
