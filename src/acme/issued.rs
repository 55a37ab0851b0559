//! A certificate that an authority has issued, with its key: proven to be usable for its name when it
//! is made of its text, whether that comes from the authority, from a file or from another gateway.

use std::fmt;
use std::time::{Duration, SystemTime};

use aws_lc_rs::digest::{SHA256, digest};
use jiff::Timestamp;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::message::hex::Hex;
use crate::tls::{Certificate, Fault, Purpose};

/// How many characters tell one certificate from another.
pub(super) const MARK: usize = 16;

/// A certificate with its key, as text and ready for use. Its `Debug` shows no key.
#[derive(Clone)]
pub(super) struct Issued {
    /// The key and then the chain, leaf first, in PEM.
    pub text: String,
    /// The same, for handshakes.
    pub certificate: Certificate,
    /// Without those that vouch for it.
    pub leaf: CertificateDer<'static>,
    /// Tells it from others of the same name.
    pub mark: String,
}

impl Issued {
    /// Takes a key and its chain in PEM, and makes sure that they fit together and are good for `name` at
    /// this time.
    pub(super) fn parse(text: String, name: &str, now: SystemTime) -> Result<Self, IssuedError> {
        let now = Timestamp::try_from(now).unwrap_or(Timestamp::MAX);
        let certificate = Certificate::read(Some(&text), Some(&text), Purpose::Server, now)?;
        if !certificate.names.iter().any(|of| of == name) {
            return Err(IssuedError::OtherName(certificate.names));
        }
        let leaf = CertificateDer::from_pem_slice(text.as_bytes());
        let leaf = leaf.map_err(|_| IssuedError::Faults(Vec::new()))?;
        Ok(Self {
            mark: Hex(&digest(&SHA256, &leaf).as_ref()[..MARK / 2]).to_string(),
            text,
            certificate,
            leaf,
        })
    }

    /// From when to when it is valid.
    pub(super) fn validity(&self) -> (SystemTime, SystemTime) {
        let Certificate {
            not_before,
            not_after,
            ..
        } = self.certificate;
        (system_time(not_before), system_time(not_after))
    }
}

/// A time as it is logged, without fractions of a second.
pub(super) fn logged(time: SystemTime) -> Timestamp {
    let since = time
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    let seconds = i64::try_from(since.as_secs()).unwrap_or(i64::MAX);
    Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX)
}

/// The same time for those who reckon with the system's. What was before 1970 is 1970.
pub(super) fn system_time(time: Timestamp) -> SystemTime {
    let since = Duration::try_from(time.as_duration()).unwrap_or_default();
    SystemTime::UNIX_EPOCH + since
}

impl fmt::Debug for Issued {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Issued({})", self.mark)
    }
}

/// Why a text is of no use for a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum IssuedError {
    #[error("{}", said(.0))]
    Faults(Vec<Fault>),
    #[error("it is for {}", .0.join(", "))]
    OtherName(Vec<String>),
}

/// Each fault once: both halves stand in one text.
fn said(faults: &[Fault]) -> String {
    let mut texts: Vec<_> = faults.iter().map(ToString::to_string).collect();
    texts.dedup();
    texts.join("; ")
}

impl From<Vec<Fault>> for IssuedError {
    fn from(faults: Vec<Fault>) -> Self {
        Self::Faults(faults)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use rcgen::{CertificateParams, KeyPair};

    use super::*;

    /// A certificate for `name` that is valid from `days.0` days from now on to `days.1`, with its key.
    pub(in crate::acme) fn pem(name: &str, days: (i64, i64)) -> String {
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        let now = SystemTime::now();
        let from_now = |days: i64| {
            let length = Duration::from_hours(24) * u32::try_from(days.abs()).unwrap();
            if days < 0 { now - length } else { now + length }
        };
        params.not_before = from_now(days.0).into();
        params.not_after = from_now(days.1).into();
        let key = KeyPair::generate().unwrap();
        key.serialize_pem() + &params.self_signed(&key).unwrap().pem()
    }

    #[test]
    fn a_certificate_is_used_for_its_name_while_it_is_valid() {
        let now = SystemTime::now();
        let parse = |text: &str, name| Issued::parse(text.to_owned(), name, now);
        let good = pem("a.test", (-1, 1));
        let issued = parse(&good, "a.test").unwrap();
        assert_eq!(issued.mark.len(), MARK);
        let (from, until) = issued.validity();
        assert!(from < now && now < until);
        assert!(!format!("{issued:?}").contains("KEY"));
        let other = parse(&good, "b.test").unwrap_err();
        assert_eq!(other.to_string(), "it is for a.test");
        let old = parse(&pem("a.test", (-3, -1)), "a.test").unwrap_err();
        assert!(
            matches!(&old, IssuedError::Faults(faults) if matches!(faults[..], [Fault::Expired(_)]))
        );
    }

    #[test]
    fn what_does_not_fit_together_is_refused() {
        let parse = |text: &str| Issued::parse(text.to_owned(), "a.test", SystemTime::now());
        let (one, other) = (pem("a.test", (-1, 1)), pem("a.test", (-1, 1)));
        let (key, chain) = one.split_at(one.find("-----BEGIN CERT").unwrap());
        let (_, other) = other.split_at(other.find("-----BEGIN CERT").unwrap());
        let cut = &one[..one.len() - 60];
        let damaged = one.replacen("MII", "!!!", 1);
        for text in ["", chain, &damaged, key, cut, &format!("{key}{other}")] {
            let error = parse(text).unwrap_err();
            assert!(!error.to_string().is_empty(), "{text}");
        }
    }
}
