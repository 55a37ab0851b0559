//! An authority of a test's own, and what it signs.

use std::path::PathBuf;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion};
use tempfile::TempDir;

/// Both versions.
pub(super) const VERSIONS: &[&SupportedProtocolVersion] =
    &[&rustls::version::TLS12, &rustls::version::TLS13];

/// An authority, and a folder with its certificate in `ca.pem`.
pub(super) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: TempDir,
}

/// A certificate and its key.
pub(super) struct Signed {
    chain: Vec<CertificateDer<'static>>,
    key: Vec<u8>,
    pub pem: String,
    pub key_pem: String,
}

impl Authority {
    pub(super) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // Not that of any other authority.
        let name = format!("authority {}", fastrand::u64(..));
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().expect("a key");
        let issuer = CertifiedIssuer::self_signed(params, key).expect("an authority");
        let folder = tempfile::tempdir().expect("a folder");
        let made = Self { issuer, folder };
        made.write("ca.pem", &made.issuer.pem());
        made
    }

    /// Signs a certificate for these names and addresses.
    pub(super) fn signs(&self, names: &[&str]) -> Signed {
        self.signs_with(names, |_| {})
    }

    /// The same, changed in some way.
    pub(super) fn signs_with(
        &self,
        names: &[&str],
        change: impl FnOnce(&mut CertificateParams),
    ) -> Signed {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let mut params = CertificateParams::new(names).expect("names");
        change(&mut params);
        let key = KeyPair::generate().expect("a key");
        let signed = params.signed_by(&key, &self.issuer).expect("it is signed");
        Signed {
            chain: vec![signed.der().clone()],
            key: key.serialize_der(),
            pem: signed.pem(),
            key_pem: key.serialize_pem(),
        }
    }

    /// The certificate of the authority, in a file.
    pub(super) fn ca(&self) -> String {
        self.path("ca.pem").display().to_string()
    }

    /// Writes a certificate and its key; returns the keys of a configuration that name the files.
    pub(super) fn keep(&self, name: &str, signed: &Signed) -> String {
        let (cert, key) = (format!("{name}.pem"), format!("{name}.key"));
        self.write(&cert, &signed.pem);
        self.write(&key, &signed.key_pem);
        let (cert, key) = (self.path(&cert), self.path(&key));
        format!(
            "cert = \"{}\"\nkey = \"{}\"\n",
            cert.display(),
            key.display()
        )
    }

    pub(super) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).expect("write a file");
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn roots(&self) -> Arc<RootCertStore> {
        let mut roots = RootCertStore::empty();
        roots.add(self.issuer.der().clone()).expect("an authority");
        Arc::new(roots)
    }
}

impl Signed {
    /// A certificate that nobody but itself has signed, of an authority, as `openssl req -x509` makes it.
    pub(super) fn by_itself(names: &[&str]) -> Self {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let mut params = CertificateParams::new(names).expect("names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let signed = params.self_signed(&key).expect("it is signed");
        Self {
            chain: vec![signed.der().clone()],
            key: key.serialize_der(),
            pem: signed.pem(),
            key_pem: key.serialize_pem(),
        }
    }

    /// What a server goes by that shows this certificate.
    pub(super) fn server(&self) -> ServerConfig {
        self.server_with(VERSIONS, None)
    }

    /// The same in some versions, and asking for a certificate that an authority has signed.
    pub(super) fn server_with(
        &self,
        versions: &[&'static SupportedProtocolVersion],
        clients_of: Option<&Authority>,
    ) -> ServerConfig {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(versions)
            .expect("versions");
        let builder = match clients_of {
            None => builder.with_no_client_auth(),
            Some(authority) => {
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(authority.roots(), provider)
                        .build();
                builder.with_client_cert_verifier(verifier.expect("a verifier"))
            }
        };
        let key = PrivateKeyDer::Pkcs8(self.key.clone().into());
        let mut config = builder
            .with_single_cert(self.chain.clone(), key)
            .expect("the key is the certificate's");
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        config
    }
}
