//! What a successor reads, held against what the old gateway has read: a file that is empty all of a
//! sudden is refused as at a reload, and what differs is said.

use rustix::process::Signal;

use crate::support::{Client, Gateway, NamedFiles, Request, Shop, Upstream, wait_gone, with_admin};

/// Waits for a line of the log that begins like this, and returns all of its message.
fn said(gateway: &Gateway, beginning: &str) -> String {
    let begins = |line: &serde_json::Value| {
        let message = line["message"].as_str()?;
        message.starts_with(beginning).then(|| message.to_owned())
    };
    let line = gateway.wait_log(beginning, |line| begins(line).is_some());
    begins(&line).expect("a message")
}

/// A disk that was full leaves an empty file, which has no problem; the default of `listen` is every
/// address of the machine.
#[test]
fn a_file_that_is_empty_all_of_a_sudden_changes_nothing() {
    let mut shop = Shop::open();
    let good = Shop::config(&shop.inventory, &shop.orders, "");
    for (text, times) in [("", 1), ("listen = \"127.0.0.1:0\"\n[routes]\n", 2)] {
        shop.gateway.rewrite_raw(text);
        shop.gateway.signal(Signal::USR2);
        let file = shop.gateway.dir().join("tollgate.toml");
        let why = format!(
            "not handed over: there are no routes in {}; serving on",
            file.display()
        );
        shop.gateway.wait_said(&why, times);
        shop.ask(&Request::get("/api/inventory/x")).is(200);
        shop.ask(&Request::get("/api/orders/x").with_key()).is(200);
        // One line says it: the successor neither begins nor complains.
        assert_eq!(shop.gateway.said("starting"), 1);
        let log = shop.gateway.log();
        let errors = log.iter().filter(|line| line["level"] == "ERROR").count();
        assert_eq!(errors, times, "{}", shop.gateway.log_text());
    }
    shop.gateway.rewrite(&good);
    shop.gateway.hand_over();
    shop.ask(&Request::get("/api/inventory/x")).is(200);
}

#[test]
fn a_named_file_that_is_empty_all_of_a_sudden_changes_nothing() {
    let mut named = NamedFiles::start();
    for (file, full, empty, what) in &named.files {
        let gateway = &named.gateway;
        let write = |text: &str| {
            std::fs::write(gateway.dir().join(file), text).expect("write a file");
        };
        write(empty);
        gateway.signal(Signal::USR2);
        let why = said(
            gateway,
            &format!("not handed over: there are no {what} in "),
        );
        assert!(why.contains(file), "{why}");
        gateway.ask(&Request::get("/a").with_key()).is(200);
        gateway.ask(&Request::get("/b")).is(200);
        write(full);
    }
    // Who does not name the files any more means it.
    let none = named.without();
    named.gateway.rewrite(&none);
    wait_gone(named.gateway.hand_over());
    named.gateway.ask(&Request::get("/b")).is(404);
}

#[test]
fn a_gateway_that_had_no_routes_may_be_followed_by_one_without() {
    let mut gateway = Gateway::start("[routes]\n");
    gateway.hand_over();
    gateway.ask(&Request::get("/a")).is(404);
}

#[test]
fn what_became_public_and_all_else_that_changes_is_said() {
    let mut shop = Shop::open();
    let config = Shop::config(&shop.inventory, &shop.orders, "");
    let open = config.replace("protected = [\"/api/orders\"]", "protected = []");
    shop.gateway.rewrite(&format!(
        "{open}[server]\nworkers = 1\nidle_timeout = \"20s\"\n"
    ));
    wait_gone(shop.gateway.hand_over());
    shop.ask(&Request::get("/api/orders/x")).is(200);
    let public = shop.gateway.wait_log("what is public", |line| {
        let message = line["message"].as_str().unwrap_or_default();
        message.starts_with("now public: `/api/orders` is no longer protected")
    });
    assert_eq!(public["level"], "WARN");
    said(&shop.gateway, "`access.protected`: removed /api/orders");
    // It holds from now on, as all does that takes a restart.
    let workers = said(&shop.gateway, "`server.workers`: ");
    assert!(workers.ends_with("-> 1"), "{workers}");
    said(&shop.gateway, "`server.idle_timeout`: 75s -> 20s");
}

#[test]
fn what_a_reload_has_said_is_not_said_again() {
    let upstream = Upstream::echo();
    let config = |path: &str| {
        let routes = format!("[routes]\n\"{path}\" = \"{}\"", upstream.url());
        with_admin(&routes, "")
    };
    let mut gateway = Gateway::start(&config("/a"));
    gateway.rewrite(&config("/b"));
    let reload = Request::post("/api/v1/reload", "").field("content-type", "application/json");
    // Answered once it is in force.
    gateway.ask_admin(reload).is(200);
    wait_gone(gateway.hand_over());
    gateway.ask(&Request::get("/b")).is(200);
    let mut later = gateway.log().into_iter();
    let taken_over = later.find(|line| line["message"] == "taken over");
    assert!(taken_over.is_some());
    let again: Vec<_> = later
        .filter(|line| line.to_string().contains("/b"))
        .collect();
    assert!(again.is_empty(), "{again:?}");
}

#[test]
fn an_address_that_listen_has_no_more_is_said() {
    let upstream = Upstream::echo();
    let config = |listen: &str| {
        let url = upstream.url();
        format!("listen = \"{listen}\"\n[routes]\n\"/\" = \"{url}\"")
    };
    let mut gateway = Gateway::start(&config("127.0.0.2:0"));
    gateway.rewrite(&config("127.0.0.3:0"));
    gateway.hand_over();
    let line = gateway.wait_log("the address that is closed", |line| {
        let message = line["message"].as_str().unwrap_or_default();
        message.starts_with("not listened on any more") && line["address"] == "127.0.0.2:0"
    });
    assert_eq!(line["level"], "WARN");
    let third = gateway.wait_log("the other address", |line| {
        let address = line["address"].as_str().unwrap_or_default();
        address.starts_with("127.0.0.3") && line["message"] == "listening"
    });
    let third = third["address"].as_str().and_then(|it| it.parse().ok());
    Client::to(third.expect("an address"))
        .ask(&Request::get("/"))
        .is(200);
}
