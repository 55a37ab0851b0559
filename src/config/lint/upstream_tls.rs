//! TLS towards services that verifies nothing or shows a certificate that expires, and keys of it without
//! effect.

use jiff::Timestamp;

use super::Lints;
use crate::config::file::{File, UpstreamRuleKeys};
use crate::config::finding::Finding;
use crate::config::keys::not_default;
use crate::config::kinds::Target;
use crate::message::protocol::Scheme;
use crate::pipeline::snapshot::Snapshot;

/// Looks at each upstream, and at those that routes name by their URL.
pub(super) fn upstream_tls(file: &File, snapshot: &Snapshot, now: Timestamp, lints: &mut Lints) {
    expiring(file, snapshot, now, lints);
    // What several take from `upstream_defaults` is of use if it is to one.
    let mut unused = Vec::new();
    for (rules, is_https) in all(file) {
        let verifies = *rules.tls.verify;
        if is_https && !verifies {
            let text = "`tls.verify = false`: whoever answers in the place of the service is taken for it, and can read and change all that goes there";
            lints.add_once(rules.tls.verify.span, Finding::warning(text));
        }
        for (key, span) in not_default(&*rules.tls) {
            let (is_used, text) = match key {
                "ca" if is_https => (
                    verifies,
                    "`tls.ca` has no effect with `verify = false`".to_owned(),
                ),
                _ => (
                    is_https,
                    format!("`tls.{key}` has no effect: no endpoint has `https`"),
                ),
            };
            unused.push((span, text, is_used));
        }
    }
    lints.add_unused(unused.into_iter());
}

/// Finds certificates that services are shown and will not take for long.
fn expiring(file: &File, snapshot: &Snapshot, now: Timestamp, lints: &mut Lints) {
    for upstream in &snapshot.upstreams {
        let mut endpoints = upstream.endpoints.iter();
        let certificate = endpoints.find_map(|one| one.tls.as_ref()?.tls.certificate());
        let Some(expiry) = certificate.and_then(|it| it.expiry(now)) else {
            continue;
        };
        let mut own = file.upstreams.good();
        let own = own.find(|(name, _)| *name.0 == *upstream.name);
        let rules = own.map_or(&*file.upstream_defaults, |(_, keys)| &keys.rules);
        let text = format!("of what services are shown, {expiry}");
        lints.add_once(rules.tls.cert.span, Finding::warning(text).passing());
    }
}

/// The rules of each upstream, and whether TLS is spoken there.
fn all(file: &File) -> impl Iterator<Item = (&UpstreamRuleKeys, bool)> {
    let own = file.upstreams.good().map(|(_, keys)| {
        let mut endpoints = keys.endpoints.iter();
        let is_https = endpoints.any(|one| one.url.scheme == Scheme::Https);
        (&keys.rules, is_https)
    });
    let by_url = file.all_routes().any(|route| {
        let target = route.keys.and_then(|keys| keys.upstream.given());
        matches!(target, Some(Target::Url(url)) if url.scheme == Scheme::Https)
    });
    own.chain([(&*file.upstream_defaults, by_url)])
}
