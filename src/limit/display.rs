//! Limits as text, in the words of the configuration: for what a reload logs, `check` and `explain`.

use std::fmt;

use super::{Algorithm, By, Mode, Policy};
use crate::words::Word;

impl Algorithm {
    /// As the configuration calls it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::FixedWindow => "fixed-window",
            Self::SlidingWindow => "sliding-window",
            Self::TokenBucket { .. } => "token-bucket",
        }
    }

    /// What a full bucket holds, if it is one.
    #[must_use]
    pub fn burst(self) -> Option<u64> {
        match self {
            Self::FixedWindow | Self::SlidingWindow => None,
            Self::TokenBucket { burst } => Some(burst.get()),
        }
    }
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

#[cfg(test)]
mod tests {
    use std::num::NonZeroU64;
    use std::time::Duration;

    use super::*;
    use crate::limit::{Limit, OnFailure};

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
