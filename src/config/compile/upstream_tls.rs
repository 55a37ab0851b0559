//! TLS with the endpoints of an upstream: what handshakes go by, and the name that each endpoint's
//! certificate has to be for.

use std::sync::Arc;

use rustls::pki_types::ServerName;

use crate::config::file::UpstreamTlsKeys;
use crate::config::keys::{Text, not_default};
use crate::config::problems::{Problem, Problems};
use crate::config::source::{At, Span};
use crate::message::protocol::Scheme;
use crate::tls::{Certificate, ClientTls, Purpose};
use crate::upstream::{Endpoint, EndpointTls, EndpointUrl};

use super::client_tls::{ClientFiles, Servers};

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
        let files = ClientFiles {
            table: "tls",
            ca: keys.ca.written(),
            cert: keys.cert.written(),
            key: keys.key.written(),
        };
        let services = Servers {
            noun: "service with `https`",
            purpose: Purpose::Client,
            are_verified: *keys.verify,
            named_at: needed,
        };
        let is_asked_for = needed.is_some() || not_default(keys).next().is_some();
        let tls = is_asked_for.then(|| files.compile(services, served, problems));
        let tls = tls.flatten().map(Arc::new);
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
