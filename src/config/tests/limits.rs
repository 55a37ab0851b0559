//! Limits and the policies of routes: what they come to, and what is said of those that are none.

use std::time::Duration;

use super::*;
use crate::limit::{Algorithm, By, Mode, OnFailure, Policy};

/// The policies of a configuration's only route.
fn of_route(loaded: &Loaded) -> Vec<&Policy> {
    let route = &loaded.snapshot.routes.routes()[0];
    route.limits.iter().map(|policy| &**policy).collect()
}

fn bucket(burst: u64) -> Algorithm {
    Algorithm::TokenBucket {
        burst: burst.try_into().unwrap(),
    }
}

#[test]
fn every_limit_takes_an_algorithm_and_a_bucket_holds_its_requests() {
    let loaded = good(
        r#"
        [clients.a]
        tier = "gold"
        [limits]
        anonymous = { requests = 60, per = "1m", algorithm = "sliding-window" }
        identified = { requests = 600, per = "1m", algorithm = "token-bucket" }
        [limits.tiers.gold]
        requests = 6000
        per = "1m"
        algorithm = "token-bucket"
        burst = 100
        "#,
    );
    let limits = &loaded.snapshot.limits;
    let algorithm = |policy: &Option<std::sync::Arc<Policy>>| {
        let policy = policy.as_ref().unwrap();
        policy.limit.algorithm()
    };
    assert_eq!(algorithm(&limits.anonymous), Algorithm::SlidingWindow);
    assert_eq!(algorithm(&limits.identified), bucket(600));
    let client = &loaded.snapshot.access.clients[0];
    assert_eq!(algorithm(&client.policy), bucket(100));
}

#[test]
fn a_route_has_its_policies_in_their_order_and_its_cost() {
    let loaded = good(
        r#"
        [routes]
        "/a" = { upstream = "http://localhost:4001", limits = ["plain", "all"], cost = 5 }
        [limits.policies.all]
        requests = 20
        per = "1s"
        algorithm = "token-bucket"
        burst = 40
        by = "route"
        mode = "shadow"
        on_failure = "closed"
        [limits.policies.plain]
        requests = 5
        per = "1h"
        "#,
    );
    let [plain, all] = of_route(&loaded)[..] else {
        panic!("two policies");
    };
    assert_eq!((&*plain.name, plain.limit.requests()), ("plain", 5));
    assert_eq!(plain.limit.window(), Duration::from_hours(1));
    assert_eq!(plain.limit.algorithm(), Algorithm::FixedWindow);
    assert_eq!((plain.by, plain.mode), (By::Client, Mode::Enforce));
    assert_eq!(plain.on_failure, None);
    assert_eq!(&*all.name, "all");
    assert_eq!(all.limit.algorithm(), bucket(40));
    assert_eq!((all.by, all.mode), (By::Route, Mode::Shadow));
    assert_eq!(all.on_failure, Some(OnFailure::Closed));
    assert_eq!(loaded.snapshot.routes.routes()[0].cost.get(), 5);
    assert!(loaded.lints.is_empty());
}

#[test]
fn limits_of_routes_that_lead_nowhere() {
    assert_problems(
        r#"[routes]
"/a" = { upstream = "http://a", limits = ["serach", "gold", "identified", "slow"] }
"/b" = { upstream = "http://a", limits = ["search", "search"], cost = 0 }
[limits]
identified = { requests = 5, per = "1s" }
[limits.tiers.gold]
requests = 5
per = "1s"
[limits.policies.search]
requests = 5
per = "1s"
"#,
        r#"
2:43 "serach": there is no policy `serach`: did you mean `search`?
2:53 "gold": there is no policy `gold`: this is a limit of callers, which holds on all routes
2:61 "identified": there is no policy `identified`: this is a limit of callers, which holds on all routes
2:75 "slow": there is no policy `slow` = add `[limits.policies.slow]`
3:53 "search": the limit `search` is given twice: given again here | 3:43 "search": first given here
3:71 0: `routes."/b".cost` takes a number from 1 to 4294967295
"#,
    );
}

#[test]
fn policies_whose_counters_would_be_those_of_others() {
    assert_complaints(
        r#"[limits.tiers.gold]
requests = 5
per = "1s"
[limits.policies.anonymous]
requests = 5
per = "1s"
[limits.policies.gold]
requests = 5
per = "1s"
[limits.policies."a b"]
requests = 5
per = "1s"
"#,
        r#"error: a policy cannot be called `anonymous`
 --> tollgate.toml:4:18
  |
4 | [limits.policies.anonymous]
  |                  ^^^^^^^^^ a limit of its own has this name

error: a policy and a tier are both called `gold`
 --> tollgate.toml:7:18
  |
1 | [limits.tiers.gold]
  |               ---- and this tier
...
7 | [limits.policies.gold]
  |                  ^^^^ this policy
  |
  = help: give one of them another name: they would share counters

error: `a b` is not a valid name
  --> tollgate.toml:10:18
   |
10 | [limits.policies."a b"]
   |                  ^^^^^ a name has 1 to 128 characters of A-Z a-z 0-9 . _ -

3 problems
"#,
    );
}

#[test]
fn numbers_that_an_algorithm_cannot_count() {
    assert_problems(
        r#"[limits]
anonymous = { requests = 5, per = "1s", burst = 5 }
identified = { requests = 5, per = "1s", algorithm = "sliding-windo" }
[limits.tiers.a]
requests = 999999999
per = "366d"
algorithm = "sliding-window"
[limits.policies.b]
requests = 7
per = "1d"
algorithm = "token-bucket"
burst = 999999999
by = "clint"
mode = 1
on_failure = "shut"
bye = "ip"
"#,
        r#"
2:49 5: only a token bucket has a `burst`: leave it out, or write `algorithm = "token-bucket"` beside it
3:54 "sliding-windo": `limits.identified.algorithm` takes "fixed-window", "sliding-window" or "token-bucket": did you mean "sliding-window"?
5:12 999999999: so many requests in so long a window cannot be counted exactly with this algorithm = in a window of this length at most 142418 requests; in a shorter one, more
12:9 999999999: so many requests in so long a window cannot be counted exactly with this algorithm = at this rate a `burst` is at most 52124995
13:6 "clint": `limits.policies.b.by` takes "client", "ip" or "route": did you mean "client"?
14:8 1: `limits.policies.b.mode` takes "enforce" or "shadow": this is a whole number
15:14 "shut": `limits.policies.b.on_failure` takes "local", "open" or "closed": this is none of them
16:1 bye: unknown key `bye`: did you mean `by`?
"#,
    );
}

#[test]
fn the_most_that_is_counted_exactly_is_what_is_said() {
    let limit = |requests: u64, more: &str| {
        format!(
            "[limits.tiers.a]\nrequests = {requests}\nper = \"366d\"\nalgorithm = {more}\n\
             [clients.a]\ntier = \"a\""
        )
    };
    let most = 142_418;
    good(&limit(most, "\"sliding-window\""));
    let said = complaints(&limit(most + 1, "\"sliding-window\""));
    assert!(said.contains(&format!("at most {most} requests")), "{said}");
    let bucket = |burst: u64| limit(7, &format!("\"token-bucket\"\nburst = {burst}"));
    good(&bucket(most));
    let said = complaints(&bucket(most + 1));
    assert!(said.contains(&format!("is at most {most}")), "{said}");
}

#[test]
fn a_cost_that_nobody_can_pay_is_a_problem_or_odd() {
    let text = |mode: &str, protected: &str| {
        format!(
            r#"[routes]
"/a" = {{ upstream = "http://a", limits = ["search"], cost = 21 }}
[access]
protected = [{protected}]
[clients.a]
keys = ["sha256:53a04f1fc0c388b71a29cc914fcf94922ce578f25f612acc848512274a1497f6"]
[limits]
anonymous = {{ requests = 20, per = "1s" }}
identified = {{ requests = 20, per = "1s", algorithm = "token-bucket", burst = 21 }}
[limits.policies.search]
requests = 100
per = "1s"
algorithm = "token-bucket"
burst = 20
mode = "{mode}"
"#
        )
    };
    assert_problems(
        &text("enforce", ""),
        "2:61 21: the limit `search` can never admit this cost: at most 20, for it never admits more at once",
    );
    let said = lints(&text("shadow", ""));
    assert_eq!(
        said,
        [
            "tollgate.toml:2:61: nobody under the limit `anonymous` gets to the route `/a`: a request counts as 21, and 20 is all that is ever admitted at once"
        ]
    );
    assert_eq!(lints(&text("shadow", "\"/a\"")), [""; 0]);
}
