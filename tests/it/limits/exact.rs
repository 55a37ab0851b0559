//! Exact under concurrency: however requests interleave, what is admitted never exceeds the limit,
//! and reaches it when enough is asked for.

use std::rc::Rc;
use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tokio::runtime::LocalRuntime;
use tokio::task::JoinSet;
use tollgate::limit::{Check, Clock, Decision, MemoryStore, Policy};

use super::store::{Store, limiter, settings};
use super::{MINUTE, ask_one, client, cost, decided, is_degraded, policy};
use crate::support::redis::Redis;

/// What eight callers at once ask for, one after the other each; and a limit that is not enough.
fn costs() -> impl Strategy<Value = (u64, Vec<Vec<u32>>)> {
    let one_caller = prop::collection::vec(1..20_u32, 1..30);
    (1..600_u64, prop::collection::vec(one_caller, 8))
}

/// What has been admitted of `asked`, the sum of its costs.
fn spent(asked: impl IntoIterator<Item = (u32, Decision)>) -> u64 {
    let admitted = asked.into_iter().filter(|(_, decision)| decision.admitted);
    admitted.map(|(cost, _)| u64::from(cost)).sum()
}

/// Asserts that `admitted` is what the counter says, and that single requests get the rest exactly.
async fn assert_exact(store: &Store, limit: &Policy, admitted: u64) -> Result<(), TestCaseError> {
    let most = limit.limit.requests();
    prop_assert!(admitted <= most, "{admitted} of {most}");
    for left in (0..most - admitted).rev() {
        let decision = store.ask(limit, &client("caller"), 1).await;
        prop_assert_eq!((decision.admitted, decision.remaining), (true, left));
    }
    prop_assert!(!store.ask(limit, &client("caller"), 1).await.admitted);
    Ok(())
}

#[test]
fn tasks_that_share_a_connection_to_redis_share_a_limit() {
    let runtime = LocalRuntime::new().unwrap();
    let store = Rc::new(runtime.block_on(Store::redis()));
    TestRunner::new(Config {
        max_shrink_iters: 20,
        ..Config::with_cases(10)
    })
    .run(&costs(), |(most, callers)| {
        store.clear();
        let limit = policy("test", most, MINUTE);
        runtime.block_on(async {
            let mut tasks = JoinSet::new();
            for costs in callers {
                let (store, limit) = (Rc::clone(&store), limit.clone());
                tasks.spawn_local(async move {
                    let mut asked = Vec::new();
                    for cost in costs {
                        asked.push((cost, store.ask(&limit, &client("caller"), cost).await));
                    }
                    spent(asked)
                });
            }
            let admitted = tasks.join_all().await.into_iter().sum();
            assert_exact(&store, &limit, admitted).await
        })
    })
    .unwrap();
}

#[test]
fn threads_that_share_a_memory_store_share_a_limit() {
    TestRunner::new(Config {
        max_shrink_iters: 20,
        ..Config::with_cases(100)
    })
    .run(&costs(), |(most, callers)| {
        let store = MemoryStore::new(1000, Clock::system());
        let limit = policy("test", most, Duration::from_hours(1));
        let caller = client("caller");
        let ask = |n| {
            let check = Check {
                policy: &limit,
                subject: &caller,
            };
            (n, decided(&store.decide(&[check], cost(n))))
        };
        let start = Barrier::new(callers.len());
        let admitted: u64 = thread::scope(|scope| {
            let one_caller = |costs: Vec<u32>| {
                start.wait();
                spent(costs.into_iter().map(ask))
            };
            let threads: Vec<_> = callers
                .into_iter()
                .map(|costs| scope.spawn(move || one_caller(costs)))
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .sum()
        });
        prop_assert!(admitted <= most, "{admitted} of {most}");
        prop_assert_eq!(spent((admitted..most).map(|_| ask(1))), most - admitted);
        prop_assert!(!ask(1).1.admitted);
        Ok(())
    })
    .unwrap();
}

/// Four gateways, as far as limits go: a store each, with a worker each.
#[test]
fn gateways_that_share_a_redis_share_a_limit() {
    let redis = Redis::start();
    let limit = policy("identified", 1000, MINUTE);
    let worker = || {
        let (settings, limit) = (settings(&redis), limit.clone());
        move || {
            LocalRuntime::new().unwrap().block_on(async {
                let limiter = Rc::new(limiter(&settings));
                assert!(limiter.wait_ready(settings.deadline).await);
                let mut tasks = JoinSet::new();
                for _ in 0..32 {
                    let (limiter, limit) = (Rc::clone(&limiter), limit.clone());
                    tasks.spawn_local(async move {
                        let mut asked = Vec::new();
                        for _ in 0..20 {
                            let outcome = ask_one(&limiter, &limit, &client("caller"), 1).await;
                            let decision = decided(&outcome);
                            assert!(!is_degraded(&decision));
                            asked.push((1, decision));
                        }
                        spent(asked)
                    });
                }
                tasks.join_all().await.into_iter().sum::<u64>()
            })
        }
    };
    let admitted: u64 = thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(worker())).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .sum()
    });
    assert_eq!(admitted, 1000, "of 2560 offered");
}
