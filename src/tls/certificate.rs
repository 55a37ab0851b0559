//! A certificate with its chain and key, as two files hold them. It is checked as far as clients would
//! without asking anybody: one that is read without a fault can be shown.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys, SignatureAlgorithm};
use sha2::{Digest as _, Sha256};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{GeneralName, ParsedExtension, X509Extension};
use x509_parser::prelude::FromDer;
use x509_parser::public_key::PublicKey;

use super::fault::{Fault, Half};
use super::pem::Sections;
use super::provider::provider;

/// Clients refuse RSA keys with fewer bits.
const LEAST_RSA_BITS: usize = 2048;

/// What `authorityInfoAccess` has for where the issuer's certificate is (RFC 5280 section 4.2.2.1).
const CA_ISSUERS: &str = "1.3.6.1.5.5.7.48.2";

/// From when on expiry is warned of, if the lifetime is not shorter than six weeks.
const SOON: SignedDuration = SignedDuration::from_hours(14 * 24);
/// Which side of a connection shows a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// The gateway, to its clients.
    Server,
    /// The gateway, to services. They know it by whatever stands in it, so it needs no names.
    Client,
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
    certified: Arc<CertifiedKey>,
    /// Of both files.
    digest: [u8; 32],
}

/// What a file of certificates says.
struct Chain {
    certificates: Vec<CertificateDer<'static>>,
    names: Vec<String>,
    not_before: Timestamp,
    not_after: Timestamp,
    lacks_issuer: Option<String>,
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
        let is_weak = |fault: &Fault| matches!(fault, Fault::Weak(_));
        let weak = faults.iter().any(is_weak);
        let key_text = key.filter(|_| !weak);
        let key = key_text.and_then(|text| read_key(text).map_err(|fault| faults.push(fault)).ok());
        let (Some(chain), Some(key)) = (chain, key) else {
            return Err(faults);
        };
        match certified(chain.certificates, key) {
            Ok(certified) if faults.is_empty() => Ok(Self {
                names: chain.names,
                not_before: chain.not_before,
                not_after: chain.not_after,
                lacks_issuer: chain.lacks_issuer,
                certified: Arc::new(certified),
                digest: digest(cert.unwrap_or_default(), key_text.unwrap_or_default()),
            }),
            Ok(_) => Err(faults),
            Err(fault) => {
                // It fits another certificate of the chain, most likely.
                let order = faults.iter().any(|it| matches!(it, Fault::Order { .. }));
                if fault != Fault::NotItsKey || !order {
                    faults.push(fault);
                }
                Err(faults)
            }
        }
    }

    /// Whether it was read from these very texts.
    #[must_use]
    pub fn is_of(&self, cert: &str, key: &str) -> bool {
        self.digest == digest(cert, key)
    }

    /// Whether it was read from the same texts as another one.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        self.digest == other.digest
    }

    /// Whether a client that asks for this name, in lower case, finds it among those of the certificate.
    #[must_use]
    pub fn is_for(&self, name: &str) -> bool {
        let parent = name.split_once('.').map(|(_, parent)| parent);
        self.names.iter().any(|own| match own.strip_prefix("*.") {
            Some(own) => parent == Some(own),
            None => own == name,
        })
    }

    /// Whether no client is shown another one that comes later.
    #[must_use]
    pub fn hides(&self, later: &Self) -> bool {
        let is_ours = |name: &String| self.names.contains(name);
        self.algorithm() == later.algorithm() && later.names.iter().all(is_ours)
    }

    /// The kind of its key, in words.
    #[must_use]
    pub fn key_kind(&self) -> &'static str {
        match self.algorithm() {
            SignatureAlgorithm::RSA => "RSA",
            SignatureAlgorithm::ED25519 => "Ed25519",
            _ => "ECDSA",
        }
    }

    /// What is to be said if it expires soon or has expired: from two weeks before, or from when a third
    /// of its lifetime is left if that is less.
    #[must_use]
    pub fn expiry(&self, now: Timestamp) -> Option<String> {
        let lifetime = self.not_after.duration_since(self.not_before);
        let soon = SOON.min(lifetime / 3);
        let left = self.not_after.duration_since(now);
        let how = if left < SignedDuration::ZERO {
            "has expired"
        } else if left <= soon {
            "expires soon"
        } else {
            return None;
        };
        let names = match &self.names[..] {
            [] => String::new(),
            names => format!(" for `{}`", names.join("`, `")),
        };
        let until = self.not_after;
        Some(format!("the certificate{names} {how}, at {until}"))
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

fn read_key(text: &str) -> Result<PrivateKeyDer<'static>, Fault> {
    let sections = Sections::read(text, Half::Key)?;
    sections.key.ok_or(Fault::NoKey(sections.first))
}

/// Reads the certificates and notes what is wrong with them. `None`: there are none to be looked at.
fn read_chain(
    text: &str,
    purpose: Purpose,
    now: Timestamp,
    faults: &mut Vec<Fault>,
) -> Option<Chain> {
    let sections = Sections::read(text, Half::Cert);
    let sections = sections.map_err(|fault| faults.push(fault)).ok()?;
    let certificates = sections.certificates;
    if certificates.is_empty() {
        faults.push(Fault::NoCertificate(sections.first));
        return None;
    }
    check_chain(certificates, purpose, now, faults)
}

fn check_chain(
    certificates: Vec<CertificateDer<'static>>,
    purpose: Purpose,
    now: Timestamp,
    faults: &mut Vec<Fault>,
) -> Option<Chain> {
    let mut chain = Vec::new();
    for (at, der) in certificates.iter().enumerate() {
        match X509Certificate::from_der(der) {
            Ok(([], certificate)) => chain.push(certificate),
            _ => faults.push(Fault::Damaged(at + 1)),
        }
    }
    if chain.len() < certificates.len() {
        return None;
    }
    let disorder = out_of_order(&chain);
    let own = match disorder {
        None => &chain[0],
        Some(_) => leaf(&chain),
    };
    faults.extend(disorder);
    let validity = own.validity();
    let not_before = timestamp(validity.not_before.timestamp());
    let not_after = timestamp(validity.not_after.timestamp());
    if not_before > now {
        faults.push(Fault::NotYetValid(not_before));
    }
    if not_after < now {
        faults.push(Fault::Expired(not_after));
    }
    let names = names(own);
    if names.is_empty() && purpose == Purpose::Server {
        faults.push(Fault::NoNames);
    }
    faults.extend(wrong_usage(own, purpose));
    if let Ok(PublicKey::RSA(key)) = own.public_key().parsed()
        && key.key_size() < LEAST_RSA_BITS
    {
        faults.push(Fault::Weak(key.key_size()));
    }
    Some(Chain {
        names,
        not_before,
        not_after,
        lacks_issuer: lacks_issuer(&chain),
        certificates,
    })
}

/// Who has signed a certificate that stands alone and says where to get theirs, as those of public
/// authorities do, whose roots sign no servers.
fn lacks_issuer(chain: &[X509Certificate<'_>]) -> Option<String> {
    let [alone] = chain else { return None };
    let issuer = alone.issuer();
    let says_where = |extension: &X509Extension<'_>| match extension.parsed_extension() {
        ParsedExtension::AuthorityInfoAccess(access) => access
            .iter()
            .any(|it| it.access_method.to_id_string() == CA_ISSUERS),
        _ => false,
    };
    let says_where = alone.iter_extensions().any(says_where);
    (says_where && issuer.as_raw() != alone.subject().as_raw()).then(|| issuer.to_string())
}

/// What the extended key usage of a certificate says against this purpose.
fn wrong_usage(own: &X509Certificate<'_>, purpose: Purpose) -> Option<Fault> {
    let usage = own.extended_key_usage().ok().flatten()?.value;
    let (is_for_it, fault) = match purpose {
        Purpose::Server => (usage.server_auth, Fault::NotForServers),
        Purpose::Client => (usage.client_auth, Fault::NotForClients),
    };
    (!is_for_it && !usage.any).then_some(fault)
}

/// Finds the first certificate that has signed none of those before it.
fn out_of_order(chain: &[X509Certificate<'_>]) -> Option<Fault> {
    let is_stray = |at: &usize| {
        let subject = chain[*at].subject().as_raw();
        !chain[..*at]
            .iter()
            .any(|earlier| earlier.issuer().as_raw() == subject)
    };
    let at = (1..chain.len()).find(is_stray)?;
    Some(Fault::Order {
        at: at + 1,
        subject: chain[at].subject().to_string(),
    })
}

/// The certificate that has signed no other, wherever it stands.
fn leaf<'c, 'd>(chain: &'c [X509Certificate<'d>]) -> &'c X509Certificate<'d> {
    let has_signed = |one: &X509Certificate<'_>| {
        let subject = one.subject().as_raw();
        let mut others = chain.iter().filter(|it| it.subject().as_raw() != subject);
        others.any(|it| it.issuer().as_raw() == subject)
    };
    let mut all = chain.iter();
    all.find(|one| !has_signed(one)).unwrap_or(&chain[0])
}

/// The subject alternative names that clients can ask for.
fn names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let names = certificate.subject_alternative_name().ok().flatten();
    let names = names.iter().flat_map(|names| &names.value.general_names);
    let name = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
        GeneralName::IPAddress(bytes) => address(bytes).map(|address| address.to_string()),
        _ => None,
    };
    names.filter_map(name).collect()
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from))
        .ok()
}

/// The year 9999, by which certificates say that they never expire, has a day more than we count.
pub(super) fn timestamp(seconds: i64) -> Timestamp {
    let far = if seconds < 0 {
        Timestamp::MIN
    } else {
        Timestamp::MAX
    };
    Timestamp::from_second(seconds).unwrap_or(far)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damaged_certificates_do_no_harm() {
        let made = rcgen::generate_simple_self_signed(["a.example".to_owned()]).unwrap();
        let good = made.cert.der().to_vec();
        let check = |der: Vec<u8>| {
            let mut faults = Vec::new();
            let chain = check_chain(
                vec![der.into()],
                Purpose::Server,
                Timestamp::now(),
                &mut faults,
            );
            (chain.is_some(), faults.is_empty())
        };
        assert_eq!(check(good.clone()), (true, true));
        for at in 0..good.len() {
            assert_eq!(check(good[..at].to_vec()), (false, false), "{at} bytes");
            for bit in 0..8 {
                let mut other = good.clone();
                other[at] ^= 1 << bit;
                // The signature is for clients to check.
                let _ = check(other);
            }
        }
    }
}
