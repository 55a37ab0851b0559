//! What TLS to Redis trusts and shows: the operator's own authority or those of the platform, and a
//! certificate of our own where Redis asks for one. Read once, when the configuration is.

use std::fmt;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;

use crate::tls::{NoTrust, certificates, provider, trust};

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
        let config = ClientConfig::builder_with_provider(Arc::clone(provider()))
            .with_safe_default_protocol_versions()
            .map_err(InvalidTls::Library)?
            .with_root_certificates(trust(ca)?);
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

impl From<NoTrust> for InvalidTls {
    fn from(why: NoTrust) -> Self {
        match why {
            NoTrust::Ca => Self::Ca,
            NoTrust::Platform | NoTrust::Library => Self::NoRoots,
        }
    }
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
