//! The certificates of a file, from the one that is shown to its authority, and what is wrong with them.

use std::net::IpAddr;

use jiff::Timestamp;
use rustls::pki_types::CertificateDer;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{GeneralName, ParsedExtension, X509Extension};
use x509_parser::prelude::FromDer;
use x509_parser::public_key::PublicKey;
use x509_parser::x509::X509Version;

use super::fault::Fault;
use super::pem::Sections;

/// Which side of a connection shows a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// The gateway, to its clients.
    Server,
    /// The gateway, to services. They know it by whatever stands in it, so it needs no names.
    Client,
    /// The gateway, to Redis, without which it serves requests, too: one that has expired is shown, and Redis
    /// decides.
    Redis,
}

/// Clients refuse RSA keys with fewer bits.
const LEAST_RSA_BITS: usize = 2048;

/// What `authorityInfoAccess` has for where the issuer's certificate is (RFC 5280 section 4.2.2.1).
const CA_ISSUERS: &str = "1.3.6.1.5.5.7.48.2";

/// What a file of certificates says.
pub(super) struct Chain {
    pub certificates: Vec<CertificateDer<'static>>,
    pub names: Vec<String>,
    pub not_before: Timestamp,
    pub not_after: Timestamp,
    pub lacks_issuer: Option<String>,
    /// The one after it that expires first, if that is before it does itself.
    pub ends_early: Option<EndsEarly>,
}

/// A certificate with which the chain ends before its first certificate does.
#[derive(Clone)]
pub(super) struct EndsEarly {
    pub subject: String,
    pub not_before: Timestamp,
    pub not_after: Timestamp,
}

/// Reads the certificates and notes what is wrong with them. `None`: there are none to be looked at.
pub(super) fn read_chain(
    text: &str,
    purpose: Purpose,
    now: Timestamp,
    faults: &mut Vec<Fault>,
) -> Option<Chain> {
    let certificates = Sections::certificates(text).map_err(|fault| faults.push(fault));
    check_chain(certificates.ok()?, purpose, now, faults)
}

fn check_chain(
    certificates: Vec<CertificateDer<'static>>,
    purpose: Purpose,
    now: Timestamp,
    faults: &mut Vec<Fault>,
) -> Option<Chain> {
    let mut chain = Vec::new();
    for (at, der) in certificates.iter().enumerate() {
        match X509Certificate::from_der(der) {
            Ok(([], certificate)) => chain.push(certificate),
            _ => faults.push(Fault::Damaged(at + 1)),
        }
    }
    if chain.len() < certificates.len() {
        return None;
    }
    let disorder = out_of_order(&chain);
    let own = match disorder {
        None => &chain[0],
        Some(Fault::Foreign { at, .. }) if at > 1 => &chain[0],
        Some(_) => leaf(&chain),
    };
    faults.extend(disorder);
    let (not_before, not_after) = validity(own);
    if not_before > now {
        faults.push(Fault::NotYetValid(not_before));
    }
    if not_after < now {
        faults.push(Fault::Expired(not_after));
    }
    let issuers = chain.iter().enumerate();
    let issuers = issuers.filter(|(_, it)| !std::ptr::eq(*it, own));
    faults.extend(issuers.filter_map(|(at, it)| issuer_of_another_time(at + 1, it, now)));
    let names = names(own);
    if own.version() != X509Version::V3 {
        faults.push(Fault::Version(own.version().0 + 1));
    } else if names.is_empty() && purpose == Purpose::Server {
        faults.push(Fault::NoNames);
    }
    faults.extend(wrong_usage(own, purpose));
    if let Ok(PublicKey::RSA(key)) = own.public_key().parsed()
        && key.key_size() < LEAST_RSA_BITS
    {
        faults.push(Fault::Weak(key.key_size()));
    }
    if purpose == Purpose::Redis {
        faults.retain(|fault| !matches!(fault, Fault::Expired(_) | Fault::IssuerExpired { .. }));
    }
    Some(Chain {
        names,
        not_before,
        not_after,
        lacks_issuer: lacks_issuer(&chain),
        ends_early: ends_early(&chain, not_after),
        certificates,
    })
}

/// From when on a certificate is valid, and until when.
fn validity(certificate: &X509Certificate<'_>) -> (Timestamp, Timestamp) {
    let validity = certificate.validity();
    (
        timestamp(validity.not_before.timestamp()),
        timestamp(validity.not_after.timestamp()),
    )
}

/// What is wrong with the time of a certificate that leads to the authority: clients look at it, too.
fn issuer_of_another_time(
    at: usize,
    issuer: &X509Certificate<'_>,
    now: Timestamp,
) -> Option<Fault> {
    let (from, until) = validity(issuer);
    let subject = issuer.subject().to_string();
    if until < now {
        return Some(Fault::IssuerExpired { at, subject, until });
    }
    (from > now).then_some(Fault::IssuerNotYetValid { at, subject, from })
}

fn ends_early(chain: &[X509Certificate<'_>], own: Timestamp) -> Option<EndsEarly> {
    let first = chain.iter().min_by_key(|it| validity(it).1)?;
    let (not_before, not_after) = validity(first);
    (not_after < own).then(|| EndsEarly {
        subject: first.subject().to_string(),
        not_before,
        not_after,
    })
}

/// Who has signed a certificate that stands alone and says where to get theirs, as those of public
/// authorities do, whose roots sign no servers.
fn lacks_issuer(chain: &[X509Certificate<'_>]) -> Option<String> {
    let [alone] = chain else { return None };
    let issuer = alone.issuer();
    let says_where = |extension: &X509Extension<'_>| match extension.parsed_extension() {
        ParsedExtension::AuthorityInfoAccess(access) => access
            .iter()
            .any(|it| it.access_method.to_id_string() == CA_ISSUERS),
        _ => false,
    };
    let says_where = alone.iter_extensions().any(says_where);
    (says_where && issuer.as_raw() != alone.subject().as_raw()).then(|| issuer.to_string())
}

/// What the extended key usage of a certificate says against this purpose.
fn wrong_usage(own: &X509Certificate<'_>, purpose: Purpose) -> Option<Fault> {
    let usage = own.extended_key_usage().ok().flatten()?.value;
    let (is_for_it, fault) = match purpose {
        Purpose::Server => (usage.server_auth, Fault::NotForServers),
        Purpose::Client | Purpose::Redis => (usage.client_auth, Fault::NotForClients),
    };
    (!is_for_it && !usage.any).then_some(fault)
}

/// Finds the first certificate that has signed none of those before it: it stands in the wrong place, or
/// does not belong to the others at all.
fn out_of_order(chain: &[X509Certificate<'_>]) -> Option<Fault> {
    let is_stray = |at: &usize| {
        let subject = chain[*at].subject().as_raw();
        !chain[..*at]
            .iter()
            .any(|earlier| earlier.issuer().as_raw() == subject)
    };
    let at = (1..chain.len()).find(is_stray)?;
    // Behind one that does not belong there, the first that does has signed nothing.
    let foreign = [at, 0].into_iter().find(|at| !belongs(chain, &chain[*at]));
    let subject = |at: usize| chain[at].subject().to_string();
    Some(match foreign {
        Some(at) => Fault::Foreign {
            at: at + 1,
            subject: subject(at),
        },
        None => Fault::Order {
            at: at + 1,
            subject: subject(at),
        },
    })
}

/// Whether a certificate has signed another one of these, or one of them has signed it.
fn belongs(chain: &[X509Certificate<'_>], one: &X509Certificate<'_>) -> bool {
    let (subject, issuer) = (one.subject().as_raw(), one.issuer().as_raw());
    let mut others = chain.iter().filter(|it| it.subject().as_raw() != subject);
    others.any(|it| it.issuer().as_raw() == subject || it.subject().as_raw() == issuer)
}

/// The certificate that has signed no other, wherever it stands.
fn leaf<'c, 'd>(chain: &'c [X509Certificate<'d>]) -> &'c X509Certificate<'d> {
    let has_signed = |one: &X509Certificate<'_>| {
        let subject = one.subject().as_raw();
        let mut others = chain.iter().filter(|it| it.subject().as_raw() != subject);
        others.any(|it| it.issuer().as_raw() == subject)
    };
    let mut all = chain.iter();
    all.find(|one| belongs(chain, one) && !has_signed(one))
        .unwrap_or(&chain[0])
}

/// The subject alternative names that clients can ask for.
fn names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let names = certificate.subject_alternative_name().ok().flatten();
    let names = names.iter().flat_map(|names| &names.value.general_names);
    let name = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
        GeneralName::IPAddress(bytes) => address(bytes).map(|address| address.to_string()),
        _ => None,
    };
    names.filter_map(name).collect()
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from))
        .ok()
}

/// The year 9999, by which certificates say that they never expire, has a day more than we count.
pub(super) fn timestamp(seconds: i64) -> Timestamp {
    let far = if seconds < 0 {
        Timestamp::MIN
    } else {
        Timestamp::MAX
    };
    Timestamp::from_second(seconds).unwrap_or(far)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damaged_certificates_do_no_harm() {
        let made = rcgen::generate_simple_self_signed(["a.example".to_owned()]).unwrap();
        let good = made.cert.der().to_vec();
        let check = |der: Vec<u8>| {
            let mut faults = Vec::new();
            let chain = check_chain(
                vec![der.into()],
                Purpose::Server,
                Timestamp::now(),
                &mut faults,
            );
            (chain.is_some(), faults.is_empty())
        };
        assert_eq!(check(good.clone()), (true, true));
        for at in 0..good.len() {
            assert_eq!(check(good[..at].to_vec()), (false, false), "{at} bytes");
            for bit in 0..8 {
                let mut other = good.clone();
                other[at] ^= 1 << bit;
                // The signature is for clients to check.
                let _ = check(other);
            }
        }
    }
}
