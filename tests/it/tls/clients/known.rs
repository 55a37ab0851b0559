//! Which client a certificate is of, beside a key or without one.

use std::fmt::Write as _;
use std::io::{Read, Write as _};
use std::net::TcpStream;
use std::sync::Arc;

use rcgen::{KeyPair, PublicKeyData};
use rustls::version::{TLS12, TLS13};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::Setting;
use crate::support::tls::{Authority, client_through};
use crate::support::{Gateway, KEY, Request, folder_with, hash_of, tollgate};

/// The hash of a certificate's public key, as `openssl` prints it.
fn key_hash(authority: &Authority, file: &str) -> String {
    let pem = std::fs::read_to_string(authority.path(&format!("{file}-key.pem"))).expect("a file");
    let key = KeyPair::from_pem(&pem).expect("a key");
    let mut hex = String::new();
    for byte in Sha256::digest(key.subject_public_key_info()) {
        let _ = write!(hex, "{byte:02X}");
    }
    hex
}

#[test]
fn a_client_is_known_by_its_certificate() {
    let setting = Setting::new();
    let hash = key_hash(&setting.clients, "orders");
    for known_by in [
        "san-dns:orders.TEST",
        "san-uri:spiffe://test/orders",
        &format!("spki-sha256:{hash}"),
    ] {
        let clients = format!(
            "[clients.orders]\ncertificates = [\"{known_by}\"]\n[clients.app]\nkeys = [\"{}\"]\n",
            hash_of(KEY)
        );
        let gateway = setting.gateway(&setting.asks("optional"), &clients);
        let orders = Arc::new(setting.client(&[&TLS13], "orders"));
        let stranger = Arc::new(setting.client(&[&TLS13], "stranger"));
        let nobody = Arc::new(setting.servers.client());
        let request = |id| {
            let request = Request::get("/a/own").host("a.test");
            request.field("x-request-id", id)
        };
        let through = |config| client_through(gateway.address(), config, "a.test");

        let mut client = through(&orders);
        for _ in 0..2 {
            client
                .ask(&request("known").field("Client-Cert", ":MIIB:"))
                .is(200);
            let seen = setting.upstream.only().fields;
            assert_eq!(seen.one("x-client-id"), Some("orders"));
            assert!(!seen.has("client-cert"));
        }
        let line = gateway.line_of("known");
        assert_eq!(
            (&line["client"], &line["key_id"]),
            (&"orders".into(), &Value::Null)
        );
        assert_eq!(line["client_kind"], "identified");

        let refused = client.ask(&request("both").field("x-api-key", KEY));
        refused.is_refusal(401, "invalid_api_key");
        let line = gateway.line_of("both");
        assert_eq!(
            line["detail"],
            "the key is of `app`, the certificate of `orders`"
        );
        let wrong = client.ask(&request("wrong").field("x-api-key", "no"));
        wrong.is_refusal(401, "invalid_api_key");

        for anonymous in [&stranger, &nobody] {
            let mut client = through(anonymous);
            client
                .ask(&request("none"))
                .is_refusal(401, "api_key_required");
            client.ask(&request("key").field("x-api-key", KEY)).is(200);
            let seen = setting.upstream.only().fields;
            assert_eq!(seen.one("x-client-id"), Some("app"));
        }
    }
}

#[test]
fn a_client_may_send_its_key_beside_its_certificate_and_a_certificate_has_one_client() {
    let setting = Setting::new();
    let clients = format!(
        "[clients.orders]\ncertificates = [\"san-dns:orders.test\"]\nkeys = [\"{}\"]\n[clients.other]\ncertificates = [\"san-dns:stranger.test\"]\n",
        hash_of(KEY)
    );
    let gateway = setting.gateway(&setting.asks("required"), &clients);
    let config = Arc::new(setting.client(&[&TLS12], "orders"));
    let mut client = client_through(gateway.address(), &config, "a.test");
    let request = Request::get("/a/own").host("a.test");
    client.ask(&request.clone().field("x-api-key", KEY)).is(200);
    // A client may be taken off the list while its connection is open.
    gateway.reload(&setting.config(&setting.asks("required"), ""));
    client.ask(&request).is_refusal(401, "api_key_required");

    let clients = "[clients.a]\ncertificates = [\"san-dns:orders.test\"]\n[clients.b]\ncertificates = [\"san-uri:spiffe://test/orders\"]\n";
    gateway.reload(&setting.config(&setting.asks("required"), clients));
    let answer = client.ask(&request.field("x-request-id", "two"));
    answer.is_refusal(401, "invalid_api_key");
    let detail = gateway.line_of("two")["detail"].to_string();
    assert!(detail.contains("the certificate is of `"), "{detail}");
}

#[test]
fn proxies_announce_clients_with_certificates() {
    let setting = Setting::new();
    let clients = "[clients.orders]\ncertificates = [\"san-dns:orders.test\"]\n[server]\ntrusted_proxies = [\"127.0.0.1\"]\n";
    let config = setting.config(&setting.asks("required"), clients);
    let gateway =
        Gateway::start(&config.replace("tls = true", "tls = true, proxy_protocol = true"));
    let config = Arc::new(setting.client(&[&TLS13], "orders"));
    let mut socket = TcpStream::connect(gateway.address()).unwrap();
    socket
        .write_all(b"PROXY TCP4 192.0.2.7 10.0.0.1 5 6\r\n")
        .unwrap();
    let session = rustls::ClientConnection::new(config, "a.test".try_into().unwrap()).unwrap();
    let mut client = rustls::StreamOwned::new(session, socket);
    client
        .write_all(b"GET /a/own HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let seen = setting.upstream.only().fields;
    assert_eq!(seen.one("x-forwarded-for"), Some("192.0.2.7"));
    assert_eq!(seen.one("x-client-id"), Some("orders"));
}

#[test]
fn explain_shows_a_certificate() {
    let setting = Setting::new();
    let clients = "[clients.orders]\ncertificates = [\"san-dns:orders.test\"]\n[clients.other]\ncertificates = [\"san-dns:other.test\"]\n";
    let asks = setting.asks("required") + "\nnames = [\"a.test\"]";
    let folder = folder_with(&setting.config(&asks, clients));
    let config = folder.path().join("tollgate.toml").display().to_string();
    let explain = |url: &str, certificate: &str| {
        let file = setting.clients.path(certificate).display().to_string();
        tollgate(&["-c", &config, "explain", "GET", url, "--certificate", &file])
    };
    let said = explain("https://a.test/a/own", "orders.pem");
    assert_eq!(said.code, Some(0), "{said:?}");
    for line in [
        "asks for    a client's certificate, required: spki-sha256:",
        ", san-dns:orders.test, san-uri:spiffe://test/orders\n",
        "client      orders (identified) from 127.0.0.1\n",
    ] {
        assert!(said.stdout.contains(line), "{line}\n{}", said.stdout);
    }
    // A client that the certificate is not of.
    let file = setting.clients.path("orders.pem").display().to_string();
    let shown = ["https://a.test/a/own", "--certificate", &file, "--client"];
    let as_client = |name: &str| {
        tollgate(&[&["-c", &config, "explain", "GET"][..], &shown[..], &[name]].concat())
    };
    let said = as_client("orders");
    assert_eq!(said.code, Some(0), "{said:?}");
    let said = as_client("other");
    assert_eq!(said.code, Some(2), "{said:?}");
    let wrong = "`--client` and `--certificate` do not agree: the key is of `other`, the certificate of `orders`";
    assert!(said.stderr.contains(wrong), "{}", said.stderr);
    let (url, expect) = ("https://a.test/a", ["--expect", "200"]);
    let without = tollgate(&[&["-c", &config, "explain", "GET", url][..], &expect].concat());
    assert_eq!(without.code, Some(2), "{without:?}");
    let why = "clients need a certificate at `a.test`, and a handshake without one fails";
    assert!(without.stderr.contains(why), "{without:?}");
    let others = Authority::new();
    others.issue("orders", &["orders.test"]);
    std::fs::copy(others.path("orders.pem"), setting.clients.path("x.pem")).unwrap();
    for (url, file, why) in [
        (
            "https://a.test/a",
            "x.pem",
            "a handshake with this certificate fails: ",
        ),
        (
            "https://b.test/a",
            "orders.pem",
            "no client is asked for a certificate at `b.test`",
        ),
        ("/a", "orders.pem", "needs a URL that begins with https://"),
        (
            "https://a.test/a",
            "orders-key.pem",
            "there is no certificate in it, but a private key",
        ),
        ("https://a.test/a", "none.pem", "cannot read "),
    ] {
        let said = explain(url, file);
        assert_eq!(said.code, Some(2), "{said:?}");
        assert!(said.stderr.contains(why), "{why}\n{}", said.stderr);
    }
}
