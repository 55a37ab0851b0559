//! Which certificate a client of an `https` URL would be shown, and what it is asked for itself.

use serde::Serialize;

use crate::message::caller::Peer;
use crate::pipeline::snapshot::Snapshot;
use crate::tls::Certificate;
use crate::words::Word;

use super::Explanation;

/// A certificate that would be shown.
#[derive(Debug, Serialize)]
pub struct CertificateLine {
    /// What it is valid for.
    pub names: Vec<String>,
    /// Until when.
    pub not_after: String,
    /// The kind of its key; of several certificates the first that the client can check is shown.
    pub key: &'static str,
    /// Whether the host is among its names; else clients refuse it.
    pub fits: bool,
}

/// What is asked of the client.
#[derive(Debug, Serialize)]
pub struct AskedLine {
    /// `optional` or `required`.
    pub mode: &'static str,
    /// What the certificate that it shows is known by, if it shows one.
    pub identities: Option<Vec<String>>,
}

/// Describes what both sides show in the handshake, if the request comes with TLS.
pub(super) fn describe(explanation: &mut Explanation, snapshot: &Snapshot, peer: Peer<'_>) {
    if peer.tls().is_some() {
        explanation.certificates = Some(certificates(snapshot, &explanation.host));
        explanation.client_certificate = asked(snapshot, peer);
    }
}

/// What a client is asked in the handshake, if it is.
fn asked(snapshot: &Snapshot, peer: Peer<'_>) -> Option<AskedLine> {
    let connection = peer.tls()?;
    connection.asked.as_ref()?;
    let identities = connection.certificate().map(|it| it.identities().iter());
    Some(AskedLine {
        mode: snapshot.tls.as_ref()?.client_auth()?.mode().word(),
        identities: identities.map(|all| all.map(ToString::to_string).collect()),
    })
}

/// The certificates for a host.
fn certificates(snapshot: &Snapshot, host: &str) -> Vec<CertificateLine> {
    let Some(tls) = &snapshot.tls else {
        return Vec::new();
    };
    let host = host.to_ascii_lowercase();
    let shown = tls.certificates_for(&host);
    let line = |it: &Certificate| CertificateLine {
        names: it.names.clone(),
        not_after: it.not_after.to_string(),
        key: it.key_kind(),
        fits: it.is_for(&host),
    };
    shown.iter().map(|it| line(it)).collect()
}
