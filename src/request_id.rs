//! Request ids: what ties a client's complaint to a log line here and one downstream. A sane id
//! that came with the request is kept; otherwise one is made, without a system call.

use std::cell::RefCell;

/// 128 random bits in hexadecimal.
pub type MadeId = [u8; 32];

thread_local! {
    /// Seeded once a thread: asking the kernel for each id would cost a system call a request.
    static RANDOM: RefCell<fastrand::Rng> = RefCell::new(fastrand::Rng::new());
}

/// Makes an id. Ids are unique, not secret.
#[must_use]
pub fn make() -> MadeId {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let bits = RANDOM
        .with_borrow_mut(|random| random.u128(..))
        .to_be_bytes();
    let mut id = [0; 32];
    for (pair, byte) in id.chunks_exact_mut(2).zip(bits) {
        pair[0] = HEX[usize::from(byte >> 4)];
        pair[1] = HEX[usize::from(byte & 15)];
    }
    id
}

/// Whether an id that a client sent may be used: 1 to 128 characters of `A-Za-z0-9._-`.
#[must_use]
pub fn is_sane(id: &[u8]) -> bool {
    let sane = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    (1..=128).contains(&id.len()) && id.iter().all(sane)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn made_ids_are_sane_and_differ() {
        let (a, b) = (make(), make());
        assert!(is_sane(&a) && is_sane(&b));
        assert_ne!(a, b);
    }

    #[test]
    fn ids_that_could_break_a_header_or_a_log_are_not_sane() {
        assert!(is_sane(b"Order-7.retry_2"));
        assert!(is_sane(&[b'a'; 128]));
        for id in [
            &b""[..],
            &[b'a'; 129],
            b"a b",
            b"a\"b",
            b"caf\xc3\xa9",
            b"a,b",
            b"a/b",
        ] {
            assert!(!is_sane(id), "{id:?}");
        }
    }
}
