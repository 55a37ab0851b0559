//! How things are, in one sentence for whoever is called at night, and the reasons one by one. A pure
//! function of a few values, so that `/api/v1/status`, the page and `/readyz` say the same.

mod certificates;
mod display;
mod redis_away;

use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use crate::server::Phase;

use super::health::Reason;
use super::time::Time;

pub(super) use certificates::{Ending, ShownTo};
pub(super) use redis_away::RedisAway;

use display::{grouped, percent, rate, span};

/// From this share of errors on there is a warning.
const WARNING_RATIO: f64 = 0.01;
/// From this share of errors on it is critical.
const CRITICAL_RATIO: f64 = 0.1;
/// A share of fewer errors than these in ten seconds says nothing.
const FEW_ERRORS: u64 = 3;
/// Of how many things of a kind the sentence speaks, before it counts.
const MAX_NAMES: usize = 3;

/// What is looked at.
#[derive(Debug, Clone)]
pub(super) struct Situation {
    pub phase: Phase,
    /// Over the last ten seconds, as everything that counts requests.
    pub requests_per_second: f64,
    pub requests: u64,
    /// Answered with 500 or more.
    pub errors: u64,
    /// The route with most of them, and how many it has.
    pub most_errors: Option<(String, u64)>,
    /// Now.
    pub in_flight: u64,
    /// What `/readyz` says.
    pub not_ready: Vec<Reason>,
    /// Redis does not answer.
    pub redis: Option<RedisAway>,
    /// The last reload was refused, at this time and for this reason.
    pub reload_refused: Option<(Timestamp, String)>,
    /// Upstreams with endpoints that cannot be used.
    pub upstreams: Vec<Trouble>,
    /// What cannot be written or sent.
    pub losses: Vec<Loss>,
    /// Certificates that end soon, or have ended.
    pub certificates: Vec<Ending>,
    pub now: Timestamp,
}

#[derive(Debug, Clone)]
pub(super) struct Trouble {
    pub upstream: String,
    /// How many of its addresses cannot be used.
    pub out: usize,
    pub all: usize,
    /// Since when the first of them, or, where all are out, the last.
    pub for_time: Duration,
    /// Why they cannot be used, each cause once.
    pub why: Vec<String>,
}

/// Something that the gateway keeps beside serving, and cannot at the moment.
#[derive(Debug, Clone)]
pub(super) enum Loss {
    /// Access lines.
    AccessLines { for_time: Duration, why: String },
    /// Copies of the counters.
    Counters { for_time: Duration, why: String },
    /// Spans.
    Spans,
}

/// How things are.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Assessment {
    pub state: State,
    pub sentence: String,
    pub reasons: Vec<Finding>,
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum State {
    Ok,
    Warning,
    Critical,
}

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    pub code: &'static str,
    pub severity: State,
    pub text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Time>,
}

impl Situation {
    /// Says how things are.
    pub(super) fn assess(&self) -> Assessment {
        let mut reasons = self.readiness();
        reasons.extend(self.error_finding());
        reasons.extend(self.upstreams.iter().map(|it| self.endpoints_finding(it)));
        let redis = self.redis.as_ref();
        reasons.extend(redis.map(|it| it.finding(self.since(it.for_time))));
        let refused = self.reload_refused.as_ref();
        reasons.extend(refused.map(|(time, why)| Finding {
            code: "reload_refused",
            severity: State::Warning,
            text: format!("The last reload was refused: {why}; what was served is served on."),
            since: Some(Time(*time)),
        }));
        reasons.extend(self.losses.iter().map(|it| self.loss_finding(it)));
        reasons.extend(self.certificates.iter().map(Ending::finding));
        let states = reasons.iter().map(|reason| reason.severity);
        Assessment {
            state: states.max().unwrap_or(State::Ok),
            sentence: self.sentence(),
            reasons,
        }
    }

    fn readiness(&self) -> Vec<Finding> {
        let finding = |reason: &Reason| Finding {
            code: reason.code,
            // Both pass by themselves.
            severity: match reason.code {
                "starting" | "draining" => State::Warning,
                _ => State::Critical,
            },
            text: reason.text.clone(),
            since: None,
        };
        self.not_ready.iter().map(finding).collect()
    }

    #[expect(clippy::cast_precision_loss, reason = "a share")]
    fn error_ratio(&self) -> f64 {
        self.errors as f64 / self.requests.max(1) as f64
    }

    fn error_finding(&self) -> Option<Finding> {
        let ratio = self.error_ratio();
        if self.errors < FEW_ERRORS || ratio < WARNING_RATIO {
            return None;
        }
        let severity = if ratio < CRITICAL_RATIO {
            State::Warning
        } else {
            State::Critical
        };
        Some(Finding {
            code: "errors",
            severity,
            text: format!(
                "{} of requests were answered with an error.",
                self.errors_in_words()
            ),
            since: None,
        })
    }

    fn endpoints_finding(&self, trouble: &Trouble) -> Finding {
        let Trouble {
            upstream, out, all, ..
        } = trouble;
        let severity = if out == all {
            State::Critical
        } else {
            State::Warning
        };
        let why = trouble.why_in_words();
        Finding {
            code: "endpoints_out",
            severity,
            text: format!("{out} of {all} endpoints of `{upstream}` cannot be used{why}."),
            since: self.since(trouble.for_time),
        }
    }

    fn loss_finding(&self, loss: &Loss) -> Finding {
        let (code, text, since) = match loss {
            Loss::AccessLines { for_time, why } => (
                "access_lines_lost",
                format!("Access lines cannot be written and are lost: {why}."),
                self.since(*for_time),
            ),
            Loss::Counters { for_time, why } => (
                "counters_not_saved",
                format!("Counters cannot be saved in `limits.state_file`: {why}."),
                self.since(*for_time),
            ),
            Loss::Spans => (
                "spans_dropped",
                "Spans were dropped within the last minute: the collector takes none, or too few."
                    .to_owned(),
                None,
            ),
        };
        Finding {
            code,
            severity: State::Warning,
            text,
            since,
        }
    }

    fn since(&self, for_time: Duration) -> Option<Time> {
        self.now.checked_sub(for_time).ok().map(Time)
    }

    fn sentence(&self) -> String {
        let mut parts = Vec::new();
        match self.phase {
            Phase::Starting => parts.push("Starting".to_owned()),
            Phase::Serving => parts.extend(self.not_ready_in_words()),
            Phase::Leaving | Phase::Draining | Phase::Stopping => {
                parts.push(format!("Draining, {} in flight", grouped(self.in_flight)));
            }
        }
        parts.push(format!("{} req/s", rate(self.requests_per_second)));
        match (self.requests, self.errors) {
            (0, _) => {}
            (_, 0) => parts.push("no errors".to_owned()),
            _ => parts.push(format!(
                "{} errors{}",
                self.errors_in_words(),
                self.whose_errors()
            )),
        }
        parts.extend(self.upstreams_in_words());
        if let Some(redis) = &self.redis {
            parts.push(redis.to_string());
        }
        if let Some((time, _)) = &self.reload_refused {
            parts.push(format!("reload refused at {}", time.strftime("%H:%M UTC")));
        }
        parts.extend(self.losses.iter().map(Loss::in_words));
        parts.extend(certificates::in_sentence(&self.certificates, self.now));
        parts.join("; ")
    }

    fn not_ready_in_words(&self) -> Option<String> {
        let texts = self.not_ready.iter().map(|reason| {
            let text = reason.text.trim_end_matches('.');
            // Within the sentence; a name stays as it is.
            match text.split_once(' ') {
                Some((first @ ("No" | "The" | "There"), rest)) => {
                    format!("{} {rest}", first.to_lowercase())
                }
                _ => text.to_owned(),
            }
        });
        let all = first_of(texts.collect(), "more")?;
        Some(format!("Not ready: {all}"))
    }

    fn errors_in_words(&self) -> String {
        percent(self.error_ratio())
    }

    fn whose_errors(&self) -> String {
        let Some((route, errors)) = &self.most_errors else {
            return String::new();
        };
        let share = if *errors >= self.errors {
            "all"
        } else if errors.saturating_mul(2) > self.errors {
            "most"
        } else {
            return String::new();
        };
        match &**route {
            "" => format!(", {share} without a route"),
            route => format!(", {share} from `{route}`"),
        }
    }

    fn upstreams_in_words(&self) -> impl Iterator<Item = String> {
        let first = self.upstreams.iter().take(MAX_NAMES).map(|trouble| {
            let Trouble {
                upstream, out, all, ..
            } = trouble;
            let how_many = match (out, all) {
                (1, 1) => "its endpoint".to_owned(),
                _ if out == all => format!("all {all} endpoints"),
                _ => format!("{out} of {all} endpoints"),
            };
            let (for_time, why) = (span(trouble.for_time), trouble.why_in_words());
            format!("`{upstream}`: {how_many} out for {for_time}{why}")
        });
        let more = match self.upstreams.len().saturating_sub(MAX_NAMES) {
            0 => None,
            1 => Some("1 more upstream with endpoints out".to_owned()),
            more => Some(format!("{more} more upstreams with endpoints out")),
        };
        first.chain(more)
    }
}

impl Trouble {
    /// Why endpoints are out, in parentheses; nothing if that is not known.
    fn why_in_words(&self) -> String {
        let why = first_of(self.why.clone(), "other causes");
        why.map_or(String::new(), |why| format!(" ({why})"))
    }
}

impl Loss {
    fn in_words(&self) -> String {
        match self {
            Self::AccessLines { why, .. } => format!("access lines are lost ({why})"),
            Self::Counters { why, .. } => format!("counters are not saved ({why})"),
            Self::Spans => "spans are dropped".to_owned(),
        }
    }
}

/// The first of several parts of a sentence, and how many more there are; `None` if there are none.
fn first_of(parts: Vec<String>, more: &str) -> Option<String> {
    let count = parts.len().saturating_sub(MAX_NAMES);
    let mut shown: Vec<_> = parts.into_iter().take(MAX_NAMES).collect();
    if count > 0 {
        shown.push(format!("and {count} {more}"));
    }
    (!shown.is_empty()).then(|| shown.join(", "))
}

#[cfg(test)]
mod tests;
