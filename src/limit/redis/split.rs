//! Several limits on a cluster. A script reaches the keys of one node only, so there is one call for
//! each subject, one after the other. A caller over an earlier limit is not counted under a later
//! one; what an earlier one has counted when a later one refuses is given back. So no limit is
//! exceeded, but for a moment a count may be too high.

use std::num::NonZeroU32;

use smallvec::SmallVec;

use super::super::clock::millis;
use super::super::{Check, Decision, Decisions, Outcome, Verdict};
use super::{CallError, Connection, Permits, Scripts};

/// The places of the checks of one subject.
type Group = SmallVec<[usize; 2]>;

impl Scripts {
    /// Like [`Self::decide`], a subject at a time. The first that refuses leaves the later ones
    /// without a decision.
    pub(super) async fn decide_by_subject(
        &self,
        connection: &mut Connection,
        checks: &[Check<'_>],
        cost: NonZeroU32,
    ) -> Result<Outcome, CallError> {
        let mut decisions = Decisions::from_elem(None, checks.len());
        let mut counted: Vec<(Group, SmallVec<[Check<'_>; 2]>)> = Vec::new();
        for group in by_subject(checks) {
            let of_group: SmallVec<[Check<'_>; 2]> = group.iter().map(|&at| checks[at]).collect();
            let cost = i64::from(cost.get());
            let answer = self.decide_at_once(connection, &of_group, cost, &[]).await;
            let outcome = answer.map(|answer| answer.outcome);
            if let Ok(outcome) = &outcome {
                for (&at, decision) in group.iter().zip(&outcome.decisions) {
                    decisions[at] = *decision;
                }
            }
            let admitted = |outcome: &Outcome| outcome.verdict == Verdict::Admitted;
            if !outcome.as_ref().is_ok_and(admitted) {
                for (group, of_group) in &counted {
                    self.give_back(connection, group, of_group, cost, &mut decisions)
                        .await;
                }
                return outcome.map(|_| Outcome::of(false, decisions));
            }
            counted.push((group, of_group));
        }
        Ok(Outcome::of(true, decisions))
    }

    /// Takes back what one subject was counted for a request that is refused after all.
    async fn give_back(
        &self,
        connection: &mut Connection,
        group: &Group,
        checks: &[Check<'_>],
        cost: i64,
        decisions: &mut Decisions,
    ) {
        // A limit in shadow mode that has no room has counted nothing.
        let is_counted = |decision: &Decision| decision.admitted;
        let places = group.iter().zip(checks);
        let (places, checks): (Group, SmallVec<[Check<'_>; 2]>) = places
            .filter(|(at, _)| decisions[**at].as_ref().is_some_and(is_counted))
            .map(|(&at, &check)| (at, check))
            .unzip();
        if checks.is_empty() {
            return;
        }
        // It was counted a moment ago: a window that has longer to go now is the next one. If this
        // fails, the count stays too high until the window ends.
        let reset = |at: &usize| decisions[*at].map_or(0, |decision| millis(decision.reset));
        let to_go: Permits = places.iter().map(reset).collect();
        let answer = self
            .decide_at_once(connection, &checks, -cost, &to_go)
            .await;
        let answers = answer.map(|answer| answer.outcome.decisions);
        let answers = answers.unwrap_or_default();
        for (&at, answer) in places.iter().zip(answers) {
            if let (Some(decision), Some(answer)) = (&mut decisions[at], answer) {
                decision.remaining = answer.remaining;
                decision.reset = answer.reset;
            }
        }
    }
}

fn by_subject(checks: &[Check<'_>]) -> SmallVec<[Group; 3]> {
    let mut groups: SmallVec<[Group; 3]> = SmallVec::new();
    for (at, check) in checks.iter().enumerate() {
        let same = |group: &&mut Group| checks[group[0]].subject.who() == check.subject.who();
        match groups.iter_mut().find(same) {
            Some(group) => group.push(at),
            None => groups.push(SmallVec::from_slice(&[at])),
        }
    }
    groups
}
