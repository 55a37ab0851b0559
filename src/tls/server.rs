//! What handshakes with clients go by, and the certificates that they show. A handshake reads the table of
//! certificates once; whoever has a new certificate puts another table in its place.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock, RwLock};

use rustls::ServerConfig;
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{
    ClientHello, NoServerSessionStorage, ProducesTickets, ResolvesServerCert, WebPkiClientVerifier,
};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};

use crate::lock::{read, write};
use crate::message::host;
use crate::words::words;

use super::certificate::Certificate;
use super::challenges::{ACME_TLS, Challenges};
use super::client_auth::{ClientAuth, VerifierId};
use super::proof;
use super::provider::provider;
use super::secret::Secret;
use super::table::{Source, Table};
use super::tickets::Tickets;

/// The protocol that clients can choose (RFC 7301). One that offers others only is refused.
const ALPN: &[u8] = b"http/1.1";

/// What tickets are for where clients are not asked for a certificate.
const ASKED_FOR_NOTHING: &[u8] = b"none";

words! {
    /// A version of TLS.
    pub enum TlsVersion {
        /// RFC 5246, with the ciphers that are still good.
        Tls12 = "1.2",
        /// RFC 8446.
        Tls13 = "1.3",
    }
}

/// TLS towards clients.
#[derive(Debug)]
pub struct ServerTls {
    min_version: TlsVersion,
    /// For clients that are not asked for a certificate.
    config: Arc<ServerConfig>,
    certificates: Arc<Certificates>,
    client_auth: Option<ClientAuth>,
}

/// What a handshake goes by.
#[derive(Debug)]
pub struct Handshake {
    /// For rustls.
    pub config: Arc<ServerConfig>,
    /// Who verifies the certificate that the client is asked for, if it is.
    pub verifier: Option<VerifierId>,
}

/// The current table, and the certificates for challenges of authorities.
#[derive(Debug)]
struct Certificates {
    table: RwLock<Arc<Table>>,
    challenges: OnceLock<Arc<Challenges>>,
}

impl ServerTls {
    /// TLS from this version on, with these certificates, and with session tickets under keys that are
    /// derived from this secret.
    pub fn new(
        min_version: TlsVersion,
        secret: Secret,
        certificates: BTreeMap<Source, Arc<Certificate>>,
    ) -> Self {
        let certificates = Arc::new(Certificates {
            table: RwLock::new(Arc::new(Table::new(certificates))),
            challenges: OnceLock::new(),
        });
        let tickets = Arc::new(Tickets::new(secret, ASKED_FOR_NOTHING));
        let nobody = WebPkiClientVerifier::no_client_auth();
        let config = config(min_version, Arc::clone(&certificates), nobody, tickets);
        Self {
            min_version,
            config: Arc::new(config),
            certificates,
            client_auth: None,
        }
    }

    /// The same, and clients are asked for certificates.
    pub fn with_client_auth(self, client_auth: Option<ClientAuth>) -> Self {
        Self {
            client_auth,
            ..self
        }
    }

    /// What is asked of clients, if anything is.
    pub fn client_auth(&self) -> Option<&ClientAuth> {
        self.client_auth.as_ref()
    }

    /// What a handshake goes by in which the client asks for this name and offers these protocols. An
    /// authority that looks at a challenge is asked for nothing, and gets no further.
    pub fn handshake<'p>(
        &self,
        sni: Option<&str>,
        protocols: impl IntoIterator<Item = &'p [u8]>,
    ) -> Handshake {
        let client_auth = self.client_auth.as_ref().filter(|it| it.asks(sni));
        let Some(asking) = client_auth.filter(|_| !is_for_challenge(protocols)) else {
            return Handshake {
                config: Arc::clone(&self.config),
                verifier: None,
            };
        };
        let verifier = asking.verifier();
        let (one, tickets) = proof::of_connection(&verifier);
        let certificates = Arc::clone(&self.certificates);
        let config = config(
            self.min_version,
            certificates,
            Arc::new(one),
            Arc::new(tickets),
        );
        Handshake {
            config: Arc::new(config),
            verifier: Some(verifier.id),
        }
    }

    /// Whether a request for `host` may come on a connection that was made for `sni`: the same certificate
    /// is for both (RFC 9110 section 7.4). A client that has asked for no name may ask for any.
    pub fn same_certificate(&self, sni: Option<&str>, host: &str) -> bool {
        let Some(sni) = sni else { return true };
        let (name, _) = host::split(host.as_bytes());
        let host = &host[..name.len()];
        if host.eq_ignore_ascii_case(sni) {
            return true;
        }
        let table = self.certificates.table();
        if table.all().len() < 2 {
            return true;
        }
        let host = host.to_ascii_lowercase();
        let (ours, asked) = (table.group(Some(sni)), table.group(Some(&host)));
        ours.iter()
            .any(|one| asked.iter().any(|other| Arc::ptr_eq(one, other)))
    }

    /// Whether there is a certificate for this name, itself or by a wildcard.
    pub fn is_for(&self, name: &str) -> bool {
        let table = self.certificates.table();
        table.named(&name.to_ascii_lowercase()).is_some()
    }

    /// Shows this certificate from now on, in the place of the one from the same source.
    pub fn install(&self, source: Source, certificate: Certificate) {
        let mut table = write(&self.certificates.table);
        *table = Arc::new(table.with(source, certificate));
    }

    /// The certificates for this name, in lower case: one for each kind of key that there is.
    pub fn certificates_for(&self, name: &str) -> Vec<Arc<Certificate>> {
        self.certificates.table().group(Some(name)).to_vec()
    }

    /// Shows these challenges to the authorities that ask for them.
    pub fn show_challenges(&self, challenges: &Arc<Challenges>) {
        // Those of the process, which are the same ones if they have been given before.
        let _ = self.certificates.challenges.set(Arc::clone(challenges));
    }

    /// All certificates, and where they come from.
    pub fn certificates(&self) -> BTreeMap<Source, Arc<Certificate>> {
        self.certificates.table().all().clone()
    }
}

impl Certificates {
    fn table(&self) -> Arc<Table> {
        Arc::clone(&read(&self.table))
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        if is_for_challenge(hello.alpn().into_iter().flatten()) {
            let challenges = self.challenges.get()?;
            return challenges.certificate(&hello.server_name()?.to_ascii_lowercase());
        }
        let table = self.table();
        let chosen = table.choose(hello.server_name(), hello.signature_schemes())?;
        Some(Arc::clone(chosen.certified()))
    }
}

/// Whether a client that offers these protocols is an authority that wants to see nothing but the certificate
/// of a challenge (RFC 8737 section 3).
fn is_for_challenge<'p>(protocols: impl IntoIterator<Item = &'p [u8]>) -> bool {
    let mut protocols = protocols.into_iter().peekable();
    protocols.peek().is_some() && protocols.all(|protocol| protocol == ACME_TLS)
}

fn config(
    min_version: TlsVersion,
    certificates: Arc<Certificates>,
    clients: Arc<dyn ClientCertVerifier>,
    tickets: Arc<dyn ProducesTickets>,
) -> ServerConfig {
    let versions = match min_version {
        TlsVersion::Tls12 => &[&TLS13, &TLS12][..],
        TlsVersion::Tls13 => &[&TLS13],
    };
    let config = ServerConfig::builder_with_provider(Arc::clone(provider()))
        .with_protocol_versions(versions)
        .expect("the provider has ciphers for both versions");
    let mut config = config
        .with_client_cert_verifier(clients)
        .with_cert_resolver(certificates);
    // The second is for authorities, which offer no other, and see no certificate but that of a challenge.
    config.alpn_protocols = vec![ALPN.to_vec(), ACME_TLS.to_vec()];
    // All suites are good, so the order is ours: AES with 128 bits costs least on today's machines.
    config.ignore_client_order = true;
    // What has not to be kept cannot be mixed up between workers, names and reloads.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.ticketer = tickets;
    config
}
