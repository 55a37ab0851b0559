//! What cannot be written is said in the status, and keeps nobody from being served.

use serde_json::Value;

use crate::support::{Gateway, Request, eventually, with_admin};

/// The reason with this code, once the status has it or, without a reason, has it no more.
fn reason(gateway: &Gateway, code: &str, wanted: bool) -> Option<Value> {
    eventually("the status to tell of it, or no more", || {
        let status = gateway.admin_json("/api/v1/status");
        let mut reasons = status["reasons"].as_array()?.iter();
        let found = reasons.find(|it| it["code"] == code).cloned();
        (found.is_some() == wanted).then_some(found)
    })
}

fn is_ready(gateway: &Gateway) {
    gateway.ask_admin(Request::get("/readyz")).is(200);
}

#[test]
fn access_lines_that_are_lost_are_in_the_status() {
    let config = "[routes]\n\"/a\" = \"http://127.0.0.1:9\"\n[log]\nformat = \"json\"\naccess = \"/dev/full\"";
    let gateway = Gateway::start(&with_admin(config, ""));
    gateway.ask(&Request::get("/x")).is(404);
    let told = reason(&gateway, "access_lines_lost", true).expect("the reason");
    assert_eq!(told["severity"], "warning");
    let text = told["text"].as_str().expect("a text");
    assert!(text.contains("No space left on device"), "{text}");
    let status = gateway.admin_json("/api/v1/status");
    let sentence = status["sentence"].as_str().expect("a sentence");
    assert!(sentence.contains("; access lines are lost"), "{sentence}");
    is_ready(&gateway);
    let line = gateway.wait_log("the loss", |line| line["lost"].as_u64() > Some(0));
    assert_eq!(line["file"], "/dev/full");
    let error = line["error"].as_str().expect("an error");
    assert!(error.contains("No space left on device"), "{error}");
}

#[test]
fn counters_that_cannot_be_saved_are_in_the_status_until_they_can() {
    let config =
        "[routes]\n\"/a\" = \"http://127.0.0.1:9\"\n[limits]\nstate_file = \"kept/limits\"";
    let folder = tempfile::tempdir().expect("a folder");
    let (kept, away) = (folder.path().join("kept"), folder.path().join("away"));
    std::fs::create_dir(&kept).expect("a folder in it");
    let config = config.replace("kept/limits", &kept.join("limits").to_string_lossy());
    let gateway = Gateway::start(&with_admin(&config, ""));
    std::fs::rename(&kept, &away).expect("rename the folder");
    let told = reason(&gateway, "counters_not_saved", true).expect("the reason");
    let text = told["text"].as_str().expect("a text");
    assert!(text.contains("No such file"), "{text}");
    is_ready(&gateway);
    std::fs::rename(&away, &kept).expect("rename it back");
    reason(&gateway, "counters_not_saved", false);
}
