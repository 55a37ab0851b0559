//! What the configuration says of ACME: `[tls.acme]`, compiled.

use std::fmt;
use std::path::PathBuf;

use super::store::StateDir;
use crate::redacted::redacted;
use crate::tls::{ClientTls, Secret};
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
#[derive(Clone, PartialEq)]
pub struct AcmeSettings {
    /// In lower case, each once.
    pub domains: Vec<String>,
    /// An address to which the authority may write.
    pub contact: Option<String>,
    /// The URL of the authority's directory.
    pub directory: String,
    /// Whose certificates are trusted when the authority is asked.
    pub trust: ClientTls,
    /// Where the account and certificates are kept.
    pub state_dir: PathBuf,
    /// How names are proven.
    pub challenge: ChallengeKind,
    /// What the gateways of a fleet encrypt by what they share. Without it each one orders for itself.
    pub fleet_key: Option<FleetKey>,
}

impl AcmeSettings {
    /// What `check` says of the folder: that it cannot be used, or is open to others.
    pub fn odd_folders(&self) -> Vec<String> {
        let folder = self.state_dir.display();
        let error = self.state().check().err();
        let error = error.map(|error| format!("cannot use `tls.acme.state_dir` {folder}: {error}"));
        error.into_iter().chain(self.state().exposed()).collect()
    }

    pub(super) fn state(&self) -> StateDir {
        StateDir::of(&self.state_dir, &self.directory)
    }
}

/// The key under which gateways with the same `tls.secret` share what is issued. Its `Debug` does not show
/// it.
#[derive(Clone, PartialEq, Eq)]
pub struct FleetKey([u8; 32]);

impl FleetKey {
    /// The key that is made of a secret.
    pub fn of(secret: &Secret) -> Self {
        Self(secret.derive(&[b"acme in redis", b"AES-256-GCM", b"1"]))
    }

    pub(super) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

redacted! { FleetKey }

impl fmt::Debug for AcmeSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AcmeSettings({:?} of {})", self.domains, self.directory)
    }
}
