//! Names at which clients are asked for a certificate, and that nothing else in the configuration knows: a
//! slip in one lets clients in unasked at the name that was meant.

use super::Lints;
use crate::config::file::File;
use crate::config::suggest::closest;
use crate::message::host;
use crate::pipeline::snapshot::Snapshot;
use crate::tls::Source;

pub(super) fn client_auth(file: &File, snapshot: &Snapshot, lints: &mut Lints) {
    let Some(keys) = file.tls.client_auth.as_ref() else {
        return;
    };
    let certificates = snapshot.tls.as_ref().map(|tls| tls.certificates());
    let certificates = certificates.unwrap_or_default();
    let of_files = certificates
        .iter()
        .filter(|(source, _)| matches!(source, Source::Files(_)));
    let of_files = of_files.flat_map(|(_, it)| it.names.iter().map(String::as_str));
    let acme = file.tls.acme.given();
    let ordered = acme.iter().flat_map(|acme| acme.domains.iter());
    let hosts = file.good_routes().flat_map(|(_, keys)| keys.hosts.iter());
    let known: Vec<&str> = of_files
        .chain(ordered.map(|domain| domain.0.as_str()))
        .chain(hosts.map(|host| host.0.as_str()))
        .collect();
    for name in keys.names.iter() {
        let own = name.0.as_str();
        // Either may have a wildcard.
        let is_it = |other: &&str| {
            host::covers(own, other.as_bytes()) || host::covers(other, own.as_bytes())
        };
        if known.iter().any(is_it) {
            continue;
        }
        let meant = closest(own, known.iter().copied());
        let meant = meant.map(|it| format!(": did you mean `{it}`?"));
        let text = format!(
            "no certificate and no route is for `{own}`, so most likely no client is asked for a certificate by this name{}",
            meant.unwrap_or_default()
        );
        lints.add(name.span, text);
    }
}
