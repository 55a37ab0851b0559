//! The ids of traces and spans: random, never zero, and written in lower case (W3C Trace Context sections
//! 3.2.2.3 and 3.2.2.4).

use std::fmt;

use crate::message::hex::{self, Hex};

/// The id of a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceId([u8; 16]);

/// The id of a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SpanId([u8; 8]);

impl TraceId {
    /// A fresh one. All its bits are random.
    pub fn random() -> Self {
        Self(fastrand::u128(1..).to_be_bytes())
    }

    /// Reads 32 digits in lower case, not all of them zero.
    pub fn parse(digits: &[u8; 32]) -> Option<Self> {
        read(digits).map(Self)
    }

    /// The 56 bits that samplers agree to take for random.
    pub fn randomness(self) -> u64 {
        let low = self.0.last_chunk().copied().unwrap_or_default();
        u64::from_be_bytes(low) & (u64::MAX >> 8)
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// Its digits.
    pub fn digits(self) -> [u8; 32] {
        let mut digits = [0; 32];
        put(&mut digits, &self.0);
        digits
    }
}

impl SpanId {
    /// A fresh one.
    pub fn random() -> Self {
        Self(fastrand::u64(1..).to_be_bytes())
    }

    /// Reads 16 digits in lower case, not all of them zero.
    pub fn parse(digits: &[u8; 16]) -> Option<Self> {
        read(digits).map(Self)
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8; 8] {
        &self.0
    }

    /// Its digits.
    pub fn digits(self) -> [u8; 16] {
        let mut digits = [0; 16];
        put(&mut digits, &self.0);
        digits
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Hex(&self.0).fmt(f)
    }
}

/// Reads digits in lower case; `None` also if all are zero.
fn read<const N: usize>(digits: &[u8]) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.as_chunks::<2>().0) {
        *byte = lower(*pair)?;
    }
    (bytes != [0; N]).then_some(bytes)
}

/// The byte that two digits in lower case stand for.
pub(super) fn lower(pair: [u8; 2]) -> Option<u8> {
    if pair.iter().any(u8::is_ascii_uppercase) {
        return None;
    }
    hex::byte(pair)
}

fn put(digits: &mut [u8], bytes: &[u8]) {
    for (pair, byte) in digits.as_chunks_mut::<2>().0.iter_mut().zip(bytes) {
        *pair = hex::digits(*byte);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_as_they_are_written() {
        let digits = b"4bf92f3577b34da6a3ce929d0e0e4736";
        let id = TraceId::parse(digits).unwrap();
        assert_eq!(&id.digits(), digits);
        assert_eq!(id.to_string().as_bytes(), digits);
        assert_eq!(id.randomness(), 0xce_929d_0e0e_4736);
        let span = SpanId::parse(b"00f067aa0ba902b7").unwrap();
        assert_eq!(&span.digits(), b"00f067aa0ba902b7");
    }

    #[test]
    fn zeros_capitals_and_other_letters_are_no_ids() {
        assert_eq!(TraceId::parse(&[b'0'; 32]), None);
        assert_eq!(TraceId::parse(b"4BF92f3577b34da6a3ce929d0e0e4736"), None);
        assert_eq!(TraceId::parse(b"4bf92f3577b34da6a3ce929d0e0e473g"), None);
        assert_eq!(SpanId::parse(&[b'0'; 16]), None);
        assert_eq!(SpanId::parse(b"00f067aa0ba902b "), None);
    }

    #[test]
    fn fresh_ids_differ() {
        assert_ne!(TraceId::random(), TraceId::random());
        assert_ne!(SpanId::random(), SpanId::random());
    }
}
