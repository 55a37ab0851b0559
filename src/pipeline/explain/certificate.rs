//! Which certificate a client of an `https` URL would be shown.

use serde::Serialize;

use crate::pipeline::snapshot::Snapshot;
use crate::tls::Certificate;

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

/// The certificates for a host.
pub(super) fn certificates(snapshot: &Snapshot, host: &str) -> Vec<CertificateLine> {
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
