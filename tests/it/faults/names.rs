//! The name of Redis leads elsewhere while its old address still answers. Counting goes on where the
//! name leads, for gateways that start from then on count there.

use std::net::Ipv4Addr;
use std::time::Duration;

use super::proxy::Proxy;
use super::{WORKERS, gateways_at, spent_of};
use crate::support::redis::Redis;
use crate::support::{Gateway, Request, Upstream, eventually_within};

/// Three lookups without the old address, ten seconds apart, and as long again on a busy machine.
const MOVED_WITHIN: Duration = Duration::from_mins(1);

#[test]
fn a_name_that_moves_is_followed_while_its_old_address_answers() {
    let (old, new, service) = (Redis::start(), Redis::start(), Upstream::echo());
    // On the port of the old one, as a name has it.
    let at = Ipv4Addr::new(127, 0, 0, 2);
    let _proxy = Proxy::at((at, old.port()), new.port());
    let config = format!(
        "[routes]\n\"/\" = \"{}\"\n[server]\nworkers = {WORKERS}\n\
         [limits]\nanonymous = {{ requests = 100000, per = \"1h\" }}\n\
         [limits.redis]\nurl = \"redis://redis.test:{}\"\nlease = \"off\"\ndeadline = \"8s\"",
        service.url(),
        old.port()
    );
    let gateway = Gateway::start_with_names(&config, "redis.test 127.0.0.1");
    let here = Ipv4Addr::LOCALHOST.into();
    let counted = |redis: &Redis| spent_of(redis, "anonymous", here);
    let mut asked = 0;
    let mut ask = || {
        gateway.ask(&Request::get("/x")).is(200);
        asked += 1;
    };
    ask();
    assert_eq!((counted(&old), counted(&new)), (1, 0));
    gateway.change_names("redis.test 127.0.0.2");
    eventually_within(MOVED_WITHIN, "all workers to leave the old one", || {
        ask();
        (gateways_at(&old) == 0).then_some(())
    });
    let before = counted(&old);
    for _ in 0..10 {
        ask();
    }
    assert_eq!(counted(&old), before);
    assert!(counted(&new) >= 10);
    // Nothing was counted elsewhere. A call that was under way is made again, and may count twice.
    let all = counted(&old) + counted(&new);
    assert!(
        (asked..=asked + WORKERS as u64).contains(&all),
        "{all} of {asked}"
    );
    // That was no outage.
    let log = gateway.log();
    let is_of_redis = |line: &&serde_json::Value| {
        let message = line["message"].as_str().unwrap_or_default();
        message.contains("redis") && message != "redis answers"
    };
    let lines: Vec<_> = log.iter().filter(is_of_redis).collect();
    let [line] = lines[..] else {
        panic!("{lines:#?}");
    };
    let said = "the name of redis leads elsewhere; connecting there";
    assert_eq!(line["message"], said);
    assert_eq!(line["name"], "redis.test");
    assert_eq!(line["from"], "127.0.0.1");
    assert_eq!(line["to"], "127.0.0.2");
    // Once for the process, however many workers ask.
    let lookups = gateway.lookups("redis.test");
    assert!((2..12).contains(&lookups), "{lookups}");
}
