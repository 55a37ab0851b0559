//! An authority that says when to renew is obeyed.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::{LISTEN, is, open};
use crate::support::ari::Ari;
use crate::support::pebble::Pebble;
use crate::support::redis::Redis;
use crate::support::{Gateway, eventually};

fn config(pebble: &Pebble, ari: &Ari, more: &str) -> String {
    let acme = pebble.config(&["a.test"], "tls-alpn-01");
    let acme = acme.replace(&pebble.directory(), &ari.directory());
    format!("{LISTEN}{more}\n{acme}")
}

/// Whether a renewal is not to be made today.
fn is_later(line: &Value) -> bool {
    let at = line["at"]
        .as_str()
        .and_then(|at| at.parse::<Timestamp>().ok());
    at.is_some_and(|at| at > Timestamp::now() + SignedDuration::from_hours(24))
}

#[test]
fn a_certificate_is_renewed_when_the_authority_wants_it() {
    let pebble = Pebble::start(super::REFUSED);
    let ari = Ari::before(&pebble);
    let gateway = Gateway::start(&config(&pebble, &ari, ""));
    open(&pebble, &gateway);
    // The first certificate is to be renewed at once, the second in three weeks.
    eventually("the second certificate", || {
        let log = gateway.log();
        let issued = log
            .iter()
            .filter(|line| is(line, "certificate issued", "a.test"));
        (issued.count() == 2 && ari.told().asked.len() == 2).then_some(())
    });
    let told = ari.told();
    assert_ne!(told.asked[0], told.asked[1]);
    // As often as its nonce was refused, and one time more.
    assert!(!told.replaced.is_empty());
    assert!(
        told.replaced.iter().all(|id| *id == told.asked[0]),
        "{told:?}"
    );
    assert_eq!((pebble.orders(), pebble.accounts()), (2, 1));
    let line = gateway.wait_log("what the authority wants", |line| {
        is(line, "renewal as the authority suggests", "a.test") && is_later(line)
    });
    assert_eq!(line["level"], "INFO");
}

#[test]
fn one_gateway_of_a_fleet_renews() {
    let pebble = Pebble::start(0);
    let ari = Ari::before(&pebble);
    let redis = Redis::start();
    let more = format!(
        "[limits.redis]\nurl = \"{}\"\n[tls]\nsecret = \"{}\"\n",
        redis.url(),
        "s3cret".repeat(8)
    );
    let text = config(&pebble, &ari, &more);
    let gateways: Vec<_> = (0..2).map(|_| Gateway::start(&text)).collect();
    for gateway in &gateways {
        open(&pebble, gateway);
    }
    for gateway in &gateways {
        gateway.wait_log("the renewed certificate", |line| {
            is(line, "renewal as the authority suggests", "a.test") && is_later(line)
        });
    }
    assert_eq!((pebble.orders(), pebble.accounts()), (2, 1));
}
