//! Mirrors Redis' counters, so that this process continues from them should Redis be lost. A request
//! pays for it with one more look into a table that is otherwise idle.

use super::MemoryStore;
use crate::limit::algorithm::{Counter, judge};
use crate::limit::clock::millis;
use crate::limit::{Algorithm, Check, Decision, Limit};

/// Two windows that end so close together are the same one: calls take differently long.
const SAME_WITHIN_MS: u64 = 100;

impl MemoryStore {
    /// Takes over what Redis has decided under one limit when asked at `sent_ms`: what all instances
    /// have spent. Ends a little earlier here than there, never later.
    pub(in crate::limit) fn mirror(&self, check: &Check<'_>, decision: &Decision, sent_ms: u64) {
        let limit = check.policy.limit;
        let said = counter_of(limit, decision, sent_ms);
        let (mut shard, slot) = self.locked(check);
        let known = slot.ok().map(|slot| shard.entry(slot));
        let known = known.filter(|entry| entry.ends_ms > sent_ms);
        let known = known.map(|entry| judge(limit, Some(entry.counter), 0, sent_ms));
        let counter = match known {
            Some(known) if known.counter.at_ms.abs_diff(said.at_ms) <= SAME_WITHIN_MS => {
                if is_more(limit, known.remaining, decision.remaining) {
                    known.counter
                } else {
                    let at_ms = known.counter.at_ms;
                    Counter { at_ms, ..said }
                }
            }
            _ => said,
        };
        self.keep(&mut shard, check, slot, counter, sent_ms);
    }
}

/// Whether more is spent here than Redis has said, by what either leaves. Answers on several
/// connections overtake each other, and what was counted here while Redis was away was most likely
/// spent elsewhere, too. In a sliding window what was before fades, and less may be newer.
fn is_more(limit: Limit, known_left: u64, said_left: u64) -> bool {
    limit.algorithm() != Algorithm::SlidingWindow && known_left < said_left
}

/// The counter that led to a decision, as far as the decision says; rather too high than too low.
fn counter_of(limit: Limit, decision: &Decision, sent_ms: u64) -> Counter {
    let spent = limit.at_once().saturating_sub(decision.remaining);
    let reset_ms = millis(decision.reset);
    let ends_ms = sent_ms.saturating_add(reset_ms);
    let (spent, before, at_ms) = match limit.algorithm() {
        Algorithm::FixedWindow => (spent, 0, ends_ms),
        // What is felt of the window before is taken for spent in this one, and does not fade.
        Algorithm::SlidingWindow => (spent, 0, ends_ms.saturating_sub(limit.window_ms())),
        Algorithm::TokenBucket { .. } => {
            let (per_ms, token) = limit.rate();
            let units = spent.saturating_mul(token);
            (units.min(reset_ms.saturating_mul(per_ms)), token, sent_ms)
        }
    };
    Counter {
        spent,
        before,
        at_ms,
    }
}

#[cfg(test)]
mod tests;
