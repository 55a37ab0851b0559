//! Clients that speak TLS, and an authority of the test's own whose certificates they trust.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::client::WantsClientCert;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::version::{TLS12, TLS13};
use rustls::{
    ClientConfig, ClientConnection, ConfigBuilder, DigitallySignedStruct, RootCertStore,
    SignatureScheme, StreamOwned, SupportedProtocolVersion,
};
use tempfile::TempDir;
use tokio::io::copy_bidirectional;
use tokio::runtime::Builder;
use tokio_rustls::TlsConnector;

use super::client::Client;
use super::wait::PATIENCE;

/// An authority, and what it has signed, as files.
pub(crate) struct Authority {
    folder: TempDir,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// A connection through TLS, for what a `Client` does not show.
pub(crate) type TlsClient = StreamOwned<ClientConnection, TcpStream>;

impl Authority {
    /// A new one, whose own certificate is `ca.pem`.
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let name = format!("authority {}", fastrand::u64(..));
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().expect("a key");
        let issuer = CertifiedIssuer::self_signed(params, key).expect("an authority");
        let folder = tempfile::tempdir().expect("a temporary folder");
        let authority = Self { folder, issuer };
        authority.write("ca.pem", &authority.issuer.pem());
        authority
    }

    /// Signs a certificate for these names: `NAME.pem` and `NAME-key.pem`.
    pub(crate) fn issue(&self, file: &str, names: &[&str]) -> &Self {
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        self.issue_with(file, CertificateParams::new(names).expect("names"))
    }

    /// Signs a certificate with these parameters.
    pub(crate) fn issue_with(&self, file: &str, mut params: CertificateParams) -> &Self {
        params.distinguished_name.push(DnType::CommonName, file);
        let key = KeyPair::generate().expect("a key");
        let signed = params.signed_by(&key, &self.issuer).expect("a certificate");
        self.write(&format!("{file}.pem"), &signed.pem());
        self.write(&format!("{file}-key.pem"), &key.serialize_pem());
        self
    }

    /// The lines of a configuration that name the files of a certificate.
    pub(crate) fn certificate(&self, file: &str) -> String {
        let (cert, key) = (
            self.path(&format!("{file}.pem")),
            self.path(&format!("{file}-key.pem")),
        );
        format!(
            "[[tls.certificates]]\ncert = \"{}\"\nkey = \"{}\"\n",
            cert.display(),
            key.display()
        )
    }

    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    fn write(&self, file: &str, text: &str) {
        std::fs::write(self.path(file), text).expect("write a file");
    }

    /// How a client handshakes that trusts this authority, and offers both versions.
    pub(crate) fn client(&self) -> ClientConfig {
        self.client_of(&[&TLS13, &TLS12])
    }

    pub(crate) fn client_of(&self, versions: &[&'static SupportedProtocolVersion]) -> ClientConfig {
        self.trusting(versions).with_no_client_auth()
    }

    /// The same for a client that shows this certificate of an authority.
    pub(crate) fn client_with(
        &self,
        versions: &[&'static SupportedProtocolVersion],
        (issuer, file): (&Authority, &str),
    ) -> ClientConfig {
        let text = |file: String| std::fs::read(issuer.path(&file)).expect("a file");
        let cert = CertificateDer::from_pem_slice(&text(format!("{file}.pem")));
        let key = PrivateKeyDer::from_pem_slice(&text(format!("{file}-key.pem")));
        self.trusting(versions)
            .with_client_auth_cert(vec![cert.expect("a certificate")], key.expect("a key"))
            .expect("they fit")
    }

    fn trusting(
        &self,
        versions: &[&'static SupportedProtocolVersion],
    ) -> ConfigBuilder<ClientConfig, WantsClientCert> {
        let mut roots = RootCertStore::empty();
        roots.add(self.issuer.der().clone()).expect("a root");
        ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(versions)
            .expect("versions")
            .with_root_certificates(roots)
    }
}

pub(crate) fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

/// How a client handshakes that believes every certificate.
pub(crate) fn trusting_all() -> ClientConfig {
    ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .expect("versions")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(TrustingAll))
        .with_no_client_auth()
}

#[derive(Debug)]
struct TrustingAll;

impl ServerCertVerifier for TrustingAll {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let algorithms = provider().signature_verification_algorithms;
        algorithms.supported_schemes()
    }
}

fn server_name(name: &str) -> ServerName<'static> {
    name.to_owned().try_into().expect("a name")
}

/// A client whose connection goes through TLS, on which it asks for `name`.
pub(crate) fn client_through(to: SocketAddr, config: &Arc<ClientConfig>, name: &str) -> Client {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
    let plain = listener.local_addr().expect("an address");
    let client = Client::to(plain);
    let (near, _) = listener.accept().expect("accept");
    near.set_nonblocking(true).expect("set an option");
    let (connector, name) = (TlsConnector::from(Arc::clone(config)), server_name(name));
    std::thread::spawn(move || {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let far = tokio::net::TcpStream::connect(to).await?;
            let mut far = connector.connect(name, far).await?;
            let mut near = tokio::net::TcpStream::from_std(near)?;
            let passed = copy_bidirectional(&mut near, &mut far).await;
            // Who is cut off on one side is cut off on the other.
            passed.inspect_err(|_| drop(near.set_zero_linger()))
        })
    });
    client
}

/// Connects, and takes the handshake to its end.
pub(crate) fn connect(
    to: SocketAddr,
    config: &Arc<ClientConfig>,
    name: &str,
) -> io::Result<TlsClient> {
    let mut socket = TcpStream::connect(to)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    let session = ClientConnection::new(Arc::clone(config), server_name(name));
    let mut session = session.map_err(io::Error::other)?;
    while session.is_handshaking() {
        session.complete_io(&mut socket)?;
    }
    Ok(StreamOwned::new(session, socket))
}
