//! Handshakes in memory: what both ends agree on, and which certificate is shown.

use std::collections::BTreeMap;

use rustls::crypto::aws_lc_rs::cipher_suite;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, HandshakeKind, PeerIncompatible, RootCertStore};

use super::*;

/// A client that trusts these certificates, and keeps sessions.
fn client(
    pairs: &[&Pair],
    versions: &[&'static rustls::SupportedProtocolVersion],
) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    for pair in pairs {
        roots
            .add(CertificateDer::from_pem_slice(pair.cert.as_bytes()).unwrap())
            .unwrap();
    }
    let config = ClientConfig::builder_with_provider(Arc::clone(provider()));
    let config = config.with_protocol_versions(versions).unwrap();
    Arc::new(config.with_root_certificates(roots).with_no_client_auth())
}

/// What the two ends say once the handshake is over.
struct Shaken {
    client: ClientConnection,
    server: ServerConnection,
}

/// Shakes hands, and says how.
fn shake(client: &Arc<ClientConfig>, tls: &ServerTls, name: &'static str) -> HandshakeKind {
    let shaken = try_to_shake(client, tls, name).unwrap();
    shaken.server.handshake_kind().unwrap()
}

/// Shakes hands; an error is that of the end which notices first.
fn try_to_shake(
    client: &Arc<ClientConfig>,
    tls: &ServerTls,
    name: &'static str,
) -> Result<Shaken, rustls::Error> {
    let name = ServerName::try_from(name).unwrap();
    let mut client = ClientConnection::new(Arc::clone(client), name).unwrap();
    let mut server = ServerConnection::new(tls.handshake(None, []).config).unwrap();
    exchange(&mut client, &mut server)?;
    assert!(!client.is_handshaking() && !server.is_handshaking());
    Ok(Shaken { client, server })
}

#[test]
fn sessions_are_resumed_with_another_gateway_and_after_a_renewal() {
    let pair = pair(&["a.example"]);
    let tls = |secret: &str| {
        let certificate = BTreeMap::from([(Source::Files(0), Arc::new(good(&pair)))]);
        ServerTls::new(TlsVersion::Tls12, Secret::shared(secret), certificate)
    };
    for version in [&TLS12, &TLS13] {
        let client = client(&[&pair], &[version]);
        let (first, second, stranger) = (tls("a"), tls("a"), tls("b"));
        assert_eq!(shake(&client, &first, "a.example"), HandshakeKind::Full);
        // The client does not know this one: only a resumed session works.
        let renewed = self::pair(&["a.example"]);
        second.install(Source::Files(0), good(&renewed));
        assert_eq!(shake(&client, &second, "a.example"), HandshakeKind::Resumed);
        assert_eq!(shake(&client, &stranger, "a.example"), HandshakeKind::Full);
    }
}

#[test]
fn the_oldest_version_is_as_configured() {
    let pair = pair(&["a.example"]);
    let tls = |version| {
        let certificate = BTreeMap::from([(Source::Files(0), Arc::new(good(&pair)))]);
        ServerTls::new(version, Secret::of_process(), certificate)
    };
    let old = client(&[&pair], &[&TLS12]);
    let new = client(&[&pair], &[&TLS13]);
    for (version, client, works) in [
        (TlsVersion::Tls12, &old, true),
        (TlsVersion::Tls12, &new, true),
        (TlsVersion::Tls13, &old, false),
        (TlsVersion::Tls13, &new, true),
    ] {
        let shaken = try_to_shake(client, &tls(version), "a.example");
        assert_eq!(shaken.is_ok(), works, "{version:?}");
        if let Err(error) = shaken {
            let why = PeerIncompatible::Tls12NotOfferedOrEnabled;
            assert_eq!(error, rustls::Error::PeerIncompatible(why));
        }
    }
}

#[test]
fn a_client_that_offers_other_protocols_only_is_refused() {
    let pair = pair(&["a.example"]);
    let tls = tls(&[&pair]);
    for (offered, agreed) in [
        (&[][..], Some(None)),
        (&["h2", "http/1.1"], Some(Some("http/1.1"))),
        (&["h2"], None),
    ] {
        let mut config = ClientConfig::clone(&client(&[&pair], &[&TLS13, &TLS12]));
        config.alpn_protocols = offered.iter().map(|it| it.as_bytes().to_vec()).collect();
        let shaken = try_to_shake(&Arc::new(config), &tls, "a.example");
        let protocol = shaken
            .ok()
            .map(|it| it.client.alpn_protocol().map(<[u8]>::to_vec));
        let agreed = agreed.map(|it: Option<&str>| it.map(|it| it.as_bytes().to_vec()));
        assert_eq!(protocol, agreed, "{offered:?}");
    }
}

#[test]
fn a_client_with_rsa_only_gets_the_certificate_with_rsa() {
    let (of_rsa, of_ecdsa) = (rsa(&["a.example"]), pair(&["a.example"]));
    let tls = tls(&[&of_ecdsa, &of_rsa]);
    let shown = |client: &Arc<ClientConfig>| {
        let shaken = try_to_shake(client, &tls, "a.example").unwrap();
        shaken.client.peer_certificates().unwrap()[0].clone()
    };
    let pairs = [&of_rsa, &of_ecdsa];
    let der = pairs.map(|it| CertificateDer::from_pem_slice(it.cert.as_bytes()).unwrap());
    assert_eq!(shown(&client(&pairs, &[&TLS13])), der[1]);
    assert_eq!(shown(&client(&pairs, &[&TLS12])), der[1]);
    // Its ciphers of TLS 1.2 say so, and not its signatures.
    let mut only_rsa = rustls::crypto::aws_lc_rs::default_provider();
    only_rsa.cipher_suites = vec![cipher_suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256];
    let mut roots = RootCertStore::empty();
    roots.add(der[0].clone()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(only_rsa));
    let config = config.with_protocol_versions(&[&TLS12]).unwrap();
    let config = config.with_root_certificates(roots).with_no_client_auth();
    assert_eq!(shown(&Arc::new(config)), der[0]);
}
