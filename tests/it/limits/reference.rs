//! The algorithms of limits as plainly as they can be told, without regard to what it costs.

use std::collections::HashMap;

use tollgate::limit::{Algorithm, Mode, Policy};

/// Everything that was ever admitted: when and how much, by caller and policy.
#[derive(Default)]
pub(super) struct Reference {
    pub now: u64,
    pub counted: HashMap<(usize, String), Counted>,
}

/// What a plain reading of each algorithm remembers.
#[derive(Debug, Clone, Copy)]
pub(super) enum Counted {
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
pub(super) type Said = (bool, u64, u64, u64);

impl Reference {
    /// Decides one request.
    pub(super) fn ask(&mut self, checks: &[(usize, &Policy)], cost: u64) -> (bool, Vec<Said>) {
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
