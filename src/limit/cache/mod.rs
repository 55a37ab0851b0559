//! What a worker decides without asking Redis: it refuses a caller that Redis has refused, until that
//! caller may ask again, and admits a busy caller on permits that Redis has granted several at a time.

mod account;
mod leases;
mod refusals;
mod table;

pub(super) use leases::Unused;
pub(super) use table::Table;

use std::num::NonZeroU32;

use self::leases::Leases;
use self::refusals::Refusals;
use super::redis::Reply;
use super::{Check, Outcome, RedisSettings};

/// What a worker knows.
#[derive(Debug)]
pub(super) struct Cache {
    refusals: Refusals,
    pub leases: Leases,
}

impl Cache {
    /// Knows nothing.
    pub(super) fn new(settings: &RedisSettings) -> Self {
        Self {
            refusals: Refusals::new(),
            leases: Leases::new(settings.deadline, settings.lease),
        }
    }

    /// Decides a request, if what is known is enough.
    pub(super) fn decide(
        &self,
        checks: &[Check<'_>],
        cost: NonZeroU32,
        now_ms: u64,
    ) -> Option<Outcome> {
        let leased = self.leases.spend(checks, cost, now_ms);
        leased.or_else(|| self.refusals.refuse(checks, cost, now_ms))
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
        let may_be_given_back = |check: &Check<'_>| is_split || self.leases.may_lease(check);
        let outcome = &reply.outcome;
        self.refusals
            .learn(checks, cost, outcome, sent_ms, may_be_given_back);
        self.leases.take(checks, reply, sent_ms)
    }
}
