//! Keys of TLS without effect, and certificates that expire soon.

use jiff::Timestamp;

use crate::config::file::File;
use crate::config::finding::Finding;
use crate::config::keys::not_default;
use crate::pipeline::snapshot::Snapshot;
use crate::tls::Source;

use super::Lints;

pub(super) fn tls(file: &File, snapshot: &Snapshot, now: Timestamp, lints: &mut Lints) {
    let certificates = snapshot.tls.as_ref().map(|tls| tls.certificates());
    for (source, certificate) in certificates.unwrap_or_default() {
        let Source::Files(at) = source else { continue };
        let keys = file.tls.certificates.get(at);
        if let (Some(expiry), Some(keys)) = (certificate.expiry(now), keys) {
            let lint = Finding::warning(expiry).passing();
            lints.0.push((Some(keys.cert.span), lint));
        }
    }
    if file.listen.iter().any(|listen| *listen.tls) {
        return;
    }
    for (key, span) in not_default(&*file.tls) {
        let text = format!("`tls.{key}` has no use: no address in `listen` has `tls = true`");
        lints.add(span, text);
    }
}
