//! What a worker decides without asking Redis: it refuses a caller that Redis has refused, until that
//! caller may ask again, and admits a busy caller on permits that Redis has granted several at a time.

mod account;
mod leases;
mod refusals;
mod table;

pub(super) use leases::Unused;
pub(super) use table::Table;

use std::num::NonZeroU32;

use self::leases::{Leases, is_leasable};
use self::refusals::Refusals;
use super::redis::{Permits, Reply};
use super::{Check, Lease, Outcome, RedisSettings};

/// What a worker knows.
#[derive(Debug)]
pub(super) struct Cache {
    refusals: Refusals,
    /// None: each request asks.
    leases: Option<Leases>,
}

impl Cache {
    /// Knows nothing.
    pub(super) fn new(settings: &RedisSettings) -> Self {
        Self {
            refusals: Refusals::new(),
            leases: (settings.lease == Lease::Auto).then(|| Leases::new(settings.deadline)),
        }
    }

    /// Decides a request, if what is known is enough.
    pub(super) fn decide(
        &self,
        checks: &[Check<'_>],
        cost: NonZeroU32,
        now_ms: u64,
    ) -> Option<Outcome> {
        let leases = self.leases.as_ref();
        leases
            .and_then(|leases| leases.spend(checks, cost, now_ms))
            .or_else(|| self.refusals.refuse(checks, cost, now_ms))
    }

    /// How many permits a request that has to ask Redis asks for beside its own.
    pub(super) fn wanted(&self, checks: &[Check<'_>], cost: NonZeroU32, now_ms: u64) -> Permits {
        let leases = self.leases.as_ref();
        leases.map_or_else(Permits::new, |leases| leases.wanted(checks, cost, now_ms))
    }

    /// Learns what Redis has answered when asked at `sent_ms`; returns the outcome of the request.
    /// `is_split`: it was asked in several calls, and what one counts another may give back.
    pub(super) fn learn(
        &self,
        checks: &[Check<'_>],
        cost: NonZeroU32,
        reply: Reply,
        sent_ms: u64,
        is_split: bool,
    ) -> Outcome {
        let may_be_given_back =
            |check: &Check<'_>| is_split || self.leases.is_some() && is_leasable(check);
        let outcome = &reply.outcome;
        self.refusals
            .learn(checks, cost, outcome, sent_ms, may_be_given_back);
        match &self.leases {
            Some(leases) => leases.take(checks, reply, sent_ms),
            None => reply.outcome,
        }
    }

    /// Gives up the permits of callers that are gone.
    pub(super) fn give_up_idle(&self, now_ms: u64) -> Vec<Unused> {
        let leases = self.leases.as_ref();
        leases.map_or_else(Vec::new, |leases| leases.give_up_idle(now_ms))
    }

    /// Gives up all permits.
    pub(super) fn give_up_all(&self, now_ms: u64) -> Vec<Unused> {
        let leases = self.leases.as_ref();
        leases.map_or_else(Vec::new, |leases| leases.give_up_all(now_ms))
    }
}
