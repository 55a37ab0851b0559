//! What is asked of limits, and what they say.

use std::time::Duration;

use smallvec::SmallVec;

use crate::words::words;

use super::policy::Policy;
use super::subject::Subject;

/// One limit that a request is held to.
#[derive(Debug, Clone, Copy)]
pub struct Check<'c> {
    /// How much.
    pub policy: &'c Policy,
    /// For whom.
    pub subject: &'c Subject,
}

/// What the limits of one request say, in their order. Few requests have more than two.
pub type Decisions = SmallVec<[Option<Decision>; 2]>;

/// What limits say of one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Whether it may go on; it has been counted then.
    pub verdict: Verdict,
    /// What each limit says. `None`: Redis does not answer and the configuration says to admit, so
    /// there is nothing to report.
    pub decisions: Decisions,
}

/// Whether a request may go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It may.
    Admitted,
    /// It is over a limit.
    Refused,
    /// Redis does not answer and the configuration says to refuse what this limit, by its place, is to
    /// count.
    Unavailable(usize),
}

impl Outcome {
    pub(super) fn of(admitted: bool, decisions: Decisions) -> Self {
        let verdict = if admitted {
            Verdict::Admitted
        } else {
            Verdict::Refused
        };
        Self { verdict, decisions }
    }

    /// The decision of a request that is held to one limit.
    pub fn only(&self) -> Option<Decision> {
        match self.decisions[..] {
            [decision] => decision,
            _ => None,
        }
    }
}

/// What one limit says of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// Whether there is room for it. If no limit refuses it, it has been counted then.
    pub admitted: bool,
    /// What is left after this request.
    pub remaining: u64,
    /// Until the window ends, or the bucket is full again.
    pub reset: Duration,
    /// Until a request of this cost is admitted if nothing else is asked for; zero if this one is.
    pub retry_after: Duration,
    /// Who says so.
    pub source: Source,
}

words! {
    /// Where a request was decided.
    pub enum Source {
        /// In this process: there is no Redis, or it does not answer.
        Memory = "memory",
        /// In Redis.
        Redis = "redis",
        /// Here, on permits that Redis had granted.
        Lease = "lease",
        /// Here, because Redis had refused.
        Cache = "cache",
    }
}
