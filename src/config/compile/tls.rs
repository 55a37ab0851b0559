//! TLS towards clients: the certificates, each with all that is wrong with it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;

use crate::config::disk::Unreadable;
use crate::config::file::{CertificateKeys, File, TlsKeys};
use crate::config::kinds::PemFile;
use crate::config::problems::{Problem, Problems};
use crate::config::source::At;
use crate::tls::{Certificate, Fault, Half, Secret, ServerTls, Source};

/// The least characters of a secret that a fleet shares.
const LEAST_SECRET: usize = 32;

/// Compiles TLS, if it is spoken or there is a certificate for it.
pub(super) fn compile(
    file: &File,
    served: Option<&ServerTls>,
    now: Timestamp,
    problems: &mut Problems,
) -> Option<Arc<ServerTls>> {
    let keys = &file.tls;
    let spoken = file.listen.iter().find(|listen| *listen.tls);
    if let Some(listen) = spoken
        && keys.certificates.is_empty()
        && keys.acme.is_none()
    {
        let problem = Problem::at(listen.tls.span, "`tls` needs a certificate");
        let help = "name one in `[[tls.certificates]]`, with `cert` and `key`, or order one by `[tls.acme]`";
        problems.add(problem.help(help));
    }
    let served = served.map(ServerTls::certificates).unwrap_or_default();
    let mut certificates = BTreeMap::new();
    for (at, pair) in keys.certificates.iter().enumerate() {
        let certificate = certificate(pair, &served, now, problems);
        certificates.extend(certificate.map(|it| (Source::Files(at), it)));
    }
    let secret = secret(keys, problems);
    let is_used = spoken.is_some() || !certificates.is_empty();
    is_used.then(|| Arc::new(ServerTls::new(*keys.min_version, secret, certificates)))
}

/// What keys are derived from.
fn secret(keys: &TlsKeys, problems: &mut Problems) -> Secret {
    let Some(secret) = keys.secret.written() else {
        return Secret::of_process();
    };
    if secret.0.len() < LEAST_SECRET {
        let message = format!("`tls.secret` takes {LEAST_SECRET} characters at least");
        let problem = Problem::at(secret.span, message).label("this is shorter");
        problems.add(problem.help("`openssl rand -base64 48` makes one"));
    }
    Secret::shared(&secret.0)
}

/// Takes the certificate of these files as it is served, or reads it and reports all that is wrong with it.
fn certificate(
    keys: &CertificateKeys,
    served: &BTreeMap<Source, Arc<Certificate>>,
    now: Timestamp,
    problems: &mut Problems,
) -> Option<Arc<Certificate>> {
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
    if let (Some(cert), Some(key)) = (&cert, &key)
        && let Some(served) = served.values().find(|it| it.is_of(cert, key))
    {
        return Some(Arc::clone(served));
    }
    Certificate::read(cert.as_deref(), key.as_deref(), now)
        .map_err(|faults| {
            for fault in faults {
                report(&fault, keys, problems);
            }
        })
        .ok()
        .map(Arc::new)
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
