//! An API key and its digest. Keys themselves are never stored: the configuration holds digests,
//! and a request's key is hashed before it is compared with anything. A fresh key is shown once.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use crate::message::hex::{self, Hex};
use crate::redacted::redacted;

/// No key has more characters. What is longer is refused before it is hashed, for hashing what a
/// stranger sends costs time by its length.
pub const MAX_KEY: usize = 4096;

/// The SHA-256 digest of an API key. `Display` writes it as the configuration has it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ApiKeyHash([u8; 32]);

impl ApiKeyHash {
    /// Hashes a key as a client sent it.
    pub fn of(key: &[u8]) -> Self {
        Self(Sha256::digest(key).into())
    }

    /// Parses `sha256:` and 64 hexadecimal digits of either case.
    pub fn parse(text: &str) -> Result<Self, InvalidHash> {
        let digits = text.strip_prefix("sha256:").ok_or(InvalidHash)?;
        let (pairs, []) = digits.as_bytes().as_chunks::<2>() else {
            return Err(InvalidHash);
        };
        if pairs.len() != 32 {
            return Err(InvalidHash);
        }
        let mut digest = [0; 32];
        for (byte, pair) in digest.iter_mut().zip(pairs) {
            *byte = hex::byte(*pair).ok_or(InvalidHash)?;
        }
        Ok(Self(digest))
    }

    /// The digest.
    pub fn bytes(&self) -> [u8; 32] {
        self.0
    }

    /// A hash of the digest for a table: its first bits. They are uniform, and who can choose keys so
    /// that their digests collide has still no way to put them into the table.
    pub(super) fn prefix(&self) -> u64 {
        self.0.first_chunk().copied().map_or(0, u64::from_le_bytes)
    }

    /// What the log calls the key.
    pub fn id(&self) -> KeyId {
        let mut id = [0; 8];
        for (pair, byte) in id.chunks_exact_mut(2).zip(&self.0) {
            pair.copy_from_slice(&hex::digits(*byte));
        }
        KeyId(id)
    }
}

/// The first eight hexadecimal digits of a key's digest: enough to tell keys apart, and to find the
/// one that is meant in the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyId([u8; 8]);

impl KeyId {
    /// The digits.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0))
    }
}

impl fmt::Display for ApiKeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", Hex(&self.0))
    }
}

redacted! { ApiKeyHash ApiKey }

/// A text that is not a key's digest. It may be a key, so it is not repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a key's hash is `sha256:` and 64 hexadecimal digits")]
pub struct InvalidHash;

/// A fresh API key: `tg_` and 256 random bits in hexadecimal digits, so that it can be selected
/// with a double click and is found by those who search their code for secrets.
pub struct ApiKey(SecretString);

impl ApiKey {
    /// Makes a key from the operating system's random source.
    pub fn generate() -> Result<Self, NoRandomness> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes)?;
        Ok(Self(format!("tg_{}", Hex(&bytes)).into()))
    }

    /// The key itself, to be shown once to who will use it.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// The digest that goes into the configuration.
    pub fn hash(&self) -> ApiKeyHash {
        ApiKeyHash::of(self.expose().as_bytes())
    }
}

/// The operating system gave no random bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no random bytes from the operating system: {0}")]
pub struct NoRandomness(#[from] getrandom::Error);

#[cfg(test)]
mod tests {
    use super::*;

    /// FIPS 180-2, appendix B.1.
    const ABC: &str = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn digests_are_those_of_the_standard() {
        assert_eq!(ApiKeyHash::of(b"abc"), ApiKeyHash::parse(ABC).unwrap());
        assert_eq!(ApiKeyHash::of(b"abc").to_string(), ABC);
        assert_eq!(ApiKeyHash::of(b"abc").id().bytes(), b"ba7816bf");
    }

    #[test]
    fn hexadecimal_digits_have_either_case() {
        let upper = format!("sha256:{}", ABC["sha256:".len()..].to_uppercase());
        assert_eq!(ApiKeyHash::parse(&upper), ApiKeyHash::parse(ABC));
    }

    #[test]
    fn other_texts_are_no_hash_and_are_not_repeated() {
        let digits = &ABC["sha256:".len()..];
        for text in [
            "",
            "sha256:",
            digits,
            "tg_0123",
            &format!("SHA256:{digits}"),
            &format!("sha512:{digits}"),
            &format!("sha256: {}", &digits[1..]),
            &format!("{ABC}0"),
            &format!("{ABC}00"),
            &ABC[..ABC.len() - 1],
            &ABC[..ABC.len() - 2],
            &ABC.replace("ba", "bg"),
            &ABC.replace("ba", "é"),
            &ABC.replace("ba", "+a"),
        ] {
            let error = ApiKeyHash::parse(text).expect_err(text).to_string();
            assert_eq!(error, "a key's hash is `sha256:` and 64 hexadecimal digits");
        }
    }

    #[test]
    fn a_fresh_key_is_long_unique_and_found_by_its_hash() {
        let (one, other) = (ApiKey::generate().unwrap(), ApiKey::generate().unwrap());
        assert_ne!(one.expose(), other.expose());
        let digits = one.expose().strip_prefix("tg_").unwrap();
        assert_eq!(digits.len(), 64);
        assert!(digits.bytes().all(|b| b.is_ascii_hexdigit()));
        assert_eq!(one.hash(), ApiKeyHash::of(one.expose().as_bytes()));
        assert_eq!(ApiKeyHash::parse(&one.hash().to_string()), Ok(one.hash()));
    }

    #[test]
    fn neither_key_nor_digest_shows_in_debug() {
        let key = ApiKey::generate().unwrap();
        assert_eq!(format!("{key:?}"), "ApiKey(..)");
        assert_eq!(format!("{:?}", key.hash()), "ApiKeyHash(..)");
    }
}
