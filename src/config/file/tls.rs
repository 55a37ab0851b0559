//! `[tls]`: TLS towards clients.

use crate::config::keys::{List, Perhaps, table};
use crate::config::kinds::{HostName, PemFile, Secret};
use crate::tls::{ClientAuthMode, TlsVersion};

use super::acme::AcmeKeys;

table! {
    /// TLS towards clients.
    TlsKeys, such as r#"certificates = [{ cert = "cert.pem", key = "key.pem" }]"# {
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
        acme: Perhaps<AcmeKeys>;
        /// Clients are asked for certificates. Absent: they are not.
        client_auth: Option<ClientAuthKeys>;
    }
}

table! {
    /// Which certificates of clients are accepted.
    ClientAuthKeys, such as r#"ca = @"ca.pem", mode = "optional""# {
        /// A file in PEM with the certificates of the authorities whose certificates clients may show. It is
        /// read again when it changes.
        ca: PemFile;
        /// What becomes of clients without a certificate. `optional`: they are let in, and are known by their
        /// keys, if at all. `required`: the TLS handshake fails.
        mode: ClientAuthMode;
        /// The names, as clients ask for them (SNI), at which they are asked for a certificate, also
        /// `*.example.com`. Empty: all, and clients that ask for no name.
        names: List<HostName> = List::empty();
    }
}

table! {
    /// A certificate and its key.
    CertificateKeys, such as r#"cert = @"cert.pem", key = "key.pem""# {
        /// A file in PEM with the certificate, followed by those that lead from it to its authority. Its
        /// names are its subject alternative names.
        cert: PemFile;
        /// A file in PEM with the key of the certificate, not encrypted.
        key: PemFile;
    }
}
