//! In which form a certificate or key comes that is not the PEM which a configuration takes. The form says
//! which command makes PEM of the file; nothing of its content is kept.

use std::fmt;

/// The two files of a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Half {
    /// The certificates, the server's own first.
    Cert,
    /// Its private key.
    Key,
}

impl Half {
    /// What its file holds.
    pub(super) fn noun(self) -> &'static str {
        match self {
            Self::Cert => "a certificate",
            Self::Key => "a private key",
        }
    }

    /// What its file has to hold.
    pub(super) fn takes(self) -> &'static str {
        match self {
            Self::Cert => {
                "`cert` takes the certificate that the authority has issued, from `-----BEGIN CERTIFICATE-----` on, followed by those of the authority"
            }
            Self::Key => "`key` takes the private key, from `-----BEGIN PRIVATE KEY-----` on",
        }
    }
}

/// What a file is that cannot be read as certificates or a key in PEM.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// DER, as all up to `Pkcs7`.
    Certificate,
    /// A request for a certificate (CSR).
    Request,
    /// A list of revoked certificates (CRL).
    Revoked,
    /// The public half of a key.
    PublicKey,
    /// A private key: PKCS#8, PKCS#1 or SEC 1.
    Key,
    /// PKCS#8 with a passphrase.
    EncryptedKey,
    /// Certificates and a key, with a passphrase (RFC 7292).
    Pkcs12,
    /// Certificates in a message that is signed by nobody (RFC 2315).
    Pkcs7,
    /// The same as PEM, which has a label of its own.
    Pkcs7Pem,
    /// A certificate with what OpenSSL adds for itself.
    Trusted,
    /// Text of two bytes a character.
    Utf16,
    /// PEM, between bytes that are no text.
    BesidePem,
    /// Any other binary content.
    Unknown,
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Certificate => "a certificate in DER, not in PEM",
            Self::Request => "a request for a certificate, in DER",
            Self::Revoked => "a list of revoked certificates, in DER",
            Self::PublicKey => "a public key, in DER",
            Self::Key => "a private key in DER, not in PEM",
            Self::EncryptedKey => "an encrypted private key in DER, not in PEM",
            Self::Pkcs12 => "PKCS#12 (.p12, .pfx), not PEM",
            Self::Pkcs7 => "PKCS#7 (.p7b) in DER, not certificates in PEM",
            Self::Pkcs7Pem => "PKCS#7 (.p7b), not certificates in PEM",
            Self::Trusted => "a `TRUSTED CERTIFICATE`, a form of OpenSSL's own",
            Self::Utf16 => "text in UTF-16, as Windows writes it, not in UTF-8",
            Self::BesidePem => "PEM with bytes around it that are not UTF-8",
            Self::Unknown => "not PEM, which is text",
        })
    }
}

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
const OBJECT_IDENTIFIER: u8 = 0x06;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
/// The first element with a tag of its own: the version of a certificate, the attributes of a request.
const CONTEXT_0: u8 = 0xa0;

impl Form {
    /// Tells the form of a file that is not UTF-8 by its first elements.
    pub fn of(bytes: &[u8]) -> Self {
        let has_pem = memchr::memmem::find(bytes, b"-----BEGIN ").is_some();
        match bytes {
            [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Self::Utf16,
            _ if has_pem => Self::BesidePem,
            _ => der(bytes).unwrap_or(Self::Unknown),
        }
    }

    /// How to get from this form what a half of a pair is to hold.
    pub(super) fn remedy(self, half: Half) -> &'static str {
        match (self, half) {
            (Self::Certificate, Half::Cert) => {
                "`openssl x509 -inform DER -in FILE -out FILE.pem` makes PEM of it"
            }
            (Self::Key, Half::Key) => {
                "`openssl pkey -inform DER -in FILE -out FILE.pem` makes PEM of it; let only the user that runs tollgate read the result"
            }
            (Self::EncryptedKey, Half::Key) => {
                "`openssl pkey -inform DER -in FILE -out FILE.pem` decrypts it and makes PEM of it; let only the user that runs tollgate read the result"
            }
            (Self::Pkcs12, _) => {
                "`openssl pkcs12 -in FILE -noenc -out FILE.pem` (with `-legacy` for an old one) writes certificates and key as PEM into one file, which both `cert` and `key` may name; let only the user that runs tollgate read it"
            }
            (Self::Pkcs7, Half::Cert) => {
                "`openssl pkcs7 -inform DER -in FILE -print_certs -out FILE.pem` takes the certificates out of it"
            }
            (Self::Pkcs7Pem, Half::Cert) => {
                "`openssl pkcs7 -in FILE -print_certs -out FILE.pem` takes the certificates out of it"
            }
            (Self::Trusted, Half::Cert) => {
                "`openssl x509 -in FILE -out FILE.pem` makes a plain `CERTIFICATE` of it"
            }
            (Self::Utf16, _) => "`iconv -f UTF-16 -t UTF-8 FILE > FILE.pem` makes PEM of it",
            (Self::BesidePem, _) => {
                "only what stands from `-----BEGIN` to `-----END` is needed: take the rest out"
            }
            _ => half.takes(),
        }
    }
}

fn der(bytes: &[u8]) -> Option<Form> {
    let (SEQUENCE, all, _) = element(bytes)? else {
        return None;
    };
    let (first, content, rest) = element(all)?;
    let (second, ..) = element(rest)?;
    match (first, second) {
        (OBJECT_IDENTIFIER, _) => Some(Form::Pkcs7),
        (INTEGER, SEQUENCE) if content == [3] => Some(Form::Pkcs12),
        (INTEGER, _) => Some(Form::Key),
        (SEQUENCE, OCTET_STRING) => Some(Form::EncryptedKey),
        (SEQUENCE, BIT_STRING) => Some(Form::PublicKey),
        (SEQUENCE, SEQUENCE) => signed(content),
        _ => None,
    }
}

/// Tells by its first elements what it is that somebody has signed.
fn signed(content: &[u8]) -> Option<Form> {
    let mut rest = content;
    let mut tags = [0; 4];
    for tag in &mut tags {
        (*tag, _, rest) = element(rest)?;
    }
    match tags {
        [CONTEXT_0, ..] | [INTEGER, SEQUENCE, SEQUENCE, SEQUENCE] => Some(Form::Certificate),
        [INTEGER, SEQUENCE, SEQUENCE, CONTEXT_0] => Some(Form::Request),
        [INTEGER, SEQUENCE, SEQUENCE, UTC_TIME | GENERALIZED_TIME]
        | [SEQUENCE, SEQUENCE, UTC_TIME | GENERALIZED_TIME, _] => Some(Form::Revoked),
        _ => None,
    }
}

/// The first element: its tag, its content as far as it is there, and what comes after it.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[tag, length], rest) = bytes.split_first_chunk()?;
    let (length, rest) = match length {
        0..0x80 => (usize::from(length), rest),
        // Without a length (BER): up to a mark, which does not matter here.
        0x80 => (rest.len(), rest),
        _ => {
            let (length, rest) = rest.split_at_checked(usize::from(length & 0x7f))?;
            let add = |sum: usize, byte: &u8| sum.saturating_mul(256) | usize::from(*byte);
            (length.iter().fold(0, add), rest)
        }
    };
    let (content, rest) = rest.split_at(length.min(rest.len()));
    Some((tag, content, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_bytes_do_harm() {
        let key = rcgen::KeyPair::generate().unwrap().serialize_der();
        assert_eq!(Form::of(&key), Form::Key);
        for at in 0..key.len() {
            let _ = Form::of(&key[..at]);
            let mut other = key.clone();
            for byte in [0, 0x7f, 0x80, 0x88, 0xff] {
                other[at] = byte;
                let _ = Form::of(&other);
            }
        }
        assert_eq!(Form::of(&[0xff; 40]), Form::Unknown);
        assert_eq!(Form::of(&[0x30, 0xff]), Form::Unknown);
    }
}
