//! Starting: everything is bound before anything is served, and what can't be done is said.

use std::net::TcpListener;

use crate::support::{Gateway, Request, Upstream, tollgate};

fn run(text: &str) -> crate::support::Finished {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let file = dir.path().join("tollgate.toml");
    std::fs::write(&file, text).expect("write the file");
    tollgate(&["run", "-c", file.to_str().expect("a path in UTF-8")])
}

#[test]
fn a_second_instance_on_the_same_port_fails_loudly() {
    let upstream = Upstream::echo();
    let gateway = Gateway::start(&format!("[routes]\n\"/a\" = \"{}\"", upstream.url()));
    let second = run(&format!(
        "listen = \"{}\"\n[routes]\n\"/a\" = \"{}\"",
        gateway.address(),
        upstream.url()
    ));
    assert_eq!(second.code, Some(1), "{second:?}");
    assert!(
        second.stderr.contains(&gateway.address().to_string()),
        "{second:?}"
    );
    for _ in 0..10 {
        gateway.ask(&Request::get("/a")).is(200);
    }
}

#[test]
fn a_port_that_another_program_holds_fails_loudly() {
    let held = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = held.local_addr().expect("an address").to_string();
    let done = run(&format!(
        "listen = [\"127.0.0.1:0\", \"{address}\"]\n[routes]\n\"/a\" = \"http://127.0.0.1:1\""
    ));
    assert_eq!(done.code, Some(1), "{done:?}");
    assert!(done.stderr.contains(&address), "{done:?}");
    assert!(!done.stderr.contains("listening"), "half a start: {done:?}");
}

#[test]
fn nothing_starts_on_a_bad_file() {
    let done = run(
        "listen = \"127.0.0.1:0\"\n[access]\nprotcted = [\"/a\"]\n[routes]\n\"/a\" = \"nowhere\"",
    );
    assert_eq!(done.code, Some(1), "{done:?}");
    assert!(
        done.stderr.contains("protected") && done.stderr.contains("nowhere"),
        "all at once: {done:?}"
    );
    assert!(!done.stderr.contains("listening"), "{done:?}");
}

#[test]
fn several_addresses_are_listened_on() {
    let upstream = Upstream::echo();
    let gateway = Gateway::start(&format!(
        "listen = [\"127.0.0.1:0\", \"127.0.0.2:0\"]\n[routes]\n\"/a\" = \"{}\"",
        upstream.url()
    ));
    let second = gateway.wait_log("the second listener", |line| {
        line["message"] == "listening"
            && line["address"]
                .as_str()
                .is_some_and(|a| a.starts_with("127.0.0.2:"))
    });
    let second = second["address"]
        .as_str()
        .and_then(|text| text.parse().ok())
        .expect("an address");
    for address in [gateway.address(), second] {
        crate::support::Client::to(address)
            .ask(&Request::get("/a"))
            .is(200);
    }
}
