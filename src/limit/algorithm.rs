//! The algorithms, as pure functions of what has been counted, the time and the cost. The script
//! `decide.lua` does the same in Redis, number for number; one suite of tests holds the two and a
//! plain model against each other.

use super::Limit;
use super::policy::Algorithm;

/// What has been counted for one subject under one policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Counter {
    /// Windows: spent in this one. Bucket: what is missing from a full one, in units.
    pub spent: u64,
    /// Sliding windows: spent in the window before. Bucket: how many units a request was.
    pub before: u64,
    /// Fixed windows: when this one ends. Sliding windows: when it began. Bucket: when `spent` was
    /// true.
    pub at_ms: u64,
}

/// What an algorithm says of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Judgement {
    /// Whether it fits.
    pub fits: bool,
    /// What is left for others, without this request.
    pub remaining: u64,
    /// Until the window ends, or the bucket is full again, without this request.
    pub reset_ms: u64,
    /// Until a request of this cost fits, if nothing else is spent; 0 if it does.
    pub retry_ms: u64,
    /// The counter as time has left it, with nothing spent by this request.
    pub counter: Counter,
}

impl Judgement {
    /// The same, once `cost` has been spent.
    pub(super) fn spend(mut self, limit: Limit, cost: u64) -> Self {
        self.remaining = self.remaining.saturating_sub(cost);
        if let Algorithm::TokenBucket { .. } = limit.algorithm() {
            let (per_ms, token) = limit.rate();
            let units = cost.saturating_mul(token);
            self.counter.spent = self.counter.spent.saturating_add(units);
            self.reset_ms = self.counter.spent.div_ceil(per_ms);
        } else {
            self.counter.spent = self.counter.spent.saturating_add(cost);
        }
        self
    }
}

impl Counter {
    /// When nothing of it matters any more.
    pub(super) fn ends_ms(&self, limit: Limit) -> u64 {
        let lasts = match limit.algorithm() {
            Algorithm::FixedWindow => 0,
            Algorithm::SlidingWindow => limit.window_ms().saturating_mul(2),
            Algorithm::TokenBucket { .. } => self.spent.div_ceil(limit.rate().0),
        };
        self.at_ms.saturating_add(lasts)
    }

    /// Whether it says no more than no counter does.
    pub(super) fn is_nothing(&self, limit: Limit) -> bool {
        let in_bucket = matches!(limit.algorithm(), Algorithm::TokenBucket { .. });
        self.spent == 0 && (self.before == 0 || in_bucket)
    }
}

/// Judges a request of `cost` at `now_ms`. `None`: nothing has been counted that still matters.
pub(super) fn judge(limit: Limit, counter: Option<Counter>, cost: u64, now_ms: u64) -> Judgement {
    match limit.algorithm() {
        Algorithm::FixedWindow => fixed_window(limit, counter, cost, now_ms),
        Algorithm::SlidingWindow => sliding_window(limit, counter, cost, now_ms),
        Algorithm::TokenBucket { burst } => token_bucket(limit, burst.get(), counter, cost, now_ms),
    }
}

fn fixed_window(limit: Limit, counter: Option<Counter>, cost: u64, now_ms: u64) -> Judgement {
    let (most, full_ms) = (limit.requests(), now_ms.saturating_add(limit.window_ms()));
    let running = counter.filter(|counter| counter.at_ms > now_ms);
    let mut counter = running.unwrap_or(Counter {
        at_ms: full_ms,
        ..Counter::default()
    });
    // A reload may have made windows shorter: no window has longer to go than a whole one.
    counter.at_ms = counter.at_ms.min(full_ms);
    let reset_ms = counter.at_ms.saturating_sub(now_ms);
    let fits = counter.spent.saturating_add(cost) <= most;
    Judgement {
        fits,
        remaining: most.saturating_sub(counter.spent),
        reset_ms,
        retry_ms: if fits { 0 } else { reset_ms },
        counter,
    }
}

/// Two counters, the one before weighted by how much of its window a window that ends now covers:
/// `before * left / window + spent`, rounded up: a fraction admits nothing.
fn sliding_window(limit: Limit, counter: Option<Counter>, cost: u64, now_ms: u64) -> Judgement {
    let (most, window_ms) = (limit.requests(), limit.window_ms());
    let fresh = Counter {
        at_ms: now_ms,
        ..Counter::default()
    };
    let mut counter = counter.unwrap_or(fresh);
    // A clock that was set back: the window is taken to begin just now.
    counter.at_ms = counter.at_ms.min(now_ms);
    let counter = match now_ms.saturating_sub(counter.at_ms) / window_ms {
        0 => counter,
        1 if counter.spent > 0 => Counter {
            spent: 0,
            before: counter.spent,
            at_ms: counter.at_ms.saturating_add(window_ms),
        },
        _ => fresh,
    };
    let left_ms = window_ms.saturating_sub(now_ms.saturating_sub(counter.at_ms));
    let used = counter
        .spent
        .saturating_add(ceil_share(counter.before, left_ms, window_ms));
    let fits = used.saturating_add(cost) <= most;
    Judgement {
        fits,
        remaining: most.saturating_sub(used),
        reset_ms: left_ms,
        retry_ms: if fits {
            0
        } else {
            sliding_retry(limit, counter, cost, left_ms)
        },
        counter,
    }
}

/// Until what is felt of earlier requests has faded enough. `left_ms` are left of the window.
fn sliding_retry(limit: Limit, counter: Counter, cost: u64, left_ms: u64) -> u64 {
    let (most, window_ms) = (limit.requests(), limit.window_ms());
    let Some(room) = most.checked_sub(cost) else {
        // It never fits. When it is asked again does not matter.
        return left_ms;
    };
    // `of` requests of a window are felt as `room` or less once so much is left of the next.
    let fades_at = |of: u64, room: u64| floor_share(room, window_ms, of).min(window_ms);
    match room.checked_sub(counter.spent) {
        // Within this window, for what was before fades.
        Some(room) => left_ms.saturating_sub(fades_at(counter.before, room)),
        // In the next, where what is spent now is what was before.
        None => left_ms.saturating_add(window_ms - fades_at(counter.spent, room)),
    }
}

/// A bucket as a meter that runs empty (the continuous-state leaky bucket of ITU-T I.371 Annex A,
/// the same as its virtual scheduling, which is known as GCRA): `spent` units are missing from a
/// full bucket, and so many come back each millisecond.
fn token_bucket(
    limit: Limit,
    burst: u64,
    counter: Option<Counter>,
    cost: u64,
    now_ms: u64,
) -> Judgement {
    let (per_ms, token) = limit.rate();
    let counter = counter.unwrap_or_default();
    let passed = now_ms.saturating_sub(counter.at_ms);
    let full = burst.saturating_mul(token);
    let spent = if counter.before == 0 || counter.before == token {
        counter.spent
    } else {
        // A reload has changed the rate, and with it what a request is.
        let requests = counter.spent.div_ceil(counter.before);
        requests.saturating_mul(token).min(full.saturating_mul(2))
    };
    let missing = spent.saturating_sub(passed.saturating_mul(per_ms));
    let wanted = missing.saturating_add(cost.saturating_mul(token));
    let fits = wanted <= full;
    Judgement {
        fits,
        remaining: full.saturating_sub(missing) / token,
        reset_ms: missing.div_ceil(per_ms),
        retry_ms: if fits {
            0
        } else {
            // What never fits is asked again when the bucket is full.
            wanted.saturating_sub(full).min(missing).div_ceil(per_ms)
        },
        counter: Counter {
            spent: missing,
            before: token,
            at_ms: now_ms,
        },
    }
}

/// `of * part / whole`, rounded up.
fn ceil_share(of: u64, part: u64, whole: u64) -> u64 {
    let product = u128::from(of) * u128::from(part);
    u64::try_from(product.div_ceil(u128::from(whole.max(1)))).unwrap_or(u64::MAX)
}

/// `of * part / whole`, rounded down.
fn floor_share(of: u64, part: u64, whole: u64) -> u64 {
    let product = u128::from(of) * u128::from(part);
    u64::try_from(product / u128::from(whole.max(1))).unwrap_or(u64::MAX)
}
