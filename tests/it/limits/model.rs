//! Random sequences of callers, costs, times and reloads, under one limit or several, against a
//! reference too plain to be wrong.

use std::num::NonZeroU64;
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tokio::runtime::LocalRuntime;
use tollgate::limit::{Algorithm, Check, Decision, Mode, Policy, Source, Verdict};

use super::reference::{Reference, Said};
use super::store::Store;
use super::{address, client, policy};

/// One thing that happens.
#[derive(Debug, Clone)]
struct Step {
    /// Before it, milliseconds.
    pass: u64,
    /// Whom it is counted for, under which policy.
    checks: Vec<(usize, usize)>,
    cost: u32,
}

/// Of each algorithm, of each mode, and one that reloads have made tighter and longer.
fn policies() -> Vec<Policy> {
    let seconds = Duration::from_secs;
    let counted_by = |policy: Policy, algorithm| {
        let limit = policy.limit.counted_by(algorithm).unwrap();
        Policy::new(policy.name, limit)
    };
    let burst = |n| Algorithm::TokenBucket {
        burst: NonZeroU64::new(n).unwrap(),
    };
    let mut shadow = policy("shadow", 5, seconds(40));
    shadow.mode = Mode::Shadow;
    vec![
        policy("a", 10, seconds(60)),
        policy("b", 20, seconds(90)),
        policy("b", 7, seconds(40)),
        policy("b", 30, seconds(600)),
        counted_by(policy("c", 10, seconds(60)), Algorithm::SlidingWindow),
        counted_by(policy("d", 12, seconds(60)), burst(5)),
        counted_by(policy("e", 3, seconds(60)), burst(30)),
        shadow,
    ]
}

fn steps(longest: usize) -> impl Strategy<Value = Vec<Step>> {
    // Moments that differ by a millisecond are what a real clock blurs, so time passes in tenths
    // of a minute; windows end exactly on such a step.
    let pass = prop_oneof![3 => Just(0), 1 => (0..6_u64).prop_map(|n| n * 10_000)];
    let check = (0..3_usize, 0..8_usize);
    let checks = prop_oneof![
        3 => prop::collection::vec(check.clone(), 1..2),
        1 => prop::collection::vec(check, 2..4),
    ];
    let cost = prop_oneof![2 => Just(1), 1 => 1..40_u32];
    let step = (pass, checks, cost).prop_map(|(pass, mut checks, cost)| {
        // A counter cannot be asked twice by one request: names are unique.
        checks.dedup_by_key(|&mut (caller, policy)| (caller, policies()[policy].name.clone()));
        checks.sort_unstable();
        checks.dedup_by_key(|&mut (caller, policy)| (caller, policies()[policy].name.clone()));
        Step { pass, checks, cost }
    });
    prop::collection::vec(step, 1..longest)
}

async fn agrees(store: &Store, steps: &[Step]) -> Result<(), TestCaseError> {
    let callers = [
        client("caller"),
        address("203.0.113.7"),
        address("2001:db8::"),
    ];
    let policies = policies();
    let mut reference = Reference::default();
    for step in steps {
        if step.pass > 0 {
            store.pass(Duration::from_millis(step.pass));
            reference.now += step.pass;
        }
        let asked: Vec<_> = step
            .checks
            .iter()
            .map(|&(caller, n)| (caller, &policies[n]))
            .collect();
        let before = reference.counted.clone();
        let (admitted, said) = reference.ask(&asked, step.cost.into());
        let checks: Vec<_> = asked
            .iter()
            .map(|&(caller, policy)| Check {
                policy,
                subject: &callers[caller],
            })
            .collect();
        let seen = store.ask_all(&checks, step.cost).await;
        prop_assert_eq!(
            seen.verdict == Verdict::Admitted,
            admitted,
            "{:?}: {:?}",
            step,
            seen
        );
        if seen
            .decisions
            .iter()
            .flatten()
            .any(|one| one.source == Source::Cache)
        {
            // Redis was not asked, so it has not heard of a window that a reload has made shorter.
            reference.counted = before;
        }
        for (seen, said) in seen.decisions.iter().zip(said) {
            // A limit that has refused before may have been enough.
            let Some(seen) = *seen else {
                prop_assert!(!admitted);
                continue;
            };
            assert_same(store, step, seen, said)?;
        }
    }
    Ok(())
}

fn assert_same(
    store: &Store,
    step: &Step,
    seen: Decision,
    said: Said,
) -> Result<(), TestCaseError> {
    let (fits, left, reset, retry) = said;
    prop_assert_eq!(seen.admitted, fits, "{:?}", step);
    if seen.source == Source::Cache {
        // Told as it was: more may have come back since, if not enough.
        prop_assert!(seen.remaining <= left, "{:?}", step);
    } else {
        prop_assert_eq!(seen.remaining, left, "{:?}", step);
    }
    for (seen, said) in [(seen.reset, reset), (seen.retry_after, retry)] {
        let said = Duration::from_millis(said);
        prop_assert!(
            seen <= said && seen + store.grace() >= said,
            "{:?} instead of {:?}: {:?}",
            seen,
            said,
            step
        );
    }
    Ok(())
}

#[test]
fn memory_agrees_with_the_reference() {
    let runtime = LocalRuntime::new().unwrap();
    TestRunner::new(Config::with_cases(500))
        .run(&steps(200), |steps| {
            runtime.block_on(async { agrees(&Store::memory(), &steps).await })
        })
        .unwrap();
}

#[test]
fn redis_agrees_with_the_reference() {
    let runtime = LocalRuntime::new().unwrap();
    let store = runtime.block_on(Store::redis());
    // One server for all cases: to start one each would take longer than all the rest.
    TestRunner::new(Config {
        max_shrink_iters: 100,
        ..Config::with_cases(15)
    })
    .run(&steps(60), |steps| {
        store.clear();
        runtime.block_on(agrees(&store, &steps))
    })
    .unwrap();
}
