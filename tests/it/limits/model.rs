//! Random sequences of callers, costs, times and reloads, under one limit or several, against a
//! reference too plain to be wrong.

use std::collections::HashMap;
use std::num::NonZeroU64;
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tokio::runtime::LocalRuntime;
use tollgate::limit::{Algorithm, Check, Decision, Mode, Policy, Source, Verdict};

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

/// Everything that was ever admitted: when and how much, by caller and policy.
#[derive(Default)]
struct Reference {
    now: u64,
    counted: HashMap<(usize, String), Counted>,
}

/// What a plain reading of each algorithm remembers.
#[derive(Debug, Clone, Copy)]
enum Counted {
    Fixed {
        spent: u64,
        ends: u64,
    },
    Sliding {
        began: u64,
        before: u64,
        spent: u64,
    },
    /// Tokens that are there, times the window's milliseconds.
    Bucket {
        there: u128,
        at: u64,
    },
}

/// Whether it fits, what is left, until when, and when to ask again.
type Said = (bool, u64, u64, u64);

impl Reference {
    fn ask(&mut self, checks: &[(usize, &Policy)], cost: u64) -> (bool, Vec<Said>) {
        let name = |policy: &Policy| format!("{}{:?}", policy.name, kind(policy));
        let states: Vec<_> = checks
            .iter()
            .map(|(caller, policy)| self.state(*caller, &name(policy), policy))
            .collect();
        let fits =
            |(state, (_, policy)): (&Counted, &(usize, &Policy))| self.left(*state, policy) >= cost;
        let admitted = states
            .iter()
            .zip(checks)
            .all(|one| fits(one) || one.1.1.mode == Mode::Shadow);
        let mut said = Vec::new();
        for (mut state, (caller, policy)) in states.into_iter().zip(checks) {
            let fits = self.left(state, policy) >= cost;
            let retry = if fits {
                0
            } else {
                self.retry(state, policy, cost)
            };
            if admitted && fits {
                state = spend(state, policy, cost);
            }
            self.counted.insert((*caller, name(policy)), state);
            said.push((
                fits,
                self.left(state, policy),
                self.reset(state, policy),
                retry,
            ));
        }
        (admitted, said)
    }

    /// What is remembered now of what was remembered.
    fn state(&self, caller: usize, name: &str, policy: &Policy) -> Counted {
        let (now, window) = (self.now, window(policy));
        let known = self.counted.get(&(caller, name.to_owned())).copied();
        match (kind(policy), known) {
            (Kind::Fixed, Some(Counted::Fixed { spent, ends })) if spent > 0 && ends > now => {
                Counted::Fixed {
                    spent,
                    ends: ends.min(now + window),
                }
            }
            (Kind::Fixed, _) => Counted::Fixed {
                spent: 0,
                ends: now + window,
            },
            (
                Kind::Sliding,
                Some(Counted::Sliding {
                    began,
                    before,
                    spent,
                }),
            ) if before + spent > 0 => match (now - began) / window {
                0 => Counted::Sliding {
                    began,
                    before,
                    spent,
                },
                1 if spent > 0 => Counted::Sliding {
                    began: began + window,
                    before: spent,
                    spent: 0,
                },
                _ => Counted::Sliding {
                    began: now,
                    before: 0,
                    spent: 0,
                },
            },
            (Kind::Sliding, _) => Counted::Sliding {
                began: now,
                before: 0,
                spent: 0,
            },
            (Kind::Bucket(burst), known) => {
                let full = u128::from(burst) * u128::from(window);
                let there = match known {
                    Some(Counted::Bucket { there, at }) => {
                        let came = u128::from(now - at) * u128::from(policy.limit.requests());
                        full.min(there + came)
                    }
                    _ => full,
                };
                Counted::Bucket { there, at: now }
            }
        }
    }

    fn left(&self, state: Counted, policy: &Policy) -> u64 {
        let (most, window) = (policy.limit.requests(), window(policy));
        match state {
            Counted::Fixed { spent, .. } => most.saturating_sub(spent),
            Counted::Sliding {
                began,
                before,
                spent,
            } => {
                let felt = (before * (window - (self.now - began))).div_ceil(window);
                most.saturating_sub(spent + felt)
            }
            Counted::Bucket { there, .. } => u64::try_from(there / u128::from(window)).unwrap(),
        }
    }

    fn reset(&self, state: Counted, policy: &Policy) -> u64 {
        match state {
            Counted::Fixed { ends, .. } => ends - self.now,
            Counted::Sliding { began, .. } => began + window(policy) - self.now,
            Counted::Bucket { there, .. } => {
                let Kind::Bucket(burst) = kind(policy) else {
                    unreachable!()
                };
                let missing = u128::from(burst) * u128::from(window(policy)) - there;
                u64::try_from(missing.div_ceil(policy.limit.requests().into())).unwrap()
            }
        }
    }

    /// The first millisecond from now at which it would fit: looked for, not computed.
    fn retry(&self, state: Counted, policy: &Policy, cost: u64) -> u64 {
        let at_once = match kind(policy) {
            Kind::Bucket(burst) => burst,
            _ => policy.limit.requests(),
        };
        if cost > at_once {
            // It never fits: asked again when there is nothing more to wait for.
            return self.reset(state, policy);
        }
        let fits_after = |wait: u64| {
            let mut later = Self {
                now: self.now + wait,
                ..Self::default()
            };
            later.counted.insert((0, String::new()), state);
            later.left(later.state(0, "", policy), policy) >= cost
        };
        let (mut too_early, mut late) = (0, 2 * window(policy).max(self.reset(state, policy)));
        while late - too_early > 1 {
            let middle = too_early.midpoint(late);
            if fits_after(middle) {
                late = middle;
            } else {
                too_early = middle;
            }
        }
        late
    }
}

fn spend(state: Counted, policy: &Policy, cost: u64) -> Counted {
    match state {
        Counted::Fixed { spent, ends } => Counted::Fixed {
            spent: spent + cost,
            ends,
        },
        Counted::Sliding {
            began,
            before,
            spent,
        } => Counted::Sliding {
            began,
            before,
            spent: spent + cost,
        },
        Counted::Bucket { there, at } => {
            let tokens = u128::from(cost) * u128::from(window(policy));
            Counted::Bucket {
                there: there - tokens,
                at,
            }
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Fixed,
    Sliding,
    Bucket(u64),
}

fn kind(policy: &Policy) -> Kind {
    match policy.limit.algorithm() {
        Algorithm::FixedWindow => Kind::Fixed,
        Algorithm::SlidingWindow => Kind::Sliding,
        Algorithm::TokenBucket { burst } => Kind::Bucket(burst.get()),
    }
}

fn window(policy: &Policy) -> u64 {
    u64::try_from(policy.limit.window().as_millis()).unwrap()
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
