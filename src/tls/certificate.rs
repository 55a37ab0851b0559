//! A certificate with its chain and key, as two files hold them. It is checked as far as clients would
//! without asking anybody: one that is read without a fault can be shown.

use std::fmt;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys, SignatureAlgorithm};
use sha2::{Digest as _, Sha256};

use crate::message::host;

use super::chain::{EndsEarly, Purpose, read_chain};
use super::fault::Fault;
use super::form::Half;
use super::pem::Sections;
use super::provider::provider;

/// From when on expiry is warned of, if the lifetime is not shorter than six weeks.
const SOON: SignedDuration = SignedDuration::from_hours(14 * 24);

/// That a certificate, or one that leads from it to its authority, expires soon or has expired. Shown, it is
/// a clause for a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expiry {
    /// What the certificate is valid for; none for a client's.
    pub names: Vec<String>,
    /// Which one of the chain it is, if it is not the certificate itself.
    pub issuer: Option<String>,
    /// When.
    pub at: Timestamp,
    /// Whether that is over.
    pub has_expired: bool,
}

impl fmt::Display for Expiry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(issuer) = &self.issuer {
            write!(f, "`{issuer}` in the chain of ")?;
        }
        f.write_str("the certificate")?;
        if !self.names.is_empty() {
            write!(f, " for `{}`", self.names.join("`, `"))?;
        }
        let how = if self.has_expired {
            "has expired"
        } else {
            "expires soon"
        };
        write!(f, " {how}, at {}", self.at)
    }
}

/// A certificate that can be shown, with its key.
#[derive(Clone)]
pub struct Certificate {
    /// What it is valid for, in lower case: names, also `*.example.com`, and addresses. Never empty
    /// for a server's.
    pub names: Vec<String>,
    /// From when on it is valid.
    pub not_before: Timestamp,
    /// Until when.
    pub not_after: Timestamp,
    /// Who has signed it, if clients do not know them, most likely, and the chain does not have them.
    pub lacks_issuer: Option<String>,
    ends_early: Option<EndsEarly>,
    certified: Arc<CertifiedKey>,
    /// Of both files.
    digest: [u8; 32],
}

impl Certificate {
    /// Reads a certificate with its chain, and its key, both in PEM. A half that could not be read is
    /// `None`; the other one is checked all the same.
    ///
    /// # Errors
    /// All that is wrong with what there is.
    pub fn read(
        cert: Option<&str>,
        key: Option<&str>,
        purpose: Purpose,
        now: Timestamp,
    ) -> Result<Self, Vec<Fault>> {
        let mut faults = Vec::new();
        let chain = cert.and_then(|text| read_chain(text, purpose, now, &mut faults));
        // It is of no use, whatever its key is.
        let is_useless = |fault: &Fault| matches!(fault, Fault::Weak(_) | Fault::Version(_));
        let useless = faults.iter().any(is_useless);
        let key_text = key.filter(|_| !useless);
        let key = key_text.and_then(|text| read_key(text).map_err(|fault| faults.push(fault)).ok());
        let (Some(chain), Some(key)) = (chain, key) else {
            return Err(faults);
        };
        let (key, keys) = key;
        match certified(chain.certificates, key) {
            Ok(certified) if faults.is_empty() => Ok(Self {
                names: chain.names,
                not_before: chain.not_before,
                not_after: chain.not_after,
                lacks_issuer: chain.lacks_issuer,
                ends_early: chain.ends_early,
                certified: Arc::new(certified),
                digest: digest(cert.unwrap_or_default(), key_text.unwrap_or_default()),
            }),
            Ok(_) => Err(faults),
            Err(fault) => {
                // It fits another certificate of the chain, most likely.
                let is_not_own =
                    |it: &Fault| matches!(it, Fault::Order { .. } | Fault::Foreign { at: 1, .. });
                match fault {
                    Fault::NotItsKey if faults.iter().any(is_not_own) => {}
                    Fault::NotItsKey if keys > 1 => faults.push(Fault::SeveralKeys(keys)),
                    fault => faults.push(fault),
                }
                Err(faults)
            }
        }
    }

    /// Whether it was read from these very texts.
    pub fn is_of(&self, cert: &str, key: &str) -> bool {
        self.digest == digest(cert, key)
    }

    /// Whether it was read from the same texts as another one.
    pub fn is(&self, other: &Self) -> bool {
        self.digest == other.digest
    }

    /// Whether a client that asks for this name, in lower case, finds it among those of the certificate.
    pub fn is_for(&self, name: &str) -> bool {
        let mut names = self.names.iter();
        names.any(|own| host::covers(own, name.as_bytes()))
    }

    /// Whether no client is shown another one that comes later.
    pub fn hides(&self, later: &Self) -> bool {
        let is_ours = |name: &String| self.names.contains(name);
        self.algorithm() == later.algorithm() && later.names.iter().all(is_ours)
    }

    /// The kind of its key, in words.
    pub fn key_kind(&self) -> &'static str {
        match self.algorithm() {
            SignatureAlgorithm::RSA => "RSA",
            SignatureAlgorithm::ED25519 => "Ed25519",
            _ => "ECDSA",
        }
    }

    /// Whether it, or one that leads from it to its authority, expires soon or has expired: from two weeks
    /// before, or from when a third of its lifetime is left if that is less.
    pub fn expiry(&self, now: Timestamp) -> Option<Expiry> {
        let (not_before, not_after) = match &self.ends_early {
            Some(issuer) => (issuer.not_before, issuer.not_after),
            None => (self.not_before, self.not_after),
        };
        let soon = SOON.min(not_after.duration_since(not_before) / 3);
        let left = not_after.duration_since(now);
        (left <= soon).then(|| Expiry {
            names: self.names.clone(),
            issuer: self.ends_early.as_ref().map(|it| it.subject.clone()),
            at: not_after,
            has_expired: left < SignedDuration::ZERO,
        })
    }

    /// The chain and the key, as handshakes need them.
    pub(super) fn certified(&self) -> &Arc<CertifiedKey> {
        &self.certified
    }

    /// A digest of the texts that it was read from.
    pub(super) fn digest(&self) -> [u8; 32] {
        self.digest
    }

    /// The kind of its key.
    pub(super) fn algorithm(&self) -> SignatureAlgorithm {
        self.certified.key.algorithm()
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certificate({:?} until {})", self.names, self.not_after)
    }
}

fn digest(cert: &str, key: &str) -> [u8; 32] {
    let mut digest = Sha256::new();
    digest.update((cert.len() as u64).to_be_bytes());
    digest.update(cert);
    digest.update(key);
    digest.finalize().into()
}

fn certified(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<CertifiedKey, Fault> {
    CertifiedKey::from_der(chain, key, provider()).map_err(|error| match error {
        Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => Fault::NotItsKey,
        _ => Fault::UnsupportedKey,
    })
}

/// The first key of a text, and how many there are.
fn read_key(text: &str) -> Result<(PrivateKeyDer<'static>, usize), Fault> {
    let sections = Sections::read(text, Half::Key)?;
    let key = sections.key.ok_or(Fault::NoKey(sections.first))?;
    Ok((key, sections.keys))
}
