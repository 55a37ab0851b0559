//! Counters that outlive a restart: what was spent before it is spent after it.

use std::fs;
use std::path::Path;

use rustix::process::Signal;
use tempfile::TempDir;

use super::remaining;
use crate::support::{Gateway, Request, Shop, Upstream, eventually, tollgate};

const LIMITS: &str = "\
    [limits]
    anonymous = { requests = 3, per = \"1h\" }
    identified = { requests = 9, per = \"1h\", algorithm = \"sliding-window\" }
    state_file = \"limits\"\n";

/// A folder with the configuration of a shop whose counters are kept; both services live on.
fn kept(inventory: &Upstream, orders: &Upstream) -> TempDir {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let config = Shop::config(inventory, orders, LIMITS);
    let log = "[log]\nformat = \"json\"\naccess = \"access.log\"\n";
    let admin = "[admin]\nlisten = \"off\"\n";
    let text = format!("listen = \"127.0.0.1:0\"\n{config}{admin}{log}");
    fs::write(dir.path().join("tollgate.toml"), text).expect("write the file");
    dir
}

fn anonymous() -> Request {
    Request::get("/api/inventory/x")
}

fn identified() -> Request {
    Request::get("/api/orders/x").with_key()
}

#[test]
fn what_is_spent_stays_spent_over_a_restart() {
    let (inventory, orders) = (Upstream::echo(), Upstream::echo());
    let gateway = Gateway::start_in(kept(&inventory, &orders));
    for left in [2, 1, 0] {
        assert_eq!(remaining(gateway.ask(&anonymous()).is(200)), left);
    }
    for left in [8, 7] {
        assert_eq!(remaining(gateway.ask(&identified()).is(200)), left);
    }
    let (_, dir) = gateway.finish_and_keep();

    let gateway = Gateway::start_in(dir);
    let line = gateway.wait_log("the counters", |l| l["message"] == "counters restored");
    assert_eq!(line["counters"], 2);
    let response = gateway.ask(&anonymous());
    response.is_refusal(429, "rate_limited");
    let wait = response.fields.one("retry-after").expect("Retry-After");
    let wait: u64 = wait.parse().expect("whole seconds");
    assert!((3500..=3600).contains(&wait), "{wait}");
    assert_eq!(remaining(gateway.ask(&identified()).is(200)), 6);
    assert_eq!(inventory.take().len() + orders.take().len(), 3 + 3);
}

#[test]
fn a_kill_costs_no_more_than_came_after_the_last_copy() {
    let (inventory, orders) = (Upstream::echo(), Upstream::echo());
    let mut gateway = Gateway::start_in(kept(&inventory, &orders));
    gateway.ask(&identified()).is(200);
    gateway.ask(&identified()).is(200);
    // A whole copy that was begun after both: the next but one.
    for _ in 0..2 {
        let state = gateway.dir().join("limits");
        let before = modified(&state);
        eventually("another copy", || (modified(&state) > before).then_some(()));
    }
    gateway.signal(Signal::KILL);
    gateway.wait_exit();
    let gateway = Gateway::start_in(gateway.into_dir());
    assert_eq!(remaining(gateway.ask(&identified()).is(200)), 6);
}

fn modified(path: &Path) -> Option<std::time::SystemTime> {
    fs::metadata(path).and_then(|found| found.modified()).ok()
}

#[test]
fn a_damaged_file_is_told_of_and_counting_begins_anew() {
    let (inventory, orders) = (Upstream::echo(), Upstream::echo());
    let gateway = Gateway::start_in(kept(&inventory, &orders));
    gateway.ask(&anonymous()).is(200);
    let (_, dir) = gateway.finish_and_keep();
    let state = dir.path().join("limits");
    let mut bytes = fs::read(&state).expect("a state file");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&state, bytes).expect("write the file");

    let gateway = Gateway::start_in(dir);
    let told = |line: &serde_json::Value| line["error"] == "it is damaged";
    gateway.wait_log("the damage", told);
    assert_eq!(gateway.log().iter().filter(|line| told(line)).count(), 1);
    assert_eq!(remaining(gateway.ask(&anonymous()).is(200)), 2);
    let (_, dir) = gateway.finish_and_keep();
    // The next copy is whole again.
    let gateway = Gateway::start_in(dir);
    assert_eq!(remaining(gateway.ask(&anonymous()).is(200)), 1);
}

#[test]
fn a_file_that_cannot_be_written_is_told_of_once_and_again_when_it_can() {
    let (inventory, orders) = (Upstream::echo(), Upstream::echo());
    let gateway = Gateway::start_in(kept(&inventory, &orders));
    // Nothing can take the place of a folder that is not empty.
    let state = gateway.dir().join("limits");
    eventually("a folder in its place", || {
        let _ = fs::remove_file(&state);
        fs::create_dir(&state).ok()
    });
    fs::write(state.join("file"), "").expect("write a file");
    let failed =
        |line: &serde_json::Value| line["message"] == "counters cannot be saved; trying on";
    gateway.wait_log("the trouble", failed);
    gateway.ask(&anonymous()).is(200);
    fs::remove_dir_all(&state).expect("remove the folder");
    gateway.wait_log("the end of it", |line| {
        line["message"] == "counters are saved again"
    });
    assert_eq!(gateway.log().iter().filter(|line| failed(line)).count(), 1);
}

#[test]
fn two_gateways_do_not_share_a_file_and_a_bad_place_is_an_error() {
    let (inventory, orders) = (Upstream::echo(), Upstream::echo());
    let gateway = Gateway::start_in(kept(&inventory, &orders));
    let config = gateway.dir().join("tollgate.toml");
    let second = tollgate(&["run", "-c", config.to_str().expect("a path in UTF-8")]);
    assert_eq!(second.code, Some(1), "{second:?}");
    assert!(
        second.stderr.contains("another gateway uses it"),
        "{second:?}"
    );
    gateway.ask(&anonymous()).is(200);

    let dir = kept(&inventory, &orders);
    let config = dir.path().join("tollgate.toml");
    let text = fs::read_to_string(&config).expect("the configuration");
    let text = text.replace("\"limits\"", "\"no/such/folder/limits\"");
    fs::write(&config, text).expect("write the file");
    let nowhere = tollgate(&["run", "-c", config.to_str().expect("a path in UTF-8")]);
    assert_eq!(nowhere.code, Some(1), "{nowhere:?}");
    for part in [
        "cannot use `limits.state_file`",
        "no/such/folder/limits: there is no folder /",
    ] {
        assert!(nowhere.stderr.contains(part), "{nowhere:?}");
    }
}
