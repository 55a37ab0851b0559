//! What leaves this process for Redis is encrypted and proven: keys of certificates and of the account,
//! and challenges too, because whoever could write one there would get a certificate for a name that is
//! served here. AES-256-GCM under a key that is derived from the configured secret; where a thing is
//! stored is part of what is proven, so that nothing can be put in the place of another.

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};

use crate::acme::settings::FleetKey;
use crate::redacted::redacted;

/// The key of a fleet, ready for use. Its `Debug` does not show it.
pub(super) struct Sealer(RandomizedNonceKey);

impl Sealer {
    /// Seals under this key.
    pub(super) fn new(key: &FleetKey) -> Self {
        let key = RandomizedNonceKey::new(&AES_256_GCM, key.bytes());
        Self(key.expect("the key has the length that AES-256 needs"))
    }

    /// Encrypts what is to be stored at `place`.
    pub(super) fn seal(&self, place: &str, content: &[u8]) -> Vec<u8> {
        let mut sealed = content.to_vec();
        let nonce = self
            .0
            .seal_in_place_append_tag(Aad::from(place), &mut sealed)
            .expect("64 GiB would be too long, and the system has randomness");
        [&nonce.as_ref()[..], &sealed].concat()
    }

    /// Decrypts what was stored at `place`. `None`: it was made under another secret, for another place, or
    /// was changed.
    pub(super) fn open(&self, place: &str, sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, content) = sealed.split_at_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut content = content.to_vec();
        let opened = self.0.open_in_place(nonce, Aad::from(place), &mut content);
        let length = opened.ok()?.len();
        content.truncate(length);
        Some(content)
    }
}

redacted! { Sealer }

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::Secret;

    #[test]
    fn only_the_same_secret_opens_and_only_at_the_same_place() {
        let under = |secret| Sealer::new(&FleetKey::of(&Secret::shared(secret)));
        let ours = under("secret");
        let sealed = ours.seal("a.test", b"a private key");
        assert_eq!(
            ours.open("a.test", &sealed).as_deref(),
            Some(&b"a private key"[..])
        );
        assert!(!sealed.windows(7).any(|part| part == b"private"));
        assert_ne!(ours.seal("a.test", b"a private key"), sealed);
        assert_eq!(ours.open("b.test", &sealed), None);
        assert_eq!(under("Secret").open("a.test", &sealed), None);
        for length in 0..sealed.len() {
            assert_eq!(ours.open("a.test", &sealed[..length]), None);
        }
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert_eq!(ours.open("a.test", &changed), None);
        }
    }
}
