//! What a worker holds for one caller under one limit, and how busy that caller is.

use std::num::NonZeroU32;
use std::time::Duration;

use crate::limit::clock::millis;
use crate::limit::{Decision, Limit, Source};

/// What has been spent within this time is taken for what will be. Longer saves little: a caller
/// that makes a hundred requests in it already costs one call in a hundred.
const LOOK_BACK_MS: u64 = 1000;

/// `decide.lua` grants at most this part of what is left.
const PART: u64 = 64;

/// How much later a window may end in Redis than is reckoned here, as far as permits are returned: so
/// long a call takes at most that was answered at all, as a rule.
const SLACK_MS: u64 = 1000;

/// Permits of a caller, and how busy it is.
#[derive(Debug)]
pub(super) struct Account {
    /// Counted in Redis, and not spent yet.
    permits: u64,
    /// When their window ends at the latest.
    ends_ms: u64,
    /// What was left beside them when Redis last answered.
    remaining: u64,
    /// A call is under way that asks for permits. Others that are sent meanwhile ask for no
    /// permits, or every request in flight would take as many.
    asking_until_ms: u64,
    meter: Meter,
}

/// How much has been spent lately.
#[derive(Debug)]
struct Meter {
    since_ms: u64,
    spent: u64,
    /// In the look-back before.
    before: u64,
}

impl Account {
    /// Of a caller that is new.
    pub(super) fn new(now_ms: u64) -> Self {
        Self {
            permits: 0,
            ends_ms: now_ms,
            remaining: 0,
            asking_until_ms: now_ms,
            meter: Meter {
                since_ms: now_ms,
                spent: 0,
                before: 0,
            },
        }
    }

    /// Whether it still says anything.
    pub(super) fn is_in_use(&self, now_ms: u64) -> bool {
        let has_permits = self.permits > 0 && self.ends_ms > now_ms;
        has_permits || now_ms.saturating_sub(self.meter.since_ms) < 2 * LOOK_BACK_MS
    }

    /// Whether its permits are enough.
    pub(super) fn covers(&self, cost: NonZeroU32, now_ms: u64) -> bool {
        self.permits >= u64::from(cost.get()) && self.ends_ms > now_ms
    }

    /// Whether nothing has been spent for so long, or a little longer.
    pub(super) fn is_gone(&self, now_ms: u64, for_ms: u64) -> bool {
        now_ms.saturating_sub(self.meter.since_ms) >= for_ms + LOOK_BACK_MS
    }

    /// Gives up its permits, if their window is not over: how many, and how long that has to go.
    pub(super) fn give_up(&mut self, limit: Limit, now_ms: u64) -> Option<(u64, u64)> {
        let permits = std::mem::take(&mut self.permits);
        let to_go_ms = self.ends_ms.saturating_sub(now_ms);
        // It ends a little earlier here than in Redis.
        let slack_ms = SLACK_MS.min(limit.window_ms() / 4);
        (permits > 0 && to_go_ms > 0).then_some((permits, to_go_ms + slack_ms))
    }

    /// Spends permits that are there.
    pub(super) fn spend(&mut self, cost: NonZeroU32, now_ms: u64) -> Decision {
        self.meter.count(cost, now_ms);
        // They cover it. Saturating, lest two checks ever share an account.
        self.permits = self.permits.saturating_sub(cost.get().into());
        Decision {
            admitted: true,
            remaining: self.remaining.saturating_add(self.permits),
            reset: Duration::from_millis(self.ends_ms.saturating_sub(now_ms)),
            retry_after: Duration::ZERO,
            source: Source::Lease,
        }
    }

    /// How many permits a request that has to ask Redis asks for beside its own. Such a call takes at
    /// most `longest_ms`.
    pub(super) fn wanted(
        &mut self,
        limit: Limit,
        cost: NonZeroU32,
        now_ms: u64,
        longest_ms: u64,
    ) -> u64 {
        self.meter.count(cost, now_ms);
        if self.asking_until_ms > now_ms {
            return 0;
        }
        // As many as the caller has lately spent beside this request, or will until the window ends.
        let in_look_back = self.meter.in_look_back() - u64::from(cost.get());
        let left_ms = match self.ends_ms.saturating_sub(now_ms) {
            0 => LOOK_BACK_MS,
            left_ms => left_ms.min(LOOK_BACK_MS),
        };
        // Both are small: no more is spent in a second than fits in 53 bits by far.
        let wanted = in_look_back.saturating_mul(left_ms) / LOOK_BACK_MS;
        let permits = wanted.min(limit.requests() / PART);
        if permits > 0 {
            self.asking_until_ms = now_ms.saturating_add(longest_ms);
        }
        permits
    }

    /// Takes what Redis has granted and said.
    pub(super) fn take(&mut self, decision: &mut Decision, granted: u64, sent_ms: u64) {
        // Both clocks leave out what is less than a millisecond.
        let reset_ms = millis(decision.reset).saturating_sub(1);
        let ends_ms = sent_ms.saturating_add(reset_ms);
        if self.permits == 0 || self.ends_ms <= sent_ms {
            self.permits = 0;
            self.ends_ms = ends_ms;
        } else {
            // If this is another window already, as after Redis was emptied, then permits of the
            // old one must not last as long.
            self.ends_ms = self.ends_ms.min(ends_ms);
        }
        self.permits = self.permits.saturating_add(granted);
        self.remaining = decision.remaining;
        decision.remaining = decision.remaining.saturating_add(self.permits);
        if granted > 0 {
            self.asking_until_ms = sent_ms;
        }
    }
}

impl Meter {
    fn count(&mut self, cost: NonZeroU32, now_ms: u64) {
        let passed = now_ms.saturating_sub(self.since_ms);
        if passed >= LOOK_BACK_MS {
            let just_now = passed < 2 * LOOK_BACK_MS;
            self.before = if just_now { self.spent } else { 0 };
            self.spent = 0;
            self.since_ms = now_ms;
        }
        self.spent = self.spent.saturating_add(cost.get().into());
    }

    fn in_look_back(&self) -> u64 {
        self.spent.max(self.before)
    }
}
