//! TLS where the gateway is the client: with services, Redis, a collector or an authority. Whom it trusts,
//! and what it shows itself.

use std::sync::Arc;

use jiff::Timestamp;

use crate::config::kinds::{PemFile, ReloadedPem};
use crate::config::problems::{Problem, Problems};
use crate::config::source::{At, Span};
use crate::tls::{Authorities, Certificate, ClientTls, Purpose};

use super::pem::authorities;
use super::tls::Pair;

/// The files that a table names for it.
pub(super) struct ClientFiles<'f> {
    /// What stands in front of their keys in messages.
    pub table: &'static str,
    pub ca: Option<At<&'f ReloadedPem>>,
    pub cert: Option<At<&'f ReloadedPem>>,
    pub key: Option<At<&'f ReloadedPem>>,
}

/// Who is spoken to.
#[derive(Clone, Copy)]
pub(super) struct Servers {
    /// As messages call one.
    pub noun: &'static str,
    /// For what a certificate is shown to them.
    pub purpose: Purpose,
    /// Whether they have to prove who they are.
    pub are_verified: bool,
    /// Where one is named, if any is.
    pub named_at: Option<Span>,
}

/// It cannot be had, which has been reported.
struct Reported;

impl ClientFiles<'_> {
    /// Compiles what handshakes go by. A certificate of `served` whose files have not changed is taken as it
    /// is.
    pub(super) fn compile(
        &self,
        servers: Servers,
        served: &[Arc<Certificate>],
        problems: &mut Problems,
    ) -> Option<ClientTls> {
        // Both are read before any is missed, so that each problem is reported.
        let certificate = self.certificate(servers.purpose, served, problems);
        let authorities = match self.ca {
            Some(ca) => authorities(pem(ca), Authorities::read, problems),
            None if !servers.are_verified => None,
            None => self.of_platform(servers, problems),
        };
        let certificate = certificate.ok()?;
        if !servers.are_verified {
            return Some(ClientTls::new(None, certificate));
        }
        Some(ClientTls::new(Some(&authorities?), certificate))
    }

    /// Reports all files, where TLS is not spoken unless the URL at `url` begins in another way.
    pub(super) fn refuse(&self, scheme: &str, url: &str, problems: &mut Problems) {
        for (key, file) in [("ca", self.ca), ("cert", self.cert), ("key", self.key)] {
            if let Some(file) = file {
                let message = format!("`{}.{key}` needs TLS", self.table);
                let label = format!("write `{scheme}` in `{url}`, or leave this out");
                problems.add(Problem::at(file.span, message).label(label));
            }
        }
    }

    fn of_platform(&self, servers: Servers, problems: &mut Problems) -> Option<Authorities> {
        // They are looked up only if somebody is to be verified by them.
        let span = servers.named_at?;
        let authorities = Authorities::of_platform();
        if authorities.is_none() {
            let noun = servers.noun;
            let message = format!("this machine trusts no authority, so no {noun} either");
            let help = format!(
                "install its certificates (`apt install ca-certificates`), or name a file with those to trust in `{}.ca`",
                self.table
            );
            problems.add(Problem::at(span, message).help(help));
        }
        authorities
    }

    /// The gateway's own certificate, if there is one.
    fn certificate(
        &self,
        purpose: Purpose,
        served: &[Arc<Certificate>],
        problems: &mut Problems,
    ) -> Result<Option<Arc<Certificate>>, Reported> {
        let (alone, missing) = match (self.cert, self.key) {
            (None, None) => return Ok(None),
            (Some(cert), Some(key)) => {
                let pair = Pair {
                    cert: pem(cert),
                    key: pem(key),
                };
                let read = pair.read(purpose, served, Timestamp::now(), problems);
                return read.map(Some).ok_or(Reported);
            }
            (Some(cert), None) => (cert, "key"),
            (None, Some(key)) => (key, "cert"),
        };
        let problem = Problem::at(alone.span, format!("`{}.{missing}` is missing", self.table));
        problems.add(problem.label("a certificate and its key go together"));
        Err(Reported)
    }
}

fn pem(At { value, span }: At<&ReloadedPem>) -> At<&PemFile> {
    At {
        value: &value.0,
        span,
    }
}
