//! TLS: what a certificate's files hold and whether it can be used, which certificate a client gets, and
//! what handshakes go by. Knows neither sockets nor the configuration. What is wrong with a file is a
//! value here, and becomes a problem of the configuration or a line of the log.

mod certificate;
mod chain;
mod challenges;
mod client;
mod client_auth;
mod client_certificate;
mod fault;
mod form;
mod pem;
mod proof;
mod provider;
mod secret;
mod server;
mod table;
#[cfg(test)]
mod tests;
mod tickets;
mod verify;

pub use certificate::{Certificate, Expiry};
pub use chain::Purpose;
pub use challenges::{ACME_TLS, Challenge, Challenges};
pub use client::{Authorities, ClientTls};
pub use client_auth::{
    AskedClient, ClientAuth, ClientAuthMode, ClientAuthorities, Fit, VerifierId,
};
pub use client_certificate::{CertificateIdentity, ClientCertificate};
pub use fault::Fault;
pub use form::{Form, Half};
pub use provider::provider;
pub use secret::Secret;
pub use server::{Handshake, ServerTls, TlsVersion};
pub use table::Source;
