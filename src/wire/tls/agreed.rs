//! What the two sides of a handshake have agreed upon.

use rustls::pki_types::CertificateDer;
use rustls::{CipherSuite, CommonState, HandshakeKind, ProtocolVersion};

/// What both sides have agreed upon.
#[derive(Debug, Clone, Copy)]
pub struct Agreed<'s> {
    /// Such as `1.3`.
    pub version: &'static str,
    /// The cipher suite, as IANA names it.
    pub cipher: &'static str,
    /// The protocol, if the client has offered any (ALPN).
    pub protocol: Option<&'s [u8]>,
    /// Whether an earlier session is gone on with.
    pub resumed: bool,
    /// What the peer has proved itself with, its own first.
    pub certificates: &'s [CertificateDer<'static>],
}

impl<'s> Agreed<'s> {
    /// What a session says whose handshake is over.
    pub(super) fn of(session: &'s CommonState) -> Self {
        let suite = session.negotiated_cipher_suite();
        Self {
            version: match session.protocol_version() {
                Some(ProtocolVersion::TLSv1_3) => "1.3",
                _ => "1.2",
            },
            cipher: suite.map_or("", |suite| cipher_name(suite.suite())),
            protocol: session.alpn_protocol(),
            resumed: session.handshake_kind() == Some(HandshakeKind::Resumed),
            certificates: session.peer_certificates().unwrap_or_default(),
        }
    }
}

/// As IANA names it: rustls has names of its own for the suites of TLS 1.3.
fn cipher_name(suite: CipherSuite) -> &'static str {
    match suite {
        CipherSuite::TLS13_AES_128_GCM_SHA256 => "TLS_AES_128_GCM_SHA256",
        CipherSuite::TLS13_AES_256_GCM_SHA384 => "TLS_AES_256_GCM_SHA384",
        CipherSuite::TLS13_CHACHA20_POLY1305_SHA256 => "TLS_CHACHA20_POLY1305_SHA256",
        other => other.as_str().unwrap_or(""),
    }
}
