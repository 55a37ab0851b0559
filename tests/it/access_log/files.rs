//! Where the lines go, and that a log which can't be written holds up no request.

use std::os::unix::fs::PermissionsExt;

use rustix::process::Signal;

use crate::support::{Gateway, Request, Upstream, eventually};

fn gateway(upstream: &Upstream, access: &str) -> Gateway {
    Gateway::start(&format!(
        "[routes]\n\"/a\" = \"{}\"\n[log]\nformat = \"json\"\naccess = \"{access}\"",
        upstream.url()
    ))
}

#[test]
fn a_renamed_log_is_left_behind_on_sigusr1() {
    let upstream = Upstream::echo();
    let gateway = gateway(&upstream, "access.log");
    gateway.ask(&Request::get("/a/old")).is(200);
    gateway.access_log(1);
    let old = gateway.dir().join("access.log.1");
    std::fs::rename(gateway.access_path(), &old).expect("rename the log");
    // Before the signal, lines follow the file that was renamed.
    gateway.ask(&Request::get("/a/between")).is(200);
    eventually("the line in the renamed file", || {
        let text = std::fs::read_to_string(&old).expect("the renamed log");
        text.contains("/a/between").then_some(())
    });
    gateway.signal(Signal::USR1);
    gateway.wait_log("the news", |line| {
        line["level"] == "INFO" && line["file"] == gateway.access_path().to_string_lossy().as_ref()
    });
    eventually("the new file", || {
        gateway.access_path().exists().then_some(())
    });
    gateway.ask(&Request::get("/a/new")).is(200);
    let lines = gateway.finish_and_keep();
    assert_eq!(lines.0.len(), 1, "{lines:?}");
    assert_eq!(lines.0[0]["path"], "/a/new");
    let text = std::fs::read_to_string(&old).expect("the renamed log");
    assert_eq!(text.lines().count(), 2, "{text}");
}

/// A key that somebody has put into a URL or a file is of no use to who reads the logs.
#[test]
fn a_key_in_a_path_or_a_file_is_not_logged() {
    let upstream = Upstream::echo();
    let gateway = gateway(&upstream, "access.log");
    let key = format!("tg_{}", "70129031".repeat(8));
    gateway.ask(&Request::get(&format!("/a/{key}/b"))).is(200);
    assert_eq!(gateway.access_log(1)[0]["path"], "/a/tg_.../b");
    gateway.rewrite(&format!("[clients]\n{key} = \"mobile\"\n"));
    gateway.signal(Signal::HUP);
    gateway.wait_log("the refusal", |line| line["level"] == "ERROR");
    let log = gateway.log_text();
    assert!(log.contains("this is a key, not a name"), "{log}");
    assert!(!log.contains("70129031"), "{log}");
}

#[test]
fn a_full_disk_holds_up_no_request_and_is_reported() {
    let upstream = Upstream::echo();
    let gateway = gateway(&upstream, "/dev/full");
    let mut client = gateway.connect();
    for _ in 0..500 {
        client.ask(&Request::get("/a")).is(200);
    }
    let line = gateway.wait_log("the loss to be reported", |line| {
        line["lost"].as_u64().is_some_and(|lost| lost > 0)
    });
    assert_eq!(line["level"], "WARN", "{line}");
    client.ask(&Request::get("/a")).is(200);
}

#[test]
fn every_line_is_in_the_file_or_said_to_be_lost() {
    let upstream = Upstream::echo();
    let config = format!("[routes]\n\"/a\" = \"{}\"", upstream.url());
    // Beyond 64 KiB the disk is full, in the middle of a line.
    let gateway = Gateway::start_under("ulimit -f 128", &config);
    let mut client = gateway.connect();
    let asked = 500;
    for _ in 0..asked {
        client.ask(&Request::get("/a")).is(200);
    }
    let lost = |gateway: &Gateway| -> u64 {
        let lines = gateway.log();
        lines.iter().filter_map(|line| line["lost"].as_u64()).sum()
    };
    eventually("the loss to be reported", || {
        (lost(&gateway) > 0).then_some(())
    });
    gateway.signal(Signal::TERM);
    let mut gateway = gateway;
    gateway.wait_exit();
    gateway.wait_log_end();
    let text = std::fs::read_to_string(gateway.access_path()).expect("the log");
    assert_eq!(text.len(), 64 * 1024, "the disk was to be full");
    assert_eq!(text.matches('\n').count() as u64 + lost(&gateway), asked);
}

#[test]
fn a_new_log_is_not_for_everybody() {
    let upstream = Upstream::echo();
    let gateway = gateway(&upstream, "access.log");
    let mode = std::fs::metadata(gateway.access_path()).expect("the log");
    assert_eq!(mode.permissions().mode() & 0o137, 0);
}

#[test]
fn a_folder_below_one_that_does_not_exist_ends_the_start() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let file = dir.path().join("tollgate.toml");
    let text = "listen = \"127.0.0.1:0\"\n[routes]\n\"/a\" = \"http://127.0.0.1:1\"\n[log]\naccess = \"missing/too/access.log\"";
    std::fs::write(&file, text).expect("write the file");
    let run = crate::support::tollgate(&["run", "-c", file.to_str().expect("a path in UTF-8")]);
    assert_eq!(run.code, Some(1), "{run:?}");
    assert!(run.stderr.contains("missing/too/access.log"), "{run:?}");
}

#[test]
fn lines_go_to_standard_output_or_nowhere() {
    let upstream = Upstream::echo();
    for (access, expected) in [("stdout", 2), ("off", 0)] {
        let gateway = gateway(&upstream, access);
        for _ in 0..2 {
            gateway.ask(&Request::get("/a")).is(200);
        }
        let (lines, dir) = gateway.finish_and_keep();
        assert!(lines.is_empty(), "there is no file");
        let printed = std::fs::read_to_string(dir.path().join("stdout")).expect("standard output");
        let printed: Vec<serde_json::Value> = printed
            .lines()
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .collect();
        assert_eq!(printed.len(), expected, "{printed:?}");
        assert!(
            printed.iter().all(|line| line["path"] == "/a"),
            "{printed:?}"
        );
    }
}
