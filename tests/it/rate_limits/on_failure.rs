//! Without Redis, each limit by its own rule: where the limit of a route is closed only that route
//! is, what is open is open there, and what is local counts, whatever the store's rule is.

use super::site::config;
use super::storm;
use crate::support::redis::Redis;
use crate::support::{Gateway, Request, Upstream, each, eventually};

const ROUTES: [(&str, &str); 6] = [
    ("/closed", r#"limits = ["closed"]"#),
    ("/open", r#"limits = ["open"]"#),
    ("/local", r#"limits = ["local"]"#),
    ("/both", r#"limits = ["open", "local"]"#),
    ("/shadow", r#"limits = ["shadow"]"#),
    ("/plain", ""),
];

/// A gateway that has lost its Redis, whose rule for limits without one of their own is `rule`.
struct Lost {
    gateway: Gateway,
    redis: Redis,
    _service: Upstream,
}

impl Lost {
    fn with(rule: &str) -> Self {
        let policy = |name: &str, mode: &str| {
            let on_failure = if name == "shadow" { "closed" } else { name };
            format!(
                "[limits.policies.{name}]\nrequests = 3\nper = \"1h\"\nby = \"route\"\n\
                 mode = \"{mode}\"\non_failure = \"{on_failure}\"\n"
            )
        };
        let mut redis = Redis::start();
        let limits = [
            "[limits]\nidentified = { requests = 20, per = \"1h\" }\n".to_owned(),
            policy("closed", "enforce"),
            policy("open", "enforce"),
            policy("local", "enforce"),
            policy("shadow", "shadow"),
            format!(
                "[limits.redis]\nurl = \"{}\"\non_failure = \"{rule}\"\ndeadline = \"1s\"\n",
                redis.url()
            ),
        ];
        let service = Upstream::echo();
        let gateway = Gateway::start(&config(&service, &limits.concat(), &ROUTES));
        gateway.ask(&Request::get("/closed")).is(200);
        redis.kill();
        Self {
            gateway,
            redis,
            _service: service,
        }
    }

    /// How many of ten anonymous requests were served.
    fn served_of_ten(&self, target: &str) -> usize {
        storm(&[&self.gateway], 1, 10, &Request::get(target)).0
    }

    fn is_closed(&self, request: &Request) {
        let response = self.gateway.ask(request);
        response.is_refusal(503, "limiter_unavailable");
        assert!(response.fields.has("retry-after"), "{:?}", response.fields);
    }

    /// The limit that the last refusal names, to its client and in the log.
    fn uncounted(&self, request: &Request, request_id: &str) -> String {
        let request = request.clone().field("x-request-id", request_id);
        let problem = self.gateway.ask(&request).json();
        let limit = problem["limit"].as_str().expect("a name").to_owned();
        let detail = problem["detail"].to_string();
        assert!(detail.contains(&format!("`{limit}`")), "{detail}");
        let line = self.gateway.line_of(request_id);
        assert_eq!(line["limit"], *limit);
        assert!(line["limit_source"].is_null());
        let detail = "Redis does not answer, and the limit refuses what it cannot count";
        assert_eq!(line["detail"], detail);
        limit
    }
}

#[test]
fn each_limit_of_a_route_has_its_own() {
    each(["local", "open", "closed"], |rule| {
        let mut lost = Lost::with(rule);
        for _ in 0..5 {
            lost.is_closed(&Request::get("/closed"));
        }
        assert_eq!(lost.served_of_ten("/open"), 10);
        assert_eq!(lost.served_of_ten("/local"), 3);
        assert_eq!(lost.served_of_ten("/both"), 3, "all that is local holds");
        assert_eq!(lost.served_of_ten("/shadow"), 10, "a shadow never refuses");
        assert_eq!(lost.served_of_ten("/plain"), 10, "no limit, no rule");

        lost.redis.restart();
        eventually("the closed route to be served again", || {
            let response = lost.gateway.ask(&Request::get("/closed"));
            (response.status == 200).then_some(())
        });
    });
}

#[test]
fn the_callers_own_limit_has_the_stores() {
    let open = Request::get("/open").with_key();
    let lost = Lost::with("closed");
    lost.is_closed(&open);
    lost.is_closed(&Request::get("/plain").with_key());
    assert_eq!(lost.uncounted(&open, "one"), "identified");
    assert_eq!(lost.uncounted(&Request::get("/closed"), "two"), "closed");

    let lost = Lost::with("local");
    let (served, refused) = storm(&[&lost.gateway], 1, 25, &open);
    assert_eq!((served, refused), (20, 5), "the caller's own is counted");
    lost.is_closed(&Request::get("/closed").with_key());

    let lost = Lost::with("open");
    let local = Request::get("/local").with_key();
    let (served, refused) = storm(&[&lost.gateway], 1, 25, &local);
    assert_eq!((served, refused), (3, 22), "the route's is counted");
    let response = lost.gateway.ask(&local);
    let field = response.fields.one("ratelimit").expect("RateLimit");
    assert!(field.starts_with("\"local\";r=0;"), "{field}");
}
