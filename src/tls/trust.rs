//! Whose certificates are trusted: the operator's own authorities, or those of the platform.

use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use super::provider::provider;

/// The authorities in `ca`, which is PEM, or those of the platform.
///
/// # Errors
/// There is none to trust.
pub fn trust(ca: Option<&str>) -> Result<RootCertStore, NoTrust> {
    let mut roots = RootCertStore::empty();
    match ca {
        Some(pem) => {
            for certificate in certificates(pem).ok_or(NoTrust::Ca)? {
                roots.add(certificate).map_err(|_| NoTrust::Ca)?;
            }
        }
        None => {
            // Platforms have odd ones among many; what matters is that there are some.
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    if roots.is_empty() {
        return Err(NoTrust::Platform);
    }
    Ok(roots)
}

/// How a server is asked that need not know who we are.
///
/// # Errors
/// There is none to trust.
pub fn anonymous_client(ca: Option<&str>) -> Result<Arc<ClientConfig>, NoTrust> {
    let config = ClientConfig::builder_with_provider(Arc::clone(provider()))
        .with_safe_default_protocol_versions()
        .map_err(|_| NoTrust::Library)?;
    let config = config.with_root_certificates(trust(ca)?);
    Ok(Arc::new(config.with_no_client_auth()))
}

/// All certificates of a text, or `None` if there are none or one is damaged.
#[must_use]
pub fn certificates(pem: &str) -> Option<Vec<CertificateDer<'static>>> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    all.ok().filter(|all| !all.is_empty())
}

/// Why nobody can be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoTrust {
    /// The text of the authorities.
    #[error("it holds no certificates in PEM")]
    Ca,
    /// No authority is known to the platform.
    #[error("this machine knows no certificate authorities")]
    Platform,
    /// The library cannot speak the versions that it has.
    #[error("TLS cannot be set up")]
    Library,
}
