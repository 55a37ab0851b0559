//! One gateway: what it orders, keeps, and does when something is broken.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, SystemTime};

use rcgen::{CertificateParams, KeyPair};
use serde_json::Value;

use super::{
    LISTEN, REFUSED, config, file_of, is, is_issued, listening, open, shown, shown_to, start,
    wait_issued,
};
use crate::support::pebble::Pebble;
use crate::support::tls::Authority;
use crate::support::{Client, Gateway, Request, eventually, folder_with, tollgate, with_admin};

#[test]
fn http_01_brings_certificates_that_are_kept() {
    let pebble = Pebble::start(REFUSED);
    let names = ["a.test", "b.test"];
    let gateway = start(&pebble, &names, "http-01", "");
    for name in names {
        gateway.wait_log("what is missing", |line| {
            is(
                line,
                "there is no certificate yet for this name; it is ordered",
                name,
            )
        });
    }
    wait_issued(&gateway, &names);
    assert_eq!((pebble.orders(), pebble.accounts()), (2, 1));
    let text = fs::read_to_string(file_of(&gateway, "a.test")).expect("a file");
    assert!(
        text.contains("PRIVATE KEY") && text.matches("BEGIN CERT").count() == 2,
        "{text}"
    );
    let folder = file_of(&gateway, "a.test");
    let folder = folder.parent().expect("a folder");
    for entry in fs::read_dir(folder).expect("a folder") {
        let entry = entry.expect("an entry");
        let mode = entry.metadata().expect("its rights").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{entry:?}");
    }
    // The challenge is gone with the order.
    let path = "/.well-known/acme-challenge/x";
    let mut client = Client::to(listening(&gateway, "127.0.0.2:"));
    client.ask(&Request::get(path)).is(404);

    // What is kept is used by the next start, which orders nothing.
    let (_, dir) = gateway.finish_and_keep();
    let gateway = Gateway::start_in(dir);
    gateway.wait_log("the start", |line| line["message"] == "listening");
    assert!(!gateway.log_text().contains("there is no certificate"));
    assert_eq!(pebble.orders(), 2);
}

#[test]
fn tls_alpn_01_brings_certificates_that_are_shown() {
    let pebble = Pebble::start(REFUSED);
    let names = ["a.test", "b.test"];
    let gateway = start(&pebble, &names, "tls-alpn-01", "");
    wait_issued(&gateway, &names);
    for name in names {
        let certificate = shown(&gateway, name).expect("a certificate");
        assert!(is_issued(&certificate, name), "{name}");
        // Nobody but an authority with a challenge may speak this.
        assert!(shown_to(&gateway, name, b"acme-tls/1").is_none());
    }
    let access = gateway.finish();
    assert!(access.is_empty(), "{access:?}");
}

#[test]
fn a_reload_adds_names_and_a_broken_file_is_replaced() {
    let pebble = Pebble::start(0);
    let dir = folder_with(&config(&pebble, &["a.test"], "http-01", ""));
    let gateway = Gateway::start_in(dir);
    open(&pebble, &gateway);
    wait_issued(&gateway, &["a.test"]);
    gateway.rewrite(&config(&pebble, &["b.test", "a.test"], "http-01", ""));
    gateway.signal(rustix::process::Signal::HUP);
    wait_issued(&gateway, &["b.test"]);
    assert_eq!((pebble.orders(), pebble.accounts()), (2, 1));

    let (file, account) = (file_of(&gateway, "a.test"), file_of(&gateway, "a.test"));
    let account = account.with_file_name("account.json");
    let (_, dir) = gateway.finish_and_keep();
    for broken in [&file, &account] {
        fs::write(broken, "-----BEGIN half of").expect("write the file");
    }
    let gateway = Gateway::start_in(dir);
    open(&pebble, &gateway);
    gateway.wait_log("what is broken", |line| {
        is(
            line,
            "this certificate cannot be used; another is ordered",
            "a.test",
        )
    });
    gateway.wait_log("what is broken", |line| {
        line["message"] == "the account in `state_dir` is damaged; another is made"
    });
    wait_issued(&gateway, &["a.test"]);
    assert!(
        !gateway
            .log()
            .iter()
            .any(|line| is(line, "certificate issued", "b.test"))
    );
}

#[test]
fn after_a_reload_no_order_is_begun_for_what_was_wanted_before() {
    let pebble = Pebble::start(0);
    // The authority gets no answer there, so that orders last until this is closed.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
    pebble
        .http
        .lead_to(silent.local_addr().expect("an address"));
    let names = ["a.test", "b.test", "c.test", "d.test", "e.test", "f.test"];
    let gateway = Gateway::start(&config(&pebble, &names, "http-01", ""));
    let begun = |gateway: &Gateway| {
        let lines = gateway.log().into_iter();
        let begun = lines.filter(|line| line["message"] == "ordering a certificate");
        begun
            .map(|line| line["name"].to_string())
            .collect::<Vec<_>>()
    };
    eventually("as many orders as are made at once", || {
        (begun(&gateway).len() == 4).then_some(())
    });
    gateway.reload(&config(&pebble, &["g.test"], "http-01", ""));
    drop(silent);
    pebble.http.lead_to(listening(&gateway, "127.0.0.2:"));
    wait_issued(&gateway, &["g.test"]);
    let begun = begun(&gateway);
    assert_eq!(begun.len(), 5, "{begun:?}");
}

#[test]
fn another_authority_takes_over_without_a_gap() {
    let (first, second) = (Pebble::start(0), Pebble::start(0));
    let gateway = start(&first, &["a.test"], "tls-alpn-01", "");
    wait_issued(&gateway, &["a.test"]);
    let before = shown(&gateway, "a.test").expect("a certificate");
    open(&second, &gateway);
    gateway.rewrite(&config(&second, &["a.test"], "tls-alpn-01", ""));
    gateway.signal(rustix::process::Signal::HUP);
    eventually("the other certificate", || {
        let now = shown(&gateway, "a.test").expect("a certificate at any time");
        (now != before).then_some(())
    });
    assert_eq!((first.orders(), second.orders()), (1, 1));
}

#[test]
fn a_name_that_cannot_be_proven_keeps_no_other_from_its_certificate() {
    let pebble = Pebble::start(REFUSED);
    // Only the first is proven: to the second the authority gets no answer that it could take.
    pebble.block("b.test");
    let gateway = start(&pebble, &["b.test", "a.test"], "http-01", "");
    wait_issued(&gateway, &["a.test"]);
    let line = gateway.wait_log("a failure", |line| {
        is(line, "no certificate issued", "b.test")
    });
    let error = line["error"].as_str().expect("a reason");
    assert!(
        error.starts_with("the authority could not see that the name leads here:"),
        "{error}"
    );
    assert_eq!(line["failures"], 1);
}

#[test]
fn without_a_place_for_it_nothing_is_ordered() {
    let pebble = Pebble::start(0);
    let acme = pebble.config(&["a.test"], "http-01");
    let acme = acme.replace("state_dir = \"acme\"", "state_dir = \"tollgate.toml/acme\"");
    let gateway = Gateway::start(&format!("{LISTEN}{acme}"));
    open(&pebble, &gateway);
    let line = gateway.wait_log("trouble", |line| {
        line["message"] == "no certificates can be ordered"
    });
    let error = line["error"].as_str().expect("a reason");
    assert!(error.contains("tollgate.toml/acme"), "{error}");
    assert_eq!((pebble.orders(), pebble.accounts()), (0, 0));
}

#[test]
fn a_folder_that_is_open_to_others_is_told_of() {
    let pebble = Pebble::start(0);
    let state_dir = tempfile::tempdir().expect("a folder");
    fs::set_permissions(state_dir.path(), fs::Permissions::from_mode(0o777)).expect("its rights");
    let path = state_dir.path().to_str().expect("a path in UTF-8");
    let acme = pebble.config(&["a.test"], "http-01");
    let acme = acme.replace("state_dir = \"acme\"", &format!("state_dir = \"{path}\""));
    let dir = folder_with(&format!("{LISTEN}{acme}"));
    let said = format!("others than its user may read and write to `{path}`");
    let file = dir.path().join("tollgate.toml");
    let done = tollgate(&["check", "-c", file.to_str().expect("a path in UTF-8")]);
    assert!(done.stderr.contains(&said), "{}", done.stderr);
    let gateway = Gateway::start_in(dir);
    gateway.wait_log("the folder", |line| {
        let message = line["message"].as_str().unwrap_or_default();
        line["level"] == "WARN" && message.starts_with(&said)
    });
}

#[test]
fn an_authority_that_is_not_trusted_is_told_nothing() {
    let pebble = Pebble::start(0);
    let acme = pebble.config(&["a.test"], "http-01");
    let other = Pebble::start(0);
    let of = |pebble: &Pebble| pebble.ca().display().to_string();
    let acme = acme.replace(&of(&pebble), &of(&other));
    let gateway = Gateway::start(&format!("{LISTEN}{acme}"));
    let line = gateway.wait_log("trouble", |line| {
        line["message"] == "no certificates can be ordered"
    });
    let error = line["error"].as_str().expect("a reason");
    assert!(error.contains("tls.acme.ca"), "{error}");
    assert_eq!(pebble.accounts(), 0);
}

/// A certificate that has been good for so many hours, and will be for so many more, with its key.
fn pem(name: &str, (since, left): (u64, u64)) -> String {
    let mut params = CertificateParams::new([name.to_owned()]).expect("a name");
    let now = SystemTime::now();
    params.not_before = (now - Duration::from_hours(since)).into();
    params.not_after = (now + Duration::from_hours(left)).into();
    let key = KeyPair::generate().expect("a key");
    let signed = params.self_signed(&key).expect("a certificate");
    format!("{}{}", key.serialize_pem(), signed.pem())
}

#[test]
fn the_status_tells_of_a_certificate_whose_renewal_is_late_and_of_no_other() {
    let authority = Authority::new();
    let names = ["late.test", "due.test"];
    // Nobody answers there.
    let acme = format!(
        "[tls.acme]\ndomains = {names:?}\ncontact = \"ops@a.test\"\nchallenge = \"http-01\"\n\
         directory = \"https://127.0.0.1:1/dir\"\nca = \"{}\"\nstate_dir = \"acme\"\n",
        authority.path("ca.pem").display()
    );
    let gateway = Gateway::start(&with_admin(&format!("{LISTEN}{acme}"), ""));
    gateway.wait_log("a try to order", |line| {
        line["message"] == "no certificates can be ordered"
    });
    let [late, due] = names.map(|name| file_of(&gateway, name));
    let (_, dir) = gateway.finish_and_keep();
    // One ought to have been renewed weeks ago; of the other's five days two thirds are only just over.
    fs::write(late, pem("late.test", (80 * 24, 6 * 24 + 12))).expect("write it");
    fs::write(due, pem("due.test", (81, 39))).expect("write it");
    let gateway = Gateway::start_in(dir);
    let status = eventually("the certificate that is late", || {
        let status = gateway.admin_json("/api/v1/status");
        let reasons = status["reasons"].as_array().expect("reasons");
        let is_told = reasons.iter().any(|it| it["code"] == "certificate_ends");
        is_told.then_some(status)
    });
    let sentence = status["sentence"].as_str().expect("a sentence");
    let told = "; the certificate of `late.test` ends in 6 days";
    assert!(sentence.ends_with(told), "{sentence}");
    let (state, ready): (&Value, &Value) = (&status["state"], &status["ready"]);
    assert_eq!(
        (state, ready),
        (&"warning".into(), &true.into()),
        "{status}"
    );
    gateway.ask_admin(Request::get("/readyz")).is(200);
}
