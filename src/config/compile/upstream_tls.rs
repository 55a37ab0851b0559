//! TLS with the endpoints of an upstream: what handshakes go by, and the name that each endpoint's
//! certificate has to be for.

use std::sync::Arc;

use jiff::Timestamp;
use rustls::pki_types::ServerName;

use crate::config::file::UpstreamTlsKeys;
use crate::config::keys::{Text, not_default};
use crate::config::kinds::{PemFile, ReloadedPem};
use crate::config::problems::{Problem, Problems};
use crate::config::source::{At, Span};
use crate::message::protocol::Scheme;
use crate::tls::{Authorities, Certificate, ClientTls, Half, Purpose};
use crate::upstream::{Endpoint, EndpointTls, EndpointUrl};

use super::pem::{text, unusable};
use super::tls::Pair;

/// What the endpoints of one upstream have in common.
pub(super) struct UpstreamTls<'f> {
    keys: &'f UpstreamTlsKeys,
    /// Absent if no endpoint needs it, or it cannot be had, which has been reported.
    tls: Option<Arc<ClientTls>>,
}

impl<'f> UpstreamTls<'f> {
    /// Compiles what is said of TLS. `needed` is the place of an endpoint with `https`, if there is one;
    /// a certificate of `served` whose files have not changed is taken as it is.
    pub(super) fn compile(
        keys: &'f UpstreamTlsKeys,
        needed: Option<Span>,
        served: &[Arc<Certificate>],
        problems: &mut Problems,
    ) -> Self {
        let mut written = not_default(keys);
        let tls = match (needed, written.next()) {
            (None, None) => None,
            _ => tls(keys, needed, served, problems).map(Arc::new),
        };
        Self { keys, tls }
    }

    /// An endpoint with this URL.
    pub(super) fn endpoint(
        &self,
        url: At<&EndpointUrl>,
        problems: &mut Problems,
    ) -> Option<Endpoint> {
        let tls = match url.scheme {
            Scheme::Http => None,
            Scheme::Https => Some(EndpointTls {
                name: self.name(url, problems)?,
                tls: Arc::clone(self.tls.as_ref()?),
            }),
        };
        Some(Endpoint::new(url.value.clone(), tls))
    }

    fn name(&self, url: At<&EndpointUrl>, problems: &mut Problems) -> Option<ServerName<'static>> {
        if let Some(name) = self.keys.server_name.written() {
            return Some(name.value.clone());
        }
        let parsed = <ServerName<'static> as Text>::parse(&url.host);
        parsed
            .map_err(|_| {
                let message = format!("no certificate can be for `{}`", url.host);
                let problem = Problem::at(url.span, message);
                problems.add(problem.help("`tls.server_name` is the name in the certificate"));
            })
            .ok()
    }
}

/// It cannot be had, which has been reported.
struct Reported;

fn tls(
    keys: &UpstreamTlsKeys,
    needed: Option<Span>,
    served: &[Arc<Certificate>],
    problems: &mut Problems,
) -> Option<ClientTls> {
    // Both are read before any is missed, so that each problem is reported.
    let certificate = certificate(keys, served, problems);
    let authorities = match keys.ca.written() {
        Some(file) => of_file(pem(file), problems),
        None if !*keys.verify => None,
        None => of_platform(needed, problems),
    };
    let certificate = certificate.ok()?;
    match authorities {
        None if *keys.verify => None,
        authorities => {
            let authorities = authorities.filter(|_| *keys.verify);
            Some(ClientTls::new(authorities.as_ref(), certificate))
        }
    }
}

fn of_file(file: At<&PemFile>, problems: &mut Problems) -> Option<Authorities> {
    let read = text(file, Half::Cert, problems);
    let read = read.and_then(|text| text.map(Authorities::read).transpose());
    read.unwrap_or_else(|fault| {
        let problem = unusable(file, "file of authorities", &fault);
        problems.add(problem.help(
            "`ca` takes certificates of authorities in PEM, each from `-----BEGIN CERTIFICATE-----` on",
        ));
        None
    })
}

fn of_platform(needed: Option<Span>, problems: &mut Problems) -> Option<Authorities> {
    // They are looked up only if a service is to be verified by them.
    let span = needed?;
    let authorities = Authorities::of_platform();
    if authorities.is_none() {
        let message = "this machine trusts no authority, so no service with `https` either";
        let help = "install its certificates (`apt install ca-certificates`), or name a file with the service's in `tls.ca`";
        problems.add(Problem::at(span, message).help(help));
    }
    authorities
}

/// The gateway's own certificate, if there is one.
fn certificate(
    keys: &UpstreamTlsKeys,
    served: &[Arc<Certificate>],
    problems: &mut Problems,
) -> Result<Option<Arc<Certificate>>, Reported> {
    let (cert, key) = match (keys.cert.written(), keys.key.written()) {
        (None, None) => return Ok(None),
        (Some(cert), Some(key)) => (pem(cert), pem(key)),
        (Some(At { span, .. }), None) => return Err(alone(span, "key", problems)),
        (None, Some(At { span, .. })) => return Err(alone(span, "cert", problems)),
    };
    let read = Pair { cert, key }.read(Purpose::Client, served, Timestamp::now(), problems);
    read.map(Some).ok_or(Reported)
}

fn pem(file: At<&ReloadedPem>) -> At<&PemFile> {
    let At { value, span } = file;
    At {
        value: &value.0,
        span,
    }
}

fn alone(span: Span, missing: &str, problems: &mut Problems) -> Reported {
    let problem = Problem::at(span, format!("`tls.{missing}` is missing"));
    problems.add(problem.label("a certificate and its key go together"));
    Reported
}
