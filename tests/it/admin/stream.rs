//! A frame a second for those who watch: the same for all, and for so many.

use rustix::process::Signal;
use serde_json::Value;

use super::api::shop;
use crate::support::{Client, Gateway, Request, eventually, wait_gone};

/// Begins to watch.
fn watch(gateway: &Gateway) -> Client {
    let admin = gateway.admin();
    let mut client = Client::to(admin);
    client.send(
        Request::get("/api/v1/stream")
            .host(&admin.to_string())
            .bytes(),
    );
    client
}

/// The next frame of a stream.
fn frame(client: &mut Client, text: &mut String) -> Value {
    loop {
        if let Some(begin) = text.find("event: frame\ndata: ")
            && let Some(len) = text[begin..].find("\n\n")
        {
            let event = text[begin..begin + len].to_owned();
            text.drain(..begin + len);
            // A chunk of the body may end anywhere, and its size stands in a line of its own.
            let data = event.trim_start_matches("event: frame\ndata: ");
            if let Ok(frame) = serde_json::from_str(data) {
                return frame;
            }
        }
        let more = client.some().expect("the stream goes on");
        text.push_str(&String::from_utf8_lossy(&more));
    }
}

#[test]
fn a_frame_a_second_tells_all_viewers_the_same() {
    let shop = shop("");
    let gateway = &shop.gateway;
    let mut viewers = [watch(gateway), watch(gateway)];
    for viewer in &mut viewers {
        let head = viewer.head();
        head.is(200);
        assert_eq!(head.fields.one("content-type"), Some("text/event-stream"));
    }
    gateway.ask(&Request::get("/nowhere")).is(404);
    let mut texts = [String::new(), String::new()];
    let frames: Vec<_> = viewers
        .iter_mut()
        .zip(&mut texts)
        .map(|(viewer, text)| {
            loop {
                let frame = frame(viewer, text);
                if frame["rejections"]["no_route"][0] == 1 {
                    break frame;
                }
            }
        })
        .collect();
    assert_eq!(frames[0], frames[1]);
    assert_eq!(frames[0]["status"]["viewers"], 2);
    assert_eq!(frames[0]["status"]["phase"], "serving");
    assert!(frames[0]["point"].is_array());
    assert_eq!(frames[0]["upstreams"].as_array().map(Vec::len), Some(2));
}

#[test]
fn so_many_may_watch_and_the_end_of_the_process_ends_streams() {
    let shop = shop("");
    let mut viewers: Vec<_> = (0..64).map(|_| watch(&shop.gateway)).collect();
    for viewer in &mut viewers {
        viewer.head().is(200);
    }
    let one_more = shop.gateway.ask_admin(Request::get("/api/v1/stream"));
    one_more.is_refusal(503, "too_many_viewers");
    drop(viewers.pop());
    eventually("room for another", || {
        let mut another = watch(&shop.gateway);
        (another.head().status == 200).then_some(())
    });
    let pid = shop.gateway.pid();
    shop.gateway.signal(Signal::TERM);
    wait_gone(pid);
}
