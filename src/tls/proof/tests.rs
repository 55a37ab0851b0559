//! Real handshakes: a ticket opens only what it was given for, and only as long as its certificate is valid.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::version::{TLS12, TLS13};
use rustls::{
    ClientConfig, ClientConnection, HandshakeKind, RootCertStore, ServerConnection,
    SupportedProtocolVersion,
};

use super::*;
use crate::tls::tests::exchange;
use crate::tls::{
    Certificate, ClientAuth, ClientAuthMode, ClientAuthorities, Purpose, Secret, ServerTls, Source,
    TlsVersion, provider,
};

const VERSIONS: [&SupportedProtocolVersion; 2] = [&TLS12, &TLS13];
const SECRET: &str = "the secret of a fleet";

struct Authority {
    params: CertificateParams,
    key: KeyPair,
    pem: String,
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { params, key, pem }
    }

    /// A certificate and its key, in PEM.
    fn issue(&self, name: &str, until: Option<u64>) -> (String, String) {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        if let Some(until) = until {
            params.not_after = rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(until);
        }
        let key = KeyPair::generate().unwrap();
        let issuer = Issuer::from_params(&self.params, &self.key);
        let signed = params.signed_by(&key, &issuer).unwrap();
        (signed.pem(), key.serialize_pem())
    }
}

/// A gateway that asks clients for certificates of these, if of any.
fn gateway(servers: &Authority, asks: Option<(ClientAuthMode, &[&Authority])>) -> ServerTls {
    let (cert, key) = servers.issue("a.test", None);
    let read = Certificate::read(Some(&cert), Some(&key), Purpose::Server, Timestamp::now());
    let certificates = BTreeMap::from([(Source::Files(0), Arc::new(read.unwrap()))]);
    let tls = ServerTls::new(TlsVersion::Tls12, Secret::shared(SECRET), certificates);
    tls.with_client_auth(asks.map(|(mode, authorities)| {
        let texts: String = authorities.iter().map(|it| &*it.pem).collect();
        let authorities = ClientAuthorities::read(&texts).unwrap();
        ClientAuth::new(mode, Vec::new(), authorities, Secret::shared(SECRET))
    }))
}

/// A client that shows this certificate, if it is asked for one.
fn client(
    servers: &Authority,
    version: &'static SupportedProtocolVersion,
    (cert, key): &(String, String),
) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    let root = CertificateDer::from_pem_slice(servers.pem.as_bytes()).unwrap();
    roots.add(root).unwrap();
    let chain = vec![CertificateDer::from_pem_slice(cert.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::clone(provider()))
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots)
        .with_client_auth_cert(chain, key)
        .unwrap();
    Arc::new(config)
}

/// Shakes hands, and says how, and how many certificates the client is known by.
fn shake(client: &Arc<ClientConfig>, tls: &ServerTls) -> Result<(HandshakeKind, usize), Error> {
    let name = "a.test".try_into().unwrap();
    let mut client = ClientConnection::new(Arc::clone(client), name).unwrap();
    let config = tls.handshake(Some("a.test"), []).config;
    let mut server = ServerConnection::new(config).unwrap();
    exchange(&mut client, &mut server)?;
    let certificates = server.peer_certificates().unwrap_or_default().len();
    Ok((server.handshake_kind().unwrap(), certificates))
}

#[test]
fn a_ticket_opens_nothing_where_something_else_is_asked() {
    use ClientAuthMode::{Optional, Required};
    let (servers, ours, others) = ["servers", "ours", "others"].map(Authority::new).into();
    let shown = ours.issue("client.test", None);
    let asks: [Option<(ClientAuthMode, &[&Authority])>; 5] = [
        None,
        Some((Optional, &[&ours])),
        Some((Required, &[&ours])),
        Some((Required, &[&ours, &others])),
        Some((Optional, &[&others, &ours])),
    ];
    for version in VERSIONS {
        for (at, before) in asks.iter().enumerate() {
            for (then, after) in asks.iter().enumerate() {
                let client = client(&servers, version, &shown);
                let (before, after) = (gateway(&servers, *before), gateway(&servers, *after));
                assert_eq!(shake(&client, &before).unwrap().0, HandshakeKind::Full);
                let kind = if at == then {
                    HandshakeKind::Resumed
                } else {
                    HandshakeKind::Full
                };
                let certificates = usize::from(asks[then].is_some());
                let shaken = shake(&client, &after).unwrap();
                assert_eq!(shaken, (kind, certificates), "{at} {then} {version:?}");
            }
        }
    }
}

#[test]
fn other_authorities_are_believed_at_once() {
    let (servers, ours, others) = ["servers", "ours", "others"].map(Authority::new).into();
    let shown = ours.issue("client.test", None);
    for version in VERSIONS {
        let tls = gateway(&servers, Some((ClientAuthMode::Required, &[&ours])));
        let client = client(&servers, version, &shown);
        shake(&client, &tls).unwrap();
        assert_eq!(shake(&client, &tls), Ok((HandshakeKind::Resumed, 1)));
        let client_auth = tls.client_auth().unwrap();
        client_auth.install(ClientAuthorities::read(&others.pem).unwrap());
        shake(&client, &tls).unwrap_err();
    }
}

#[test]
fn a_session_ends_with_its_certificate() {
    let (servers, ours, _) = ["servers", "ours", "others"].map(Authority::new).into();
    let until = UnixTime::now().as_secs() + 3;
    let shown = ours.issue("client.test", Some(until));
    let tls = gateway(&servers, Some((ClientAuthMode::Optional, &[&ours])));
    let clients = VERSIONS.map(|version| client(&servers, version, &shown));
    for client in &clients {
        shake(client, &tls).unwrap();
        // The ticket of a resumed session is good no longer than the first.
        assert_eq!(shake(client, &tls), Ok((HandshakeKind::Resumed, 1)));
        assert_eq!(shake(client, &tls), Ok((HandshakeKind::Resumed, 1)));
    }
    while UnixTime::now().as_secs() <= until {
        std::thread::sleep(Duration::from_millis(50));
    }
    for client in &clients {
        let failed = shake(client, &tls).unwrap_err().to_string();
        assert!(failed.contains("expired"), "{failed}");
    }
}

#[test]
fn names_that_are_asked_are_told_however_they_are_written() {
    let authorities = ClientAuthorities::read(&Authority::new("ours").pem).unwrap();
    let names = ["a.test", "*.b.test"].map(str::to_owned).to_vec();
    let secret = Secret::of_process();
    let some = ClientAuth::new(ClientAuthMode::Required, names, authorities, secret);
    for (host, asked) in [
        (Some("a.test"), true),
        (Some("A.Test.:443"), true),
        (Some("a.test:"), true),
        (Some("x.b.test"), true),
        (Some("b.test"), false),
        (Some("y.x.b.test"), false),
        (Some("xa.test"), false),
        (Some("[::1]:443"), false),
        (None, false),
    ] {
        assert_eq!(some.asks(host), asked, "{host:?}");
    }
}
