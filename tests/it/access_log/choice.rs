//! What `[log]` chooses: the members that a line has, and the share of lines of requests that went well.

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::{
    Client, Gateway, Request, Shop, UNGUARDED, Upstream, eventually, folder_with, hash_of,
};

/// The access log as it was written.
fn text_of(shop: Shop) -> String {
    let (_, dir) = shop.gateway.finish_and_keep();
    std::fs::read_to_string(dir.path().join("access.log")).expect("the access log")
}

const LOG: &str = "[log]\nformat = \"json\"\naccess = \"access.log\"\n";

#[test]
fn a_line_has_the_members_that_are_asked_for_in_the_logs_order() {
    let fields = "fields = [\"status\", \"path\", \"client\", \"tls\", \"tries\"]";
    let shop = Shop::with(&format!("{LOG}{fields}\n[server]\nworkers = 1"));
    shop.ask(&Request::get("/api/orders/7").with_key()).is(200);
    shop.ask(&Request::get("/nowhere")).is(404);
    assert_eq!(
        text_of(shop),
        "{\"client\":\"mobile-app\",\"path\":\"/api/orders/7\",\"status\":200}\n\
         {\"client\":null,\"path\":\"/nowhere\",\"status\":404}\n"
    );
}

#[test]
fn a_line_without_any_of_them_is_an_empty_object() {
    let shop = Shop::with(&format!("{LOG}fields = \"tls\""));
    shop.ask(&Request::get("/api/inventory/7")).is(200);
    assert_eq!(text_of(shop), "{}\n");
}

#[test]
fn each_member_can_be_asked_for_alone() {
    let all = Shop::open();
    all.ask(&Request::get("/api/inventory/7")).is(200);
    let all = all.gateway.finish();
    let members = all[0].as_object().expect("an object");
    let one = "[server]\nworkers = 1";
    let shop = Shop::with(one);
    for name in members.keys() {
        let more = format!("{LOG}fields = \"{name}\"\n{one}");
        let config = Shop::config(&shop.inventory, &shop.orders, &more);
        shop.gateway.reload(&config);
        shop.ask(&Request::get("/api/inventory/7")).is(200);
    }
    let lines = shop.gateway.finish();
    assert_eq!(lines.len(), members.len());
    for (name, line) in members.keys().zip(lines) {
        let has: Vec<_> = line.as_object().expect("an object").keys().collect();
        assert_eq!(has, [name]);
    }
}

#[test]
fn a_client_of_a_tier_says_so() {
    let service = Upstream::echo();
    let gateway = Gateway::start(&format!(
        r#"
[routes]
"/" = "{}"
[limits]
identified = {{ requests = 100, per = "1m" }}
[limits.tiers.gold]
requests = 200
per = "1m"
[clients.a]
keys = ["{}"]
tier = "gold"
[clients.b]
keys = ["{}"]
[server]
workers = 1
"#,
        service.url(),
        hash_of("key-of-a"),
        hash_of("key-of-b")
    ));
    gateway
        .ask(&Request::get("/").field("x-api-key", "key-of-a"))
        .is(200);
    gateway
        .ask(&Request::get("/").field("x-api-key", "key-of-b"))
        .is(200);
    gateway.ask(&Request::get("/")).is(200);
    let lines = gateway.finish();
    let tiers: Vec<_> = lines.iter().map(|line| &line["tier"]).collect();
    assert_eq!(tiers, [&json!("gold"), &Value::Null, &Value::Null]);
}

/// Requests that go well, of which a tenth has a line.
const MANY: u32 = 2000;

#[test]
fn a_share_of_what_went_well_has_lines_and_all_that_did_not() {
    // A service that breaks off has answered 200, too.
    let breaks_off = Upstream::answering_once("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nfour");
    let more = format!("{UNGUARDED}{LOG}sample_ok = 0.1");
    let shop = Shop::selling(breaks_off, &more);
    let mut client = shop.gateway.connect();
    for nth in 0..MANY {
        client
            .ask(&Request::get(&format!("/api/orders/{nth}")).with_key())
            .is(200);
    }
    for _ in 0..20 {
        shop.ask(&Request::get("/api/orders/1")).is(401);
        let broken = Request::get("/api/inventory/1");
        shop.gateway
            .connect()
            .send(broken.bytes())
            .ending_of(&broken);
    }
    let lines = shop.gateway.finish();
    let (well, not): (Vec<_>, Vec<_>) = lines.iter().partition(|line| line["code"].is_null());
    assert_eq!(not.len(), 40);
    assert!(not.iter().all(|line| line.get("weight").is_none()));
    assert!(
        well.iter().all(|line| line["weight"] == 10),
        "{:?}",
        well[0]
    );
    // 200 are expected; outside of these bounds it is once in 10^9 runs.
    assert!((120..=285).contains(&well.len()), "{} lines", well.len());
}

#[test]
fn a_reload_changes_both() {
    let shop = Shop::with(&format!("{LOG}sample_ok = 0.000001\n[server]\nworkers = 1"));
    let ask = |target: &str| {
        shop.ask(&Request::get(target)).is(200);
    };
    ask("/api/inventory/1");
    let config = Shop::config(
        &shop.inventory,
        &shop.orders,
        &format!("{LOG}fields = [\"path\", \"weight\"]\n[server]\nworkers = 1"),
    );
    shop.gateway.reload(&config);
    for said in [
        "`log.fields`: added path, weight",
        "`log.sample_ok`: 0.000001 -> 1",
    ] {
        shop.gateway.wait_log(said, |line| line["message"] == said);
    }
    ask("/api/inventory/2");
    assert_eq!(text_of(shop), "{\"path\":\"/api/inventory/2\"}\n");
}

#[test]
fn lines_for_a_terminal_are_sampled_too() {
    let config = "[[route]]\nprefix = \"/ok\"\nrespond = { status = 204 }\n[log]\nformat = \"pretty\"\nsample_ok = 0.5\nfields = \"time\"";
    let mut gateway = Gateway::begin_in(folder_with(config));
    let address = eventually("the gateway to listen", || {
        let log = gateway.log_text();
        let (_, address) = log.split_once(" address=")?;
        address.split_whitespace().next()?.parse().ok()
    });
    let mut client = Client::to(address);
    for _ in 0..100 {
        client.ask(&Request::get("/ok")).is(204);
    }
    client.ask(&Request::get("/nowhere")).is(404);
    drop(client);
    gateway.signal(Signal::TERM);
    gateway.wait_exit();
    let text = std::fs::read_to_string(gateway.dir().join("stdout")).expect("standard output");
    let well: Vec<_> = text
        .lines()
        .filter(|line| line.contains(" 204 GET /ok "))
        .collect();
    assert!((15..=85).contains(&well.len()), "{text}");
    assert!(
        well.iter().all(|line| line.ends_with(" weight=2")),
        "{text}"
    );
    assert!(text.ends_with(" anonymous no_route\n"), "{text}");
}
