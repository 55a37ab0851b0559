//! Who decides whether a trace is recorded.

use std::collections::HashSet;

use super::{PARENT, SERVER, TRACE, hex, parts, tells};
use crate::support::collector::Collector;
use crate::support::{Gateway, Request, Shop, Upstream};

#[test]
fn the_word_of_a_trusted_proxy_is_taken_and_no_others() {
    let collector = Collector::http();
    let trusted = "[server]\ntrusted_proxies = [\"127.0.0.1\"]\n";
    for (sample, more, came, told) in [
        (0.0, trusted, "01", "01"),
        (1.0, trusted, "00", "00"),
        (0.0, "", "01", "00"),
        (1.0, "", "00", "01"),
    ] {
        let shop = Shop::with(&format!("{}{more}", collector.sampling(sample)));
        let parent = PARENT.replace("-01", &format!("-{came}"));
        shop.ask(&Request::get("/api/inventory/x").field("traceparent", &parent));
        let seen = shop.inventory.only();
        let [trace, _, flags] = parts(seen.fields.one("traceparent").expect("one"));
        assert_eq!((trace, flags), (TRACE, told), "{sample} {more}");
        shop.gateway.finish();
        let spans = collector.spans();
        let of_request = spans.iter().filter(|span| span.kind == SERVER).count();
        let expected = usize::from(told == "01");
        collector.forget();
        assert_eq!(of_request, expected, "{sample} {more}");
    }
}

#[test]
fn the_flags_of_strangers_do_not_decide_however_many_there_are() {
    const CLIENTS: usize = 5;
    const EACH: usize = 2000;
    let collector = Collector::http();
    let service = Upstream::echo();
    let gateway = Gateway::start(&format!(
        "[routes]\n\"/\" = \"{}\"\n{}[server]\nworkers = 2\n",
        service.url(),
        collector.sampling(0.01)
    ));
    std::thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                let mut client = gateway.connect();
                for nth in 0..EACH {
                    // Every other with an id that was used before: that does not help either.
                    let own = format!("{:032x}", fastrand::u128(1..));
                    let id = if nth % 2 == 0 { TRACE } else { &own };
                    let parent = PARENT.replace(TRACE, id);
                    client
                        .ask(&Request::get("/x").field("traceparent", &parent))
                        .is(200);
                }
            });
        }
    });
    gateway.finish();
    let told: Vec<String> = service
        .take()
        .iter()
        .map(|seen| seen.fields.one("traceparent").expect("one").to_owned())
        .collect();
    assert_eq!(told.len(), CLIENTS * EACH);
    let kept = told.iter().filter(|value| parts(value)[0] == TRACE).count();
    assert_eq!(kept, CLIENTS * EACH / 2, "ids go on");
    let recorded: Vec<_> = told
        .iter()
        .filter(|value| parts(value)[2] == "01")
        .collect();
    let spans = collector.spans();
    let requests: Vec<_> = spans.iter().filter(|span| span.kind == SERVER).collect();
    assert!((60..=140).contains(&requests.len()), "{}", requests.len());
    // What the services were told is what happened.
    assert_eq!(recorded.len(), requests.len());
    let ids = |all: Vec<String>| all.into_iter().collect::<HashSet<_>>();
    let told = recorded.iter().map(|value| parts(value)[0].to_owned());
    let exported = requests.iter().map(|span| hex(&span.trace_id));
    assert_eq!(ids(told.collect()), ids(exported.collect()));
    let again = requests.iter().filter(|span| hex(&span.trace_id) == TRACE);
    assert!(
        again.count() < 100,
        "an id that is sent again is not recorded each time"
    );
}

#[test]
fn a_health_check_is_not_traced() {
    let collector = Collector::http();
    let shop = Shop::with(&collector.config());
    shop.ask(&Request::get("/health")).is(200);
    shop.ask(&Request::get("/api/inventory/x")).is(200);
    shop.gateway.finish();
    let spans = collector.spans();
    assert_eq!(spans.len(), 2, "{spans:#?}");
    assert_eq!(tells(&spans[0], "url.path"), "/api/inventory/x");
}
