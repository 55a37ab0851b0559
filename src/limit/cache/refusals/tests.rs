//! What a worker refuses by itself, for how long, and when it asks again.

use super::*;
use crate::limit::tests::{cost, decision, outcome, policy};
use crate::limit::{Policy, Subject};

/// What a worker knows of one caller.
struct Model {
    refusals: Refusals,
    subject: Subject,
}

impl Model {
    fn new() -> Self {
        Self {
            refusals: Refusals::new(),
            subject: Subject::client("caller"),
        }
    }

    fn check<'c>(&'c self, policy: &'c Policy) -> [Check<'c>; 1] {
        let subject = &self.subject;
        [Check { policy, subject }]
    }

    /// Redis has refused a request, asked at 5,000.
    fn refused(&self, policy: &Policy, cost: NonZeroU32, decision: Decision, brief: bool) {
        let (checks, outcome) = (self.check(policy), outcome(decision));
        self.refusals
            .learn(&checks, cost, &outcome, 5_000, |_| brief);
    }

    fn refuse(&self, policy: &Policy, cost: NonZeroU32, now_ms: u64) -> Option<Decision> {
        let outcome = self.refusals.refuse(&self.check(policy), cost, now_ms)?;
        assert_eq!(outcome.verdict, Verdict::Refused);
        outcome.only()
    }
}

#[test]
fn a_refusal_holds_for_what_costs_as_much_until_it_is_over_or_the_limit_has_changed() {
    let (known, limit) = (Model::new(), policy(10, 60));
    let refused = Decision {
        retry_after: Duration::from_secs(30),
        ..decision(false, 2, 40_000)
    };
    assert_eq!(known.refuse(&limit, cost(3), 5_000), None);
    known.refused(&limit, cost(3), refused, false);
    assert_eq!(known.refuse(&limit, cost(2), 15_000), None, "cheaper");
    let again = known.refuse(&limit, cost(4), 15_000).unwrap();
    let left = Decision {
        retry_after: Duration::from_secs(20),
        source: Source::Cache,
        ..decision(false, 2, 30_000)
    };
    assert_eq!(again, left);
    assert_eq!(known.refuse(&policy(11, 60), cost(4), 15_000), None);
    assert_eq!(known.refuse(&limit, cost(4), 35_000), None, "over");
}

#[test]
fn what_may_be_given_back_is_refused_briefly() {
    let (known, limit) = (Model::new(), policy(10, 60));
    known.refused(&limit, cost(4), decision(false, 2, 30_000), true);
    let again = known.refuse(&limit, cost(4), 5_999).unwrap();
    assert_eq!(again.retry_after, Duration::from_millis(29_001));
    assert_eq!(known.refuse(&limit, cost(4), 6_000), None, "Redis is asked");
}

#[test]
fn what_redis_says_later_replaces_what_it_has_said_before() {
    let (known, long, short) = (Model::new(), policy(20, 90), policy(7, 40));
    known.refused(&long, cost(1), decision(false, 0, 90_000), false);
    assert!(known.refuse(&long, cost(1), 5_000).is_some());
    // Dearer than a whole limit that a reload has made shorter: the window ends sooner now.
    known.refused(&short, cost(8), decision(false, 0, 40_000), false);
    assert_eq!(known.refuse(&long, cost(1), 5_000), None);
}
