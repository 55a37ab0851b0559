//! What a file in PEM holds.

use rustls::pki_types::pem::{PemObject, SectionKind};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::fault::{Fault, Half};

/// The sections of a text.
pub(super) struct Sections {
    pub certificates: Vec<CertificateDer<'static>>,
    /// The first private key.
    pub key: Option<PrivateKeyDer<'static>>,
    /// What the first section is.
    pub first: &'static str,
}

impl Sections {
    /// Reads all sections of a text that is to hold this half of a pair.
    pub(super) fn read(text: &str, half: Half) -> Result<Self, Fault> {
        if text.trim().is_empty() {
            return Err(Fault::Empty(half));
        }
        if !text.contains("-----BEGIN ") {
            return Err(Fault::NoPem(half));
        }
        // The old form of OpenSSL has it in lines before the Base64, which would look damaged.
        let is_encrypted = ["ENCRYPTED PRIVATE KEY", "Proc-Type: 4,ENCRYPTED"];
        let is_encrypted = is_encrypted.iter().any(|mark| text.contains(mark));
        if is_encrypted && half == Half::Key {
            return Err(Fault::Encrypted);
        }
        let mut sections = Self {
            certificates: Vec::new(),
            key: None,
            first: first(text),
        };
        for section in <(SectionKind, Vec<u8>)>::pem_slice_iter(text.as_bytes()) {
            let (kind, der) = section.map_err(|_| Fault::DamagedPem(half))?;
            match kind {
                SectionKind::Certificate => sections.certificates.push(der.into()),
                kind => {
                    let key = PrivateKeyDer::from_pem(kind, der);
                    sections.key = sections.key.or(key);
                }
            }
        }
        // Indented lines, say.
        if sections.is_empty() && sections.first == half.noun() {
            return Err(Fault::DamagedPem(half));
        }
        Ok(sections)
    }

    fn is_empty(&self) -> bool {
        self.certificates.is_empty() && self.key.is_none()
    }
}

/// What the first section of a text is, in words.
fn first(text: &str) -> &'static str {
    let (_, kind) = text.split_once("-----BEGIN ").unwrap_or_default();
    let kind = kind.split("-----").next().unwrap_or_default();
    match kind {
        "CERTIFICATE" => Half::Cert.noun(),
        "CERTIFICATE REQUEST" | "NEW CERTIFICATE REQUEST" => "a request for a certificate",
        "PUBLIC KEY" | "RSA PUBLIC KEY" => "a public key",
        "OPENSSH PRIVATE KEY" => "a key of SSH",
        "X509 CRL" => "a list of revoked certificates",
        "EC PARAMETERS" | "DH PARAMETERS" => "parameters",
        kind if kind.ends_with("PRIVATE KEY") => Half::Key.noun(),
        _ => "something else",
    }
}
