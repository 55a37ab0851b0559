//! Limits, and who they are for.

use std::collections::HashMap;
use std::num::NonZeroU64;
use std::sync::Arc;

use crate::config::file::{Algorithm as Written, LimitKeys, LimitsKeys, PolicyKeys};
use crate::config::kinds::Name;
use crate::config::problems::{Problem, Problems};
use crate::config::source::{At, Span};
use crate::config::suggest::closest;
use crate::limit::{Algorithm, Limit, Policy};
use crate::pipeline::snapshot::Limits;

/// The names of the callers' own limits; another limit of such a name would share their counters.
const TAKEN: [&str; 3] = ["anonymous", Policy::IDENTIFIED, "invalid_keys"];

/// The compiled limits.
pub(super) struct Compiled {
    pub limits: Limits,
    /// A tier with a problem is here all the same, without a policy; so are policies.
    tiers: ByName,
    policies: ByName,
}

type ByName = HashMap<String, Option<Arc<Policy>>>;

/// Compiles all limits.
pub(super) fn compile(keys: &LimitsKeys, problems: &mut Problems) -> Compiled {
    let mut all = Vec::new();
    let mut own = |name, keys: &At<Option<_>>| plain(name, keys.as_ref(), &mut all, problems);
    let anonymous = own("anonymous", &keys.anonymous);
    let identified = own(Policy::IDENTIFIED, &keys.identified);
    let invalid_keys = own("invalid_keys", &keys.invalid_keys);
    let mut tiers = HashMap::new();
    for (name, written) in &keys.tiers.0 {
        check_is_free("a tier", name, problems);
        let policy = plain(&name.0, written.as_deref(), &mut all, problems);
        tiers.insert(name.0.clone(), policy);
    }
    let mut policies = HashMap::new();
    for (name, written) in &keys.policies.0 {
        check_is_free("a policy", name, problems);
        if let Some(tier) = keys.tiers.names().find(|tier| tier.value == name.value) {
            let message = format!("a policy and a tier are both called `{}`", name.0);
            let problem = Problem::at(name.span, message).label("this policy");
            let help = "give one of them another name: they would share counters";
            problems.add(problem.also(tier.span, "and this tier").help(help));
        }
        let policy = written
            .as_ref()
            .and_then(|keys| policy(&name.0, keys, &mut all, problems));
        policies.insert(name.0.clone(), policy);
    }
    Compiled {
        limits: Limits {
            anonymous,
            identified,
            invalid_keys,
            all,
            headers: *keys.headers,
            ipv6_prefix: u8::try_from(keys.ipv6_prefix.0).unwrap_or(128),
        },
        tiers,
        policies,
    }
}

/// Checks a name that stands beside those of the callers' own limits.
fn check_is_free(what: &str, name: &At<Name>, problems: &mut Problems) {
    if TAKEN.contains(&name.0.as_str()) {
        let message = format!("{what} cannot be called `{}`", name.0);
        let label = "a limit of its own has this name";
        problems.add(Problem::at(name.span, message).label(label));
    }
}

/// A limit of callers.
fn plain(
    name: &str,
    written: Option<&LimitKeys>,
    all: &mut Vec<Arc<Policy>>,
    problems: &mut Problems,
) -> Option<Arc<Policy>> {
    let limit = limit(written?, problems)?;
    Some(one_more(Policy::new(name, limit), all))
}

/// A limit of routes.
fn policy(
    name: &str,
    written: &PolicyKeys,
    all: &mut Vec<Arc<Policy>>,
    problems: &mut Problems,
) -> Option<Arc<Policy>> {
    let mut policy = Policy::new(name, limit(&written.limit, problems)?);
    policy.by = *written.by;
    policy.mode = *written.mode;
    policy.on_failure = *written.on_failure;
    Some(one_more(policy, all))
}

/// Gives a limit its place among all.
fn one_more(mut policy: Policy, all: &mut Vec<Arc<Policy>>) -> Arc<Policy> {
    policy.place = all.len();
    let policy = Arc::new(policy);
    all.push(Arc::clone(&policy));
    policy
}

fn limit(written: &LimitKeys, problems: &mut Problems) -> Option<Limit> {
    let algorithm = algorithm(written, problems)?;
    let limit = Limit::new(written.requests.0, written.per.0)
        .expect("keys have the bounds that limits have");
    let counted = limit.counted_by(algorithm);
    if counted.is_none() {
        let burst = written.burst.written();
        let span = burst.map_or(written.requests.span, |burst| burst.span);
        let message =
            "so many requests in so long a window cannot be counted exactly with this algorithm";
        problems.add(Problem::at(span, message).help(smaller(limit, algorithm)));
    }
    counted
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

fn algorithm(written: &LimitKeys, problems: &mut Problems) -> Option<Algorithm> {
    match (*written.algorithm, written.burst.written()) {
        (Written::TokenBucket, burst) => {
            let burst = burst.map_or(written.requests.0, |burst| burst.0);
            let burst = NonZeroU64::new(burst)?;
            Some(Algorithm::TokenBucket { burst })
        }
        (_, Some(burst)) => {
            let problem = Problem::at(burst.span, "only a token bucket has a `burst`");
            problems.add(
                problem.label("leave it out, or write `algorithm = \"token-bucket\"` beside it"),
            );
            None
        }
        (Written::FixedWindow, None) => Some(Algorithm::FixedWindow),
        (Written::SlidingWindow, None) => Some(Algorithm::SlidingWindow),
    }
}

impl Compiled {
    /// The limit of a client of this tier.
    pub(super) fn of_client(
        &self,
        tier: Option<At<&Name>>,
        problems: &mut Problems,
    ) -> Option<Arc<Policy>> {
        let Some(tier) = tier else {
            return self.limits.identified.clone();
        };
        if let Some(policy) = self.tiers.get(&tier.0) {
            return policy.clone();
        }
        problems.add(missing("tier", "limits.tiers", tier, &self.tiers));
        None
    }

    /// The policies that a route names.
    pub(super) fn of_route(
        &self,
        names: &[At<Name>],
        problems: &mut Problems,
    ) -> Option<Vec<Arc<Policy>>> {
        let mut seen: HashMap<&str, Span> = HashMap::new();
        let mut policies = Vec::new();
        for name in names {
            if let Some(first) = seen.insert(&name.0, name.span) {
                let what = format!("the limit `{}`", name.0);
                problems.add(Problem::given_twice(&what, first, name.span));
            } else {
                policies.push(self.of_name(name, problems));
            }
        }
        policies.into_iter().collect()
    }

    fn of_name(&self, name: &At<Name>, problems: &mut Problems) -> Option<Arc<Policy>> {
        if let Some(policy) = self.policies.get(&name.0) {
            return policy.clone();
        }
        let text = name.0.as_str();
        problems.add(if TAKEN.contains(&text) || self.tiers.contains_key(text) {
            Problem::at(name.span, format!("there is no policy `{text}`"))
                .label("this is a limit of callers, which holds on all routes")
        } else {
            missing("policy", "limits.policies", name.lent(), &self.policies)
        });
        None
    }
}

/// The problem of a name that leads nowhere.
fn missing(what: &str, table: &str, name: At<&Name>, known: &ByName) -> Problem {
    let text = name.0.as_str();
    let problem = Problem::at(name.span, format!("there is no {what} `{text}`"));
    match closest(text, known.keys().map(String::as_str)) {
        Some(meant) => problem.label(format!("did you mean `{meant}`?")),
        None => problem.help(format!("add `[{table}.{text}]`")),
    }
}
