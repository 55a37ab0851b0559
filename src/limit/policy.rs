//! A limit and the name it is reported under. As text, in the words of the configuration, both stand
//! in what a reload logs and in what `check` and `explain` print.

use std::fmt;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::Duration;

use crate::words::{Word, words};

/// The largest limit: fifteen digits, the most that a header field's integer has (RFC 9651,
/// section 3.3.1), and below 2^53, so that a Redis script counts it exactly.
pub const MAX_REQUESTS: u64 = 999_999_999_999_999;

/// The longest window.
pub const MAX_WINDOW: Duration = Duration::from_hours(366 * 24);

/// What a Redis script can hold exactly: its numbers are doubles.
const EXACT: u64 = 1 << 53;

/// What the counters of a policy are called by. One word wide, so that a slot is one cache line.
pub(super) type CounterName = Arc<String>;

/// How a limit is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Algorithm {
    /// So many per window; a window starts with its first request.
    #[default]
    FixedWindow,
    /// The window before counts as well, by as much of it as a window that ends now would cover.
    SlidingWindow,
    /// A bucket that is filled steadily, the window's requests per window, and holds `burst`.
    TokenBucket {
        /// What a full bucket holds.
        burst: NonZeroU64,
    },
}

impl Algorithm {
    /// As the configuration calls it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::FixedWindow => "fixed-window",
            Self::SlidingWindow => "sliding-window",
            Self::TokenBucket { .. } => "token-bucket",
        }
    }

    /// What a full bucket holds, if it is one.
    pub fn burst(self) -> Option<u64> {
        match self {
            Self::FixedWindow | Self::SlidingWindow => None,
            Self::TokenBucket { burst } => Some(burst.get()),
        }
    }
}

/// So many requests per window. Never zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    requests: NonZeroU64,
    window_seconds: NonZeroU64,
    algorithm: Algorithm,
    /// See [`Limit::rate`]; made once, for it is asked with every request.
    rate: (u64, u64),
}

impl Limit {
    /// Makes a limit of `requests` per `window`, counted in fixed windows. `None`: not from one to
    /// [`MAX_REQUESTS`], or not in whole seconds, from one to a year's.
    pub fn new(requests: u64, window: Duration) -> Option<Self> {
        let requests = NonZeroU64::new(requests).filter(|n| n.get() <= MAX_REQUESTS)?;
        let window_seconds = NonZeroU64::new(window.as_secs())?;
        if window.subsec_nanos() != 0 || window > MAX_WINDOW {
            return None;
        }
        let window_ms = window_seconds.get().saturating_mul(1000);
        let common = gcd(requests.get(), window_ms);
        Some(Self {
            requests,
            window_seconds,
            algorithm: Algorithm::FixedWindow,
            rate: (requests.get() / common, window_ms / common),
        })
    }

    /// The same limit, counted in another way. `None`: more than [`Self::most_exact`].
    pub fn counted_by(self, algorithm: Algorithm) -> Option<Self> {
        let limit = Self { algorithm, ..self };
        (limit.at_once() <= self.most_exact(algorithm)).then_some(limit)
    }

    /// The most that an algorithm counts exactly: requests in windows of this length, or a burst of
    /// tokens that come back at this rate. Half of what fits, for the script adds two of these.
    pub fn most_exact(self, algorithm: Algorithm) -> u64 {
        let most = match algorithm {
            Algorithm::FixedWindow => MAX_REQUESTS,
            Algorithm::SlidingWindow => EXACT / self.window_ms() / 2,
            Algorithm::TokenBucket { .. } => EXACT / self.rate().1 / 2,
        };
        most.min(MAX_REQUESTS)
    }

    /// How many requests a window admits.
    pub fn requests(self) -> u64 {
        self.requests.get()
    }

    /// How long a window lasts.
    pub fn window(self) -> Duration {
        Duration::from_secs(self.window_seconds.get())
    }

    /// How it is counted.
    pub fn algorithm(self) -> Algorithm {
        self.algorithm
    }

    /// The most that can be admitted at one moment.
    pub fn at_once(self) -> u64 {
        match self.algorithm {
            Algorithm::FixedWindow | Algorithm::SlidingWindow => self.requests(),
            Algorithm::TokenBucket { burst } => burst.get(),
        }
    }

    /// The limit as one of so many instances enforces it, which counts each request as many times:
    /// it takes it that the others do the same. Each admits `least` in any case, so that where there
    /// are more instances than it admits, each admits one.
    pub(super) fn shared_by(self, least: NonZeroU64) -> Self {
        match self.algorithm {
            Algorithm::FixedWindow | Algorithm::SlidingWindow => Self {
                requests: self.requests.max(least),
                ..self
            },
            // The rate stays: what comes back to all comes back to each of them so much slower.
            Algorithm::TokenBucket { burst } => Self {
                algorithm: Algorithm::TokenBucket {
                    burst: burst.max(least),
                },
                ..self
            },
        }
    }

    /// How long a window lasts, in milliseconds.
    pub(super) fn window_ms(self) -> u64 {
        // A year is far from overflowing.
        self.window_seconds.get().saturating_mul(1000)
    }

    /// A bucket's rate in whole numbers, as small as they can be: so many units run out in a
    /// millisecond, and a token is so many units. 600,000 a second are 600 and 1, one a day is 1
    /// and 86,400,000.
    pub(super) fn rate(self) -> (u64, u64) {
        self.rate
    }
}

/// The greatest common divisor of two numbers of which one is not zero.
fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// A limit with the name that counters and headers carry: `anonymous`, `identified`, a tier's, or
/// that of a policy for routes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Characters of `A-Za-z0-9._-` only: it stands in header fields and in the keys of counters.
    pub name: Arc<str>,
    /// Its place among all of the configuration.
    pub place: usize,
    /// What its counters are called by: counters of another algorithm mean something else.
    counter: CounterName,
    /// As an item of `RateLimit-Policy`: made once, for every answer has it.
    item: Box<str>,
    /// How much it admits.
    pub limit: Limit,
    /// Who shares a counter.
    pub by: By,
    /// Whether it refuses, or only logs that it would.
    pub mode: Mode,
    /// What happens to requests while Redis does not answer, if not what is set for all.
    pub on_failure: Option<OnFailure>,
}

impl Policy {
    /// What the limit of clients without a tier is called.
    pub const IDENTIFIED: &str = "identified";

    /// A policy that counts each client by itself and refuses what is over its limit.
    pub fn new(name: impl Into<Arc<str>>, limit: Limit) -> Self {
        let name = name.into();
        let counter = match limit.algorithm {
            Algorithm::FixedWindow => name.to_string(),
            Algorithm::SlidingWindow => format!("{name}:sliding-window"),
            Algorithm::TokenBucket { .. } => format!("{name}:token-bucket"),
        };
        let item = item(&name, limit);
        Self {
            name,
            place: usize::MAX,
            counter: Arc::new(counter),
            item,
            limit,
            by: By::Client,
            mode: Mode::Enforce,
            on_failure: None,
        }
    }

    /// One by which counters of this name are counted.
    pub(super) fn counted_as(counter: &CounterName, limit: Limit) -> Self {
        Self {
            counter: Arc::clone(counter),
            ..Self::new("", limit)
        }
    }

    /// What its counters are called by.
    pub(super) fn counter(&self) -> &CounterName {
        &self.counter
    }

    /// As an item of `RateLimit-Policy`: `"identified";q=600;w=60`.
    pub(super) fn item(&self) -> &str {
        &self.item
    }

    /// Whether it can refuse a request.
    pub fn enforces(&self) -> bool {
        self.mode == Mode::Enforce
    }
}

/// The name as a string of RFC 9651, section 3.3.3, with the quota and the window in seconds. There is
/// nothing to escape in names.
fn item(name: &str, limit: Limit) -> Box<str> {
    let (quota, window) = (limit.requests(), limit.window().as_secs());
    format!("\"{name}\";q={quota};w={window}").into()
}

/// What it admits and, in parentheses, what is not the default:
/// `20 per 1s (token-bucket, burst 40, by ip, shadow)`.
impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let limit = self.limit;
        write!(f, "{} per {:?}", limit.requests(), limit.window())?;
        let mut before = " (";
        let mut unusual = |word: fmt::Arguments<'_>| {
            let written = write!(f, "{before}{word}");
            before = ", ";
            written
        };
        let algorithm = limit.algorithm();
        if algorithm != Algorithm::default() {
            unusual(format_args!("{}", algorithm.as_str()))?;
        }
        if let Some(burst) = algorithm.burst() {
            unusual(format_args!("burst {burst}"))?;
        }
        if self.by != By::default() {
            unusual(format_args!("by {}", self.by.word()))?;
        }
        if self.mode != Mode::default() {
            unusual(format_args!("{}", self.mode.word()))?;
        }
        if let Some(on_failure) = self.on_failure {
            unusual(format_args!("on_failure {}", on_failure.word()))?;
        }
        if before == ", " {
            f.write_str(")")?;
        }
        Ok(())
    }
}

words! {
    /// What happens to requests over a limit.
    #[derive(Default)]
    pub enum Mode {
        /// They are refused.
        #[default]
        Enforce = "enforce",
        /// They pass, and the log names the limit.
        Shadow = "shadow",
    }

    /// What happens to requests while Redis does not answer.
    #[derive(Default)]
    pub enum OnFailure {
        /// Count in this process.
        #[default]
        Local = "local",
        /// Admit without counting.
        Open = "open",
        /// Refuse with 503.
        Closed = "closed",
    }

    /// Who shares one counter.
    #[derive(Default)]
    pub enum By {
        /// Each client by itself, with all its keys; anonymous callers by address.
        #[default]
        Client = "client",
        /// Each address by itself, with or without a key.
        Ip = "ip",
        /// Everybody who uses the route.
        Route = "route",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_never_zero_and_its_window_is_whole_seconds() {
        let second = Duration::from_secs(1);
        for (requests, window) in [
            (0, second),
            (MAX_REQUESTS + 1, second),
            (1, Duration::ZERO),
            (1, Duration::from_millis(1500)),
            (1, Duration::MAX),
        ] {
            assert_eq!(Limit::new(requests, window), None);
        }
        assert!(Limit::new(MAX_REQUESTS, MAX_WINDOW).is_some());
    }

    #[test]
    fn what_a_script_cannot_count_exactly_is_no_limit() {
        let burst = |n| Algorithm::TokenBucket {
            burst: NonZeroU64::new(n).unwrap(),
        };
        let limit = |requests, window| Limit::new(requests, window).unwrap();
        let (second, day) = (Duration::from_secs(1), Duration::from_hours(24));
        let sliding = |limit: Limit| limit.counted_by(Algorithm::SlidingWindow);
        assert!(sliding(limit(1_000_000, day)).is_some());
        assert_eq!(sliding(limit(MAX_REQUESTS, day)), None);
        let fast = limit(600_000, second);
        assert_eq!(fast.rate(), (600, 1));
        assert!(fast.counted_by(burst(600_000)).is_some());
        assert_eq!(limit(1, day).rate(), (1, 86_400_000));
        assert!(limit(1, day).counted_by(burst(1)).is_some());
        assert_eq!(limit(1, day).counted_by(burst(1_000_000_000)), None);
        assert!(fast.counted_by(burst(MAX_REQUESTS)).is_some());
        assert_eq!(fast.counted_by(burst(MAX_REQUESTS + 1)), None);
    }

    #[test]
    fn only_what_is_not_the_default_is_shown() {
        let limit = Limit::new(20, Duration::from_mins(1)).unwrap();
        assert_eq!(Policy::new("a", limit).to_string(), "20 per 60s");
        let burst = NonZeroU64::new(40).unwrap();
        let bucket = limit.counted_by(Algorithm::TokenBucket { burst }).unwrap();
        let mut policy = Policy::new("a", bucket);
        policy.by = By::Route;
        policy.mode = Mode::Shadow;
        policy.on_failure = Some(OnFailure::Open);
        assert_eq!(
            policy.to_string(),
            "20 per 60s (token-bucket, burst 40, by route, shadow, on_failure open)"
        );
        let sliding = limit.counted_by(Algorithm::SlidingWindow).unwrap();
        assert_eq!(
            Policy::new("a", sliding).to_string(),
            "20 per 60s (sliding-window)"
        );
    }
}
