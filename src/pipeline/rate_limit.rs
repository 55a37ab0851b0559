//! Stage 3: how much. An identified client is held to its own limit, all its keys together; an
//! anonymous caller to the limit of its address; and either to the limits of the route. All of them
//! are decided at once, all or nothing.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;

use smallvec::SmallVec;

use crate::limit::{By, Check, Outcome, Policy, Subject, Verdict};
use crate::route::Route;

use super::boxed_cold;
use super::identify::Caller;
use super::protect::Admitted;
use super::record::Record;
use super::rejection::{Rejection, UsedUp};
use super::report::{Report, policies};
use super::request::{Identity, Request};
use super::snapshot::Limits;

/// Leave to be forwarded. Only this stage gives it, and only the proxy takes it.
#[derive(Debug)]
pub struct Permit<'s> {
    caller: Caller<'s>,
}

impl<'s> Permit<'s> {
    /// Who is calling.
    pub fn caller(&self) -> Caller<'s> {
        self.caller
    }
}

/// Whom a request is counted for.
#[derive(Debug)]
pub struct Subjects<'s> {
    caller: Caller<'s>,
    address: Subject,
}

impl<'s> Subjects<'s> {
    /// Of a request from `address`.
    pub fn new(limits: &Limits, caller: Caller<'s>, address: IpAddr) -> Self {
        Self {
            caller,
            address: Subject::address(address, limits.ipv6_prefix),
        }
    }

    /// The caller's own limit, if there is one.
    pub fn own_policy(&self, limits: &'s Limits) -> Option<&'s Policy> {
        match self.caller {
            Caller::Anonymous(_) => limits.anonymous.as_deref(),
            Caller::Identified(client) => client.policy.as_deref(),
        }
    }

    /// All limits that a request by `route` is held to, with whom they count it for.
    pub fn checks<'c>(
        &'c self,
        limits: &'s Limits,
        route: Option<&'c Route>,
    ) -> SmallVec<[Check<'c>; 2]>
    where
        's: 'c,
    {
        let of_route: &[Arc<Policy>] = route.map_or(&[], |route| &route.limits);
        let subject = |policy: &Policy| match (policy.by, route) {
            (By::Route, Some(route)) => &route.subject,
            (By::Ip, _) => &self.address,
            (By::Client | By::Route, _) => self
                .caller
                .client()
                .map_or(&self.address, |client| client.subject()),
        };
        policies(self.own_policy(limits), of_route)
            .map(|policy| Check {
                policy,
                subject: subject(policy),
            })
            .collect()
    }
}

/// The refusal of a request over a limit.
fn used_up(report: &Report<'_>) -> Rejection {
    Rejection::RateLimited(Box::new(UsedUp {
        limit: Arc::clone(&report.closest.name),
        decision: report.decision,
    }))
}

/// Counts a request with a wrong key for its address, and says how it is refused.
pub(super) async fn limit_invalid_keys<'s>(
    request: &Request<'s>,
    record: &Record<'s>,
) -> Rejection {
    let limits = &record.current.snapshot.limits;
    let Some(policy) = limits.invalid_keys.as_deref() else {
        return Rejection::InvalidApiKey;
    };
    let subject = &Subject::address(request.address, limits.ipv6_prefix);
    let check = Check { policy, subject };
    let outcome = decide(&[check], NonZeroU32::MIN, record).await;
    record.note_decisions(Some(policy), &[], &outcome.decisions);
    let report = Report::of(Some(policy), &[], &outcome.decisions);
    record.report.set(report);
    match (outcome.verdict, report) {
        (Verdict::Refused, Some(report)) => used_up(&report),
        // The key is wrong, whether or not that can be counted.
        _ => Rejection::InvalidApiKey,
    }
}

/// Counts a request with a wrong key in a cookie, where anybody may come. It is refused only as one of
/// too many: a key that can be tried without end can be guessed.
async fn limit_invalid_cookie<'s>(
    request: &Request<'s>,
    record: &Record<'s>,
) -> Result<(), Rejection> {
    match limit_invalid_keys(request, record).await {
        Rejection::InvalidApiKey => Ok(()),
        too_many => Err(too_many),
    }
}

/// Counts the request and lets it pass, or refuses it. What is counted is noted for the answer, in
/// either case.
pub(super) async fn rate_limit<'s>(
    admitted: &Admitted<'s>,
    request: &Request<'s>,
    record: &Record<'s>,
) -> Result<Permit<'s>, Rejection> {
    if let Some(Identity::InvalidKey(_)) = request.identity {
        boxed_cold(limit_invalid_cookie(request, record)).await?;
    }
    let caller = admitted.caller();
    let limits = &record.current.snapshot.limits;
    let route: Option<&'s Route> = request.route.map(|route| &**route);
    let subjects = Subjects::new(limits, caller, request.address);
    let checks = subjects.checks(limits, route);
    if checks.is_empty() {
        return Ok(Permit { caller });
    }
    let cost = route.map_or(NonZeroU32::MIN, |route| route.cost);
    let outcome = decide(&checks, cost, record).await;
    let of_route: &[Arc<Policy>] = route.map_or(&[], |route| &route.limits);
    let own = subjects.own_policy(limits);
    record.note_decisions(own, of_route, &outcome.decisions);
    let report = Report::of(own, of_route, &outcome.decisions);
    record.report.set(report);
    let uncounted = match (outcome.verdict, report) {
        (Verdict::Admitted, _) => return Ok(Permit { caller }),
        (Verdict::Refused, Some(report)) => return Err(used_up(&report)),
        (Verdict::Refused, None) => 0,
        (Verdict::Unavailable(place), _) => place,
    };
    record.uncounted.set(policies(own, of_route).nth(uncounted));
    let name = Arc::clone(&checks[uncounted].policy.name);
    Err(Rejection::LimiterUnavailable(name))
}

/// Asks the limiter, and notes how long it took: a wrong key in a cookie is counted beside the request.
async fn decide(checks: &[Check<'_>], cost: NonZeroU32, record: &Record<'_>) -> Outcome {
    let begun = record.now();
    let outcome = record.worker.limiter.decide(checks, cost).await;
    let before = record.limit_time.get().unwrap_or_default();
    record.limit_time.set(Some(before + (record.now() - begun)));
    outcome
}
