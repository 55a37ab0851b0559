//! What keys are derived from that a fleet has in common, or that this process has alone. A key for one
//! purpose says nothing about those for others.

use std::sync::{Arc, LazyLock};

use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Prk, Salt};

use crate::redacted::redacted;

/// A secret with enough entropy. Its `Debug` does not show it.
#[derive(Clone)]
pub struct Secret(Arc<Prk>);

impl Secret {
    /// One that others know, too: whoever is given the same text derives the same keys.
    pub fn shared(text: &str) -> Self {
        Self::new(text.as_bytes())
    }

    /// The one of this process, which nobody else ever knows.
    pub fn of_process() -> Self {
        static RANDOM: LazyLock<Secret> = LazyLock::new(|| {
            let mut bytes = [0; 32];
            aws_lc_rs::rand::fill(&mut bytes).expect("the system has random numbers");
            Secret::new(&bytes)
        });
        RANDOM.clone()
    }

    fn new(bytes: &[u8]) -> Self {
        let salt = Salt::new(HKDF_SHA256, b"tollgate");
        Self(Arc::new(salt.extract(bytes)))
    }

    /// A key for the purpose that these words spell out (HKDF, RFC 5869).
    ///
    /// # Panics
    /// If the key is longer than 255 times 32 bytes.
    pub fn derive<const LENGTH: usize>(&self, purpose: &[&[u8]]) -> [u8; LENGTH] {
        // With their lengths, so that no two lists of words are the same info.
        let mut info = Vec::new();
        for word in purpose {
            info.extend((word.len() as u64).to_be_bytes());
            info.extend(*word);
        }
        let mut key = [0; LENGTH];
        let info = [&info[..]];
        let derived = self.0.expand(&info, Length(LENGTH));
        derived
            .and_then(|derived| derived.fill(&mut key))
            .expect("the length is one that HKDF has");
        key
    }
}

redacted! { Secret }

struct Length(usize);

impl KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}
