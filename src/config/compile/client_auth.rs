//! Certificates of clients: whose are accepted, and what each client is known by.

use std::collections::HashMap;

use crate::client::{CertificateTable, Client};
use crate::config::file::{ClientAuthKeys, ClientKeys, File};
use crate::config::problems::{Problem, Problems};
use crate::config::source::Span;
use crate::tls::{CertificateIdentity, ClientAuth, ClientAuthorities, Secret};

use super::pem::authorities;

/// Compiles what clients are asked for. Without authorities that can be read there is nothing to go by,
/// and the configuration is refused: nobody is let in unasked because a file is empty.
pub(super) fn compile(
    keys: &ClientAuthKeys,
    secret: &Secret,
    problems: &mut Problems,
) -> Option<ClientAuth> {
    let authorities = authorities(keys.ca.lent(), ClientAuthorities::read, problems)?;
    let names = keys.names.iter().map(|name| name.0.clone()).collect();
    let mode = *keys.mode;
    Some(ClientAuth::new(mode, names, authorities, secret.clone()))
}

/// Collects what clients are known by. The same may be given once only.
#[derive(Default)]
pub(super) struct Identities<'f> {
    pub table: CertificateTable,
    seen: HashMap<&'f CertificateIdentity, Span>,
}

impl<'f> Identities<'f> {
    /// Adds those of a client.
    pub(super) fn add(
        &mut self,
        written: &'f ClientKeys,
        client: &Client,
        file: &File,
        problems: &mut Problems,
    ) {
        let all = &written.certificates;
        if !all.is_empty() && file.tls.client_auth.is_none() {
            let message = "no client is asked for a certificate";
            let problem = Problem::at(all.span, message).label("so this would be of no use");
            problems.add(
                problem.help("`[tls.client_auth]` names the authorities of the clients, in `ca`"),
            );
        }
        for identity in all.iter() {
            if let Some(first) = self.seen.insert(&identity.value, identity.span) {
                let help = "it says who is calling, so it belongs to one client, once";
                let what = format!("`{}`", identity.value);
                problems.add(Problem::given_twice(&what, first, identity.span).help(help));
            }
            self.table.add(identity.value.clone(), client.clone());
        }
    }
}
