//! Random sequences of callers, costs, times and reloads, against a reference too plain to be wrong.

use std::collections::HashMap;
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tokio::runtime::LocalRuntime;
use tollgate::limit::Policy;

use super::store::Store;
use super::{address, client, policy};

/// One thing that happens.
#[derive(Debug, Clone)]
struct Step {
    /// Before it, milliseconds.
    pass: u64,
    caller: usize,
    policy: usize,
    cost: u32,
}

/// What a window has spent and when it ends, in milliseconds, by caller and policy name.
#[derive(Default)]
struct Reference {
    now: u64,
    windows: HashMap<(usize, String), (u64, u64)>,
}

impl Reference {
    /// Whether the request is admitted, what is left, and until when.
    fn ask(&mut self, caller: usize, policy: &Policy, cost: u64) -> (bool, u64, u64) {
        let limit = policy.limit.requests();
        let length = u64::try_from(policy.limit.window().as_millis()).unwrap();
        let key = (caller, policy.name.to_string());
        self.windows.retain(|_, (_, ends)| *ends > self.now);
        let (spent, ends) = self
            .windows
            .get(&key)
            .copied()
            .unwrap_or((0, self.now + length));
        let ends = ends.min(self.now + length);
        let admitted = spent + cost <= limit;
        let spent = if admitted { spent + cost } else { spent };
        if spent > 0 {
            self.windows.insert(key, (spent, ends));
        }
        (admitted, limit.saturating_sub(spent), ends - self.now)
    }
}

/// Two policies, the second of which reloads have made tighter and longer.
fn policies() -> [Policy; 4] {
    let seconds = Duration::from_secs;
    [
        policy("a", 10, seconds(60)),
        policy("b", 20, seconds(90)),
        policy("b", 7, seconds(40)),
        policy("b", 30, seconds(600)),
    ]
}

fn steps(longest: usize) -> impl Strategy<Value = Vec<Step>> {
    // Moments that differ by a millisecond are what a real clock blurs, so time passes in tenths
    // of a minute; windows end exactly on such a step.
    let pass = prop_oneof![3 => Just(0), 1 => (0..6_u64).prop_map(|n| n * 10_000)];
    let step = (
        pass,
        0..3_usize,
        0..4_usize,
        prop_oneof![Just(1), 1..40_u32],
    )
        .prop_map(|(pass, caller, policy, cost)| Step {
            pass,
            caller,
            policy,
            cost,
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
        let (caller, policy) = (&callers[step.caller], &policies[step.policy]);
        let (admitted, left, reset) = reference.ask(step.caller, policy, step.cost.into());
        let seen = store.ask(policy, caller, step.cost).await;
        prop_assert_eq!(
            (seen.admitted, seen.remaining),
            (admitted, left),
            "{:?}",
            step
        );
        let reset = Duration::from_millis(reset);
        prop_assert!(
            seen.reset <= reset && seen.reset + store.grace() >= reset,
            "{:?}",
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
