//! TLS towards clients: the certificates, each with all that is wrong with it.

use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;

use crate::config::disk::Unreadable;
use crate::config::file::{CertificateKeys, File};
use crate::config::kinds::PemFile;
use crate::config::problems::{Problem, Problems};
use crate::config::source::At;
use crate::tls::{Certificate, Fault, Half, ServerTls, Source};

/// Compiles TLS, if it is spoken or there is a certificate for it.
pub(super) fn compile(
    file: &File,
    now: Timestamp,
    problems: &mut Problems,
) -> Option<Arc<ServerTls>> {
    let keys = &file.tls;
    let spoken = file.listen.iter().find(|listen| *listen.tls);
    if let Some(listen) = spoken
        && keys.certificates.is_empty()
    {
        let problem = Problem::at(listen.tls.span, "`tls` needs a certificate");
        problems.add(problem.help("name one in `[[tls.certificates]]`, with `cert` and `key`"));
    }
    let mut certificates = Vec::new();
    for (at, pair) in keys.certificates.iter().enumerate() {
        let certificate = certificate(pair, now, problems);
        certificates.extend(certificate.map(|it| (Source::Files(at), it)));
    }
    let is_used = spoken.is_some() || !certificates.is_empty();
    is_used.then(|| Arc::new(ServerTls::new(*keys.min_version, certificates)))
}

/// Reads a certificate, and reports all that is wrong with it.
fn certificate(
    keys: &CertificateKeys,
    now: Timestamp,
    problems: &mut Problems,
) -> Option<Certificate> {
    let mut text = |file: &At<PemFile>, half| match &file.text {
        Ok(text) => Some(text.clone()),
        Err(Unreadable::NotUtf8 { .. }) => {
            report(&Fault::NotText(half), keys, problems);
            None
        }
        Err(error) => {
            let message = format!("cannot read `{}`: {error}", file.path.display());
            problems.add(Problem::at(file.span, message).label("named here"));
            None
        }
    };
    let (cert, key) = (text(&keys.cert, Half::Cert), text(&keys.key, Half::Key));
    Certificate::read(cert.as_deref(), key.as_deref(), now)
        .map_err(|faults| {
            for fault in faults {
                report(&fault, keys, problems);
            }
        })
        .ok()
}

fn report(fault: &Fault, keys: &CertificateKeys, problems: &mut Problems) {
    let (file, what): (&At<PemFile>, _) = match fault.half() {
        Half::Cert => (&keys.cert, "certificate"),
        Half::Key => (&keys.key, "key"),
    };
    let path: &Path = &file.path;
    let message = format!("the {what} `{}` cannot be used", path.display());
    let problem = Problem::at(file.span, message).label(fault.to_string());
    problems.add(problem.help(fault.remedy()));
}
