//! The cryptography, made once.

use std::sync::{Arc, LazyLock};

use rustls::CipherSuite;
use rustls::crypto::CryptoProvider;

/// The cryptography of all TLS of this process.
pub fn provider() -> &'static Arc<CryptoProvider> {
    static PROVIDER: LazyLock<Arc<CryptoProvider>> =
        LazyLock::new(|| Arc::new(ordered(rustls::crypto::aws_lc_rs::default_provider())));
    &PROVIDER
}

/// Puts AES-GCM with 128 bits before all other suites, for it costs least.
fn ordered(mut provider: CryptoProvider) -> CryptoProvider {
    let is_first = |suite: CipherSuite| {
        matches!(
            suite,
            CipherSuite::TLS13_AES_128_GCM_SHA256
                | CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
                | CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
        )
    };
    let suites = &mut provider.cipher_suites;
    // Stable, and TLS 1.3 stays before TLS 1.2.
    suites.sort_by_key(|suite| (suite.tls13().is_none(), !is_first(suite.suite())));
    provider
}
