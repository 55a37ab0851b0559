//! Every fault that a Redis can have, met by real gateways under load through sockets. In each, no
//! request waits much longer than the deadline, nothing is refused that the limits don't refuse,
//! what is admitted stays below the bound that the test states, and afterwards counting is exact.
//! What the limiter does by itself is in `limits::outage` and `limits::topology`.

mod clocks;
mod leases;
mod load;
mod names;
mod offer;
mod proxy;
mod refusal;
mod restart;
mod silence;
mod topology;

use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use serde_json::Value;

use self::load::{Load, Verdict};
use self::offer::Offered;
use crate::support::redis::Redis;
use crate::support::{Client, Gateway, Request, Upstream, eventually};

/// How much `/tight` admits of a caller within an hour, which no test outlasts.
const LIMIT: u64 = 100;

/// How much `/wide` does: enough for permits to be taken several at a time, where they may be.
const WIDE: u64 = 1500;

/// How long a window of `/brief` lasts, which is like `/tight` otherwise.
const BRIEF: Duration = Duration::from_secs(1);

/// How long a request may wait for Redis. A healthy one misses it only on a very busy machine.
const DEADLINE: Duration = Duration::from_millis(250);

/// How long it may wait where no request is ever to do without Redis, on whatever machine.
const LONG_DEADLINE: Duration = Duration::from_secs(8);

/// Threads that serve, in each gateway: each has its own connection and breaker.
const WORKERS: usize = 2;

/// How much larger the limits are that count without Redis: more than any test asks for.
const LOCAL: u64 = 50;

/// What all gateways together admit by themselves in one window, at most.
fn most_by_local(limit: u64, instances: usize) -> u64 {
    limit * LOCAL * instances as u64
}

/// How many connections the gateways have to a server: all that are not the Sentinels' or ours.
fn gateways_at(redis: &Redis) -> usize {
    let all: String = redis.ask(&["CLIENT", "LIST", "TYPE", "normal"]);
    let others = ["name=sentinel-", "cmd=client|list"];
    let of_gateway = |line: &&str| !others.iter().any(|other| line.contains(other));
    all.lines().filter(of_gateway).count()
}

/// A caller of its own, by its address.
fn caller(nth: u8) -> IpAddr {
    Ipv4Addr::new(127, 0, 1, nth).into()
}

/// Gateways that count in one Redis.
struct Site {
    gateways: Vec<Gateway>,
    config: String,
    service: Upstream,
}

impl Site {
    /// Two gateways, for a Redis that these lines of `[limits.redis]` describe.
    fn with(redis: &str) -> Self {
        Self::of(2, DEADLINE, redis)
    }

    /// The same where nothing is to be missed.
    fn that_misses_nothing(redis: &str) -> Self {
        Self::of(2, LONG_DEADLINE, redis)
    }

    fn of(instances: usize, deadline: Duration, redis: &str) -> Self {
        let service = Upstream::echo();
        let config = config(&service, deadline, redis) + "lease = \"off\"\n";
        Self::serving(service, config, instances)
    }

    /// Two gateways that take permits several at a time, as they do by default.
    fn leasing(redis: &str) -> Self {
        let service = Upstream::echo();
        let config = config(&service, DEADLINE, redis);
        Self::serving(service, config, 2)
    }

    fn serving(service: Upstream, config: String, instances: usize) -> Self {
        let mut site = Self {
            gateways: Vec::new(),
            config,
            service,
        };
        site.start(instances);
        site
    }

    /// Starts gateways, all at once, in place of those there are.
    fn start(&mut self, instances: usize) {
        let config = &self.config;
        self.gateways = std::thread::scope(|scope| {
            let starting: Vec<_> = (0..instances)
                .map(|_| scope.spawn(|| Gateway::start(config)))
                .collect();
            let started = starting.into_iter();
            started.map(|one| one.join().expect("a gateway")).collect()
        });
    }

    /// Has several connections to each gateway ask without a pause for as long as `during` takes.
    fn under_load(&self, during: impl FnOnce(&Load)) -> Verdict {
        Load::run(&self.gateways, &self.service, during)
    }

    /// Has one caller ask that often at `/tight`, over several connections to each gateway.
    fn offer(&self, from: IpAddr, requests: usize) -> Offered {
        Offered::to(&self.gateways, "/tight", from, requests)
    }

    /// The same at `/brief`.
    fn offer_briefly(&self, from: IpAddr, requests: usize) -> Offered {
        Offered::to(&self.gateways, "/brief", from, requests)
    }

    /// The same at `/wide`.
    fn offer_much(&self, from: IpAddr, requests: usize) -> Offered {
        Offered::to(&self.gateways, "/wide", from, requests)
    }

    /// Waits until all gateways count in Redis.
    fn healed(&self) {
        self.healed_for(caller(255));
    }

    /// Waits until all gateways count this caller in Redis, whichever worker it comes to.
    fn healed_for(&self, from: IpAddr) {
        for gateway in &self.gateways {
            eventually("the gateway to count in Redis again", || {
                let counted = |()| {
                    let mut client = Client::from(from, gateway.address());
                    client.ask(&Request::get("/open")).fields.has("ratelimit")
                };
                // Connections are spread over the workers by chance.
                std::iter::repeat_n((), 16).all(counted).then_some(())
            });
        }
    }

    /// Fails unless a caller that nobody knows yet gets exactly the limit from all gateways
    /// together. That holds while no call misses its deadline, so where one has, on a machine that
    /// is too busy, another caller is tried.
    fn is_exact(&self, mut callers: impl Iterator<Item = IpAddr>) {
        let from = callers.next();
        let from = from.expect("calls miss their deadlines all the time");
        self.healed_for(from);
        let offered = self.offer(from, 250);
        if offered.by_process() > 0 {
            return self.is_exact(callers);
        }
        offered.were_given_once();
        assert_eq!(offered.counted(), LIMIT, "of 250: {offered:?}");
    }

    /// Fails unless a caller that was told this and that during the fault gets exactly the limit in
    /// its next window.
    fn is_exact_in_the_next_window(&self, redis: &Redis, from: IpAddr) {
        let key = format!("tollgate:{{ip:{from}}}:brief");
        for _ in 0..30 {
            // That in Redis, and that which gateways know of, even if Redis has forgotten it.
            let begun = Instant::now();
            eventually("the window to end", || {
                let is_there: bool = redis.ask(&["EXISTS", &key]);
                (!is_there && begun.elapsed() > BRIEF).then_some(())
            });
            let begun = Instant::now();
            let offered = self.offer_briefly(from, 130);
            // Else it was two windows, or none but of a gateway's own.
            if begun.elapsed() < BRIEF && offered.by_process() == 0 {
                offered.were_given_once();
                assert_eq!(offered.counted(), LIMIT, "of 130: {offered:?}");
                return;
            }
        }
        panic!("calls miss their deadlines all the time");
    }

    /// As [`Self::is_exact`], as soon as all gateways count in Redis.
    fn is_exact_again(&self) {
        self.healed();
        self.is_exact((220..=254).map(caller));
    }

    /// Waits until each gateway has told of the trouble.
    fn all_have_met_it(&self) {
        eventually("all gateways to do without Redis", || {
            self.gateways.iter().all(has_told).then_some(())
        });
    }

    /// Fails unless each gateway has told of the trouble, and of each kind only once until Redis
    /// answered again.
    fn told_once(&self) {
        for gateway in &self.gateways {
            assert!(has_told(gateway), "{}", gateway.log_text());
        }
        self.told_nothing_twice();
    }

    /// The same, but not each gateway has met the trouble.
    fn told_nothing_twice(&self) {
        for gateway in &self.gateways {
            let log = gateway.log();
            let mut told = Vec::new();
            for line in log.iter().filter(|line| text(line).contains("redis")) {
                if line["level"] == "WARN" {
                    let kind = kind(line["cause"].as_str().expect("a cause"));
                    assert!(!told.contains(&kind), "{kind} twice: {log:#?}");
                    told.push(kind);
                } else {
                    told.clear();
                }
            }
        }
    }

    /// Fails if a gateway has told a secret.
    fn keeps(&self, secret: &str) {
        for gateway in &self.gateways {
            let log = gateway.log_text();
            assert!(!log.contains(secret), "{log}");
        }
    }
}

/// Whether a gateway has told of trouble with Redis.
fn has_told(gateway: &Gateway) -> bool {
    let of_trouble = |line: &Value| line["level"] == "WARN" && text(line).contains("redis");
    gateway.log().iter().any(of_trouble)
}

/// What a line of the log says.
fn text(line: &Value) -> &str {
    line["message"].as_str().unwrap_or_default()
}

/// What an operator would do something else about.
fn kind(cause: &str) -> &'static str {
    match cause {
        cause if cause.contains("password") => "locked out",
        cause if cause.contains("error") && !cause.contains("os error") => "refusing",
        _ => "gone",
    }
}

/// How much a caller has spent at `/tight`, as Redis has it.
fn spent(redis: &Redis, from: IpAddr) -> u64 {
    spent_of(redis, "tight", from)
}

/// The same of any limit.
fn spent_of(redis: &Redis, limit: &str, from: IpAddr) -> u64 {
    let key = format!("tollgate:{{ip:{from}}}:{limit}");
    let counter: Option<String> = redis.ask(&["GET", &key]);
    let counter = counter.unwrap_or_else(|| "0".into());
    let spent = counter.split(' ').next().and_then(|word| word.parse().ok());
    spent.unwrap_or_else(|| panic!("{key} is {counter}"))
}

/// Routes whose answers tell who counted, by the limit that they name: there are two, and one is
/// closer, but is not counted without Redis. Then only the other speaks, which is `…-local`, and at
/// `/open` none. In Redis it counts what was admitted without, and so is ahead; hence it is larger.
fn config(service: &Upstream, deadline: Duration, redis: &str) -> String {
    let (url, deadline) = (service.url(), deadline.as_millis());
    let both = |name: &str, requests: u64, per: &str| {
        let policy = |name: &str, requests: u64, on_failure: &str| {
            format!(
                "[limits.policies.{name}]\nrequests = {requests}\nper = \"{per}\"\nby = \"ip\"\n\
                 on_failure = \"{on_failure}\"\n"
            )
        };
        let local = policy(&format!("{name}-local"), requests * LOCAL, "local");
        policy(name, requests, "open") + &local
    };
    let policies = [
        both("tight", LIMIT, "1h"),
        both("brief", LIMIT, &format!("{}s", BRIEF.as_secs())),
        both("wide", WIDE, "1h"),
        both("many", 1_000_000, "1h"),
    ];
    format!(
        r#"
[routes]
"/tight" = {{ upstream = "{url}", limits = ["tight", "tight-local"] }}
"/brief" = {{ upstream = "{url}", limits = ["brief", "brief-local"] }}
"/wide" = {{ upstream = "{url}", limits = ["wide", "wide-local"] }}
"/local" = {{ upstream = "{url}", limits = ["many", "many-local"] }}
"/open" = {{ upstream = "{url}", limits = ["many"] }}
{}
[server]
workers = {WORKERS}
[limits.redis]
deadline = "{deadline}ms"
{redis}
"#,
        policies.concat()
    )
}
