//! Reloading on SIGHUP: whole or not at all, and nobody who is being served notices.

use std::sync::atomic::Ordering;

use rustix::process::Signal;
use serde_json::Value;

use super::Load;
use crate::support::{Gateway, KEY, NamedFiles, Request, Shop, Upstream, eventually, hash_of};

#[test]
fn a_hundred_reloads_under_load_disturb_nobody() {
    let shop = Shop::open();
    let plain = Shop::config(&shop.inventory, &shop.orders, "");
    let other = format!(
        "{plain}\n[[route]]\nprefix = \"/marker\"\nupstream = \"{}\"",
        shop.inventory.url()
    );
    let load = Load::default();
    std::thread::scope(|scope| {
        let requests = [
            Request::get("/api/inventory/x"),
            Request::post("/api/inventory/x", vec![b'x'; 20_000]),
            Request::post("/api/orders/x", vec![b'x'; 5_000])
                .chunked(700)
                .with_key(),
            Request::get("/api/orders/x").with_key(),
        ];
        for request in requests {
            let (gateway, load) = (&shop.gateway, &load);
            scope.spawn(move || load.keep_asking(gateway, &request));
        }
        let stop_in_any_case = scopeguard(&load);
        for round in 0..100 {
            let (config, marker) = if round % 2 == 0 {
                (&other, 200)
            } else {
                (&plain, 404)
            };
            shop.gateway.reload(config);
            shop.ask(&Request::get("/marker")).is(marker);
        }
        drop(stop_in_any_case);
    });
    assert!(
        load.served.load(Ordering::Relaxed) > 400,
        "there was no load"
    );
    assert!(
        shop.inventory.connections() < 20,
        "pools did not survive: {}",
        shop.inventory.connections()
    );
}

/// Ends the load when it is dropped, so that a failure does not hang the test.
fn scopeguard(load: &Load) -> impl Drop + '_ {
    struct Stop<'l>(&'l Load);
    impl Drop for Stop<'_> {
        fn drop(&mut self) {
            self.0.stop.store(true, Ordering::Relaxed);
        }
    }
    Stop(load)
}

#[test]
fn a_bad_file_changes_nothing_and_is_logged() {
    let shop = Shop::open();
    let good = Shop::config(&shop.inventory, &shop.orders, "");
    let mut client = shop.gateway.connect();
    let bad = [
        good.replace("protected", "protcted"),
        good.replace("[access]", "[access"),
        good.replace(&hash_of(KEY), "sha256:short"),
        String::new(),
        "\u{0}".into(),
        "# nothing is left".into(),
    ];
    for (nth, bad) in bad.iter().enumerate() {
        if bad.is_empty() {
            std::fs::remove_file(shop.gateway.dir().join("tollgate.toml"))
                .expect("remove the file");
        } else {
            shop.gateway.rewrite(bad);
        }
        shop.gateway.signal(Signal::HUP);
        eventually("the error to be logged", || {
            let errors = shop
                .gateway
                .log()
                .into_iter()
                .filter(|line| line["level"] == "ERROR");
            (errors.count() > nth).then_some(())
        });
        Shop::still_serves(&mut client);
        client.ask(&Request::get("/api/orders/x")).is(401);
        client
            .ask(&Request::get("/api/orders/x").with_key())
            .is(200);
    }
    assert!(
        shop.gateway.log_text().contains("did you mean"),
        "{}",
        shop.gateway.log_text()
    );
    shop.gateway.reload(&good);
    Shop::still_serves(&mut client);
}

#[test]
fn a_refusal_says_why_at_once() {
    let gateway = Gateway::start("[routes]\n");
    gateway.rewrite("[routes]\n\"/a\" = \"nowhere\"\n\"/b\" = 7\n");
    gateway.signal(Signal::HUP);
    let line = gateway.wait_log("the refusal", |line| line["event"] == "reload_refused");
    let message = line["message"].as_str().expect("a message");
    assert!(message.starts_with("not reloaded: "), "{message}");
    for part in [
        "tollgate.toml:",
        " and 1 more; what was served is served on",
    ] {
        assert!(message.contains(part), "{message}");
    }
}

/// A disk that was full leaves an empty file, which has no problem: all keys would be wrong.
#[test]
fn a_named_file_that_is_empty_all_of_a_sudden_changes_nothing() {
    let named = NamedFiles::start();
    for (file, full, empty, what) in &named.files {
        let gateway = &named.gateway;
        let write = |text: &str| {
            std::fs::write(gateway.dir().join(file), text).expect("write a file");
        };
        write(empty);
        gateway.signal(Signal::HUP);
        let said = format!("not reloaded: there are no {what} in it");
        let line = gateway.wait_log("the refusal", |line| {
            line["message"]
                .as_str()
                .is_some_and(|text| text.starts_with(&said))
        });
        let named = line["file"].as_str();
        assert!(named.is_some_and(|path| path.ends_with(file)), "{line}");
        gateway.ask(&Request::get("/a").with_key()).is(200);
        gateway.ask(&Request::get("/b")).is(200);
        write(full);
    }
    // Who does not name the files any more means it.
    let none = named.without();
    named.gateway.reload(&none);
    named.gateway.ask(&Request::get("/b")).is(404);
}

/// The lines of the log from the given one on, as soon as they name all of these.
fn lines_naming(gateway: &Gateway, from: usize, names: &[&str]) -> Vec<String> {
    eventually(&format!("lines that name {names:?}"), || {
        let lines: Vec<_> = gateway.log()[from..].iter().map(Value::to_string).collect();
        let stands = |name: &&str| lines.iter().any(|line| line.contains(*name));
        names.iter().all(stands).then_some(lines)
    })
}

#[test]
fn the_log_says_first_what_became_public() {
    let shop = Shop::open();
    let zeros = "0".repeat(64);
    let more = format!("[clients.another]\nkeys = [\"sha256:{zeros}\"]");
    let open = Shop::config(&shop.inventory, &shop.orders, &more)
        .replace("protected = [\"/api/orders\"]", "protected = []");
    let before = shop.gateway.log().len();
    shop.gateway.reload(&open);
    shop.ask(&Request::get("/api/orders/x")).is(200);

    let lines = lines_naming(&shop.gateway, before, &["public", "another"]);
    let about = |words: [&str; 2]| {
        let fits = |line: &String| words.iter().all(|word| line.contains(word));
        lines
            .iter()
            .position(fits)
            .unwrap_or_else(|| panic!("{words:?} in {lines:#?}"))
    };
    let public = about(["public", "/api/orders"]);
    assert!(public < about(["client", "another"]), "{lines:#?}");
    // What opens a door is more than a piece of news.
    assert!(lines[public].contains("WARN"), "{}", lines[public]);
}

#[test]
fn what_needs_a_restart_is_named_and_the_rest_applies() {
    let shop = Shop::open();
    let more = "[server]\nworkers = 3\nmax_connections = 77\n\
                [limits]\nanonymous = { requests = 5, per = \"1h\" }";
    let before = shop.gateway.log().len();
    shop.gateway
        .reload(&Shop::config(&shop.inventory, &shop.orders, more));
    let names = ["workers", "max_connections"];
    let lines = lines_naming(&shop.gateway, before, &names);
    for name in names {
        let warned = |line: &String| line.contains(name) && line.contains("WARN");
        assert!(lines.iter().any(warned), "{name}: {lines:#?}");
    }
    let response = shop.ask(&Request::get("/api/inventory/x"));
    assert!(response.fields.has("ratelimit"), "{:?}", response.fields);
}

#[test]
fn a_request_in_flight_keeps_what_it_began_with() {
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    let slow = Upstream::start(move |peer| {
        let request = peer.request()?;
        let wait = wait
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        wait.recv().map_err(|_| crate::support::Gone)?;
        peer.reply(&request, b"slow")
    });
    let shop = Shop::selling(slow, "");
    let mut client = shop.gateway.connect();
    client.send(Request::get("/api/inventory/x").bytes());
    shop.inventory.wait_for("the request", |_| true);
    let gone =
        Shop::config(&shop.inventory, &shop.orders, "").replace("/api/inventory", "/api/elsewhere");
    shop.gateway.reload(&gone);
    shop.ask(&Request::get("/api/inventory/x"))
        .is_refusal(404, "no_route");
    go.send(()).expect("the upstream waits");
    assert_eq!(client.answer().is(200).text(), "slow");
}

#[test]
fn a_removed_upstream_is_left_without_another_request() {
    let shop = Shop::open();
    let mut clients: Vec<_> = (0..8).map(|_| shop.gateway.connect()).collect();
    for client in &mut clients {
        client.ask(&Request::get("/api/inventory/x")).is(200);
    }
    let elsewhere = Upstream::echo();
    shop.gateway
        .reload(&Shop::config(&elsewhere, &shop.orders, ""));
    // Every worker has to notice, and the clients' idle connections must not stand in the way.
    shop.inventory.wait_for_open(0);
    for client in &mut clients {
        Shop::still_serves(client);
    }
}

#[test]
fn an_idle_connection_follows_the_limits_of_a_reload() {
    let shop = Shop::with("[server]\nmax_head = \"1KiB\"\nheader_timeout = \"10m\"");
    let (mut large, mut slow, mut idle) = (
        shop.gateway.connect(),
        shop.gateway.connect(),
        shop.gateway.connect(),
    );
    for client in [&mut large, &mut slow, &mut idle] {
        Shop::still_serves(client);
    }
    let config = |more| Shop::config(&shop.inventory, &shop.orders, more);
    shop.gateway.reload(&config(
        "[server]\nmax_head = \"8KiB\"\nheader_timeout = \"300ms\"",
    ));
    large
        .ask(&Request::get("/api/inventory/x").field("X-Large", &"x".repeat(4000)))
        .is(200);
    slow.send("GET /api/inventory/x HTTP/1.1\r\n");
    slow.answer().is_refusal(408, "request_timeout");
    shop.gateway
        .reload(&config("[server]\nidle_timeout = \"300ms\""));
    idle.is_closed();
}

#[test]
fn counters_survive_and_a_new_limit_applies_to_them() {
    let limit =
        |requests| format!("[limits]\nanonymous = {{ requests = {requests}, per = \"1h\" }}");
    let shop = Shop::with(&limit(10));
    for _ in 0..6 {
        shop.ask(&Request::get("/api/inventory/x")).is(200);
    }
    let config = |requests| Shop::config(&shop.inventory, &shop.orders, &limit(requests));
    shop.gateway.reload(&config(8));
    for status in [200, 200, 429] {
        shop.ask(&Request::get("/api/inventory/x")).is(status);
    }
    shop.gateway.reload(&config(9));
    for status in [200, 429] {
        shop.ask(&Request::get("/api/inventory/x")).is(status);
    }
}

#[test]
fn a_key_that_was_taken_away_ends_on_open_connections_too() {
    let shop = Shop::open();
    let mut client = shop.gateway.connect();
    client
        .ask(&Request::get("/api/orders/x").with_key())
        .is(200);
    let config = Shop::config(&shop.inventory, &shop.orders, "");
    shop.gateway
        .reload(&config.replace(&hash_of(KEY), &hash_of("another-key")));
    client
        .ask(&Request::get("/api/orders/x").with_key())
        .is_refusal(401, "invalid_api_key");
    client
        .ask(&Request::get("/api/orders/x").field("x-api-key", "another-key"))
        .is(200);
}

#[test]
fn a_shadow_that_becomes_a_limit_has_counted() {
    let (inventory, orders) = (Upstream::echo(), Upstream::echo());
    let config = |mode: &str, search: &str| {
        let more = format!(
            "[[route]]\nprefix = \"/search\"\nupstream = \"{}\"\n{search}\n\
             [limits.policies.watch]\nrequests = 4\nper = \"1h\"\nmode = \"{mode}\"",
            inventory.url()
        );
        Shop::config(&inventory, &orders, &more)
    };
    let gateway = Gateway::start(&config("shadow", "limits = [\"watch\"]"));
    let search = Request::get("/search/x");
    for _ in 0..3 {
        gateway.ask(&search).is(200);
    }
    gateway.reload(&config("enforce", "limits = [\"watch\"]\ncost = 2"));
    gateway.ask(&search).is_refusal(429, "rate_limited");
    for told in [
        "`limits.policies.watch.mode`: shadow -> enforce",
        "`/search`: cost 1 -> 2",
    ] {
        gateway.wait_log(told, |line| line.to_string().contains(told));
    }
    gateway.reload(&config("enforce", "limits = []"));
    gateway.ask(&search).is(200);
}

#[test]
fn fields_with_odd_names_may_pass_from_a_reload_on() {
    let shop = Shop::open();
    let mut client = shop.gateway.connect();
    for (more, arrives) in [("", false), ("[server]\nodd_field_names = \"pass\"", true)] {
        let config = Shop::config(&shop.inventory, &shop.orders, more);
        shop.gateway.reload(&config);
        client
            .ask(&Request::get("/api/inventory/x").field("X_Tenant", "7"))
            .is(200);
        assert_eq!(shop.inventory.only().fields.has("x_tenant"), arrives);
    }
    let logged = "`server.odd_field_names`: drop -> pass";
    shop.gateway
        .wait_log(logged, |line| line.to_string().contains(logged));
}
