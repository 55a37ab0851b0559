//! One decision of the store: all counters concerned are weighed, and counted in if none refuses,
//! under the locks of their shards.

use std::num::{NonZeroU32, NonZeroU64};
use std::sync::MutexGuard;
use std::sync::atomic::Ordering;
use std::time::Duration;

use smallvec::SmallVec;

use super::shard::Shard;
use super::{MemoryStore, Place, Slot};
use crate::limit::algorithm::{Judgement, judge};
use crate::limit::{Check, Decision, Decisions, Limit, Outcome, Source};

impl MemoryStore {
    /// Decides as one of so many instances, each of which enforces its share of the limits. What is
    /// left is the share's. Counters hold what all instances together have spent, as far as this
    /// one knows, so that they mean the same however many there are.
    pub(in crate::limit) fn decide_share(
        &self,
        checks: &[Check<'_>],
        cost: NonZeroU32,
        instances: NonZeroU32,
    ) -> Outcome {
        let decided = self.decide_if(checks, cost, instances, |_| true);
        decided.expect("it is to be decided in any case")
    }

    /// Decides one request, unless another process has the counters.
    pub(in crate::limit) fn decide_unless_moved(
        &self,
        checks: &[Check<'_>],
        cost: NonZeroU32,
    ) -> Option<Outcome> {
        let counts_here = |store: &Self| !store.moved.load(Ordering::Relaxed);
        self.decide_if(checks, cost, NonZeroU32::MIN, counts_here)
    }

    /// `may` is asked under the locks of the shards.
    fn decide_if(
        &self,
        checks: &[Check<'_>],
        cost: NonZeroU32,
        instances: NonZeroU32,
        may: impl Fn(&Self) -> bool,
    ) -> Option<Outcome> {
        let instances = NonZeroU64::from(instances);
        let demand = Demand {
            cost: u64::from(cost.get()).saturating_mul(instances.get()),
            instances,
            now_ms: self.clock.now_ms(),
        };
        if let [check] = checks {
            let (mut shard, slot) = self.locked(check);
            if !may(self) {
                return None;
            }
            let weighed = demand.weigh(&shard, slot, check);
            let admitted = weighed.allows(check);
            let decision = self.settle(&mut shard, check, weighed, demand, admitted);
            let decisions = Decisions::from_elem(Some(decision), 1);
            return Some(Outcome::of(admitted, decisions));
        }
        self.decide_together(checks, demand, may)
    }

    /// Holds the locks of all shards concerned, always in the same order, until all is decided.
    fn decide_together(
        &self,
        checks: &[Check<'_>],
        demand: Demand,
        may: impl Fn(&Self) -> bool,
    ) -> Option<Outcome> {
        let places: SmallVec<[Place; 4]> =
            checks.iter().map(|check| self.place_of(check)).collect();
        let mut shards: SmallVec<[usize; 4]> = places.iter().map(|place| place.shard).collect();
        shards.sort_unstable();
        shards.dedup();
        let mut locked: SmallVec<[MutexGuard<'_, Shard>; 4]> =
            shards.iter().map(|&shard| self.lock(shard)).collect();
        if !may(self) {
            return None;
        }
        let locked_at = |place: Place| shards.partition_point(|&shard| shard < place.shard);
        let slot_of = |shard: &Shard, place: Place, check: &Check<'_>| {
            let slot = shard.find(place.hash, check.policy.counter(), check.subject);
            slot.ok_or(place.hash)
        };
        let weigh = |(check, &place)| {
            let shard = &locked[locked_at(place)];
            demand.weigh(shard, slot_of(shard, place, check), check)
        };
        let weighed: SmallVec<[Weighed; 4]> = checks.iter().zip(&places).map(weigh).collect();
        let mut all = checks.iter().zip(&weighed);
        let admitted = all.all(|(check, weighed)| weighed.allows(check));
        let settle = |((check, &place), weighed): ((&Check<'_>, _), Weighed)| {
            let shard = &mut *locked[locked_at(place)];
            // What was kept for the checks before this one may have swept its old counter away.
            let slot = slot_of(shard, place, check);
            let weighed = Weighed { slot, ..weighed };
            Some(self.settle(shard, check, weighed, demand, admitted))
        };
        let all = checks.iter().zip(&places).zip(weighed);
        Some(Outcome::of(admitted, all.map(settle).collect()))
    }

    /// Counts the request, if it is admitted and fits.
    fn settle(
        &self,
        shard: &mut Shard,
        check: &Check<'_>,
        weighed: Weighed,
        demand: Demand,
        admitted: bool,
    ) -> Decision {
        let mut judgement = weighed.judgement;
        if admitted && judgement.fits {
            judgement = judgement.spend(check.policy.limit, demand.cost);
        }
        let Weighed { slot, .. } = weighed;
        self.keep(shard, check, slot, judgement.counter, demand.now_ms);
        Decision {
            admitted: judgement.fits,
            remaining: judgement.remaining / demand.instances,
            reset: Duration::from_millis(judgement.reset_ms),
            retry_after: Duration::from_millis(judgement.retry_ms),
            source: Source::Memory,
        }
    }
}

/// What one request asks for.
#[derive(Debug, Clone, Copy)]
struct Demand {
    /// What it costs, once for each instance.
    cost: u64,
    instances: NonZeroU64,
    now_ms: u64,
}

impl Demand {
    fn weigh(self, shard: &Shard, slot: Slot, check: &Check<'_>) -> Weighed {
        let entry = slot.ok().map(|slot| shard.entry(slot));
        let matters = entry.filter(|entry| entry.ends_ms > self.now_ms);
        let limit = self.share_of(check.policy.limit);
        let counter = matters.map(|entry| entry.counter);
        Weighed {
            judgement: judge(limit, counter, self.cost, self.now_ms),
            slot,
        }
    }

    /// The limit, which admits in any case one request that the whole limit would admit.
    fn share_of(self, limit: Limit) -> Limit {
        let fits_the_whole = self.cost / self.instances <= limit.at_once();
        let cost = NonZeroU64::new(self.cost).filter(|_| fits_the_whole);
        limit.shared_by(cost.unwrap_or(self.instances))
    }
}

/// A judgement, and the slot of the counter that it is about.
#[derive(Debug, Clone, Copy)]
struct Weighed {
    judgement: Judgement,
    slot: Slot,
}

impl Weighed {
    fn allows(&self, check: &Check<'_>) -> bool {
        self.judgement.fits || !check.policy.enforces()
    }
}
