//! What the configuration says of ACME: `[tls.acme]`, compiled.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::ClientConfig;
use secrecy::{ExposeSecret, SecretString};

use crate::words::words;

words! {
    /// How the authority sees that a name leads here.
    #[derive(Default)]
    pub enum ChallengeKind {
        /// By a certificate that a TLS listener shows (RFC 8737).
        #[default]
        TlsAlpn01 = "tls-alpn-01",
        /// By an answer on port 80 (RFC 8555 section 8.3).
        Http01 = "http-01",
    }
}

/// Which names get certificates, and from whom.
#[derive(Clone)]
pub struct AcmeSettings {
    /// In lower case, each once.
    pub domains: Vec<String>,
    /// An address to which the authority may write.
    pub contact: Option<String>,
    /// The URL of the authority's directory.
    pub directory: String,
    /// Whose certificates are trusted when the authority is asked.
    pub trust: Arc<ClientConfig>,
    /// What `trust` was made of, in PEM; absent: the platform's.
    pub ca: Option<String>,
    /// Where the account and certificates are kept.
    pub state_dir: PathBuf,
    /// How names are proven.
    pub challenge: ChallengeKind,
    /// What the gateways of a fleet encrypt by what they share. Without it each one orders for itself.
    pub secret: Option<FleetSecret>,
}

/// A secret that is hard to guess. Its `Debug` does not show it.
#[derive(Clone)]
pub struct FleetSecret(SecretString);

impl FleetSecret {
    /// Takes a secret.
    #[must_use]
    pub fn new(secret: String) -> Self {
        Self(secret.into())
    }

    /// The secret itself.
    pub(super) fn as_bytes(&self) -> &[u8] {
        self.0.expose_secret().as_bytes()
    }
}

impl fmt::Debug for FleetSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FleetSecret")
    }
}

impl PartialEq for FleetSecret {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

/// Trust is made anew by each reload: what it was made of tells whether it has changed.
impl PartialEq for AcmeSettings {
    fn eq(&self, other: &Self) -> bool {
        let Self {
            domains,
            contact,
            directory,
            trust: _,
            ca,
            state_dir,
            challenge,
            secret,
        } = self;
        *domains == other.domains
            && *contact == other.contact
            && *directory == other.directory
            && *ca == other.ca
            && *state_dir == other.state_dir
            && *challenge == other.challenge
            && *secret == other.secret
    }
}

impl fmt::Debug for AcmeSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AcmeSettings({:?} of {})", self.domains, self.directory)
    }
}
