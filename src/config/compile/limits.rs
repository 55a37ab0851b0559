//! Limits, and who they are for.

use std::collections::HashMap;
use std::num::NonZeroU64;
use std::sync::Arc;

use crate::config::file::{Algorithm as Written, LimitTable, LimitsTable, PolicyTable};
use crate::config::problems::{Problem, Problems};
use crate::config::source::{At, Span};
use crate::config::suggest::closest;
use crate::limit::{Algorithm, By, InvalidLimit, Limit, LimitHeaders, Mode, Policy};
use crate::pipeline::snapshot::Limits;

use super::{check_name, or};

/// The names of the callers' own limits; another limit of such a name would share their counters.
const TAKEN: [&str; 2] = ["anonymous", "identified"];

/// The compiled limits.
pub(super) struct Compiled {
    pub limits: Limits,
    /// A tier with a problem is here all the same, without a policy; so are policies.
    tiers: HashMap<String, Option<Arc<Policy>>>,
    policies: HashMap<String, Option<Arc<Policy>>>,
}

/// Compiles all limits.
pub(super) fn compile(table: &LimitsTable, problems: &mut Problems) -> Compiled {
    let mut own = |name, written: &Option<LimitTable>| {
        let limit = limit(written.as_ref()?, problems)?;
        Some(Arc::new(Policy::new(name, limit)))
    };
    let anonymous = own("anonymous", &table.anonymous);
    let identified = own("identified", &table.identified);
    let mut tiers = HashMap::new();
    for (name, written) in &table.tiers {
        free_name("a tier", name, problems);
        let limit = limit(written, problems);
        let policy = limit.map(|limit| Arc::new(Policy::new(name.value.as_str(), limit)));
        tiers.insert(name.value.clone(), policy);
    }
    let mut policies = HashMap::new();
    for written in &table.policies {
        let name = &written.name;
        free_name("a policy", name, problems);
        if let Some((tier, _)) = table.tiers.iter().find(|tier| tier.0.value == name.value) {
            let message = format!("a policy and a tier are both called `{}`", name.value);
            let problem = Problem::at(name.span, message).label("this policy");
            let help = "give one of them another name: they would share counters";
            problems.add(problem.also(tier.span, "and this tier").help(help));
        }
        policies.insert(name.value.clone(), policy(written, problems));
    }
    let ipv6_prefix = or(table.ipv6_prefix, 64);
    Compiled {
        limits: Limits {
            anonymous,
            identified,
            headers: or(table.headers, LimitHeaders::default()),
            ipv6_prefix: u8::try_from(ipv6_prefix).unwrap_or(128),
        },
        tiers,
        policies,
    }
}

/// Checks a name that stands beside those of the callers' own limits.
fn free_name(what: &str, name: &At<String>, problems: &mut Problems) {
    if TAKEN.contains(&name.value.as_str()) {
        let message = format!("{what} cannot be called `{}`", name.value);
        let label = "a limit of its own has this name";
        problems.add(Problem::at(name.span, message).label(label));
    } else {
        check_name(what, name, problems);
    }
}

fn policy(written: &PolicyTable, problems: &mut Problems) -> Option<Arc<Policy>> {
    let limit = limit(&written.limit, problems)?;
    let mut policy = Policy::new(written.name.value.as_str(), limit);
    policy.by = or(written.by, By::default());
    policy.mode = or(written.mode, Mode::default());
    policy.on_failure = written.on_failure.map(|at| at.value);
    Some(Arc::new(policy))
}

fn limit(written: &LimitTable, problems: &mut Problems) -> Option<Limit> {
    let algorithm = algorithm(written, problems);
    let per = written.per?;
    let requests = written.requests.unwrap_or(At {
        // It has been complained about; `per` can be checked all the same.
        value: 1,
        span: per.span,
    });
    let limit = match Limit::new(requests.value, per.value) {
        Ok(limit) => limit,
        Err(error) => {
            let span = match error {
                InvalidLimit::NoRequests | InvalidLimit::TooManyRequests => requests.span,
                InvalidLimit::Window | InvalidLimit::Burst | InvalidLimit::Exact => per.span,
            };
            problems.add(Problem::at(span, error.to_string()));
            return None;
        }
    };
    let algorithm = algorithm?;
    match limit.counted_by(algorithm) {
        Ok(limit) => Some(limit),
        Err(error) => {
            let span = written.burst.map_or(requests.span, |burst| burst.span);
            let problem = Problem::at(span, error.to_string());
            problems.add(problem.help(smaller(limit, algorithm)));
            None
        }
    }
}

/// What could be counted instead of what is too much.
fn smaller(limit: Limit, algorithm: Algorithm) -> String {
    let most = limit.most_exact(algorithm);
    match algorithm {
        Algorithm::TokenBucket { .. } => format!("at this rate a `burst` is at most {most}"),
        Algorithm::FixedWindow | Algorithm::SlidingWindow => {
            format!("in a window of this length at most {most} requests; in a shorter one, more")
        }
    }
}

fn algorithm(written: &LimitTable, problems: &mut Problems) -> Option<Algorithm> {
    match (written.algorithm.map(|at| at.value), written.burst) {
        (Some(Written::TokenBucket), burst) => {
            let burst = burst.or(written.requests)?;
            let burst = NonZeroU64::new(burst.value)?;
            Some(Algorithm::TokenBucket { burst })
        }
        (_, Some(burst)) => {
            let problem = Problem::at(burst.span, "only a token bucket has a `burst`");
            problems.add(
                problem.label("leave it out, or write `algorithm = \"token-bucket\"` beside it"),
            );
            None
        }
        (None | Some(Written::FixedWindow), None) => Some(Algorithm::FixedWindow),
        (Some(Written::SlidingWindow), None) => Some(Algorithm::SlidingWindow),
    }
}

impl Compiled {
    /// The limit of a client of this tier.
    pub(super) fn of_client(
        &self,
        tier: Option<&At<String>>,
        problems: &mut Problems,
    ) -> Option<Arc<Policy>> {
        let Some(tier) = tier else {
            return self.limits.identified.clone();
        };
        if let Some(policy) = self.tiers.get(&tier.value) {
            return policy.clone();
        }
        let problem = Problem::at(tier.span, format!("there is no tier `{}`", tier.value));
        problems.add(
            match closest(&tier.value, self.tiers.keys().map(String::as_str)) {
                Some(meant) => problem.label(format!("did you mean `{meant}`?")),
                None => problem.help(format!("add `[limits.tiers.{}]`", tier.value)),
            },
        );
        None
    }

    /// The policies that a route names.
    pub(super) fn of_route(
        &self,
        names: &[At<String>],
        problems: &mut Problems,
    ) -> Option<Vec<Arc<Policy>>> {
        let mut seen: HashMap<&str, Span> = HashMap::new();
        let mut policies = Vec::new();
        for name in names {
            if let Some(first) = seen.insert(&name.value, name.span) {
                let message = format!("the limit `{}` is given twice", name.value);
                let problem = Problem::at(name.span, message).label("given again here");
                problems.add(problem.also(first, "first given here"));
            } else {
                policies.push(self.of_name(name, problems));
            }
        }
        policies.into_iter().collect()
    }

    fn of_name(&self, name: &At<String>, problems: &mut Problems) -> Option<Arc<Policy>> {
        if let Some(policy) = self.policies.get(&name.value) {
            return policy.clone();
        }
        let text = name.value.as_str();
        let problem = Problem::at(name.span, format!("there is no policy `{text}`"));
        let known = self.policies.keys().map(String::as_str);
        problems.add(if TAKEN.contains(&text) || self.tiers.contains_key(text) {
            problem.label("this is a limit of callers, which holds on all routes")
        } else if let Some(meant) = closest(text, known) {
            problem.label(format!("did you mean `{meant}`?"))
        } else {
            problem.help(format!("add `[limits.policies.{text}]`"))
        });
        None
    }
}
