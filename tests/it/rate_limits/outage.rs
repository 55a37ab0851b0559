//! Without Redis: counted here, admitted or refused, as configured; never a long wait; and back to
//! Redis when it returns.

use std::time::{Duration, Instant};

use super::{remaining, storm};
use crate::support::redis::Redis;
use crate::support::{Gateway, PATIENCE, Request, Shop, Upstream, eventually};

struct Outage {
    gateway: Gateway,
    redis: Redis,
    _services: [Upstream; 2],
}

impl Outage {
    fn with(on_failure: &str) -> Self {
        let (redis, services) = (Redis::start(), [Upstream::echo(), Upstream::echo()]);
        let more = limits(&redis.url(), on_failure);
        let gateway = Gateway::start(&Shop::config(&services[0], &services[1], &more));
        Self {
            gateway,
            redis,
            _services: services,
        }
    }

    /// Waits until all workers count in Redis again, and returns what is then left.
    fn healed(&self, request: &Request) -> u64 {
        self.gateway.wait_log("Redis to answer again", |line| {
            let said = line["message"].as_str();
            said.is_some_and(|said| said.contains("answers again"))
        });
        remaining(&self.gateway.ask(request))
    }
}

fn limits(url: &str, on_failure: &str) -> String {
    format!(
        "[limits]\nidentified = {{ requests = 20, per = \"1h\" }}\n\
         [limits.redis]\nurl = \"{url}\"\non_failure = \"{on_failure}\"\ndeadline = \"400ms\""
    )
}

fn request() -> Request {
    Request::get("/api/orders/x").with_key()
}

#[test]
fn local_goes_on_counting_in_this_process() {
    let mut outage = Outage::with("local");
    assert_eq!(storm(&[&outage.gateway], 1, 15, &request()), (15, 0));
    outage.redis.kill();
    assert_eq!(storm(&[&outage.gateway], 8, 5, &request()), (5, 35));
    outage.redis.restart();
    // Redis has lost the 15, but counts what was admitted without it, unless a call was only late.
    let left = outage.healed(&request());
    assert!(left <= 18, "{left}");
    told_once(&outage.gateway);
}

#[test]
fn the_wait_for_redis_is_not_the_services() {
    let (redis, service) = (Redis::start(), Upstream::echo());
    let gateway = Gateway::start(&format!(
        "[routes]\n\"/\" = {{ upstream = \"{}\", timeout = \"900ms\" }}\n[server]\nworkers = 1\n\
         [limits]\nanonymous = {{ requests = 20, per = \"1h\" }}\n\
         [limits.redis]\nurl = \"{}\"\non_failure = \"open\"\ndeadline = \"1s\"\nlease = \"off\"",
        service.url(),
        redis.url()
    ));
    // Its connection to the service is kept, so that nothing but Redis is waited for below.
    gateway.ask(&Request::get("/")).is(200);
    redis.pause();
    let begun = Instant::now();
    gateway.ask(&Request::get("/")).is(200);
    let took = begun.elapsed();
    redis.resume();
    assert!(took >= Duration::from_secs(1), "Redis was not waited for");
    assert_eq!(service.connections(), 1);
}

#[test]
fn open_admits_without_a_word() {
    let mut outage = Outage::with("open");
    outage.gateway.ask(&request()).is(200);
    outage.redis.kill();
    assert_eq!(storm(&[&outage.gateway], 4, 25, &request()), (100, 0));
    let response = outage.gateway.ask(&request());
    assert!(
        !response.is(200).fields.has("ratelimit"),
        "nothing is known: {:?}",
        response.fields
    );
    outage.redis.restart();
    let left = eventually("the gateway to count in Redis again", || {
        let response = outage.gateway.ask(&request());
        response
            .fields
            .has("ratelimit")
            .then(|| remaining(&response))
    });
    assert_eq!(left, 19);
}

#[test]
fn closed_refuses_with_503() {
    let mut outage = Outage::with("closed");
    outage.gateway.ask(&request()).is(200);
    outage.redis.kill();
    let mut client = outage.gateway.connect();
    for _ in 0..20 {
        let response = client.ask(&request());
        response.is_refusal(503, "limiter_unavailable");
        let wait = response.fields.one("retry-after").expect("Retry-After");
        assert!(wait.parse::<u64>().is_ok_and(|wait| wait >= 1), "{wait}");
    }
    // What is not limited goes on.
    client.ask(&Request::get("/api/inventory/x")).is(200);
    client.ask(&Request::get("/health")).is(200);
    outage.redis.restart();
    assert_eq!(outage.healed(&request()), 19);
}

#[test]
fn a_frozen_redis_delays_no_request_for_long() {
    let outage = Outage::with("local");
    outage.gateway.ask(&request()).is(200);
    outage.redis.pause();
    let mut client = outage.gateway.connect();
    let begun = Instant::now();
    for _ in 0..15 {
        client.ask(&request()).is(200);
    }
    let took = begun.elapsed();
    outage.redis.resume();
    // A few wait for the deadline, then nobody does.
    assert!(took < Duration::from_secs(5), "15 requests took {took:?}");
    eventually("the gateway to count in Redis again", || {
        let line = |line: &serde_json::Value| {
            line["message"]
                .as_str()
                .is_some_and(|m| m.contains("again"))
        };
        outage.gateway.log().iter().any(line).then_some(())
    });
}

#[test]
fn the_gateway_starts_without_redis_and_finds_it_later() {
    let mut redis = Redis::start();
    redis.kill();
    let services = [Upstream::echo(), Upstream::echo()];
    let begun = Instant::now();
    let more = limits(&redis.url(), "local");
    let gateway = Gateway::start(&Shop::config(&services[0], &services[1], &more));
    assert!(
        begun.elapsed() < PATIENCE / 4,
        "the start took {:?}",
        begun.elapsed()
    );
    gateway.ask(&request()).is(200);
    redis.restart();
    let outage = Outage {
        gateway,
        redis,
        _services: services,
    };
    assert_eq!(outage.healed(&request()), 18, "Redis counts the first, too");
}

#[test]
fn a_wrong_password_is_reported_without_being_shown() {
    let redis = Redis::start_with_password("right-password");
    let services = [Upstream::echo(), Upstream::echo()];
    let more = limits(&redis.url().replace("right", "wrong"), "local");
    let gateway = Gateway::start(&Shop::config(&services[0], &services[1], &more));
    gateway.ask(&request()).is(200);
    gateway.wait_log("the trouble with Redis", |line| {
        line["level"] != "INFO" && line.to_string().to_lowercase().contains("redis")
    });
    assert!(
        !gateway.log_text().contains("wrong-password"),
        "{}",
        gateway.log_text()
    );
}

/// One line when Redis is lost and one when it is back, not one a request.
fn told_once(gateway: &Gateway) {
    let lines = eventually("the gateway to say that Redis is back", || {
        let lines = gateway.log();
        lines
            .iter()
            .any(|line| {
                line["message"]
                    .as_str()
                    .is_some_and(|m| m.contains("again"))
            })
            .then_some(lines)
    });
    let redis = |line: &&serde_json::Value| {
        line["message"]
            .as_str()
            .is_some_and(|m| m.to_lowercase().contains("redis"))
    };
    let about: Vec<_> = lines.iter().filter(redis).collect();
    assert!((2..=4).contains(&about.len()), "{about:#?}");
}
