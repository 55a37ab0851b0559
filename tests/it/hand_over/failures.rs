//! A successor that is not to be: the old gateway goes on as if nothing had been, or ends as it was told.

use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::Command;

use rustix::process::{Signal, kill_process};

use super::{LIMITS, anonymous, left, silent_redis};
use crate::support::{Gateway, Request, Shop, Upstream, eventually, wait_gone};

/// Puts a pipe in the place of the configuration, which nobody writes to.
fn hold_up_starts(gateway: &Gateway) {
    let file = gateway.dir().join("tollgate.toml");
    std::fs::remove_file(&file).expect("remove the file");
    let made = Command::new("mkfifo").arg(&file).status();
    assert!(made.expect("mkfifo").success());
}

/// Writes to that pipe as soon as a start reads it.
fn let_start(dir: &Path, text: &str) {
    let open = || {
        let mut options = std::fs::OpenOptions::new();
        let nonblocking = options.write(true).custom_flags(0o4000);
        nonblocking.open(dir.join("tollgate.toml")).ok()
    };
    let mut pipe = eventually("a start to read the pipe", open);
    std::io::Write::write_all(&mut pipe, text.as_bytes()).expect("write to the pipe");
}

fn not_handed_over(gateway: &Gateway, times: usize) {
    eventually("the line that says so", || {
        let log = gateway.log();
        let says = |line: &&serde_json::Value| {
            let message = line["message"].as_str().unwrap_or_default();
            message.starts_with("not handed over: ") && message.ends_with("; serving on")
        };
        (log.iter().filter(says).count() >= times).then_some(())
    });
}

#[test]
fn a_successor_that_cannot_start_changes_nothing() {
    let mut shop = Shop::with(LIMITS);
    let first = shop.gateway.pid();
    assert!(left(&shop.gateway).contains("r=4"));
    shop.gateway.rewrite_raw("listen = 7");
    shop.gateway.signal(Signal::USR2);
    not_handed_over(&shop.gateway, 1);
    let log = shop.gateway.log_text();
    assert!(log.contains("the configuration has problems"), "{log}");
    assert!(
        log.contains("ended before it could serve (exit status: 1)"),
        "{log}"
    );
    // It has begun to count before it dies.
    let more = format!("{LIMITS}max_keys = 1\n[server]\nworkers = 1");
    shop.gateway
        .rewrite(&Shop::config(&shop.inventory, &shop.orders, &more));
    for (expected, times) in [("r=3", 2), ("r=2", 3)] {
        assert!(left(&shop.gateway).contains(expected));
        shop.gateway
            .rewrite_raw("listen = \"192.0.2.1:80\"\n[routes]\n\"/\" = \"http://127.0.0.1:1\"");
        shop.gateway.signal(Signal::USR2);
        not_handed_over(&shop.gateway, times);
    }
    assert_eq!(shop.gateway.pid(), first);
    // And it counts, writes its file, and hands over once that is possible.
    shop.gateway
        .rewrite(&Shop::config(&shop.inventory, &shop.orders, LIMITS));
    shop.gateway.hand_over();
    assert!(left(&shop.gateway).contains("r=1"));
}

#[test]
fn a_successor_that_is_killed_changes_nothing() {
    let (inventory, orders) = (Upstream::echo(), Upstream::echo());
    let (_redis, silent) = silent_redis();
    let gateway = Gateway::start(&Shop::config(&inventory, &orders, &silent));
    gateway.signal(Signal::USR2);
    gateway.wait_said("starting", 2);
    kill_process(gateway.wait_begun(), Signal::KILL).expect("kill the successor");
    not_handed_over(&gateway, 1);
    for _ in 0..10 {
        gateway.ask(&anonymous()).is(200);
    }
}

#[test]
fn a_gateway_that_is_told_to_stop_ends_its_successor_and_drains() {
    let mut shop = Shop::with(LIMITS);
    assert!(left(&shop.gateway).contains("r=4"));
    let config = std::fs::read_to_string(shop.gateway.dir().join("tollgate.toml"));
    hold_up_starts(&shop.gateway);
    shop.gateway.signal(Signal::USR2);
    let successor = shop.gateway.wait_begun();
    shop.gateway.signal(Signal::TERM);
    assert_eq!(shop.gateway.wait_exit().code(), Some(0));
    wait_gone(successor);
    // The file has the last copy.
    let Shop { gateway, .. } = shop;
    let dir = gateway.into_dir();
    let file = dir.path().join("tollgate.toml");
    std::fs::remove_file(&file).expect("remove the pipe");
    std::fs::write(file, config.expect("the configuration")).expect("write the file");
    let gateway = Gateway::start_in(dir);
    assert!(left(&gateway).contains("r=3"));
}

#[test]
fn a_successor_whose_predecessor_has_died_ends() {
    let mut shop = Shop::open();
    let config = std::fs::read_to_string(shop.gateway.dir().join("tollgate.toml"));
    hold_up_starts(&shop.gateway);
    shop.gateway.signal(Signal::USR2);
    let successor = shop.gateway.wait_begun();
    shop.gateway.signal(Signal::KILL);
    shop.gateway.wait_exit();
    let_start(shop.gateway.dir(), &config.expect("the configuration"));
    wait_gone(successor);
    shop.gateway.wait_log_end();
    let log = shop.gateway.log_text();
    assert!(log.contains("has ended, or has given up"), "{log}");
}

#[test]
fn nothing_is_handed_over_in_a_drain() {
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let shop = Shop::selling(crate::lifecycle::answers_when_told(wait), "");
    let mut client = shop.gateway.connect();
    client.send(Request::get("/api/inventory/slow").bytes());
    shop.inventory.wait_for("the request", |_| true);
    shop.gateway.signal(Signal::TERM);
    shop.gateway.wait_said("draining", 1);
    shop.gateway.signal(Signal::USR2);
    shop.gateway
        .wait_said("nothing is handed over: this gateway is draining", 1);
    go.send(()).expect("the upstream waits");
    client.answer().is(200);
}

#[test]
fn what_names_a_predecessor_by_mistake_is_said() {
    let done = Command::new(env!("CARGO_BIN_EXE_tollgate"))
        .args([
            "run",
            "-c",
            concat!(env!("CARGO_MANIFEST_DIR"), "/tollgate.toml"),
        ])
        .env("TOLLGATE_PREDECESSOR", "1")
        .stdin(std::process::Stdio::null())
        .output()
        .expect("run tollgate");
    assert_eq!(done.status.code(), Some(1));
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(
        said.contains("`TOLLGATE_PREDECESSOR` is set, but"),
        "{said}"
    );
}
