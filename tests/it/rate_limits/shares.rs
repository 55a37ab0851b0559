//! Several gateways, and Redis is killed: together they admit what was left, and no more.

use std::collections::HashMap;

use super::{remaining, storm};
use crate::support::redis::Redis;
use crate::support::{Gateway, Request, Shop, Upstream, eventually};

const INSTANCES: &str = "tollgate:{instances}";

/// Three gateways that know of each other. One worker each, so that answers come in order.
fn three(redis: &Redis, services: &[Upstream; 2]) -> [Gateway; 3] {
    let more = format!(
        "[limits]\nidentified = {{ requests = 30, per = \"1h\" }}\n\
         [limits.redis]\nurl = \"{}\"\ndeadline = \"2s\"\n[server]\nworkers = 1",
        redis.url()
    );
    let config = Shop::config(&services[0], &services[1], &more);
    let gateways = [(); 3].map(|()| Gateway::start(&config));
    let all = eventually("three gateways to be seen", || {
        Some(seen(redis)).filter(|seen| seen.len() == 3)
    });
    eventually("each to be told of three", || {
        let now = seen(redis);
        let again = |(id, at): (&String, &u64)| now.get(id).is_some_and(|later| later > at);
        all.iter().all(again).then_some(())
    });
    gateways
}

/// When each gateway was last seen.
fn seen(redis: &Redis) -> HashMap<String, u64> {
    redis.ask(&["ZRANGE", INSTANCES, "0", "-1", "WITHSCORES"])
}

fn request() -> Request {
    Request::get("/api/orders/x").with_key()
}

#[test]
fn gateways_without_redis_admit_together_what_was_left() {
    let (mut redis, services) = (Redis::start(), [Upstream::echo(), Upstream::echo()]);
    let gateways = three(&redis, &services);
    let [one, two, three] = &gateways;
    for round in 0..4 {
        for (nth, gateway) in gateways.iter().enumerate() {
            let left = 30 - (3 * round + nth as u64 + 1);
            assert_eq!(remaining(&gateway.ask(&request())), left);
        }
    }
    redis.kill();
    assert_eq!(storm(&[one, two, three], 6, 10, &request()), (18, 42));
    for gateway in &gateways {
        let response = gateway.ask(&request());
        response.is_refusal(429, "rate_limited");
        let policy = response.fields.one("ratelimit-policy");
        assert_eq!(policy, Some("\"identified\";q=30;w=3600"));
        gateway.wait_log("its share", |line| {
            let said = line["message"].as_str();
            line["instances"] == 3 && said.is_some_and(|m| m.contains("counting in this process"))
        });
    }

    redis.restart();
    for gateway in &gateways {
        gateway.wait_log("Redis to be back", |line| {
            let said = line["message"].as_str();
            said.is_some_and(|said| said.contains("answers again"))
        });
    }
    // It is empty, but for what they have admitted without it.
    assert_eq!(storm(&[one, two, three], 6, 10, &request()), (12, 48));
}

#[test]
fn a_gateway_that_drains_is_not_counted_on() {
    let (redis, services) = (Redis::start(), [Upstream::echo(), Upstream::echo()]);
    let [one, two, three] = three(&redis, &services);
    two.finish();
    assert_eq!(seen(&redis).len(), 2, "at once");
    for gateway in [&one, &three] {
        gateway.ask(&request()).is(200);
    }
}
