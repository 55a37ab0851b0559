//! Handshakes that fail: what the client is told, what the log says, and what follows for the endpoint.

use rustls::version::{TLS12, TLS13};
use serde_json::Value;

use super::authority::Authority;
use super::front::Front;
use super::{config, trusts};
use crate::support::{Gateway, Request, Upstream, eventually};

/// Asks a service in vain; the line of the access log.
fn refused(url: &str, tls: &str) -> Value {
    let keys = format!("{tls}[upstream_defaults]\nconnect_timeout = \"1s\"\n");
    let gateway = Gateway::start(&config(url, &keys));
    let response = gateway.ask(&Request::post("/a", "hello"));
    response.is_refusal(502, "upstream_tls");
    let text = response.text();
    for secret in ["127.0.0.1", "test", "certificate"] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
    let line = gateway.access_log(1).remove(0);
    let told = |line: &Value| line["message"] == "an upstream cannot be reached";
    let detail = line["detail"].as_str().expect("a detail");
    let late = detail.strip_suffix(", with the request sent");
    if late.is_some() || detail.starts_with("no TLS with") {
        let logged = gateway.wait_log("the reason", told);
        assert_eq!(logged["error"], late.unwrap_or(detail));
    }
    line
}

#[track_caller]
fn assert_reason(line: &Value, reason: &str, said: &[&str]) {
    assert_eq!(line["tries"][0]["reason"], reason, "{line:#}");
    let detail = line["detail"].as_str().expect("a detail");
    for part in said {
        assert!(detail.contains(part), "{part} in {detail}");
    }
}

#[test]
fn certificates_that_are_not_believed() {
    let (authority, other) = (Authority::new(), Authority::new());
    let upstream = Upstream::echo();
    let day = |year| rcgen::date_time_ymd(year, 1, 1);
    let expired = authority.signs_with(&["127.0.0.1"], |it| it.not_after = day(2020));
    let early = authority.signs_with(&["127.0.0.1"], |it| it.not_before = day(2090));
    let wrong = authority.signs(&["one.test", "*.two.test", "10.0.0.1"]);
    let for_clients = authority.signs_with(&["127.0.0.1"], |it| {
        it.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth];
    });
    let foreign = other.signs(&["127.0.0.1"]);
    for (signed, reason, said) in [
        (
            expired,
            "tls_certificate_expired",
            &["has expired, at 2020-01-01T00:00:00Z"][..],
        ),
        (
            early,
            "tls_certificate_not_yet_valid",
            &["not valid before 2090-01-01T00:00:00Z"],
        ),
        (
            wrong,
            "tls_wrong_name",
            &["is for `one.test`, `*.two.test`, `10.0.0.1`, and not for `127.0.0.1`"],
        ),
        (for_clients, "tls_bad_certificate", &["is not for servers"]),
        (foreign, "tls_unknown_issuer", &["`tls.ca`"]),
    ] {
        let front = Front::of(&upstream, signed.server());
        assert_reason(&refused(&front.url(), &trusts(&authority)), reason, said);
    }
    assert!(upstream.take().is_empty(), "nothing was sent");
}

#[test]
fn services_that_do_not_speak_tls_as_the_gateway_does() {
    let authority = Authority::new();
    let ca = trusts(&authority);
    let plain = Upstream::start(|peer| peer.send("HTTP/1.1 400 Bad Request\r\n\r\n"));
    let closing = Upstream::start(|_| Ok(()));
    let mute = Upstream::start(|peer| {
        peer.wait_closed();
        Ok(())
    });
    let upstream = Upstream::echo();
    let signed = authority.signs(&["127.0.0.1"]);
    let asking = Front::of(&upstream, signed.server_with(&[&TLS12], Some(&authority)));
    let mut only_h2 = signed.server();
    only_h2.alpn_protocols = vec![b"h2".to_vec()];
    let only_h2 = Front::of(&upstream, only_h2);
    let https = |upstream: &Upstream| upstream.url().replace("http:", "https:");
    for (url, reason, said) in [
        (
            https(&plain),
            "tls_protocol",
            "does not speak TLS on this port",
        ),
        (
            https(&closing),
            "tls_ended",
            "ended the connection during the handshake",
        ),
        (https(&mute), "tls_timeout", "connect_timeout = 1s"),
        (asking.url(), "tls_refused", "client certificate"),
        (only_h2.url(), "tls_refused", "HTTP/1.1"),
    ] {
        assert_reason(&refused(&url, &ca), reason, &[said]);
    }
}

/// With TLS 1.3 a service sees the gateway's certificate, or that there is none, once the gateway may send.
#[test]
fn a_service_that_refuses_the_gateway_late_says_why() {
    let (authority, other) = (Authority::new(), Authority::new());
    let upstream = Upstream::echo();
    let asking = authority.signs(&["127.0.0.1"]);
    let asking = Front::of(&upstream, asking.server_with(&[&TLS13], Some(&authority)));
    let foreign = other.keep("gateway", &other.signs(&[]));
    for (keys, said) in [
        (trusts(&authority), "it asks for a client certificate"),
        (
            trusts(&authority) + &foreign,
            "it does not accept the client certificate",
        ),
    ] {
        let line = refused(&asking.url(), &keys);
        assert_reason(&line, "tls_refused", &[said, ", with the request sent"]);
    }
    assert!(upstream.take().is_empty());
}

#[test]
fn the_request_is_tried_elsewhere_and_the_circuit_opens() {
    let authority = Authority::new();
    let (upstream, never) = (Upstream::echo(), Upstream::echo());
    let good = Front::of(&upstream, authority.signs(&["127.0.0.1"]).server());
    let bad = Front::of(&never, authority.signs(&["other.test"]).server());
    let gateway = Gateway::start(&format!(
        "[routes]\n\"/a\" = \"up\"\n[upstreams.up]\nendpoints = [\"{}\", \"{}\"]\nbalance = \"round-robin\"\n\
         [upstreams.up.tls]\n{}",
        good.url(),
        bad.url(),
        trusts(&authority)
    ));
    // Nothing of it was sent, so that also what must not be done twice is tried again. Kept connections
    // to the good one say nothing about the other.
    let opened = || {
        gateway.ask(&Request::post("/a", "once")).is(200);
        let log = gateway.log();
        let opened = log.iter().find(|line| {
            let message = line["message"].as_str().unwrap_or_default();
            message.starts_with("a circuit has opened")
        });
        opened.cloned()
    };
    let opened = eventually("the circuit to open", opened);
    assert_eq!(opened["reason"], "tls_wrong_name");
    let retried = gateway.finish().into_iter();
    let retried = retried.filter(|line| line["tries"][0]["reason"] == "tls_wrong_name");
    assert!(retried.count() >= 3);
    assert!(never.take().is_empty());
}
