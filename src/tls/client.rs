//! TLS towards services: whom the gateway believes that it speaks to a service, and what it proves itself
//! with. Made when the configuration is compiled; handshakes only read it.

use std::fmt;
use std::sync::{Arc, LazyLock};

use rustls::client::WantsClientCert;
use rustls::client::danger::ServerCertVerifier;
use rustls::client::{ClientSessionMemoryCache, Resumption, WebPkiServerVerifier};
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, ConfigBuilder, RootCertStore};
use sha2::{Digest as _, Sha256};

use super::certificate::Certificate;
use super::fault::Fault;
use super::pem::Sections;
use super::provider::provider;
use super::verify::{AnyCertificate, Listed};

/// The protocol that a service can choose for requests (RFC 7301).
const HTTP1: &[u8] = b"http/1.1";

/// So many tickets of TLS 1.3 are kept for a service; each is used once.
const TICKETS: usize = 8;

/// Authorities that are trusted to say which services are genuine.
#[derive(Clone)]
pub struct Authorities {
    roots: Arc<RootCertStore>,
    /// Their certificates, where a file lists them; those of the platform stay the same.
    listed: Option<Arc<Vec<CertificateDer<'static>>>>,
}

/// What handshakes with services go by. Two are equal if they were made from the same.
#[derive(Clone)]
pub struct ClientTls {
    config: Arc<ClientConfig>,
    certificate: Option<Arc<Certificate>>,
    made_from: MadeFrom,
}

/// What it was made from. Of files only digests.
#[derive(Clone, Copy, PartialEq, Eq)]
struct MadeFrom {
    verifies: bool,
    authorities: Option<[u8; 32]>,
    certificate: Option<[u8; 32]>,
}

impl Authorities {
    /// Reads the certificates of authorities, in PEM.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn read(text: &str) -> Result<Self, Fault> {
        let certificates = Sections::certificates(text)?;
        let mut roots = RootCertStore::empty();
        for (at, certificate) in certificates.iter().enumerate() {
            let added = roots.add(certificate.clone());
            added.map_err(|_| Fault::Damaged(at + 1))?;
        }
        Ok(Self {
            roots: Arc::new(roots),
            listed: Some(Arc::new(certificates)),
        })
    }

    /// Those that the platform trusts, looked up once for the process. `None` if it knows none.
    pub fn of_platform() -> Option<Self> {
        static ROOTS: LazyLock<Arc<RootCertStore>> = LazyLock::new(|| {
            let mut roots = RootCertStore::empty();
            // Platforms have odd ones among many; what matters is that there are some.
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            Arc::new(roots)
        });
        (!ROOTS.is_empty()).then(|| Self {
            roots: Arc::clone(&ROOTS),
            listed: None,
        })
    }

    fn digest(&self) -> Option<[u8; 32]> {
        let mut digest = Sha256::new();
        for certificate in self.listed.as_ref()?.iter() {
            digest.update(certificate);
        }
        Some(digest.finalize().into())
    }

    fn verifier(&self) -> Arc<dyn ServerCertVerifier> {
        let roots = Arc::clone(&self.roots);
        let webpki = WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(provider()))
            .build()
            .expect("there is an authority, and no list of revoked certificates");
        match &self.listed {
            None => webpki,
            Some(listed) => Arc::new(Listed::new(webpki, Arc::clone(listed))),
        }
    }
}

impl ClientTls {
    /// Believes services that these authorities vouch for, without any all; and proves itself with a
    /// certificate where that is asked for.
    pub fn new(authorities: Option<&Authorities>, certificate: Option<Arc<Certificate>>) -> Self {
        let made_from = MadeFrom {
            verifies: authorities.is_some(),
            authorities: authorities.and_then(Authorities::digest),
            certificate: certificate.as_ref().map(|it| it.digest()),
        };
        let verifier = match authorities {
            Some(authorities) => authorities.verifier(),
            None => Arc::new(AnyCertificate),
        };
        let builder = builder(verifier);
        let mut config = match &certificate {
            None => builder.with_no_client_auth(),
            Some(it) => {
                let only = rustls::sign::SingleCertAndKey::from(Arc::clone(it.certified()));
                builder.with_client_cert_resolver(Arc::new(only))
            }
        };
        config.alpn_protocols = vec![HTTP1.to_vec()];
        Self {
            config: Arc::new(config),
            certificate,
            made_from,
        }
    }

    /// Whether certificates of services are verified.
    pub fn verifies(&self) -> bool {
        self.made_from.verifies
    }

    /// What services are shown that ask for it.
    pub fn certificate(&self) -> Option<&Arc<Certificate>> {
        self.certificate.as_ref()
    }

    /// What handshakes go by, with sessions that all share who use this.
    pub fn config(&self) -> &Arc<ClientConfig> {
        &self.config
    }

    /// The same for servers that speak something else: the names of their protocols, if those have any.
    pub fn speaking(&self, protocols: &[&[u8]]) -> Arc<ClientConfig> {
        let mut config = ClientConfig::clone(&self.config);
        config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        Arc::new(config)
    }

    /// The same with a memory of its own for the sessions of one service.
    pub fn with_own_sessions(&self) -> Arc<ClientConfig> {
        let mut config = ClientConfig::clone(&self.config);
        let sessions = Arc::new(ClientSessionMemoryCache::new(TICKETS));
        config.resumption = Resumption::store(sessions);
        Arc::new(config)
    }
}

impl PartialEq for ClientTls {
    fn eq(&self, other: &Self) -> bool {
        self.made_from == other.made_from
    }
}

impl fmt::Debug for ClientTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verifies = self.verifies();
        f.debug_struct("ClientTls")
            .field("verifies", &verifies)
            .finish_non_exhaustive()
    }
}

fn builder(verifier: Arc<dyn ServerCertVerifier>) -> ConfigBuilder<ClientConfig, WantsClientCert> {
    ClientConfig::builder_with_provider(Arc::clone(provider()))
        .with_safe_default_protocol_versions()
        .expect("the provider has suites of both versions")
        .dangerous()
        .with_custom_certificate_verifier(verifier)
}
