//! A gateway that starts its successor: nobody who calls notices, counters go on, and a successor that
//! fails changes nothing.

mod changes;
mod failures;
mod load;
mod systemd;

use std::collections::BTreeSet;
use std::io::Write;
use std::net::{TcpListener, TcpStream};

use rustix::process::{Signal, kill_process};

use crate::support::{
    Client, Gateway, Request, Shop, Upstream, eventually, open_files, tollgate, wait_gone,
    with_admin,
};

const LIMITS: &str = "\
    [limits]\n\
    anonymous = { requests = 5, per = \"1h\" }\n\
    state_file = \"limits\"\n";

fn anonymous() -> Request {
    Request::get("/api/inventory/x")
}

/// What `RateLimit` says is left.
fn left(gateway: &Gateway) -> String {
    let response = gateway.ask(&anonymous());
    let field = response.is(200).fields.one("ratelimit");
    field.expect("RateLimit").to_owned()
}

#[test]
fn a_successor_serves_with_the_counters_and_the_file_and_the_old_one_ends() {
    let mut shop = Shop::with(LIMITS);
    assert!(left(&shop.gateway).contains("r=4"));
    let old = shop.gateway.hand_over();
    wait_gone(old);
    assert!(left(&shop.gateway).contains("r=3"));
    let line = shop
        .gateway
        .wait_log("the counters", |l| l["message"] == "taken over");
    assert_eq!(line["counters"], 1);
    // The file is the successor's alone, and it writes it.
    let config = shop.gateway.dir().join("tollgate.toml");
    let other = config.with_file_name("other.toml");
    let text = std::fs::read_to_string(&config).expect("the configuration");
    std::fs::write(&other, text).expect("write a file");
    let third = tollgate(&["run", "-c", other.to_str().expect("a path in UTF-8")]);
    assert!(
        third.stderr.contains("another gateway uses it"),
        "{third:?}"
    );
    shop.gateway.hand_over();
    assert!(left(&shop.gateway).contains("r=2"));
    shop.gateway.stop();
    let Shop { gateway, .. } = shop;
    let gateway = Gateway::start_in(gateway.into_dir());
    assert!(left(&gateway).contains("r=1"));
}

#[test]
fn counters_go_over_without_a_file_too() {
    let mut shop = Shop::with("[limits]\nanonymous = { requests = 5, per = \"1h\" }");
    for expected in ["r=4", "r=3", "r=2"] {
        assert!(left(&shop.gateway).contains(expected));
        shop.gateway.hand_over();
    }
}

#[test]
fn an_old_connection_is_held_to_the_same_limit_and_told_to_close() {
    let mut shop = Shop::with("[limits]\nanonymous = { requests = 3, per = \"1h\" }");
    let mut kept: Vec<_> = (0..3).map(|_| shop.gateway.connect()).collect();
    let [first, second, third] = &mut kept[..] else {
        unreachable!()
    };
    first.ask(&anonymous()).is(200);
    // Without its end: the old gateway waits for it, and decides when it is there.
    let bytes = anonymous().bytes();
    let (head, end) = bytes.split_at(bytes.len() - 4);
    for client in [&mut *second, &mut *third] {
        client.send(head);
    }
    shop.gateway.hand_over();
    assert!(left(&shop.gateway).contains("r=1"));
    let response = second.send(end).answer();
    assert!(response.is(200).announces_close(), "{:?}", response.fields);
    assert!(
        response
            .fields
            .one("ratelimit")
            .expect("RateLimit")
            .contains("r=0")
    );
    third.send(end).answer().is_refusal(429, "rate_limited");
    shop.gateway
        .ask(&anonymous())
        .is_refusal(429, "rate_limited");
}

#[test]
fn what_is_under_way_is_finished_by_the_old_one_also_through_a_signal_to_stop() {
    let mut shop = Shop::open();
    let mut client = shop.gateway.connect();
    let mut body = client.writer();
    client.send("POST /api/inventory/x HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhello");
    shop.inventory.wait_for_connections(1);
    let old = shop.gateway.hand_over();
    // As systemd does it, to all processes of the service.
    rustix::process::kill_process(old, Signal::TERM).expect("signal the old gateway");
    shop.gateway.wait_log("that it goes on", |line| {
        line["message"]
            .as_str()
            .is_some_and(|m| m.starts_with("draining already"))
    });
    body.write_all(b"world").expect("send the rest");
    assert_eq!(client.answer().is(200).text(), "helloworld");
    wait_gone(old);
    shop.gateway.ask(&anonymous()).is(200);
}

/// By what each has open, not by how much: a thread of the old one that serves nobody may be late.
#[test]
fn nothing_leaks_into_the_successor() {
    let mut shop = Shop::with(LIMITS);
    // Connections to a client and a service.
    let mut client = shop.gateway.connect();
    client.ask(&anonymous()).is(200);
    let before = open_files(shop.gateway.pid());
    let held = connected(&before);
    // Both, and a pair that brings signals to all runtimes.
    assert_eq!(held.len(), 4, "{before:?}");
    let old = shop.gateway.hand_over();
    drop(client);
    wait_gone(old);
    let after = eventually("the channel to be closed", || {
        let files = open_files(shop.gateway.pid());
        // The pair is all that a gateway needs.
        (connected(&files).len() == 2).then_some(files)
    });
    let shared: Vec<_> = held.intersection(&connected(&after)).cloned().collect();
    assert!(shared.is_empty(), "{shared:?} of {before:?}");
    let others = |files: &BTreeSet<String>| -> BTreeSet<String> {
        let others = files.iter().filter(|file| !file.starts_with("socket:"));
        others.cloned().collect()
    };
    assert_eq!(others(&after), others(&before));
}

/// The sockets among open files that do not listen.
fn connected(files: &BTreeSet<String>) -> BTreeSet<String> {
    let all = std::fs::read_to_string("/proc/net/tcp").expect("the sockets");
    // State 0A: it listens.
    let listens = |inode: &str| {
        let mut lines = all.lines().filter(|line| line.contains(" 0A "));
        lines.any(|line| line.split_whitespace().any(|word| word == inode))
    };
    let inode = |socket: &str| {
        socket
            .trim_matches(|c: char| !c.is_ascii_digit())
            .to_owned()
    };
    let sockets = files.iter().filter(|file| file.starts_with("socket:"));
    sockets.filter(|it| !listens(&inode(it))).cloned().collect()
}

#[test]
fn addresses_may_change() {
    let upstream = Upstream::echo();
    let config = |listen: &str| {
        format!(
            "listen = [{listen}]\n[routes]\n\"/\" = \"{}\"",
            upstream.url()
        )
    };
    let mut gateway = Gateway::start(&config("\"127.0.0.1:0\", \"127.0.0.2:0\""));
    let second = gateway.wait_log("the second address", |line| {
        line["message"] == "listening"
            && line["address"]
                .as_str()
                .is_some_and(|a| a.starts_with("127.0.0.2"))
    });
    let second = second["address"]
        .as_str()
        .and_then(|a| a.parse().ok())
        .expect("an address");
    Client::to(second).ask(&Request::get("/")).is(200);
    gateway.rewrite(&config("\"127.0.0.1:0\", \"127.0.0.3:0\""));
    gateway.hand_over();
    gateway.ask(&Request::get("/")).is(200);
    let third = gateway.wait_log("the third address", |line| {
        line["address"]
            .as_str()
            .is_some_and(|a| a.starts_with("127.0.0.3"))
    });
    let third = third["address"]
        .as_str()
        .and_then(|a| a.parse().ok())
        .expect("an address");
    Client::to(third).ask(&Request::get("/")).is(200);
    eventually("the second address to be closed", || {
        TcpStream::connect(second).is_err().then_some(())
    });
}

#[test]
fn what_is_asked_meanwhile_is_done_by_the_successor() {
    let (inventory, orders) = (Upstream::echo(), Upstream::echo());
    let (_redis, silent) = silent_redis();
    let config = Shop::config(&inventory, &orders, &silent);
    let mut gateway = Gateway::start(&config);
    gateway.signal(Signal::USR2);
    // It has read the file by then.
    gateway.wait_said("starting", 2);
    gateway.rewrite(&config.replace("/api/inventory", "/new"));
    gateway.signal(Signal::HUP);
    gateway.signal(Signal::USR2);
    gateway.wait_log("that one is under way", |line| {
        let message = line["message"].as_str().unwrap_or_default();
        message.contains("a successor is being started already")
    });
    let old = gateway.wait_handed_over();
    gateway.wait_said("reloaded", 2);
    gateway.ask(&Request::get("/new/x")).is(200);
    wait_gone(old);
}

#[test]
fn a_reload_that_is_answered_meanwhile_is_done_by_the_successor_too() {
    let (inventory, orders) = (Upstream::echo(), Upstream::echo());
    let (_redis, silent) = silent_redis();
    let config = with_admin(&Shop::config(&inventory, &orders, &silent), "");
    let mut gateway = Gateway::start(&config);
    gateway.signal(Signal::USR2);
    // It has read the file by then.
    gateway.wait_said("starting", 2);
    let successor = gateway.wait_begun();
    kill_process(successor, Signal::STOP).expect("stop the successor for a while");
    gateway.rewrite(&config.replace("/api/inventory", "/new"));
    let reload = Request::post("/api/v1/reload", "").field("content-type", "application/json");
    gateway.ask_admin(reload).is(200);
    gateway.ask(&Request::get("/new/x")).is(200);
    kill_process(successor, Signal::CONT).expect("let the successor go on");
    let old = gateway.wait_handed_over();
    gateway.wait_said("reloaded", 2);
    gateway.ask(&Request::get("/new/x")).is(200);
    wait_gone(old);
}

#[test]
fn a_changed_file_is_read_by_the_successor_alone() {
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let slow = crate::lifecycle::answers_when_told(wait);
    let config = |name: &str| {
        let url = slow.url();
        format!(
            "[server]\nwatch = true\n[[route]]\nprefix = \"/slow\"\nupstream = \"{url}\"\n\
             [[route]]\nprefix = \"/{name}\"\nrespond = {{ status = 204 }}"
        )
    };
    let mut gateway = Gateway::start(&config("first"));
    let mut client = gateway.connect();
    client.send(Request::get("/slow").bytes());
    slow.wait_for("the request", |_| true);
    let old = gateway.hand_over();
    for name in ["second", "third"] {
        gateway.rewrite(&config(name));
        let request = Request::get(&format!("/{name}"));
        eventually("a reload", || {
            (gateway.ask(&request).status == 204).then_some(())
        });
    }
    go.send(()).expect("the upstream waits");
    client.answer().is(200);
    drop(client);
    wait_gone(old);
    gateway.wait_said("reloaded", 2);
    let said = gateway.said("reloaded");
    assert_eq!(said, 2, "the old one drained, and reloaded nothing");
}

/// A Redis that takes connections and says nothing: a start waits for it for a second.
pub(crate) fn silent_redis() -> (TcpListener, String) {
    let redis = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = redis.local_addr().expect("an address");
    (
        redis,
        format!("[limits.redis]\nurl = \"redis://{address}\"\n"),
    )
}
