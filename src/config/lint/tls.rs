//! Keys of TLS without effect, certificates that expire soon, that clients cannot check or never see, and
//! addresses at which no certificate of a client is asked for.

use std::sync::Arc;

use jiff::Timestamp;

use crate::config::file::{CertificateKeys, File};
use crate::config::keys::not_default;
use crate::config::source::At;
use crate::pipeline::snapshot::Snapshot;
use crate::tls::{Certificate, ClientAuthMode, Source};

use super::Lints;

pub(super) fn tls(file: &File, snapshot: &Snapshot, now: Timestamp, lints: &mut Lints) {
    let certificates = snapshot.tls.as_ref().map(|tls| tls.certificates());
    let certificates = certificates.unwrap_or_default();
    let all = file.tls.certificates.iter().enumerate();
    let all = all.filter_map(|(at, keys)| Some((keys, certificates.get(&Source::Files(at))?)));
    let all: Vec<_> = all.collect();
    for (at, (keys, certificate)) in all.iter().enumerate() {
        one(keys, certificate, now, lints);
        if let Some((first, _)) = all[..at].iter().find(|(_, it)| it.hides(certificate)) {
            let text = format!(
                "the certificate `{}` is never shown: `{}` has its names and a key of the same kind",
                keys.cert.path.display(),
                first.cert.path.display()
            );
            lints.add(keys.cert.span, text);
        }
    }
    let redis = file.limits.redis.as_ref();
    if let Some(acme) = file.tls.acme.given()
        && file.tls.secret.is_none()
        && redis.is_some_and(|redis| !redis.is_off())
    {
        let text = "each gateway orders certificates of its own: with `tls.secret`, the same for all, one orders \
                    and the others get them through `limits.redis`";
        lints.add(acme.domains.span, text.to_owned());
    }
    let client_auth = snapshot.tls.as_ref().and_then(|tls| tls.client_auth());
    if let (Some(client_auth), Some(keys)) = (client_auth, file.tls.client_auth.as_ref()) {
        for expiry in client_auth.authorities().expiry(now) {
            lints.add_passing(keys.ca.span, expiry);
        }
    }
    if file.listen.iter().any(|listen| *listen.tls) {
        if client_auth.is_some_and(|it| it.mode() == ClientAuthMode::Required) {
            in_clear(file, lints);
        }
        return;
    }
    for (key, span) in not_default(&*file.tls) {
        let text = format!("`tls.{key}` has no use: no address in `listen` has `tls = true`");
        lints.add(span, text);
    }
}

/// Finds addresses without TLS, beside those at which clients need a certificate.
fn in_clear(file: &File, lints: &mut Lints) {
    let serving = file.listen.iter().filter(|it| it.redirect.is_none());
    for listen in serving.filter(|it| !*it.tls) {
        let text = format!(
            "at `{}` clients get to the routes without the certificate that `tls.client_auth` requires: there is no TLS. Add `tls = true` or `redirect = \"https\"`, or take this address out",
            *listen.address
        );
        lints.add(listen.address.span, text);
    }
}

fn one(
    keys: &At<CertificateKeys>,
    certificate: &Arc<Certificate>,
    now: Timestamp,
    lints: &mut Lints,
) {
    let span = keys.cert.span;
    if let Some(expiry) = certificate.expiry(now) {
        lints.add_passing(span, expiry.to_string());
    }
    if let Some(issuer) = &certificate.lacks_issuer {
        let text = format!(
            "`{}` has one certificate only, and clients may not know who has signed it (`{issuer}`): use the authority's full chain",
            keys.cert.path.display()
        );
        lints.add(span, text);
    }
}
