//! Where a client's counter was last found. The store in the process leaves a note of it with the
//! client's name, which a request has just read, and looks there first: at a million callers the
//! line of the index that it need not read is in no cache. A hint is never believed; what stands
//! in the slot is compared under the shard's lock, and a wrong hint costs one look at the index.

use std::sync::atomic::{AtomicU64, Ordering};

use super::index::MOST_SLOTS;

/// The bits of a slot's number.
const SLOT: u64 = MOST_SLOTS as u64;

/// A slot, and above it the bits of the key's hash that leave room for it, among them those of the
/// shard. They tell whether the hint is for this policy and this store; nothing yet is 0.
#[derive(Debug, Default)]
pub(crate) struct Hint(AtomicU64);

impl Hint {
    /// The slot where the key with this hash may be.
    pub(super) fn slot(&self, hash: u64) -> Option<u32> {
        let noted = self.0.load(Ordering::Relaxed);
        let slot = u32::try_from(noted & SLOT).ok();
        slot.filter(|_| noted != 0 && noted & !SLOT == hash & !SLOT)
    }

    /// Notes where the key with this hash is. A client that is counted under several policies
    /// keeps the hint for the first: taking turns they would help none, and workers that write
    /// here slow each other down.
    pub(super) fn note(&self, hash: u64, slot: u32) {
        let noted = self.0.load(Ordering::Relaxed);
        if noted == 0 || noted & !SLOT == hash & !SLOT {
            let noted = hash & !SLOT | u64::from(slot);
            self.0.store(noted, Ordering::Relaxed);
        }
    }
}

impl Clone for Hint {
    fn clone(&self) -> Self {
        Self(AtomicU64::new(self.0.load(Ordering::Relaxed)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_for_one_key_and_follows_it() {
        let hint = Hint::default();
        let (hash, other) = (0x0123_4567_89ab_cdef, 0x0123_4567_8aab_cdef);
        assert_eq!(hint.slot(hash), None);
        for slot in [0, 7, MOST_SLOTS - 1, 3] {
            hint.note(hash, slot);
            assert_eq!(hint.slot(hash), Some(slot));
            hint.note(other, 9);
            assert_eq!(hint.slot(other), None, "the first keeps it");
        }
        assert_eq!(hint.clone().slot(hash), Some(3));
    }
}
