//! Counters that live in a real Redis: exact over several gateways, and there after a restart.

use super::{remaining, storm};
use crate::support::redis::Redis;
use crate::support::{Gateway, Request, Shop, Upstream};

fn config(inventory: &Upstream, orders: &Upstream, redis: &Redis, requests: u32) -> String {
    let more = format!(
        "[limits]\nidentified = {{ requests = {requests}, per = \"1h\" }}\nanonymous = {{ requests = 5, per = \"1h\" }}\n\
         [limits.redis]\nurl = \"{}\"\ndeadline = \"2s\"",
        redis.url()
    );
    Shop::config(inventory, orders, &more)
}

#[test]
fn two_gateways_admit_exactly_the_limit_together() {
    let (redis, inventory, orders) = (Redis::start(), Upstream::echo(), Upstream::echo());
    let config = config(&inventory, &orders, &redis, 1000);
    let (one, two) = (Gateway::start(&config), Gateway::start(&config));
    let request = Request::get("/api/orders/x").with_key();
    assert_eq!(storm(&[&one, &two], 64, 20, &request), (1000, 280));
    assert_eq!(orders.take().len(), 1000);
    for gateway in [&one, &two] {
        gateway.ask(&request).is_refusal(429, "rate_limited");
    }
}

#[test]
fn permits_that_a_gateway_has_not_spent_are_returned_when_it_drains() {
    let (redis, inventory, orders) = (Redis::start(), Upstream::echo(), Upstream::echo());
    let config = config(&inventory, &orders, &redis, 10_000);
    let request = Request::get("/api/orders/x").with_key();
    let gateway = Gateway::start(&config);
    assert_eq!(storm(&[&gateway], 4, 100, &request), (400, 0));
    gateway.finish();
    let next = Gateway::start(&config);
    assert_eq!(remaining(&next.ask(&request)), 10_000 - 401);
}

#[test]
fn counters_are_there_after_a_restart() {
    let (redis, inventory, orders) = (Redis::start(), Upstream::echo(), Upstream::echo());
    let config = config(&inventory, &orders, &redis, 10);
    let identified = Request::get("/api/orders/x").with_key();
    let anonymous = Request::get("/api/inventory/x");
    for round in 0..3 {
        let gateway = Gateway::start(&config);
        assert_eq!(remaining(&gateway.ask(&identified)), 9 - round);
        assert_eq!(remaining(&gateway.ask(&anonymous)), 4 - round);
        gateway.finish();
    }
}

#[test]
fn keys_name_their_subject_and_expire() {
    let (redis, inventory, orders) = (Redis::start(), Upstream::echo(), Upstream::echo());
    let gateway = Gateway::start(&config(&inventory, &orders, &redis, 10));
    gateway
        .ask(&Request::get("/api/orders/x").with_key())
        .is(200);
    gateway.ask(&Request::get("/api/inventory/x")).is(200);
    let keys = redis.keys();
    for subject in ["mobile-app", "127.0.0.1"] {
        assert!(
            keys.iter().any(|key| key.contains(subject)),
            "{subject}: {keys:?}"
        );
    }
    for key in keys {
        assert!(key.starts_with("tollgate"), "{key}");
        // -2: it has expired meanwhile. -1: it never does.
        let left: i64 = redis.ask(&["PTTL", &key]);
        assert!(
            left == -2 || (0..=3_600_000).contains(&left),
            "{key} expires in {left} ms"
        );
    }
}

#[test]
fn a_script_that_redis_forgot_is_sent_again() {
    let (redis, inventory, orders) = (Redis::start(), Upstream::echo(), Upstream::echo());
    let gateway = Gateway::start(&config(&inventory, &orders, &redis, 10));
    let request = Request::get("/api/orders/x").with_key();
    for left in (5..10).rev() {
        assert_eq!(remaining(&gateway.ask(&request)), left);
        let _: String = redis.ask(&["SCRIPT", "FLUSH"]);
    }
}
