//! No counter goes back, whatever a reload changes.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::process::Signal;

use crate::support::{Gateway, Request, Scrape, Upstream, eventually, with_admin};

use super::{counted, start};

fn config(service: &Upstream, more: &str) -> String {
    format!("[routes]\n\"/kept\" = \"{}\"\n{more}", service.url())
}

fn with_other(service: &Upstream) -> String {
    config(service, &format!("\"/other\" = \"{}\"", service.url()))
}

fn reload(gateway: &Gateway, config: &str) {
    gateway.reload(&with_admin(config, ""));
}

#[test]
fn a_hundred_reloads_under_load_take_nothing_back() {
    let service = Upstream::echo();
    let gateway = start(&with_other(&service));
    let ended = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for target in ["/kept/x", "/other/x", "/none"] {
            let (gateway, ended) = (&gateway, &ended);
            scope.spawn(move || {
                let mut client = gateway.connect();
                while !ended.load(Ordering::Relaxed) {
                    client.ask(&Request::get(target));
                }
            });
        }
        let mut before = BTreeMap::new();
        for round in 0..100 {
            let other = round % 2 == 1;
            let config = if other {
                with_other(&service)
            } else {
                config(&service, "")
            };
            reload(&gateway, &config);
            let scrape = gateway.scrape();
            // What is gone and comes back begins anew, as Prometheus expects of a series that ended.
            for (series, value) in scrape.counters().filter(|(it, _)| !it.contains("/other")) {
                let before = before.insert(series.to_owned(), value).unwrap_or(0.0);
                assert!(value >= before, "{series}: {value} after {before}");
            }
        }
        ended.store(true, Ordering::Relaxed);
    });
    let reloads = gateway
        .scrape()
        .get("tollgate_config_reloads_total{outcome=\"ok\"}");
    assert_eq!(reloads, 101.0, "the start among them");
}

#[test]
fn what_is_removed_is_gone_by_the_second_scrape() {
    let service = Upstream::echo();
    let gateway = start(&with_other(&service));
    gateway.ask(&Request::get("/other/x")).is(200);
    let series =
        "tollgate_requests_total{route=\"/other\",client_kind=\"anonymous\",status=\"200\"}";
    assert_eq!(counted(&gateway, 1.0).get(series), 1.0);
    reload(&gateway, &config(&service, ""));
    assert_eq!(gateway.scrape().get(series), 1.0, "once more");
    let second = gateway.scrape();
    let left: Vec<_> = second.0.keys().filter(|it| it.contains("/other")).collect();
    assert!(left.is_empty(), "{left:?}");
    reload(&gateway, &with_other(&service));
    gateway.ask(&Request::get("/other/x")).is(200);
    assert_eq!(counted(&gateway, 1.0).get(series), 1.0);
}

/// What they have counted is. How they are, nobody knows any more.
#[test]
fn endpoints_that_are_removed_are_gone_by_the_second_scrape() {
    let services = [(); 3].map(|()| Upstream::echo());
    let [kept, less, gone] = services.each_ref().map(Upstream::url);
    let both =
        format!("[upstreams.up]\nendpoints = [\"{kept}\", \"{less}\"]\nbalance = \"round-robin\"");
    let config =
        |routes: &str, upstream: &str| format!("[routes]\n\"/up\" = \"up\"\n{routes}\n{upstream}");
    let gateway = start(&config(&format!("\"/gone\" = \"{gone}\""), &both));
    let mut client = gateway.connect();
    client.ask(&Request::get("/gone")).is(200);
    let removed = [&services[1], &services[2]];
    let endpoints = removed.map(|one| format!("endpoint=\"{}\"", one.address()));
    let tries = |scrape: &Scrape, endpoint: &str| {
        scrape.sum("tollgate_upstream_requests_total", &[endpoint])
    };
    let before = eventually("both to be counted", || {
        if services[1].connections() == 0 {
            client.ask(&Request::get("/up")).is(200);
        }
        let scrape = gateway.scrape();
        let are_counted = endpoints.iter().all(|one| tries(&scrape, one) > 0.0);
        are_counted.then_some(scrape)
    });
    let one = format!("[upstreams.up]\nendpoints = \"{kept}\"");
    reload(&gateway, &config("", &one));
    let [first, second] = [(); 2].map(|()| gateway.scrape());
    for endpoint in &endpoints {
        let of = |scrape: &Scrape, name: &str| {
            let series = scrape.0.iter();
            let series = series.filter(|(it, _)| it.starts_with(name) && it.contains(endpoint));
            series
                .map(|(it, value)| (it.clone(), *value))
                .collect::<Vec<_>>()
        };
        let counted = of(&before, "tollgate_upstream_requests_total");
        assert_eq!(counted.len(), 1, "{before:?}");
        assert_eq!(of(&before, "").len(), 3, "{before:?}");
        assert_eq!(of(&first, ""), counted, "once more");
        assert_eq!(of(&second, ""), [], "gone");
    }
    // It comes back, and counts on.
    reload(&gateway, &config("", &both));
    eventually("it to be counted", || {
        client.ask(&Request::get("/up")).is(200);
        (tries(&gateway.scrape(), &endpoints[0]) > 0.0).then_some(())
    });
}

#[test]
fn a_refused_reload_is_counted() {
    let service = Upstream::echo();
    let gateway = start(&config(&service, ""));
    let loaded = "tollgate_config_last_reload_success_timestamp_seconds";
    let before = gateway.scrape();
    gateway.rewrite("nonsense = 1");
    gateway.signal(Signal::HUP);
    gateway.wait_log("the refusal", |line| {
        let message = line["message"].as_str();
        message.is_some_and(|text| text.starts_with("not reloaded"))
    });
    let after = eventually("the refusal to be counted", || {
        let scrape = gateway.scrape();
        let refused = scrape.get("tollgate_config_reloads_total{outcome=\"refused\"}");
        (refused == 1.0).then_some(scrape)
    });
    assert_eq!(
        after.get("tollgate_config_reloads_total{outcome=\"ok\"}"),
        1.0
    );
    assert_eq!(after.get(loaded), before.get(loaded));
}
