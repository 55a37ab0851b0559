//! A limit and the name it is reported under.

use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::Duration;

/// The largest limit: fifteen digits, the most that a header field's integer has (RFC 9651,
/// section 3.3.1), and below 2^53, so that a Redis script counts it exactly.
pub(super) const MAX_REQUESTS: u64 = 999_999_999_999_999;

/// The longest window.
const MAX_WINDOW: Duration = Duration::from_hours(366 * 24);

/// So many requests per window; the window starts with its first request. Never zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    requests: NonZeroU64,
    window_seconds: NonZeroU64,
}

impl Limit {
    /// Makes a limit of `requests` per `window`, which is whole seconds, from one to a year's.
    pub fn new(requests: u64, window: Duration) -> Result<Self, InvalidLimit> {
        let requests = NonZeroU64::new(requests).ok_or(InvalidLimit::NoRequests)?;
        if requests.get() > MAX_REQUESTS {
            return Err(InvalidLimit::TooManyRequests);
        }
        let seconds = NonZeroU64::new(window.as_secs()).ok_or(InvalidLimit::Window)?;
        if window.subsec_nanos() != 0 || window > MAX_WINDOW {
            return Err(InvalidLimit::Window);
        }
        Ok(Self {
            requests,
            window_seconds: seconds,
        })
    }

    /// How many requests a window admits.
    #[must_use]
    pub fn requests(self) -> u64 {
        self.requests.get()
    }

    /// How long a window lasts.
    #[must_use]
    pub fn window(self) -> Duration {
        Duration::from_secs(self.window_seconds.get())
    }

    /// How long a window lasts, in milliseconds.
    pub(super) fn window_ms(self) -> u64 {
        // A year is far from overflowing.
        self.window_seconds.get().saturating_mul(1000)
    }
}

/// A limit with the name that counters and headers carry: `anonymous`, `identified` or a tier's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Characters of `A-Za-z0-9._-` only: it stands in header fields and in the keys of counters.
    pub name: Arc<str>,
    /// How much it admits.
    pub limit: Limit,
}

/// Why two numbers make no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidLimit {
    /// A limit of zero.
    #[error("a limit admits at least one request")]
    NoRequests,
    /// More than can be counted and reported exactly.
    #[error("a limit admits at most {MAX_REQUESTS} requests")]
    TooManyRequests,
    /// A window that is too short, too long, or not whole seconds.
    #[error("a window is whole seconds, from one second to 366 days")]
    Window,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_never_zero_and_its_window_is_whole_seconds() {
        let second = Duration::from_secs(1);
        assert_eq!(Limit::new(0, second), Err(InvalidLimit::NoRequests));
        assert_eq!(Limit::new(1, Duration::ZERO), Err(InvalidLimit::Window));
        assert_eq!(
            Limit::new(1, Duration::from_millis(1500)),
            Err(InvalidLimit::Window)
        );
        assert_eq!(Limit::new(1, Duration::MAX), Err(InvalidLimit::Window));
        assert_eq!(
            Limit::new(u64::MAX, second),
            Err(InvalidLimit::TooManyRequests)
        );
        assert!(Limit::new(MAX_REQUESTS, MAX_WINDOW).is_ok());
    }
}
