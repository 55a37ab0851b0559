//! Stage 3: how much. An identified client is held to its own limit, all its keys together; an
//! anonymous caller to the limit of its address.

use std::num::NonZeroU32;
use std::sync::Arc;

use crate::limit::{
    Decision, LimitHeaders, Limiter, Outcome, Policy, Subject, put_fields, subject_address,
};

use super::identify::Caller;
use super::protect::Admitted;
use super::rejection::Rejection;
use super::snapshot::Limits;

/// Leave to be forwarded. Only this stage gives it, and only the proxy takes it.
#[derive(Debug)]
pub struct Permit {
    caller: Caller,
}

impl Permit {
    /// Who is calling.
    #[must_use]
    pub fn caller(&self) -> &Caller {
        &self.caller
    }
}

/// What the answer's rate-limit fields tell, whatever becomes of the request afterwards.
#[derive(Debug, Clone)]
pub struct Report {
    pub policy: Arc<Policy>,
    pub decision: Decision,
}

impl Report {
    /// Whether it is told at all, and downstream's own report gives way to it.
    #[must_use]
    pub fn has_fields(&self, limits: &Limits) -> bool {
        limits.headers != LimitHeaders::Off
    }

    /// Appends the answer's rate-limit fields.
    pub fn put_fields(&self, limits: &Limits, out: &mut Vec<u8>) {
        put_fields(out, limits.headers, &self.policy, &self.decision);
    }
}

/// The limit that holds for a caller, if one does, and under whose name it is counted.
#[must_use]
pub fn applies<'l>(limits: &'l Limits, caller: &'l Caller) -> Option<(&'l Arc<Policy>, Subject)> {
    match caller {
        Caller::Anonymous(address) => {
            let policy = limits.anonymous.as_ref()?;
            Some((
                policy,
                Subject::Address(subject_address(*address, limits.ipv6_prefix)),
            ))
        }
        Caller::Identified(client) => Some((
            client.policy.as_ref()?,
            Subject::Client(client.name.clone()),
        )),
    }
}

/// Counts the request and lets it pass, or refuses it. `report` is set once there is a count.
pub async fn rate_limit(
    limits: &Limits,
    limiter: &Limiter,
    admitted: Admitted,
    cost: NonZeroU32,
    report: &mut Option<Report>,
) -> Result<Permit, Rejection> {
    let caller = admitted.caller().clone();
    let Some((policy, subject)) = applies(limits, &caller) else {
        return Ok(Permit { caller });
    };
    match limiter.decide(policy, &subject, cost).await {
        Outcome::Decided(decision) => {
            *report = Some(Report {
                policy: Arc::clone(policy),
                decision,
            });
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
