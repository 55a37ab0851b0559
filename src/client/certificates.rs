//! Which client a certificate belongs to, by any of the things that it can be known by. On the request path
//! one look-up for each of those, which are a few.

use std::collections::HashMap;

use crate::tls::{CertificateIdentity, ClientCertificate};

use super::{Client, KeyFault};

/// What all clients with certificates are known by.
#[derive(Debug, Default)]
pub struct CertificateTable {
    clients: HashMap<CertificateIdentity, Client>,
}

impl CertificateTable {
    /// Adds what a client is known by. A second client with the same takes its place.
    pub fn add(&mut self, identity: CertificateIdentity, client: Client) {
        self.clients.insert(identity, client);
    }

    /// The client that a certificate belongs to, if it does.
    ///
    /// # Errors
    /// It belongs to several, and it is not for us to choose.
    pub fn find(
        &self,
        certificate: Option<&ClientCertificate>,
    ) -> Result<Option<&Client>, KeyFault<'_>> {
        let Some(certificate) = certificate.filter(|_| !self.clients.is_empty()) else {
            return Ok(None);
        };
        let identities = certificate.identities().iter();
        let mut found = identities.filter_map(|identity| self.clients.get(identity));
        let Some(one) = found.next() else {
            return Ok(None);
        };
        match found.find(|other| other.name != one.name) {
            None => Ok(Some(one)),
            Some(other) => Err(KeyFault::SeveralClients { one, other }),
        }
    }

    /// Returns the client of a key, if the certificate beside the key is not another's.
    ///
    /// # Errors
    /// It is.
    pub fn agree<'t>(
        &'t self,
        certificate: Option<&ClientCertificate>,
        client: &'t Client,
    ) -> Result<&'t Client, KeyFault<'t>> {
        match self.find(certificate)? {
            Some(other) if other.name != client.name => Err(KeyFault::OtherCertificate {
                key: client,
                certificate: other,
            }),
            _ => Ok(client),
        }
    }
}
