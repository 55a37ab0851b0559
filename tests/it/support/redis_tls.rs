//! A Redis that speaks TLS, with an authority of the test's own, and asks its clients for
//! certificates.

use std::cell::Cell;
use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tempfile::TempDir;

use super::redis::{Redis, free_port};

/// An authority, and what it has signed, as files.
pub(crate) struct Certificates {
    folder: TempDir,
}

impl Certificates {
    /// Makes a new authority, a server's certificate for 127.0.0.1 and a client's.
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // Not that of any other authority, nor of what it signs.
        let name = format!("authority {}", fastrand::u64(..));
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().expect("a key");
        let ca = CertifiedIssuer::self_signed(params, key).expect("an authority");
        let made = Self {
            folder: tempfile::tempdir().expect("a temporary folder"),
        };
        made.write("ca.pem", &ca.pem());
        for name in ["server", "client"] {
            let names = vec!["127.0.0.1".to_owned(), "localhost".to_owned()];
            let mut params = CertificateParams::new(names).expect("names");
            params.distinguished_name.push(DnType::CommonName, name);
            let key = KeyPair::generate().expect("a key");
            let signed = params.signed_by(&key, &ca).expect("a certificate");
            made.write(&format!("{name}.pem"), &signed.pem());
            made.write(&format!("{name}-key.pem"), &key.serialize_pem());
        }
        made
    }

    /// Where `ca.pem`, `client.pem`, `client-key.pem` and the server's are.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What one of them holds.
    pub(crate) fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).expect("a file that was written")
    }

    /// Starts a Redis that has these certificates. Returns the port for TLS, too.
    pub(crate) fn redis(&self) -> (Redis, u16) {
        let tls_port = Cell::new(0);
        let redis = Redis::start_as(|_, _| {
            tls_port.set(free_port());
            self.arguments(tls_port.get())
        });
        (redis, tls_port.get())
    }

    /// What a server's command line says to speak TLS on that port, too.
    pub(crate) fn arguments(&self, tls_port: u16) -> Vec<String> {
        arguments(self.folder.path(), tls_port)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).expect("write a file");
    }
}

fn arguments(folder: &Path, tls_port: u16) -> Vec<String> {
    let file = |name: &str| folder.join(name).display().to_string();
    let words: [&str; 10] = [
        "--tls-port",
        &tls_port.to_string(),
        "--tls-ca-cert-file",
        &file("ca.pem"),
        "--tls-cert-file",
        &file("server.pem"),
        "--tls-key-file",
        &file("server-key.pem"),
        "--tls-auth-clients",
        "yes",
    ];
    words.map(str::to_owned).to_vec()
}
