//! Limits, and who they are for.

use std::collections::HashMap;
use std::sync::Arc;

use crate::config::file::{LimitTable, LimitsTable};
use crate::config::problems::{Problem, Problems};
use crate::config::source::At;
use crate::config::suggest::closest;
use crate::limit::{InvalidLimit, Limit, LimitHeaders, Policy};
use crate::pipeline::snapshot::Limits;

use super::{check_name, or};

/// Names that tiers cannot have: a tier's counters would be taken for those of the limit.
const TAKEN: [&str; 2] = ["anonymous", "identified"];

/// The compiled limits.
pub(super) struct Compiled {
    pub limits: Limits,
    /// A tier with a problem is here all the same, without a policy.
    tiers: HashMap<String, Option<Arc<Policy>>>,
}

/// Compiles all limits.
pub(super) fn compile(table: &LimitsTable, problems: &mut Problems) -> Compiled {
    let mut own = |name, limit: &Option<LimitTable>| policy(name, limit.as_ref()?, problems);
    let anonymous = own("anonymous", &table.anonymous);
    let identified = own("identified", &table.identified);
    let mut tiers = HashMap::new();
    for (name, limit) in &table.tiers {
        if TAKEN.contains(&name.value.as_str()) {
            let message = format!("a tier cannot be called `{}`", name.value);
            let label = "a limit of its own has this name";
            problems.add(Problem::at(name.span, message).label(label));
        } else {
            check_name("a tier", name, problems);
        }
        tiers.insert(name.value.clone(), policy(&name.value, limit, problems));
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
    }
}

fn policy(name: &str, limit: &LimitTable, problems: &mut Problems) -> Option<Arc<Policy>> {
    let per = limit.per?;
    let requests = limit.requests.unwrap_or(At {
        // It has been complained about; `per` can be checked all the same.
        value: 1,
        span: per.span,
    });
    match Limit::new(requests.value, per.value) {
        Ok(limit) => Some(Arc::new(Policy::new(name, limit))),
        Err(error) => {
            let span = match error {
                InvalidLimit::NoRequests | InvalidLimit::TooManyRequests => requests.span,
                InvalidLimit::Window | InvalidLimit::Burst | InvalidLimit::Exact => per.span,
            };
            problems.add(Problem::at(span, error.to_string()));
            None
        }
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
}
