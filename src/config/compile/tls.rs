//! TLS towards clients: the certificates, each with all that is wrong with it.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use crate::config::file::{CertificateKeys, File, TlsKeys};
use crate::config::kinds::PemFile;
use crate::config::problems::{Problem, Problems};
use crate::config::source::At;
use crate::tls::{Certificate, Fault, Half, Purpose, Secret, ServerTls, Source};

use super::client_auth;
use super::pem::{text, unusable};

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
        && !keys.acme.is_there()
    {
        let problem = Problem::at(listen.tls.span, "`tls` needs a certificate");
        let help = "name one in `[[tls.certificates]]`, with `cert` and `key`, or order one by `[tls.acme]`";
        problems.add(problem.help(help));
    }
    let served = served.map(ServerTls::certificates).unwrap_or_default();
    let served: Vec<_> = served.into_values().collect();
    let mut certificates = BTreeMap::new();
    for (at, pair) in keys.certificates.iter().enumerate() {
        let certificate = Pair::of(pair).read(Purpose::Server, &served, now, problems);
        certificates.extend(certificate.map(|it| (Source::Files(at), it)));
    }
    let secret = secret(keys, problems);
    let is_used = spoken.is_some() || !certificates.is_empty();
    let client_auth = keys.client_auth.as_ref();
    let client_auth = client_auth.and_then(|it| client_auth::compile(it, &secret, problems));
    is_used.then(|| {
        let tls = ServerTls::new(*keys.min_version, secret, certificates);
        Arc::new(tls.with_client_auth(client_auth))
    })
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

/// The files of a certificate and its key.
pub(super) struct Pair<'f> {
    pub cert: At<&'f PemFile>,
    pub key: At<&'f PemFile>,
}

impl<'f> Pair<'f> {
    fn of(keys: &'f CertificateKeys) -> Self {
        Self {
            cert: keys.cert.lent(),
            key: keys.key.lent(),
        }
    }

    /// Takes the certificate of these files as it is served, or reads it and reports all that is wrong with
    /// it.
    pub(super) fn read(
        &self,
        purpose: Purpose,
        served: &[Arc<Certificate>],
        now: Timestamp,
        problems: &mut Problems,
    ) -> Option<Arc<Certificate>> {
        let mut text = |half| match text(self.file(half), half, problems) {
            Ok(text) => text,
            Err(fault) => {
                self.report(&fault, problems);
                None
            }
        };
        let (cert, key) = (text(Half::Cert), text(Half::Key));
        if let (Some(cert), Some(key)) = (cert, key)
            && let Some(served) = served.iter().find(|it| it.is_of(cert, key))
        {
            return Some(Arc::clone(served));
        }
        Certificate::read(cert, key, purpose, now)
            .map_err(|faults| {
                for fault in faults {
                    self.report(&fault, problems);
                }
            })
            .ok()
            .map(Arc::new)
    }

    fn file(&self, half: Half) -> At<&'f PemFile> {
        match half {
            Half::Cert => self.cert,
            Half::Key => self.key,
        }
    }

    fn report(&self, fault: &Fault, problems: &mut Problems) {
        let half = fault.half();
        let what = match half {
            Half::Cert => "certificate",
            Half::Key => "key",
        };
        let problem = unusable(self.file(half), what, fault);
        problems.add(problem.help(fault.remedy()));
    }
}
