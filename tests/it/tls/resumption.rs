//! Sessions that are resumed, on whichever worker of whichever gateway a client ends up.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;

use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, HandshakeKind};

use crate::support::Gateway;
use crate::support::tls::{Authority, connect};

const SECRET: &str = "[tls]\nsecret = \"0123456789abcdef0123456789abcdef\"\n";

/// A gateway with several workers.
fn gateway(authority: &Authority, secret: &str) -> Gateway {
    Gateway::start(&config(authority, secret))
}

fn config(authority: &Authority, secret: &str) -> String {
    format!(
        "listen = {{ address = \"127.0.0.1:0\", tls = true }}\n{secret}{}[routes]\n\"/\" = \"http://127.0.0.1:1\"\n[server]\nworkers = 3\n",
        authority.certificate("a")
    )
}

/// Asks for the gateway's health, and says how the hands were shaken.
fn ask(to: SocketAddr, config: &Arc<ClientConfig>) -> HandshakeKind {
    let mut client = connect(to, config, "a.test").expect("a handshake");
    let request = b"GET /health HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n";
    client.write_all(request).expect("send");
    let mut answer = String::new();
    client
        .read_to_string(&mut answer)
        .expect("an answer to its end");
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    client.conn.handshake_kind().expect("a handshake")
}

#[test]
fn any_worker_of_any_gateway_with_the_secret_resumes_a_session() {
    let authority = Authority::new();
    authority.issue("a", &["a.test"]);
    let gateways = [gateway(&authority, SECRET), gateway(&authority, SECRET)];
    for version in [&TLS12, &TLS13] {
        let client = Arc::new(authority.client_of(&[version]));
        let asked = 100;
        let resumed = (0..asked).filter(|nth| {
            let gateway = &gateways[nth % 2];
            ask(gateway.address(), &client) == HandshakeKind::Resumed
        });
        let resumed = resumed.count();
        println!("{resumed} of {asked} were resumed with {version:?}");
        assert!(resumed >= 95, "{resumed} of {asked} with {version:?}");
    }
}

#[test]
fn a_session_outlives_a_reload_but_not_another_secret() {
    let authority = Authority::new();
    authority.issue("a", &["a.test"]);
    let gateway = gateway(&authority, "");
    let client = Arc::new(authority.client());
    let kinds = || ask(gateway.address(), &client);
    assert_eq!(kinds(), HandshakeKind::Full);
    // With another certificate, too.
    authority.issue("a", &["a.test"]);
    gateway.reload(&config(&authority, ""));
    assert_eq!(kinds(), HandshakeKind::Resumed);
    gateway.reload(&config(&authority, SECRET));
    assert_eq!(kinds(), HandshakeKind::Full);
    assert_eq!(kinds(), HandshakeKind::Resumed);
    let log = gateway.log_text();
    assert!(!log.contains("0123456789abcdef0123456789abcdef"), "{log}");
}
