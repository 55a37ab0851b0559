//! What a file in PEM holds.

use rustls::pki_types::pem::{PemObject, SectionKind};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::fault::Fault;
use super::form::{Form, Half};

/// How a section begins.
const BEGIN: &str = "-----BEGIN ";
/// What editors of Windows put in front of a text.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// The sections of a text.
pub(super) struct Sections {
    pub certificates: Vec<CertificateDer<'static>>,
    /// The first private key.
    pub key: Option<PrivateKeyDer<'static>>,
    /// How many private keys there are.
    pub keys: usize,
    /// What the first section is.
    pub first: &'static str,
}

impl Sections {
    /// Reads the certificates of a text, of which there is one at least.
    pub(super) fn certificates(text: &str) -> Result<Vec<CertificateDer<'static>>, Fault> {
        let sections = Self::read(text, Half::Cert)?;
        if sections.certificates.is_empty() {
            return Err(Fault::NoCertificate(sections.first));
        }
        Ok(sections.certificates)
    }

    /// Reads all sections of a text that is to hold this half of a pair.
    pub(super) fn read(text: &str, half: Half) -> Result<Self, Fault> {
        let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
        if text.trim().is_empty() {
            return Err(Fault::Empty(half));
        }
        if !text.contains(BEGIN) {
            return Err(Fault::NoPem(half));
        }
        // The old form of OpenSSL has it in lines before the Base64, which would look damaged.
        let is_encrypted = ["ENCRYPTED PRIVATE KEY", "Proc-Type: 4,ENCRYPTED"];
        let is_encrypted = is_encrypted.iter().any(|mark| text.contains(mark));
        if is_encrypted && half == Half::Key {
            return Err(Fault::Encrypted);
        }
        all_are_seen(text, half)?;
        let mut sections = Self {
            certificates: Vec::new(),
            key: None,
            keys: 0,
            first: first(text),
        };
        for section in <(SectionKind, Vec<u8>)>::pem_slice_iter(text.as_bytes()) {
            let (kind, der) = section.map_err(|_| Fault::DamagedPem(half))?;
            match kind {
                SectionKind::Certificate => sections.certificates.push(der.into()),
                kind => {
                    if let Some(key) = PrivateKeyDer::from_pem(kind, der) {
                        sections.keys += 1;
                        sections.key.get_or_insert(key);
                    }
                }
            }
        }
        // In a comment, say.
        if sections.is_empty() && sections.first == half.noun() {
            return Err(Fault::DamagedPem(half));
        }
        Ok(sections)
    }

    fn is_empty(&self) -> bool {
        self.certificates.is_empty() && self.key.is_none()
    }
}

/// Whether every section is one that the parser takes: it passes over others in silence, and a chain would
/// lack a certificate that is in the file.
fn all_are_seen(text: &str, half: Half) -> Result<(), Fault> {
    for (at, line) in text.lines().enumerate() {
        let Some((before, label)) = line.split_once(BEGIN) else {
            continue;
        };
        let is_blank = |c: char| c.is_whitespace() || c == BYTE_ORDER_MARK;
        // Indented, or behind the end of another one in a file without a last line break.
        let is_hidden = before.chars().all(is_blank) || before.ends_with("-----");
        if !before.is_empty() && is_hidden {
            return Err(Fault::NotAtLineStart(half, at + 1));
        }
        let form = match label.trim_end().trim_end_matches('-') {
            "TRUSTED CERTIFICATE" | "X509 CERTIFICATE" => Form::Trusted,
            "PKCS7" | "CMS" => Form::Pkcs7Pem,
            _ => continue,
        };
        if half == Half::Cert && before.is_empty() {
            return Err(Fault::OtherForm(half, form));
        }
    }
    Ok(())
}

/// What the first section of a text is, in words.
fn first(text: &str) -> &'static str {
    let (_, kind) = text.split_once(BEGIN).unwrap_or_default();
    let kind = kind.split("-----").next().unwrap_or_default();
    match kind {
        "CERTIFICATE" | "TRUSTED CERTIFICATE" | "X509 CERTIFICATE" => Half::Cert.noun(),
        "CERTIFICATE REQUEST" | "NEW CERTIFICATE REQUEST" => "a request for a certificate",
        "PKCS7" | "CMS" => "PKCS#7",
        "PUBLIC KEY" | "RSA PUBLIC KEY" => "a public key",
        "OPENSSH PRIVATE KEY" => "a key of SSH",
        "X509 CRL" => "a list of revoked certificates",
        "EC PARAMETERS" | "DH PARAMETERS" => "parameters",
        kind if kind.ends_with("PRIVATE KEY") => Half::Key.noun(),
        _ => "something else",
    }
}
