//! One decision of the store: all counters concerned are weighed, and counted in if none refuses,
//! under the locks of their shards.

use std::hash::RandomState;
use std::num::{NonZeroU32, NonZeroU64};
use std::sync::MutexGuard;
use std::time::Duration;

use smallvec::SmallVec;

use super::{MemoryStore, Place, keep};
use crate::limit::algorithm::{Judgement, judge};
use crate::limit::windows::Windows;
use crate::limit::{Check, Decision, Decisions, Limit, Outcome};

impl MemoryStore {
    /// The same in one of so many instances, each of which enforces its share of the limits. What
    /// is left is the share's. Counters hold what all instances together have spent, as far as this
    /// one can tell, so that they mean the same however many there are.
    pub(in crate::limit) fn decide_share(
        &self,
        checks: &[Check<'_>],
        cost: NonZeroU32,
        instances: NonZeroU32,
    ) -> Outcome {
        let now_ms = self.clock.now_ms();
        let instances = NonZeroU64::from(instances);
        let asked = Asked {
            cost: u64::from(cost.get()).saturating_mul(instances.get()),
            instances,
        };
        if let [check] = checks {
            let place = self.place(check);
            let mut windows = self.lock(place.shard);
            let weighed = weigh(&windows, place.hash, check, asked, now_ms);
            let admitted = weighed.judgement.fits || !check.policy.enforces();
            let decision = settle(&mut windows, &self.hasher, check, &weighed, admitted, asked);
            return Outcome::of(admitted, Decisions::from_elem(Some(decision), 1));
        }
        self.decide_together(checks, asked, now_ms)
    }

    /// Holds the locks of all shards concerned, always in the same order, until all is decided.
    fn decide_together(&self, checks: &[Check<'_>], asked: Asked, now_ms: u64) -> Outcome {
        let places: SmallVec<[Place; 4]> = checks.iter().map(|check| self.place(check)).collect();
        let mut shards: SmallVec<[usize; 4]> = places.iter().map(|place| place.shard).collect();
        shards.sort_unstable();
        shards.dedup();
        let mut locked: SmallVec<[MutexGuard<'_, Windows>; 4]> =
            shards.iter().map(|&shard| self.lock(shard)).collect();
        let locked_at = |place: &Place| shards.partition_point(|&shard| shard < place.shard);
        let weighed: SmallVec<[Weighed; 4]> = checks
            .iter()
            .zip(&places)
            .map(|(check, place)| {
                weigh(&locked[locked_at(place)], place.hash, check, asked, now_ms)
            })
            .collect();
        let admitted = checks
            .iter()
            .zip(&weighed)
            .all(|(check, weighed)| weighed.judgement.fits || !check.policy.enforces());
        let decisions = checks.iter().zip(&places).zip(&weighed);
        let decisions = decisions.map(|((check, place), weighed)| {
            let windows = &mut locked[locked_at(place)];
            // What was kept for the checks before this one may have swept its old counter away.
            let weighed = Weighed {
                slot: windows.find(place.hash, check.policy.counter(), check.subject),
                ..*weighed
            };
            Some(settle(
                windows,
                &self.hasher,
                check,
                &weighed,
                admitted,
                asked,
            ))
        });
        Outcome::of(admitted, decisions.collect())
    }
}

/// What one request asks for.
#[derive(Debug, Clone, Copy)]
struct Asked {
    /// What it costs, once for each instance.
    cost: u64,
    instances: NonZeroU64,
}

impl Asked {
    /// What a share admits at least: one request, if the whole limit would admit it.
    fn of_share(self, limit: Limit) -> NonZeroU64 {
        let fits_the_whole = self.cost / self.instances <= limit.at_once();
        let cost = NonZeroU64::new(self.cost).filter(|_| fits_the_whole);
        cost.unwrap_or(self.instances)
    }
}

/// A judgement, and the slot of the counter that it is about.
#[derive(Debug, Clone, Copy)]
struct Weighed {
    judgement: Judgement,
    slot: Option<u32>,
    now_ms: u64,
}

fn weigh(windows: &Windows, hash: u64, check: &Check<'_>, asked: Asked, now_ms: u64) -> Weighed {
    let slot = windows.find(hash, check.policy.counter(), check.subject);
    let window = slot.map(|slot| windows.window(slot));
    let matters = window.filter(|window| window.ends_ms > now_ms);
    let counter = matters.map(|window| window.counter);
    let limit = check.policy.limit;
    let limit = limit.shared_by(asked.of_share(limit));
    Weighed {
        judgement: judge(limit, counter, asked.cost, now_ms),
        slot,
        now_ms,
    }
}

/// Counts the request, if it is admitted and fits, and says what is to be told of it.
fn settle(
    windows: &mut Windows,
    hasher: &RandomState,
    check: &Check<'_>,
    weighed: &Weighed,
    admitted: bool,
    asked: Asked,
) -> Decision {
    let limit = check.policy.limit;
    let mut judgement = weighed.judgement;
    if admitted && judgement.fits {
        judgement = judgement.spend(limit, asked.cost);
    }
    let (slot, now_ms) = (weighed.slot, weighed.now_ms);
    keep(windows, hasher, check, judgement.counter, slot, now_ms);
    Decision {
        admitted: judgement.fits,
        remaining: judgement.remaining / asked.instances,
        reset: Duration::from_millis(judgement.reset_ms),
        retry_after: Duration::from_millis(judgement.retry_ms),
        degraded: false,
        cached: false,
    }
}
