//! What the admin port says of certificates that end soon: a hint, and no reason to send requests elsewhere.

use std::time::{Duration, SystemTime};

use rcgen::CertificateParams;

use crate::support::tls::Authority;
use crate::support::{Gateway, Request, with_admin};

const LISTEN: &str = "listen = { address = \"127.0.0.1:0\", tls = true }\n";
const HOUR: Duration = Duration::from_hours(1);

/// A gateway with a certificate for `a.test` that has been good for so long, and ends so long from now.
fn gateway(since: Duration, left: Duration) -> (Gateway, Authority) {
    let authority = Authority::new();
    let mut params = CertificateParams::new(["a.test".to_owned()]).expect("a name");
    let now = SystemTime::now();
    params.not_before = (now - since).into();
    params.not_after = (now + left).into();
    let files = authority.issue_with("a", params).certificate("a");
    let gateway = Gateway::start(&with_admin(&format!("{LISTEN}{files}"), ""));
    (gateway, authority)
}

#[test]
fn a_certificate_that_ends_soon_is_in_the_sentence_and_the_gateway_is_ready() {
    let (gateway, _authority) = gateway(HOUR * 24 * 84, HOUR * (24 * 6 + 12));
    let status = gateway.admin_json("/api/v1/status");
    let sentence = status["sentence"].as_str().expect("a sentence");
    assert!(
        sentence.ends_with("; the certificate of `a.test` ends in 6 days"),
        "{sentence}"
    );
    assert_eq!(status["reasons"][0]["code"], "certificate_ends");
    assert_eq!(status["state"], "warning");
    assert_eq!(status["ready"], true);
    gateway.ask_admin(Request::get("/readyz")).is(200);
}

#[test]
fn one_with_most_of_its_life_left_is_not() {
    let (gateway, _authority) = gateway(HOUR * 24 * 60, HOUR * 24 * 30);
    let status = gateway.admin_json("/api/v1/status");
    assert_eq!(status["state"], "ok", "{status}");
}
