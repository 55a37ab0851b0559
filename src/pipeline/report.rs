//! What the answer to a request tells of the limits that it was held to.

use std::sync::Arc;

use crate::limit::{Decision, Policy, put_fields};
use crate::message::sink::FieldSink;

use super::snapshot::Limits;

/// What the answer's rate-limit fields tell, whatever becomes of the request afterwards.
#[derive(Debug, Clone, Copy)]
pub(super) struct Report<'s> {
    /// The limit that is closest to refusing, or that has refused.
    pub closest: &'s Policy,
    /// What that limit says.
    pub decision: Decision,
    own: Option<&'s Policy>,
    of_route: &'s [Arc<Policy>],
    /// The limit that would have refused the request, did it not only tell so.
    pub shadow: Option<&'s Policy>,
}

impl<'s> Report<'s> {
    /// Puts the answer's rate-limit fields.
    pub(super) fn put_fields(&self, limits: &Limits, sink: &mut impl FieldSink) {
        let all = policies(self.own, self.of_route);
        put_fields(sink, limits.headers, all, self.closest, &self.decision);
    }

    /// Makes a report of what the limits say, unless none of them says anything.
    pub(super) fn of(
        own: Option<&'s Policy>,
        of_route: &'s [Arc<Policy>],
        decisions: &[Option<Decision>],
    ) -> Option<Self> {
        let decided = policies(own, of_route).zip(decisions);
        let decided = decided.filter_map(|(policy, decision)| Some((policy, (*decision)?)));
        // What refuses comes before what only tells, then what has refused, for the longest.
        let (closest, decision) = decided.clone().min_by_key(|(policy, decision)| {
            (
                !policy.enforces(),
                decision.admitted,
                std::cmp::Reverse(decision.retry_after),
                decision.remaining,
            )
        })?;
        let mut over =
            decided.filter(|(policy, decision)| !policy.enforces() && !decision.admitted);
        Some(Self {
            closest,
            decision,
            own,
            of_route,
            shadow: over.next().map(|(policy, _)| policy),
        })
    }
}

/// The limits that a request is held to, its own first.
pub(super) fn policies<'s>(
    own: Option<&'s Policy>,
    of_route: &'s [Arc<Policy>],
) -> impl Iterator<Item = &'s Policy> + Clone {
    own.into_iter()
        .chain(of_route.iter().map(|policy| &**policy))
}
