//! Failures that are a client's doing: whoever sends slowly, or sends what services cannot bear, must not
//! take an endpoint from everybody.

use super::gateway;
use crate::support::{Ending, Request, Upstream};

#[test]
fn services_that_give_up_slow_uploads_are_no_failure() {
    let service = Upstream::start(|peer| {
        loop {
            let head = peer.head()?;
            if head.method == "POST" {
                peer.some()?;
                return Ok(());
            }
            peer.reply(&head, b"")?;
        }
    });
    let gateway = gateway(&[&service], "");
    let upload = Request::post("/x", "0123456789");
    for _ in 0..4 {
        let mut client = gateway.connect();
        client.send(upload.head_bytes()).send("01234");
        match client.ending() {
            Ending::Whole(answer) => answer.is_refusal(502, "upstream_reset"),
            other => panic!("{other:?}"),
        };
    }
    gateway.ask(&Request::get("/x")).is(200);
}

#[test]
fn a_request_that_all_endpoints_fail_on_counts_for_one_of_them() {
    for garbage in [false, true] {
        let service = || {
            Upstream::start(move |peer| {
                loop {
                    let request = peer.request()?;
                    match request.target.as_str() {
                        "/bad" if garbage => peer.send("garbage\r\n\r\n")?,
                        "/bad" => return Ok(()),
                        _ => peer.reply(&request, b"")?,
                    }
                }
            })
        };
        let (one, other) = (service(), service());
        let gateway = gateway(&[&one, &other], "");
        for _ in 0..4 {
            let status = gateway.ask(&Request::get("/bad")).status;
            assert_eq!(status, 502);
        }
        for _ in 0..4 {
            gateway.ask(&Request::get("/x")).is(200);
        }
    }
}
