//! What tests of limits are made of.

mod doc_charts;

use std::num::{NonZeroU32, NonZeroU64};
use std::time::Duration;

use super::{Algorithm, Decision, Limit, Outcome, Policy, Source};

pub(in crate::limit) fn cost(n: u32) -> NonZeroU32 {
    NonZeroU32::new(n).unwrap()
}

/// So many requests per window, in fixed windows, by the name `test`.
pub(in crate::limit) fn policy(requests: u64, seconds: u64) -> Policy {
    let limit = Limit::new(requests, Duration::from_secs(seconds));
    Policy::new("test", limit.unwrap())
}

/// The same limit, counted in another way.
pub(in crate::limit) fn counted_by(policy: &Policy, algorithm: Algorithm) -> Policy {
    let limit = policy.limit.counted_by(algorithm);
    Policy::new("test", limit.unwrap())
}

pub(in crate::limit) fn bucket(burst: u64) -> Algorithm {
    Algorithm::TokenBucket {
        burst: NonZeroU64::new(burst).unwrap(),
    }
}

/// One of each kind.
pub(in crate::limit) fn algorithms(burst: u64) -> [Algorithm; 3] {
    [
        Algorithm::FixedWindow,
        Algorithm::SlidingWindow,
        bucket(burst),
    ]
}

/// So many requests per window, counted in each way.
pub(in crate::limit) fn policies(requests: u64, seconds: u64) -> [Policy; 3] {
    algorithms(requests).map(|way| counted_by(&policy(requests, seconds), way))
}

/// What Redis says of a request; one that it refuses fits when the window ends.
pub(in crate::limit) fn decision(admitted: bool, remaining: u64, reset_ms: u64) -> Decision {
    let reset = Duration::from_millis(reset_ms);
    Decision {
        admitted,
        remaining,
        reset,
        retry_after: if admitted { Duration::ZERO } else { reset },
        source: Source::Redis,
    }
}

/// The outcome of a request with one limit.
pub(in crate::limit) fn outcome(decision: Decision) -> Outcome {
    Outcome::of(decision.admitted, std::iter::once(Some(decision)).collect())
}
