//! Challenges that are to be answered: what the certificate authority asks to see on a name before it
//! believes that we hold it. Workers look here before anything else, so with none pending a look is
//! one load.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use aws_lc_rs::digest::{SHA256, digest};
use rcgen::{CertificateParams, CustomExtension, DistinguishedName, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::sign::CertifiedKey;

use crate::lock::lock;

use super::provider::provider;

/// The protocol that a client offers which wants to see a challenge's certificate (RFC 8737).
pub const ACME_TLS: &[u8] = b"acme-tls/1";

/// Where answers to HTTP-01 stand (RFC 8555 section 8.3).
const WELL_KNOWN: &[u8] = b"/.well-known/acme-challenge/";

/// What is to be shown for a name.
#[derive(Clone, PartialEq, Eq)]
pub struct Challenge {
    /// Names the answer in the path of a request.
    pub token: String,
    /// The answer, which only the holder of the account can know.
    pub key_authorization: String,
}

/// The challenges of all names.
#[derive(Default)]
pub struct Challenges {
    are_pending: AtomicBool,
    by_name: Mutex<HashMap<String, Pending>>,
}

struct Pending {
    challenge: Challenge,
    certificate: Arc<CertifiedKey>,
    /// Ordered by another gateway.
    is_foreign: bool,
}

impl Challenges {
    /// The answer to a request for `path`, if it is for a challenge.
    pub fn answer(&self, path: &[u8]) -> Option<String> {
        if !self.are_pending.load(Ordering::Relaxed) {
            return None;
        }
        let token = path.strip_prefix(WELL_KNOWN)?;
        let by_name = lock(&self.by_name);
        let mut all = by_name.values().map(|shown| &shown.challenge);
        let found = all.find(|challenge| challenge.token.as_bytes() == token)?;
        Some(found.key_authorization.clone())
    }

    /// The certificate that proves `name` to a client that offers nothing but [`ACME_TLS`].
    pub fn certificate(&self, name: &str) -> Option<Arc<CertifiedKey>> {
        if !self.are_pending.load(Ordering::Relaxed) {
            return None;
        }
        Some(Arc::clone(&lock(&self.by_name).get(name)?.certificate))
    }

    /// Shows a challenge from now on.
    pub fn show(&self, name: &str, challenge: Challenge) -> Result<(), rcgen::Error> {
        let shown = Pending::new(name, challenge, false)?;
        let mut by_name = lock(&self.by_name);
        by_name.insert(name.to_owned(), shown);
        self.note_pending(&by_name);
        Ok(())
    }

    /// Shows the challenge of a name no longer.
    pub fn hide(&self, name: &str) {
        let mut by_name = lock(&self.by_name);
        by_name.remove(name);
        self.note_pending(&by_name);
    }

    /// Shows none of those that are ordered here any longer.
    pub fn hide_ours(&self) {
        let mut by_name = lock(&self.by_name);
        by_name.retain(|_, shown| shown.is_foreign);
        self.note_pending(&by_name);
    }

    /// Shows the challenges of other gateways, all of them and no others.
    pub fn follow(&self, foreign: Vec<(String, Challenge)>) {
        let mut new = Vec::new();
        {
            let mut by_name = lock(&self.by_name);
            by_name.retain(|name, shown| {
                let is_still = |(other, challenge): &(String, Challenge)| {
                    other == name && *challenge == shown.challenge
                };
                !shown.is_foreign || foreign.iter().any(is_still)
            });
            new.extend(
                foreign
                    .into_iter()
                    .filter(|(name, _)| !by_name.contains_key(name)),
            );
            self.note_pending(&by_name);
        }
        // A key is made for each, which takes too long to be done while workers wait for the lock.
        for (name, challenge) in new {
            if let Ok(shown) = Pending::new(&name, challenge, true) {
                let mut by_name = lock(&self.by_name);
                by_name.entry(name).or_insert(shown);
                self.note_pending(&by_name);
            }
        }
    }

    fn note_pending(&self, by_name: &HashMap<String, Pending>) {
        self.are_pending
            .store(!by_name.is_empty(), Ordering::Relaxed);
    }
}

impl fmt::Debug for Challenges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(lock(&self.by_name).keys()).finish()
    }
}

impl Pending {
    fn new(name: &str, challenge: Challenge, is_foreign: bool) -> Result<Self, rcgen::Error> {
        let certificate = certificate_for(name, &challenge.key_authorization)?;
        Ok(Self {
            challenge,
            certificate: Arc::new(certificate),
            is_foreign,
        })
    }
}

/// Makes the certificate of RFC 8737 section 3: for this name alone, with the answer's digest in a critical
/// extension.
fn certificate_for(name: &str, key_authorization: &str) -> Result<CertifiedKey, rcgen::Error> {
    let mut params = CertificateParams::new([name.to_owned()])?;
    params.distinguished_name = DistinguishedName::new();
    let answer = digest(&SHA256, key_authorization.as_bytes());
    params.custom_extensions = vec![CustomExtension::new_acme_identifier(answer.as_ref())];
    let key = KeyPair::generate()?;
    let certificate = params.self_signed(&key)?;
    let der = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    let signer = provider().key_provider.load_private_key(der);
    let signer = signer.map_err(|_| rcgen::Error::CouldNotParseKeyPair)?;
    // Not proven to fit together: that reads the certificate as a client would, and no client of the web
    // takes one with this extension.
    Ok(CertifiedKey::new(vec![certificate.der().clone()], signer))
}

#[cfg(test)]
mod tests {
    use rustls::pki_types::CertificateDer;
    use rustls::{ClientConfig, ClientConnection, ServerConnection};

    use super::super::tests::exchange;
    use super::super::verify::AnyCertificate;
    use super::super::{Certificate, Purpose, Secret, ServerTls, Source, TlsVersion};
    use super::*;

    fn challenge(token: &str) -> Challenge {
        Challenge {
            token: token.to_owned(),
            key_authorization: format!("{token}.thumbprint"),
        }
    }

    #[test]
    fn an_answer_is_there_only_while_its_challenge_is() {
        let challenges = Challenges::default();
        let path = b"/.well-known/acme-challenge/abc";
        assert_eq!(challenges.answer(path), None);
        challenges.show("a.test", challenge("abc")).unwrap();
        assert_eq!(challenges.answer(path).as_deref(), Some("abc.thumbprint"));
        for other in [
            &b"/.well-known/acme-challenge/"[..],
            b"/.well-known/acme-challenge/abcd",
            b"/.well-known/acme-challenge/abc/",
            b"/abc",
            b"*",
        ] {
            assert_eq!(challenges.answer(other), None);
        }
        challenges.hide("a.test");
        assert_eq!(challenges.answer(path), None);
    }

    #[test]
    fn the_certificate_of_a_challenge_is_that_of_the_standard() {
        let challenges = Challenges::default();
        challenges.show("a.test", challenge("abc")).unwrap();
        assert!(challenges.certificate("b.test").is_none());
        let shown = challenges.certificate("a.test").unwrap();
        let (_, parsed) = x509_parser::parse_x509_certificate(&shown.cert[0]).unwrap();
        let key = shown.key.public_key().unwrap();
        assert_eq!(parsed.public_key().raw, &key[..]);
        let names = parsed.subject_alternative_name().unwrap().unwrap();
        let names: Vec<_> = names.value.general_names.iter().collect();
        assert_eq!(
            format!("{names:?}"),
            format!(
                "{:?}",
                [x509_parser::extensions::GeneralName::DNSName("a.test")]
            )
        );
        let oid = x509_parser::der_parser::oid!(1.3.6.1.5.5.7.1.31);
        let extension = parsed.get_extension_unique(&oid).unwrap().unwrap();
        assert!(extension.critical);
        let answer = digest(&SHA256, b"abc.thumbprint");
        // An OCTET STRING of 32 bytes.
        assert_eq!(extension.value, [&[4, 32][..], answer.as_ref()].concat());
    }

    /// The certificate that a client is shown which asks for `a.test` and offers these protocols.
    fn shown_to(tls: &ServerTls, protocols: &[&[u8]]) -> Option<CertificateDer<'static>> {
        let config = ClientConfig::builder_with_provider(Arc::clone(provider()))
            .with_safe_default_protocol_versions()
            .unwrap();
        let config = config.dangerous();
        let config = config.with_custom_certificate_verifier(Arc::new(AnyCertificate));
        let mut config = config.with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|it| it.to_vec()).collect();
        let name = "A.test".try_into().unwrap();
        let mut client = ClientConnection::new(Arc::new(config), name).unwrap();
        let mut server = ServerConnection::new(tls.handshake(None, []).config).unwrap();
        exchange(&mut client, &mut server).ok()?;
        assert_eq!(client.alpn_protocol(), Some(protocols[0]));
        Some(client.peer_certificates().unwrap()[0].clone())
    }

    #[test]
    fn only_an_authority_is_shown_a_challenge_and_nothing_else() {
        let made = rcgen::generate_simple_self_signed(["a.test".to_owned()]).unwrap();
        let (cert, key) = (made.cert.pem(), made.signing_key.serialize_pem());
        let own = Certificate::read(
            Some(&cert),
            Some(&key),
            Purpose::Server,
            jiff::Timestamp::now(),
        )
        .unwrap();
        let tls = ServerTls::new(
            TlsVersion::Tls12,
            Secret::of_process(),
            [(Source::Files(0), Arc::new(own))].into(),
        );
        let (authority, browser) = ([ACME_TLS], [&b"http/1.1"[..], ACME_TLS]);
        let own = Some(made.cert.der().clone());
        assert_eq!(shown_to(&tls, &authority), None);
        let challenges = Arc::new(Challenges::default());
        tls.show_challenges(&challenges);
        assert_eq!(shown_to(&tls, &authority), None);
        assert_eq!(shown_to(&tls, &browser), own);
        challenges.show("a.test", challenge("abc")).unwrap();
        let shown = challenges.certificate("a.test").unwrap();
        assert_eq!(shown_to(&tls, &authority).as_ref(), shown.cert.first());
        assert_eq!(shown_to(&tls, &browser), own);
    }

    #[test]
    fn challenges_of_others_come_and_go_and_leave_ours_alone() {
        let challenges = Challenges::default();
        challenges.show("ours.test", challenge("ours")).unwrap();
        let foreign = |token| ("theirs.test".to_owned(), challenge(token));
        let answers = |token: &str| {
            let path = [WELL_KNOWN, token.as_bytes()].concat();
            challenges.answer(&path).is_some()
        };
        challenges.follow(vec![foreign("one")]);
        assert!(answers("ours") && answers("one"));
        challenges.follow(vec![foreign("two")]);
        assert!(answers("ours") && answers("two") && !answers("one"));
        challenges.follow(Vec::new());
        assert!(answers("ours") && !answers("two"));
    }
}
