//! `[tls]`: TLS towards clients.

use crate::config::keys::{List, table};
use crate::config::kinds::PemFile;
use crate::tls::TlsVersion;

table! {
    /// TLS towards clients.
    TlsKeys {
        /// The oldest version that clients may speak.
        min_version: TlsVersion = TlsVersion::Tls12;
        /// The certificates. A client gets that for the name which it asks for (SNI), else one with a
        /// wildcard for it, else the first. Certificates with RSA and ECDSA may have the same names.
        certificates: List<CertificateKeys> = List::empty();
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
