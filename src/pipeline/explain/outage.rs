//! What becomes of a request while Redis does not answer: each limit says for itself.

use std::sync::Arc;

use crate::limit::{Mode, OnFailure};
use crate::pipeline::rejection::Rejection;
use crate::pipeline::snapshot::Snapshot;
use crate::words::Word;

use super::{Explanation, Refusal};

impl Explanation {
    /// Tells what holds without Redis. `on_failure` is for limits that say nothing else.
    pub fn without_redis(&mut self, snapshot: &Snapshot, on_failure: OnFailure) {
        let limits = &snapshot.limits;
        let mut refuses = None;
        for line in &mut self.limits {
            let mut all = limits.all.iter();
            let Some(policy) = all.find(|policy| *policy.name == *line.policy) else {
                continue;
            };
            let on_failure = policy.on_failure.unwrap_or(on_failure);
            line.outage = Some(on_failure.word());
            // A wrong key is told so whether or not that can be counted.
            let is_of_keys = limits.invalid_keys.as_ref() == Some(policy);
            if on_failure == OnFailure::Closed && policy.mode == Mode::Enforce && !is_of_keys {
                refuses = refuses.or(Some(Arc::clone(&policy.name)));
            }
        }
        if let Some(limit) = refuses {
            self.refused = Some(Refusal::of(&Rejection::LimiterUnavailable(limit), snapshot));
            self.answers = None;
            self.answers_with = None;
            self.sends = None;
            self.endpoints.clear();
            self.picks = None;
            self.announces = None;
        }
    }
}
