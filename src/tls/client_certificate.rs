//! What a client proves itself with: its certificate, and all that it can be known by. Looked at once a
//! connection, after the handshake has verified it.

use std::fmt;

use rustls::pki_types::CertificateDer;
use sha2::{Digest as _, Sha256};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer;

use crate::message::hex::Hex;

use super::fault::Fault;
use super::form::Half;
use super::pem::Sections;

/// One thing that a client can be known by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum CertificateIdentity {
    /// The SHA-256 digest of its public key (`SubjectPublicKeyInfo` in DER).
    PublicKey([u8; 32]),
    /// A DNS name among its subject alternative names, in lower case.
    DnsName(Box<str>),
    /// A URI among them, such as an id of SPIFFE, as it is written.
    Uri(Box<str>),
}

impl CertificateIdentity {
    /// A name as it is compared: in lower case, without a final dot.
    pub fn dns_name(name: &str) -> Self {
        let name = name.strip_suffix('.').unwrap_or(name);
        Self::DnsName(name.to_ascii_lowercase().into())
    }
}

impl fmt::Display for CertificateIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PublicKey(digest) => write!(f, "spki-sha256:{}", Hex(digest)),
            Self::DnsName(name) => write!(f, "san-dns:{name}"),
            Self::Uri(uri) => write!(f, "san-uri:{uri}"),
        }
    }
}

/// A certificate that a client has shown, with those that lead from it to its authority.
#[derive(Debug, Clone)]
pub struct ClientCertificate {
    chain: Vec<CertificateDer<'static>>,
    identities: Box<[CertificateIdentity]>,
}

impl ClientCertificate {
    /// The certificates of a handshake, the client's own first. `None` if there are none.
    pub fn of(chain: &[CertificateDer<'static>]) -> Option<Self> {
        let own = chain.first()?;
        let identities = match X509Certificate::from_der(own) {
            Ok(([], certificate)) => identities(&certificate),
            // It is known by nothing, then.
            _ => Box::default(),
        };
        Some(Self {
            chain: chain.to_vec(),
            identities,
        })
    }

    /// Reads the same from a text in PEM.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn read(text: &str) -> Result<Self, Fault> {
        let chain = Sections::certificates(text)?;
        Self::of(&chain).ok_or(Fault::Empty(Half::Cert))
    }

    /// All that the client can be known by.
    pub fn identities(&self) -> &[CertificateIdentity] {
        &self.identities
    }

    /// The certificates, the client's own first.
    pub(super) fn chain(&self) -> &[CertificateDer<'static>] {
        &self.chain
    }
}

fn identities(certificate: &X509Certificate<'_>) -> Box<[CertificateIdentity]> {
    let key = Sha256::digest(certificate.public_key().raw).into();
    let names = certificate.subject_alternative_name().ok().flatten();
    let names = names.iter().flat_map(|names| &names.value.general_names);
    let name = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(name) => Some(CertificateIdentity::dns_name(name)),
        GeneralName::URI(uri) => Some(CertificateIdentity::Uri((*uri).into())),
        _ => None,
    };
    let names = names.filter_map(name);
    let key = CertificateIdentity::PublicKey(key);
    std::iter::once(key).chain(names).collect()
}
