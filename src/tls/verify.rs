//! Which certificates of services are believed, where that is not decided by webpki alone.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, SignatureScheme};
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;

use super::provider::provider;

/// The methods of a verifier that leave signatures to another one, which is this field.
macro_rules! signatures_by {
    ($verifier:ident) => {
        fn verify_tls12_signature(
            &self,
            message: &[u8],
            own: &CertificateDer<'_>,
            signed: &rustls::DigitallySignedStruct,
        ) -> Result<rustls::client::danger::HandshakeSignatureValid, Error> {
            self.$verifier.verify_tls12_signature(message, own, signed)
        }

        fn verify_tls13_signature(
            &self,
            message: &[u8],
            own: &CertificateDer<'_>,
            signed: &rustls::DigitallySignedStruct,
        ) -> Result<rustls::client::danger::HandshakeSignatureValid, Error> {
            self.$verifier.verify_tls13_signature(message, own, signed)
        }

        fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
            self.$verifier.supported_verify_schemes()
        }
    };
}
pub(super) use signatures_by;

/// Believes those that an authority of a list has signed, and also one that stands in the list itself,
/// whoever has signed it: webpki takes no authority for a server, and who signs for himself makes one, as
/// `openssl req -x509` does.
#[derive(Debug)]
pub(super) struct Listed {
    webpki: Arc<WebPkiServerVerifier>,
    listed: Arc<Vec<CertificateDer<'static>>>,
}

impl Listed {
    pub(super) fn new(
        webpki: Arc<WebPkiServerVerifier>,
        listed: Arc<Vec<CertificateDer<'static>>>,
    ) -> Self {
        Self { webpki, listed }
    }
}

impl ServerCertVerifier for Listed {
    fn verify_server_cert(
        &self,
        own: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified = self.webpki.verify_server_cert(own, others, name, ocsp, now);
        match verified {
            Err(Error::InvalidCertificate(
                CertificateError::Other(_) | CertificateError::UnknownIssuer,
            )) if self.listed.iter().any(|one| one == own) => {
                verify_time(own, now)?;
                verify_server_name(&ParsedCertificate::try_from(own)?, name)?;
                Ok(ServerCertVerified::assertion())
            }
            verified => verified,
        }
    }

    signatures_by!(webpki);
}

fn verify_time(own: &CertificateDer<'_>, now: UnixTime) -> Result<(), Error> {
    let parsed = X509Certificate::from_der(own);
    let (_, parsed) = parsed.map_err(|_| CertificateError::BadEncoding)?;
    let moment = |seconds: i64| {
        let seconds = u64::try_from(seconds).unwrap_or_default();
        UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds))
    };
    let not_before = moment(parsed.validity().not_before.timestamp());
    let not_after = moment(parsed.validity().not_after.timestamp());
    let time = now;
    if now < not_before {
        return Err(CertificateError::NotValidYetContext { time, not_before }.into());
    }
    if now > not_after {
        return Err(CertificateError::ExpiredContext { time, not_after }.into());
    }
    Ok(())
}

/// Takes any certificate, from whomever. Whether its owner has signed the handshake is not looked at
/// either: whoever wants to deceive would show a certificate of his own.
#[derive(Debug)]
pub(super) struct AnyCertificate;

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let algorithms = provider().signature_verification_algorithms;
        algorithms.supported_schemes()
    }
}
