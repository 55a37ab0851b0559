//! What TLS to Redis trusts and shows: the operator's own authority or those of the platform, and a
//! certificate of our own where Redis asks for one. Read once, when the configuration is.

use std::fmt;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::rustls;

/// Certificates and a key, ready for use. Its `Debug` shows neither.
#[derive(Clone)]
pub struct RedisTls(pub(super) Arc<ClientConfig>);

impl RedisTls {
    /// Trusts the authorities in `ca`, or those of the platform; shows the certificate and proves
    /// it by the key of `identity`. All are PEM.
    ///
    /// # Errors
    ///
    /// Which of them cannot be used, and why.
    pub fn parse(ca: Option<&str>, identity: Option<(&str, &str)>) -> Result<Self, InvalidTls> {
        let roots = match ca {
            Some(pem) => own_roots(pem)?,
            None => platform_roots()?,
        };
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(InvalidTls::Library)?
            .with_root_certificates(roots);
        let config = match identity {
            None => config.with_no_client_auth(),
            Some((cert, key)) => {
                let chain = certificates(cert).ok_or(InvalidTls::Cert)?;
                let key =
                    PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|_| InvalidTls::Key)?;
                config
                    .with_client_auth_cert(chain, key)
                    .map_err(|_| InvalidTls::Pair)?
            }
        };
        Ok(Self(Arc::new(config)))
    }
}

impl fmt::Debug for RedisTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RedisTls")
    }
}

fn own_roots(pem: &str) -> Result<RootCertStore, InvalidTls> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(pem).ok_or(InvalidTls::Ca)? {
        roots.add(certificate).map_err(|_| InvalidTls::Ca)?;
    }
    Ok(roots)
}

fn platform_roots() -> Result<RootCertStore, InvalidTls> {
    let mut roots = RootCertStore::empty();
    // Platforms have odd ones among many; what matters is that there are some.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        return Err(InvalidTls::NoRoots);
    }
    Ok(roots)
}

/// All certificates of a text, or `None` if there are none or one is damaged.
fn certificates(pem: &str) -> Option<Vec<CertificateDer<'static>>> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    all.ok().filter(|all| !all.is_empty())
}

/// Why there can be no TLS.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum InvalidTls {
    /// The text of the authorities.
    #[error("it holds no certificates in PEM")]
    Ca,
    /// The text of the certificate.
    #[error("it holds no certificate in PEM")]
    Cert,
    /// The text of the key.
    #[error("it holds no private key in PEM, or an encrypted one")]
    Key,
    /// Certificate and key don't belong together.
    #[error("the key is not that of the certificate")]
    Pair,
    /// No authority is known to the platform.
    #[error("this machine knows no certificate authorities")]
    NoRoots,
    /// The library's own doing.
    #[error("{0}")]
    Library(rustls::Error),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_pem_is_told_apart() {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let other = rcgen::KeyPair::generate().unwrap().serialize_pem();
        let (cert, key) = (made.cert.pem(), made.signing_key.serialize_pem());
        let parse = |ca: &str, cert: &str, key: &str| RedisTls::parse(Some(ca), Some((cert, key)));
        let tls = parse(&cert, &cert, &key).unwrap();
        RedisTls::parse(Some(&cert), None).unwrap();
        let damaged = cert.replace("MII", "!!!");
        for (ca, cert, key, why) in [
            ("", &*cert, &*key, InvalidTls::Ca),
            (&key, &cert, &key, InvalidTls::Ca),
            (&damaged, &cert, &key, InvalidTls::Ca),
            (&cert, &key, &key, InvalidTls::Cert),
            (&cert, &cert, &cert, InvalidTls::Key),
            (&cert, &cert, &other, InvalidTls::Pair),
        ] {
            assert_eq!(parse(ca, cert, key).unwrap_err(), why);
        }
        assert_eq!(format!("{tls:?}"), "RedisTls");
    }
}
