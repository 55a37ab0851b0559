//! `[tls]`: TLS towards clients.

use crate::config::keys::{List, table};
use crate::config::kinds::{PemFile, Secret};
use crate::tls::TlsVersion;

use super::acme::AcmeKeys;

table! {
    /// TLS towards clients.
    TlsKeys {
        /// The oldest version that clients may speak.
        min_version: TlsVersion = TlsVersion::Tls12;
        /// The certificates. A client gets that for the name which it asks for (SNI), else one with a
        /// wildcard for it, else the first. Certificates with RSA and ECDSA may have the same names.
        certificates: List<CertificateKeys> = List::empty();
        /// What the keys of session tickets are derived from, 32 characters or more: gateways with the same
        /// one resume the sessions of one another. Also what they encrypt by in Redis when they share what
        /// `tls.acme` orders. Never logged. Absent: a random one for each process, and each orders alone.
        secret: Option<Secret>;
        /// Certificates that are ordered from an authority. Absent: none.
        acme: Option<AcmeKeys>;
    }
}

table! {
    /// A certificate and its key.
    CertificateKeys {
        /// A file in PEM with the certificate, followed by those that lead from it to its authority. Its
        /// names are its subject alternative names.
        cert: PemFile;
        /// A file in PEM with the key of the certificate, not encrypted.
        key: PemFile;
    }
}
