//! What is counted of tries and retries.

use crate::support::{Request, Upstream};

use super::{counted, start};

#[test]
fn a_retry_that_is_answered_is_told_from_one_that_is_not() {
    let (down, good) = (Upstream::down(|_| Ok(())), Upstream::echo());
    let gateway = start(&format!(
        "server.workers = 1\n[routes]\n\"/\" = \"up\"\n\"/down\" = \"down\"\n\
         [upstreams.up]\nendpoints = [\"{down}\", \"{good}\"]\nbalance = \"round-robin\"\nbreaker = \"off\"\n\
         [upstreams.down]\nendpoints = [\"{down}\"]\nbreaker = \"off\"\nretry.attempts = 1\n",
        down = down.url(),
        good = good.url(),
    ));
    for _ in 0..4 {
        gateway.ask(&Request::get("/x")).is(200);
    }
    gateway.ask(&Request::get("/down/x")).is(502);
    let scrape = counted(&gateway, 5.0);
    let retries = |upstream: &str, outcome: &str| {
        let labels = format!("upstream=\"{upstream}\",outcome=\"{outcome}\"");
        scrape.get(&format!("tollgate_retries_total{{{labels}}}"))
    };
    let tries = |upstream: &str, outcome: &str| {
        let labels = [
            format!("upstream=\"{upstream}\""),
            format!("outcome=\"{outcome}\""),
        ];
        let labels: Vec<_> = labels.iter().map(String::as_str).collect();
        scrape.sum("tollgate_upstream_requests_total", &labels)
    };
    // One that has failed gets fewer requests than its turn.
    let refused = tries("up", "refused");
    assert!(refused >= 1.0);
    assert_eq!(tries("up", "ok"), 4.0);
    assert_eq!(
        (retries("up", "ok"), retries("up", "failed")),
        (refused, 0.0)
    );
    assert_eq!((tries("down", "ok"), tries("down", "refused")), (0.0, 2.0));
    assert_eq!(
        (retries("down", "ok"), retries("down", "failed")),
        (0.0, 1.0)
    );
    let never_made = scrape.sum("tollgate_upstream_requests_total", &["client_left"]);
    assert_eq!(never_made, 0.0);
}
