//! A guess where a subject's counter is, verified under the shard's lock. Of a million clients' counters
//! hardly any is in the processor's caches, and each line of memory that a decision waits for costs some
//! 150 ns: with the hint it is one, the counter's own, and without it there are those of the subject's
//! name, which is hashed, and of the index as well.

use std::sync::atomic::{AtomicU64, Ordering};

/// The bits of the slot's number.
const SLOT: u64 = u32::MAX as u64;

/// A slot's number and, above it, as many bits of the key's hash. They show whether the hint is about
/// this policy and this store. 0 is no hint.
#[derive(Debug, Default)]
pub(super) struct SlotHint(AtomicU64);

impl SlotHint {
    /// Bits of the hash of the key that it is about, all but the lower half, and the slot where that
    /// may be.
    pub(super) fn get(&self) -> Option<(u64, u32)> {
        let noted = self.0.load(Ordering::Relaxed);
        let slot = u32::try_from(noted & SLOT).ok();
        slot.filter(|_| noted != 0)
            .map(|slot| (noted & !SLOT, slot))
    }

    /// The slot where the key with this hash may be.
    pub(super) fn slot(&self, hash: u64) -> Option<u32> {
        let (noted, slot) = self.get()?;
        (noted == hash & !SLOT).then_some(slot)
    }

    /// Notes where the key with this hash is. A subject that is counted under several policies keeps
    /// the hint for the first: taking turns they would help no policy, and workers that write here
    /// slow each other down.
    pub(super) fn note(&self, hash: u64, slot: u32) {
        let noted = self.0.load(Ordering::Relaxed);
        if noted == 0 || noted & !SLOT == hash & !SLOT {
            let noted = hash & !SLOT | u64::from(slot);
            self.0.store(noted, Ordering::Relaxed);
        }
    }
}

impl Clone for SlotHint {
    fn clone(&self) -> Self {
        Self(AtomicU64::new(self.0.load(Ordering::Relaxed)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_for_one_key_and_follows_it() {
        let hint = SlotHint::default();
        let (hash, other) = (0x0123_4567_89ab_cdef, 0x0123_4568_89ab_cdef);
        assert_eq!(hint.slot(hash), None);
        for slot in [0, 7, u32::MAX, 3] {
            hint.note(hash, slot);
            assert_eq!(hint.slot(hash), Some(slot));
            hint.note(other, 9);
            assert_eq!(hint.slot(other), None, "the first keeps it");
        }
        assert_eq!(hint.clone().slot(hash), Some(3));
    }
}
