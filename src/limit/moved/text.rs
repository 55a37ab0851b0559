//! Questions and answers as bytes. Numbers are of eight bytes, little-endian, as in the state file.
//!
//! ```text
//! question  cost, then for each limit: for whom and the policy's name, as a state file has them;
//!           requests, seconds, algorithm (0 fixed, 1 sliding, 2 bucket), burst, whether it refuses
//! answer    1 if admitted, else 0, then for each limit: whether there is room, what remains, and
//!           in milliseconds when it is new again and when to come back
//! ```

use std::io::{self, Read};
use std::num::{NonZeroU32, NonZeroU64};
use std::time::Duration;

use crate::limit::clock::millis;
use crate::limit::state::{array, number, put_who, text, who};
use crate::limit::{
    Algorithm, Check, Decision, Decisions, Limit, Mode, Outcome, Policy, Source, Subject, Verdict,
};

/// What is asked of the process that counts. `None`: a name is too long.
pub(super) fn of_question(checks: &[Check<'_>], cost: NonZeroU32) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    put(&mut bytes, cost.get().into());
    for Check { policy, subject } in checks {
        if !put_who(&mut bytes, &policy.name, subject.who()) {
            return None;
        }
        let limit = policy.limit;
        let (algorithm, burst) = match limit.algorithm() {
            Algorithm::FixedWindow => (0, 0),
            Algorithm::SlidingWindow => (1, 0),
            Algorithm::TokenBucket { burst } => (2, burst.get()),
        };
        let seconds = limit.window().as_secs();
        let enforces = policy.enforces().into();
        for number in [limit.requests(), seconds, algorithm, burst, enforces] {
            put(&mut bytes, number);
        }
    }
    Some(bytes)
}

/// The limits that a question is about, and what its request costs. `None`: it makes no sense.
pub(super) fn read_question(mut bytes: &[u8]) -> Option<(Vec<(Policy, Subject)>, NonZeroU32)> {
    let bytes = &mut bytes;
    let cost = u32::try_from(number(bytes).ok()?).ok()?;
    let cost = NonZeroU32::new(cost)?;
    let mut limits = Vec::new();
    while !bytes.is_empty() {
        limits.push(read_limit(bytes).ok()??);
    }
    Some((limits, cost))
}

fn read_limit(bytes: &mut impl Read) -> io::Result<Option<(Policy, Subject)>> {
    let [kind] = array(bytes)?;
    let name = text(bytes)?;
    let subject = Subject::from(who(kind, bytes)?);
    let (requests, seconds) = (number(bytes)?, number(bytes)?);
    let (algorithm, burst) = (number(bytes)?, number(bytes)?);
    let enforces = number(bytes)? == 1;
    let algorithm = match (algorithm, NonZeroU64::new(burst)) {
        (0, None) => Algorithm::FixedWindow,
        (1, None) => Algorithm::SlidingWindow,
        (2, Some(burst)) => Algorithm::TokenBucket { burst },
        _ => return Ok(None),
    };
    let limit = Limit::new(requests, Duration::from_secs(seconds));
    let Some(limit) = limit.and_then(|limit| limit.counted_by(algorithm)) else {
        return Ok(None);
    };
    let mut policy = Policy::new(name, limit);
    if !enforces {
        policy.mode = Mode::Shadow;
    }
    Ok(Some((policy, subject)))
}

/// What the process that counts says.
pub(super) fn of_outcome(outcome: &Outcome) -> Vec<u8> {
    let mut bytes = Vec::new();
    put(&mut bytes, (outcome.verdict == Verdict::Admitted).into());
    // Without Redis there is no limit that says nothing.
    for decision in outcome.decisions.iter().flatten() {
        put(&mut bytes, decision.admitted.into());
        put(&mut bytes, decision.remaining);
        put(&mut bytes, millis(decision.reset));
        put(&mut bytes, millis(decision.retry_after));
    }
    bytes
}

/// What the process that counts has said of so many limits. `None`: it makes no sense.
pub(super) fn read_outcome(mut bytes: &[u8], limits: usize) -> Option<Outcome> {
    let bytes = &mut bytes;
    let admitted = number(bytes).ok()? == 1;
    let mut decisions = Decisions::new();
    while !bytes.is_empty() {
        decisions.push(Some(read_decision(bytes).ok()?));
    }
    (decisions.len() == limits).then(|| Outcome::of(admitted, decisions))
}

fn read_decision(bytes: &mut impl Read) -> io::Result<Decision> {
    Ok(Decision {
        admitted: number(bytes)? == 1,
        remaining: number(bytes)?,
        reset: Duration::from_millis(number(bytes)?),
        retry_after: Duration::from_millis(number(bytes)?),
        source: Source::Memory,
    })
}

fn put(bytes: &mut Vec<u8>, number: u64) {
    bytes.extend_from_slice(&number.to_le_bytes());
}
