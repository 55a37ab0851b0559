//! Signals mean something at any time: while the gateway starts, while it reads files that nobody
//! hands it, and while it drains. The configuration comes through a pipe, so that the test decides
//! when it has been read.

use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::Command;

use rustix::process::Signal;

use crate::support::{Gateway, Request, Shop, Upstream, eventually};

/// A folder whose `tollgate.toml` is a pipe.
fn folder_with_pipe() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let made = Command::new("mkfifo")
        .arg(dir.path().join("tollgate.toml"))
        .status();
    assert!(made.expect("mkfifo").success());
    dir
}

/// Writes to the pipe as soon as the gateway reads it.
fn hand_over(dir: &Path, text: &str) {
    let open = || {
        let mut options = std::fs::OpenOptions::new();
        let nonblocking = options.write(true).custom_flags(0o4000);
        nonblocking.open(dir.join("tollgate.toml")).ok()
    };
    let mut pipe = eventually("the gateway to read the pipe", open);
    std::io::Write::write_all(&mut pipe, text.as_bytes()).expect("write to the pipe");
}

/// A gateway that waits for somebody to write its configuration to the pipe.
fn begun() -> Gateway {
    let gateway = Gateway::begin_in(folder_with_pipe());
    gateway.wait_catches(&[Signal::HUP, Signal::INT, Signal::TERM, Signal::USR1]);
    gateway
}

fn config(route: &str, upstream: &Upstream) -> String {
    let url = upstream.url();
    format!(
        "listen = \"127.0.0.1:0\"\n[routes]\n\"{route}\" = \"{url}\"\n\
         [admin]\nlisten = \"off\"\n[log]\nformat = \"json\"\naccess = \"access.log\""
    )
}

#[test]
fn signals_that_come_before_the_start_is_done_are_obeyed_after_it() {
    let upstream = Upstream::echo();
    let mut gateway = begun();
    gateway.signal(Signal::USR1);
    gateway.signal(Signal::HUP);
    hand_over(gateway.dir(), &config("/old", &upstream));
    gateway.wait_listening();
    hand_over(gateway.dir(), &config("/new", &upstream));
    eventually("the reload", || {
        (gateway.ask(&Request::get("/new")).status == 200).then_some(())
    });
}

#[test]
fn signals_that_the_parent_has_blocked_are_obeyed() {
    let upstream = Upstream::echo();
    let routes = |path: &str| format!("[routes]\n\"{path}\" = \"{}\"\n", upstream.url());
    // It becomes the gateway; the shell's own way of starting it is not reached.
    let words = "exec env --block-signal=HUP --block-signal=TERM \"$0\" \"$@\"";
    let mut gateway = Gateway::start_under(words, &routes("/old"));
    gateway.rewrite(&routes("/new"));
    gateway.signal(Signal::HUP);
    eventually("the reload", || {
        (gateway.ask(&Request::get("/new")).status == 200).then_some(())
    });
    gateway.signal(Signal::TERM);
    assert!(gateway.wait_exit().success());
}

#[test]
fn a_gateway_that_has_not_started_yet_stops() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut gateway = begun();
        gateway.signal(signal);
        assert_eq!(gateway.wait_exit().code(), Some(0));
    }
}

#[test]
fn a_start_that_waits_for_its_file_says_so() {
    let mut gateway = begun();
    let said = "tollgate: waiting for ";
    let line = eventually("a line on standard error", || {
        let text = gateway.log_text();
        text.contains(said).then_some(text)
    });
    assert!(
        line.contains("tollgate.toml: a pipe is read until"),
        "{line}"
    );
    gateway.signal(Signal::TERM);
    assert_eq!(gateway.wait_exit().code(), Some(0));
}

/// One that serves `/a`, and waits for its file to be written again.
fn reloading(upstream: &Upstream) -> Gateway {
    let mut gateway = begun();
    hand_over(gateway.dir(), &config("/a", upstream));
    gateway.wait_listening();
    gateway.signal(Signal::HUP);
    gateway
}

#[test]
fn a_reload_that_waits_for_its_file_says_so_and_takes_what_is_put_there_instead() {
    let upstream = Upstream::echo();
    let gateway = reloading(&upstream);
    eventually("a line about the reload", || {
        let text = gateway.log_text();
        text.contains("the reload waits for ").then_some(())
    });
    let new = gateway.dir().join("new");
    std::fs::write(&new, config("/new", &upstream)).expect("write a file");
    std::fs::rename(new, gateway.dir().join("tollgate.toml")).expect("put it there");
    eventually("the reload", || {
        (gateway.ask(&Request::get("/new")).status == 200).then_some(())
    });
}

#[test]
fn a_reload_that_cannot_read_its_file_holds_up_nothing() {
    let upstream = Upstream::echo();
    let mut gateway = reloading(&upstream);
    gateway.ask(&Request::get("/a/before")).is(200);
    gateway.access_log(1);
    let old = gateway.dir().join("access.log.1");
    std::fs::rename(gateway.access_path(), old).expect("rename the log");
    gateway.signal(Signal::USR1);
    eventually("the new log", || {
        gateway.access_path().exists().then_some(())
    });
    gateway.signal(Signal::TERM);
    assert_eq!(gateway.wait_exit().code(), Some(0));
}

#[test]
fn the_access_log_is_opened_anew_while_draining() {
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let shop = Shop::selling(super::drain::answers_when_told(wait), "");
    let mut client = shop.gateway.connect();
    client.send(Request::get("/api/inventory/slow").bytes());
    shop.inventory.wait_for("the request", |_| true);
    shop.gateway.signal(Signal::TERM);
    shop.gateway
        .wait_log("the drain", |line| line["message"] == "draining");
    let old = shop.gateway.dir().join("access.log.1");
    std::fs::rename(shop.gateway.access_path(), old).expect("rename the log");
    shop.gateway.signal(Signal::USR1);
    eventually("the new log", || {
        shop.gateway.access_path().exists().then_some(())
    });
    // A second configuration is not taken in any more, and the signal for it ends nothing.
    shop.gateway.signal(Signal::HUP);
    go.send(()).expect("the upstream waits");
    client.answer().is(200);
    let Shop { mut gateway, .. } = shop;
    assert_eq!(gateway.wait_exit().code(), Some(0));
    let line = &gateway.access_log(1)[0];
    assert_eq!(line["path"], "/api/inventory/slow", "{line}");
}
