//! Gateways that share a Redis and a secret: one of them orders for all.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::{REFUSED, config, file_of, is, is_issued, open, shown, wait_issued};
use crate::support::pebble::Pebble;
use crate::support::redis::Redis;
use crate::support::redis_cluster::Cluster;
use crate::support::{Gateway, eventually};

const NAMES: [&str; 5] = ["a.test", "b.test", "c.test", "d.test", "e.test"];

/// What docs/limits.md says that a user of Redis needs.
const RIGHTS: &str = "~tollgate:* +eval +evalsha +get +set +time +select +zadd +zcard +zrem \
     +zremrangebyscore +pexpire +pttl +del +hset +hdel +hgetall +getrange";

/// A Redis with a user that may do nothing else, and the lines of a configuration for it.
fn redis() -> (Redis, String) {
    let redis = Redis::start();
    let mut command = vec!["ACL", "SETUSER", "gate", "on", ">pass"];
    command.extend(RIGHTS.split_whitespace());
    let _: () = redis.ask(&command);
    let url = format!("redis://gate:pass@127.0.0.1:{}", redis.port());
    let more = format!(
        "[limits.redis]\nurl = \"{url}\"\n[tls]\nsecret = \"{}\"\n",
        "s3cret".repeat(8)
    );
    (redis, more)
}

fn fleet(pebble: &Pebble, more: &str, challenge: &str) -> Vec<Gateway> {
    let text = config(pebble, &NAMES, challenge, more);
    let gateways: Vec<_> = (0..3).map(|_| Gateway::start(&text)).collect();
    for gateway in &gateways {
        open(pebble, gateway);
    }
    gateways
}

/// Waits until a gateway shows the certificates of all names, which one of the fleet has ordered.
fn wait_serves(gateway: &Gateway, within: Duration) {
    let deadline = Instant::now() + within;
    for name in NAMES {
        while shown(gateway, name).is_none_or(|shown| !is_issued(&shown, name)) {
            assert!(
                Instant::now() < deadline,
                "{name} is not served within {within:?}"
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// All that Redis has of ACME.
fn content(redis: &Redis) -> Vec<u8> {
    let keys: Vec<String> = redis.ask(&["KEYS", "*{acme}*"]);
    let mut all = Vec::new();
    for key in &keys {
        let kind: String = redis.ask(&["TYPE", key]);
        let values: Vec<Vec<u8>> = match kind.as_str() {
            "hash" => redis.ask(&["HVALS", key]),
            _ => vec![redis.ask(&["GET", key])],
        };
        all.extend(values.concat());
        let lasts: i64 = redis.ask(&["PTTL", key]);
        assert!(lasts > 0, "{key} lasts for ever");
    }
    all
}

/// Fails if anything of a private key of a gateway stands in Redis as it is.
fn assert_no_keys(redis: &Redis, gateway: &Gateway) {
    let content = content(redis);
    assert!(content.len() > 5_000, "{} bytes", content.len());
    let has = |part: &str| {
        let part = part.as_bytes();
        content.windows(part.len()).any(|window| window == part)
    };
    assert!(!has("PRIVATE KEY") && !has("s3cret"));
    for name in NAMES {
        let text = std::fs::read_to_string(file_of(gateway, name)).expect("a file");
        let key = text.lines().nth(1).expect("a line of a key");
        assert!(
            text.starts_with("-----BEGIN PRIVATE KEY") && key.len() == 64,
            "{text}"
        );
        assert!(!has(key) && !has(&key[16..48]));
    }
}

#[test]
fn one_orders_for_all_even_if_it_is_killed_meanwhile() {
    let pebble = Pebble::start(REFUSED);
    let (redis, more) = redis();
    let mut gateways = fleet(&pebble, &more, "tls-alpn-01");
    let orders = |gateway: &Gateway| {
        let log = gateway.log();
        log.iter()
            .any(|line| line["message"] == "ordering a certificate")
    };
    let at = eventually("an order to be under way", || {
        (pebble.orders() > 0)
            .then(|| gateways.iter().position(orders))
            .flatten()
    });
    gateways[at].signal(Signal::KILL);
    let killed = Instant::now();
    let _ = gateways.remove(at);
    for gateway in &gateways {
        let left = Duration::from_secs(30).saturating_sub(killed.elapsed());
        wait_serves(gateway, left);
    }
    // One that comes later has them at once.
    let late = Gateway::start(&config(&pebble, &NAMES, "tls-alpn-01", &more));
    wait_serves(&late, Duration::from_secs(10));
    let (ordered, accounts) = (pebble.orders(), pebble.accounts());
    assert!((5..=6).contains(&ordered), "{ordered} orders");
    assert_eq!(accounts, 1);
    for gateway in gateways.iter().chain([&late]) {
        assert_no_keys(&redis, gateway);
    }
}

#[test]
fn challenges_are_answered_by_every_gateway() {
    let pebble = Pebble::start(0);
    let (_redis, more) = redis();
    // The authority asks three times, and each time another gateway.
    let gateways = fleet(&pebble, &more, "http-01");
    for gateway in &gateways {
        wait_serves(gateway, Duration::from_secs(30));
    }
    assert_eq!((pebble.orders(), pebble.accounts()), (5, 1));
}

#[test]
fn a_redis_that_has_lost_everything_is_given_the_certificates_again() {
    let pebble = Pebble::start(0);
    let (redis, more) = redis();
    let text = config(&pebble, &["a.test"], "tls-alpn-01", &more);
    let gateway = Gateway::start(&text);
    open(&pebble, &gateway);
    wait_issued(&gateway, &["a.test"]);
    let _: () = redis.ask(&["FLUSHALL"]);
    eventually("the certificate to be in Redis", || {
        let keys: Vec<String> = redis.ask(&["KEYS", "*:certificate:a.test"]);
        (!keys.is_empty()).then_some(())
    });
    let late = Gateway::start(&text);
    late.wait_log("the certificate", |line| {
        is(line, "certificate taken over from the fleet", "a.test")
    });
    assert_eq!(pebble.orders(), 1);
}

#[test]
fn a_cluster_serves_a_fleet_as_well() {
    let pebble = Pebble::start(0);
    let servers = Cluster::start();
    let more = format!(
        "[limits.redis]\nmode = \"cluster\"\nurl = {:?}\n[tls]\nsecret = \"{}\"\n",
        servers.urls(),
        "s3cret".repeat(8)
    );
    let text = config(&pebble, &["a.test"], "tls-alpn-01", &more);
    let gateways: Vec<_> = (0..2).map(|_| Gateway::start(&text)).collect();
    for gateway in &gateways {
        open(&pebble, gateway);
    }
    for gateway in &gateways {
        eventually("the certificate", || {
            shown(gateway, "a.test").filter(|shown| is_issued(shown, "a.test"))
        });
    }
    assert_eq!((pebble.orders(), pebble.accounts()), (1, 1));
}

#[test]
fn without_a_secret_each_orders_for_itself_and_that_is_said() {
    let pebble = Pebble::start(0);
    let redis = Redis::start();
    let more = format!("[limits.redis]\nurl = \"{}\"\n", redis.url());
    let gateway = Gateway::start(&config(&pebble, &["a.test"], "http-01", &more));
    gateway.wait_log("a warning", |line| {
        let message = line["message"].as_str().unwrap_or_default();
        message.contains("each gateway orders certificates of its own")
    });
    open(&pebble, &gateway);
    wait_issued(&gateway, &["a.test"]);
    let keys: Vec<String> = redis.ask(&["KEYS", "*{acme}*"]);
    assert!(keys.is_empty(), "{keys:?}");
}
