//! Request ids: what ties a client's complaint to a log line here and one of the service. A safe
//! id that came with the request is kept; otherwise one is made, without a system call.

use std::cell::RefCell;

use crate::message::hex;

/// 128 random bits in hexadecimal.
pub type MadeId = [u8; 32];

thread_local! {
    /// Seeded once a thread: asking the kernel for each id would cost a system call a request.
    static RANDOM: RefCell<fastrand::Rng> = RefCell::new(fastrand::Rng::new());
}

/// Makes an id. Ids are unique, not secret.
pub fn make() -> MadeId {
    let bits = RANDOM
        .with_borrow_mut(|random| random.u128(..))
        .to_be_bytes();
    let mut id = [0; 32];
    for (pair, byte) in id.as_chunks_mut::<2>().0.iter_mut().zip(bits) {
        *pair = hex::digits(byte);
    }
    id
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::bytes::is_safe_name;

    #[test]
    fn made_ids_are_safe_and_differ() {
        let (a, b) = (make(), make());
        assert!(is_safe_name(&a) && is_safe_name(&b));
        assert_ne!(a, b);
    }
}
