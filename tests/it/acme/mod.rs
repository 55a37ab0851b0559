//! Certificates that come by themselves, from a real authority (`pebble`) that refuses half of all nonces,
//! looks at every name, and is asked by real gateways.

mod alone;
mod ari;
mod fleet;
mod readiness;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::Value;

use crate::support::Gateway;
use crate::support::pebble::Pebble;
use crate::support::tls::{connect, trusting_all};

/// The usual part of all nonces that is refused, in percent.
const REFUSED: u32 = 50;

/// Where TLS is spoken and where it is not: with port 0 they are told apart by their addresses.
const LISTEN: &str =
    "listen = [{ address = \"127.0.0.1:0\", tls = true }, { address = \"127.0.0.2:0\" }]\n";

/// Starts a gateway that asks the authority for these names, and opens the doors to it.
fn start(pebble: &Pebble, domains: &[&str], challenge: &str, more: &str) -> Gateway {
    let gateway = Gateway::start(&config(pebble, domains, challenge, more));
    open(pebble, &gateway);
    gateway
}

fn config(pebble: &Pebble, domains: &[&str], challenge: &str, more: &str) -> String {
    format!("{LISTEN}{more}\n{}", pebble.config(domains, challenge))
}

/// Lets the authority reach a gateway.
fn open(pebble: &Pebble, gateway: &Gateway) {
    pebble.tls.lead_to(listening(gateway, "127.0.0.1:"));
    pebble.http.lead_to(listening(gateway, "127.0.0.2:"));
}

/// Where it listens on this address.
fn listening(gateway: &Gateway, begins: &str) -> SocketAddr {
    let line = gateway.wait_log("the gateway to listen there", |line| {
        let address = line["address"].as_str().unwrap_or_default();
        line["message"] == "listening" && address.starts_with(begins)
    });
    let address = line["address"].as_str().expect("an address");
    address.parse().expect("an address")
}

/// Waits until the certificates of these names have been issued to this gateway.
fn wait_issued(gateway: &Gateway, domains: &[&str]) {
    for name in domains {
        gateway.wait_log(name, |line| is(line, "certificate issued", name));
    }
}

fn is(line: &Value, message: &str, name: &str) -> bool {
    line["message"] == message && line["name"] == name
}

/// The file in which a gateway keeps the certificate of a name.
fn file_of(gateway: &Gateway, name: &str) -> PathBuf {
    let folder = std::fs::read_dir(gateway.dir().join("acme")).expect("a state_dir");
    let folders: Vec<_> = folder
        .map(|entry| entry.expect("an entry").path())
        .collect();
    assert_eq!(folders.len(), 1, "{folders:?}");
    folders[0].join(format!("{name}.pem"))
}

/// The certificate that a gateway shows to a browser which asks for this name, if there is one.
fn shown(gateway: &Gateway, name: &str) -> Option<Vec<u8>> {
    shown_to(gateway, name, b"http/1.1")
}

/// The same for a client that offers this protocol and no other.
fn shown_to(gateway: &Gateway, name: &str, protocol: &[u8]) -> Option<Vec<u8>> {
    let mut config = trusting_all();
    config.alpn_protocols = vec![protocol.to_vec()];
    let address = listening(gateway, "127.0.0.1:");
    let client = connect(address, &Arc::new(config), name).ok()?;
    let certificates = client.conn.peer_certificates()?;
    Some(certificates.first()?.to_vec())
}

/// Whether a certificate is for this name, and issued by the authority and not by itself.
fn is_issued(certificate: &[u8], name: &str) -> bool {
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate).expect("a certificate");
    let names = parsed.subject_alternative_name().ok().flatten();
    let names = names.expect("names").value.general_names.clone();
    let by_pebble = parsed.issuer().to_string().contains("Pebble");
    by_pebble && format!("{names:?}").contains(&format!("{name:?}"))
}
