//! Stage 3: how much. An identified client is held to its own limit, all its keys together; an
//! anonymous caller to the limit of its address.

use std::borrow::Cow;
use std::num::NonZeroU32;

use crate::limit::{
    Decision, LimitHeaders, Limiter, Outcome, Policy, Subject, put_fields, subject_address,
};

use super::identify::Caller;
use super::protect::Admitted;
use super::rejection::Rejection;
use super::snapshot::Limits;

/// Leave to be forwarded. Only this stage gives it, and only the proxy takes it.
#[derive(Debug)]
pub struct Permit<'s> {
    caller: Caller<'s>,
}

impl<'s> Permit<'s> {
    /// Who is calling.
    #[must_use]
    pub fn caller(&self) -> Caller<'s> {
        self.caller
    }
}

/// What the answer's rate-limit fields tell, whatever becomes of the request afterwards.
#[derive(Debug, Clone, Copy)]
pub struct Report<'s> {
    /// Which limit was counted against.
    pub policy: &'s Policy,
    /// What it said.
    pub decision: Decision,
}

impl Report<'_> {
    /// Whether it is told at all, and downstream's own report gives way to it.
    #[must_use]
    pub fn has_fields(&self, limits: &Limits) -> bool {
        limits.headers != LimitHeaders::Off
    }

    /// Appends the answer's rate-limit fields.
    pub fn put_fields(&self, limits: &Limits, out: &mut Vec<u8>) {
        put_fields(out, limits.headers, self.policy, &self.decision);
    }
}

/// The limit that holds for a caller, if one does, and under whose name it is counted.
#[must_use]
pub fn applies<'s>(
    limits: &'s Limits,
    caller: Caller<'s>,
) -> Option<(&'s Policy, Cow<'s, Subject>)> {
    match caller {
        Caller::Anonymous(address) => {
            let policy = limits.anonymous.as_ref()?;
            let address = subject_address(address, limits.ipv6_prefix);
            Some((policy, Cow::Owned(Subject::Address(address))))
        }
        Caller::Identified(client) => {
            Some((client.policy.as_ref()?, Cow::Borrowed(client.subject())))
        }
    }
}

/// Counts the request and lets it pass, or refuses it. `report` is set once there is a count.
pub async fn rate_limit<'s>(
    limits: &'s Limits,
    limiter: &Limiter,
    admitted: Admitted<'s>,
    cost: NonZeroU32,
    report: &mut Option<Report<'s>>,
) -> Result<Permit<'s>, Rejection> {
    let caller = admitted.caller();
    let Some((policy, subject)) = applies(limits, caller) else {
        return Ok(Permit { caller });
    };
    match limiter.decide(policy, &subject, cost).await {
        Outcome::Decided(decision) => {
            *report = Some(Report { policy, decision });
            if decision.admitted {
                Ok(Permit { caller })
            } else {
                Err(Rejection::RateLimited(decision))
            }
        }
        Outcome::Uncounted => Ok(Permit { caller }),
        Outcome::Unavailable => Err(Rejection::LimiterUnavailable),
    }
}
