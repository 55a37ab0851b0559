//! How long a session is good in which a client has proved itself: no longer than its certificate. A ticket
//! says so itself, so that one whose certificate has expired opens nothing, and the client shakes hands in full.
//! rustls asks a verifier for each certificate, but does not tell it whose session that is; so each
//! connection has a pair of these.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::ProducesTickets;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DistinguishedName, Error};
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;

use super::client_auth::Verifier;
use super::tickets::Tickets;
use super::verify::signatures_by;

/// Until when the client of one connection has proved itself, in seconds of Unix time.
#[derive(Debug)]
struct Until(AtomicU64);

/// Verifies the certificate of one connection.
#[derive(Debug)]
pub(super) struct OneVerifier {
    verifier: Arc<dyn ClientCertVerifier>,
    until: Arc<Until>,
}

/// Makes and opens the tickets of one connection.
#[derive(Debug)]
pub(super) struct OneTicketer {
    tickets: Arc<Tickets>,
    until: Arc<Until>,
}

/// Both for a connection.
pub(super) fn of_connection(verifier: &Verifier) -> (OneVerifier, OneTicketer) {
    // Without a certificate there is nothing that expires.
    let until = Arc::new(Until(AtomicU64::new(u64::MAX)));
    let one = OneVerifier {
        verifier: Arc::clone(&verifier.webpki),
        until: Arc::clone(&until),
    };
    let tickets = Arc::clone(&verifier.tickets);
    (one, OneTicketer { tickets, until })
}

/// Until when all of these certificates are valid.
fn valid_until<'c>(chain: impl Iterator<Item = &'c CertificateDer<'c>>) -> u64 {
    let until = |der: &CertificateDer<'_>| {
        let parsed = X509Certificate::from_der(der).ok();
        let until = parsed.map(|(_, it)| it.validity().not_after.timestamp());
        // One that cannot be read is good for this connection alone.
        until
            .and_then(|until| u64::try_from(until).ok())
            .unwrap_or(0)
    };
    chain.map(until).min().unwrap_or(0)
}

impl ClientCertVerifier for OneVerifier {
    fn offer_client_auth(&self) -> bool {
        self.verifier.offer_client_auth()
    }

    fn client_auth_mandatory(&self) -> bool {
        self.verifier.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.verifier.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        own: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self.verifier.verify_client_cert(own, between, now)?;
        let until = valid_until(std::iter::once(own).chain(between));
        self.until.0.store(until, Ordering::Relaxed);
        Ok(verified)
    }

    signatures_by!(verifier);
}

impl ProducesTickets for OneTicketer {
    fn enabled(&self) -> bool {
        self.tickets.enabled()
    }

    fn lifetime(&self) -> u32 {
        self.tickets.lifetime()
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        let until = self.until.0.load(Ordering::Relaxed);
        self.tickets
            .encrypt(&[&until.to_be_bytes(), plain].concat())
    }

    fn decrypt(&self, ticket: &[u8]) -> Option<Vec<u8>> {
        let mut plain = self.tickets.decrypt(ticket)?;
        let until = u64::from_be_bytes(*plain.first_chunk()?);
        if until <= UnixTime::now().as_secs() {
            return None;
        }
        // The tickets that follow in this session are good no longer than this one.
        self.until.0.store(until, Ordering::Relaxed);
        plain.drain(..size_of::<u64>());
        Some(plain)
    }
}

#[cfg(test)]
mod tests;
