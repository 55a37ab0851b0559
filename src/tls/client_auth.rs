//! Whether clients are asked for a certificate, at which names, and whose certificates are believed. What
//! was verified belongs to the verifier that did so: a connection and a ticket of one are no proof to another.

use std::cell::Cell;
use std::sync::{Arc, RwLock};

use jiff::Timestamp;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{Error, RootCertStore};
use sha2::{Digest as _, Sha256};
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;
use x509_parser::x509::X509Version;

use crate::lock::{read, write};
use crate::message::host;
use crate::redacted::redacted;
use crate::words::{Word, words};

use super::chain::timestamp;
use super::client_certificate::ClientCertificate;
use super::fault::Fault;
use super::pem::Sections;
use super::provider::provider;
use super::secret::Secret;
use super::tickets::Tickets;

words! {
    /// What becomes of clients without a certificate.
    pub enum ClientAuthMode {
        /// They may come in, and are known by their keys.
        Optional = "optional",
        /// The handshake with them fails.
        Required = "required",
    }
}

/// The authorities whose certificates clients may show.
#[derive(Debug)]
pub struct ClientAuthorities {
    roots: Arc<RootCertStore>,
    digest: [u8; 32],
    /// Who they are, and until when they are valid.
    all: Vec<(String, Timestamp)>,
}

impl ClientAuthorities {
    /// Reads the certificates of authorities, in PEM. There is one at least.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn read(text: &str) -> Result<Self, Fault> {
        let certificates = Sections::certificates(text)?;
        let (mut roots, mut all) = (RootCertStore::empty(), Vec::new());
        let mut digest = Sha256::new();
        for (at, der) in certificates.iter().enumerate() {
            let damaged = Fault::Damaged(at + 1);
            let Ok(([], certificate)) = X509Certificate::from_der(der) else {
                return Err(damaged);
            };
            if !may_sign(&certificate) {
                let subject = certificate.subject().to_string();
                return Err(Fault::NoAuthority {
                    at: at + 1,
                    subject,
                });
            }
            let not_after = timestamp(certificate.validity().not_after.timestamp());
            all.push((certificate.subject().to_string(), not_after));
            roots.add(der.clone()).map_err(|_| damaged)?;
            digest.update((der.len() as u64).to_be_bytes());
            digest.update(der);
        }
        Ok(Self {
            roots: Arc::new(roots),
            digest: digest.finalize().into(),
            all,
        })
    }

    /// Whether they are the same.
    pub fn are(&self, others: &Self) -> bool {
        self.digest == others.digest
    }

    /// Who they are.
    pub fn subjects(&self) -> impl Iterator<Item = &str> {
        self.all.iter().map(|(subject, _)| subject.as_str())
    }

    /// What is to be said of those that have expired: their certificates are believed nevertheless, for
    /// an authority is trusted because it is in the file.
    pub fn expiry(&self, now: Timestamp) -> impl Iterator<Item = String> {
        let expired = self.all.iter().filter(move |(_, until)| *until < now);
        expired.map(|(subject, until)| {
            format!("the authority `{subject}` has expired, at {until}; clients with its certificates are still let in")
        })
    }
}

/// Whether a certificate is an authority's. One that has signed itself may be a client's own, which is
/// believed then; one of version 1 cannot say what it is.
fn may_sign(certificate: &X509Certificate<'_>) -> bool {
    certificate.is_ca()
        || certificate.version() != X509Version::V3
        || certificate.issuer().as_raw() == certificate.subject().as_raw()
}

/// Which verifier it is: what it asks for, and by which authorities.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct VerifierId([u8; 32]);

redacted! { VerifierId }

/// What certificates of clients are verified by.
#[derive(Debug)]
pub(super) struct Verifier {
    pub id: VerifierId,
    pub authorities: Arc<ClientAuthorities>,
    pub webpki: Arc<dyn ClientCertVerifier>,
    pub tickets: Arc<Tickets>,
}

impl Verifier {
    fn new(mode: ClientAuthMode, authorities: Arc<ClientAuthorities>, secret: &Secret) -> Self {
        let roots = Arc::clone(&authorities.roots);
        let builder = WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(provider()));
        let builder = match mode {
            ClientAuthMode::Optional => builder.allow_unauthenticated(),
            ClientAuthMode::Required => builder,
        };
        let webpki = builder
            .build()
            .expect("there is an authority, and no list of revoked certificates");
        let mut id = Sha256::new();
        id.update(mode.word());
        id.update(authorities.digest);
        let id: [u8; 32] = id.finalize().into();
        Self {
            id: VerifierId(id),
            authorities,
            webpki,
            tickets: Arc::new(Tickets::new(secret.clone(), &id)),
        }
    }

    /// Verifies what another verifier has let in, or what was never shown in a handshake.
    fn verify(&self, certificate: Option<&ClientCertificate>) -> Result<(), Error> {
        let chain = certificate.map(ClientCertificate::chain);
        match chain.and_then(<[CertificateDer<'_>]>::split_first) {
            None if self.webpki.client_auth_mandatory() => Err(Error::NoCertificatesPresented),
            None => Ok(()),
            Some((own, between)) => {
                let now = UnixTime::now();
                let verified = self.webpki.verify_client_cert(own, between, now);
                verified.map(drop)
            }
        }
    }
}

/// Clients are asked for certificates, at all names or some.
#[derive(Debug)]
pub struct ClientAuth {
    mode: ClientAuthMode,
    /// In lower case; empty: all.
    names: Vec<String>,
    secret: Secret,
    verifier: RwLock<Arc<Verifier>>,
}

impl ClientAuth {
    /// Clients that ask for one of these names, or for any if there are none, are asked for a certificate of
    /// these authorities. Tickets of their sessions have keys that are derived from this secret.
    pub fn new(
        mode: ClientAuthMode,
        names: Vec<String>,
        authorities: ClientAuthorities,
        secret: Secret,
    ) -> Self {
        let verifier = Verifier::new(mode, Arc::new(authorities), &secret);
        Self {
            mode,
            names,
            secret,
            verifier: RwLock::new(Arc::new(verifier)),
        }
    }

    /// What becomes of clients without a certificate.
    pub fn mode(&self) -> ClientAuthMode {
        self.mode
    }

    /// The authorities of now.
    pub fn authorities(&self) -> Arc<ClientAuthorities> {
        Arc::clone(&self.verifier().authorities)
    }

    /// Believes these authorities from now on, and no others.
    pub fn install(&self, authorities: ClientAuthorities) {
        let verifier = Verifier::new(self.mode, Arc::new(authorities), &self.secret);
        *write(&self.verifier) = Arc::new(verifier);
    }

    /// Whether clients are asked that ask for this name, or for none. `host` may have a port.
    pub fn asks(&self, host: Option<&str>) -> bool {
        if self.names.is_empty() {
            return true;
        }
        let Some(host) = host else { return false };
        let (name, _) = host::split(host.as_bytes());
        let name = name.strip_suffix(b".").unwrap_or(name);
        self.names.iter().any(|own| host::covers(own, name))
    }

    /// What the client of a connection was asked, and has proved itself with.
    pub fn asked(&self, certificate: Option<ClientCertificate>) -> AskedClient {
        AskedClient::new(self.verifier().id, certificate)
    }

    /// Verifies a certificate as a handshake of now would.
    ///
    /// # Errors
    /// Why the handshake would fail.
    pub fn verify(&self, certificate: &ClientCertificate) -> Result<(), Error> {
        self.verifier().verify(Some(certificate))
    }

    /// Says whether a request for `host` may come on a connection that was made for `sni`, on which the
    /// client was `asked`: it would be asked just the same for `host`, now. A certificate that another
    /// verifier has let in is verified anew, once.
    pub fn fits(&self, asked: Option<&AskedClient>, sni: Option<&str>, host: &str) -> Fit {
        match (asked, self.asks(Some(host))) {
            (None, false) => Fit::Fits,
            (Some(asked), true) => {
                let verifier = self.verifier();
                if asked.verifier.get() != verifier.id {
                    if verifier.verify(asked.certificate.as_ref()).is_err() {
                        return Fit::Outdated;
                    }
                    asked.verifier.set(verifier.id);
                }
                Fit::Fits
            }
            // Another host, or a reload has changed what is asked for this one.
            (asked, _) if asked.is_some() == self.asks(sni) => Fit::OtherHost,
            _ => Fit::Outdated,
        }
    }

    pub(super) fn verifier(&self) -> Arc<Verifier> {
        Arc::clone(&read(&self.verifier))
    }
}

/// Whether a request may come on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fit {
    /// It may.
    Fits,
    /// The connection is for other hosts.
    OtherHost,
    /// The connection was made while other rules held, under which nothing more is answered.
    Outdated,
}

/// A client that was asked for a certificate.
#[derive(Debug, Clone)]
pub struct AskedClient {
    /// Who has let it in.
    verifier: Cell<VerifierId>,
    certificate: Option<ClientCertificate>,
}

impl AskedClient {
    /// A client that this verifier has let in, with or without a certificate.
    pub fn new(verifier: VerifierId, certificate: Option<ClientCertificate>) -> Self {
        Self {
            verifier: Cell::new(verifier),
            certificate,
        }
    }

    /// What it has proved itself with.
    pub fn certificate(&self) -> Option<&ClientCertificate> {
        self.certificate.as_ref()
    }
}
