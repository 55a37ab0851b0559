//! A limit and the name it is reported under.

use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::Duration;

/// So many requests per window; the window starts with its first request. Never zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    requests: NonZeroU64,
    window_seconds: NonZeroU64,
}

impl Limit {
    /// Makes a limit of `requests` per `window`, which is whole seconds and at least one.
    pub fn new(requests: u64, window: Duration) -> Result<Self, InvalidLimit> {
        let requests = NonZeroU64::new(requests).ok_or(InvalidLimit::NoRequests)?;
        let seconds = NonZeroU64::new(window.as_secs()).ok_or(InvalidLimit::Window)?;
        if window.subsec_nanos() != 0 {
            return Err(InvalidLimit::Window);
        }
        Ok(Self { requests, window_seconds: seconds })
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
}

/// A limit with the name that counters and headers carry: `anonymous`, `identified` or a tier's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    pub name: Arc<str>,
    pub limit: Limit,
}

/// Why two numbers make no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidLimit {
    #[error("a limit admits at least one request")]
    NoRequests,
    #[error("a window is whole seconds, at least one")]
    Window,
}
