//! What is said while Redis does not answer.

use std::fmt;
use std::time::Duration;

use crate::admin::time::Time;
use crate::limit::OnFailure;

use super::display::span;
use super::{Finding, State};

/// Redis does not answer.
#[derive(Debug, Clone)]
pub(in crate::admin) struct RedisAway {
    pub for_time: Duration,
    /// Some workers still have it.
    pub in_part: bool,
    /// Why, if that is known.
    pub why: Option<String>,
    pub on_failure: OnFailure,
    /// How many gateways share the counters, as far as is known.
    pub instances: u32,
}

impl RedisAway {
    pub(super) fn finding(&self, since: Option<Time>) -> Finding {
        let severity = match self.on_failure {
            OnFailure::Closed if !self.in_part => State::Critical,
            _ => State::Warning,
        };
        let what = if self.in_part {
            "Some workers have no connection to Redis"
        } else {
            "Redis does not answer"
        };
        Finding {
            code: "redis_away",
            severity,
            text: format!("{what}{}: {}.", self.why_in_words(), self.meanwhile()),
            since,
        }
    }

    fn why_in_words(&self) -> String {
        let why = self.why.as_ref();
        why.map_or(String::new(), |why| format!(" ({why})"))
    }

    fn meanwhile(&self) -> &'static str {
        match self.on_failure {
            OnFailure::Local => "counting here",
            OnFailure::Open => "admitting without counting",
            OnFailure::Closed => "refusing what would be counted",
        }
    }
}

/// The part of the sentence: for how long, why, what happens meanwhile, and among how many.
impl fmt::Display for RedisAway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Redis away for {}", span(self.for_time))?;
        write!(f, "{}, ", self.why_in_words())?;
        if self.in_part {
            f.write_str("for some workers, ")?;
        }
        f.write_str(self.meanwhile())?;
        match self.instances {
            1 => f.write_str(", 1 instance"),
            many => write!(f, ", {many} instances"),
        }
    }
}
