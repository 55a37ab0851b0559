//! A gateway is ready once there is a certificate for each name.

use super::{config, open};
use crate::support::pebble::Pebble;
use crate::support::{Gateway, Request, eventually, with_admin};

#[test]
fn readiness_names_what_has_no_certificate_until_all_have_one() {
    let pebble = Pebble::start(0);
    let names = ["a.test", "b.test"];
    let with = |admin: &str| with_admin(&config(&pebble, &names, "http-01", ""), admin);
    // Nobody is there who could issue any.
    let nobody = |config: &str| config.replace(&pebble.directory(), "https://127.0.0.1:1/dir");
    let gateway = Gateway::start(&nobody(&with("")));
    let ready = || gateway.ask_admin(Request::get("/readyz"));
    let missing = |name: &str| {
        let text = format!("There is no certificate for `{name}` yet.");
        serde_json::json!({ "code": "no_certificate", "text": text })
    };
    let readiness = ready().is(503).json();
    let expected = serde_json::json!({ "status": "not_ready", "reasons": names.map(missing) });
    assert_eq!(readiness, expected);
    assert_eq!(gateway.admin_json("/api/v1/status")["ready"], false);
    // It may be told not to wait for them.
    gateway.reload(&nobody(&with("ready_needs = [\"limiter\"]")));
    ready().is(200);
    gateway.reload(&with(""));
    open(&pebble, &gateway);
    eventually("certificates", || (ready().status == 200).then_some(()));
}
