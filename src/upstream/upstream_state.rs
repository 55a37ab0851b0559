//! What the process knows of an upstream beside its addresses: whether anything is wrong with any of
//! them, so that a request of a healthy upstream looks at nothing else, the budget for retries, and
//! how much there is to do.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard};

use crate::lock::lock;

use super::budget::Budget;
use super::capacity::Capacity;

/// What all workers share of an upstream; it outlives reloads.
#[derive(Debug, Default)]
pub struct UpstreamState {
    /// Counts the changes of its addresses.
    version: AtomicU32,
    /// Counts what has gone wrong with an address, since all were last seen to be well; 0: nothing.
    trouble: AtomicU32,
    pub(super) budget: Budget,
    /// The requests in flight, where there is a bound to them.
    pub capacity: Arc<Capacity>,
    /// Held while a circuit may open, for how many may be open depends on the others.
    opening: Mutex<()>,
}

impl UpstreamState {
    /// A number that changes with the addresses.
    #[inline]
    pub(super) fn version(&self) -> u32 {
        self.version.load(Relaxed)
    }

    /// Notes that the addresses are others now.
    pub(super) fn addresses_changed(&self) {
        self.note_trouble();
        self.version.fetch_add(1, Relaxed);
    }

    /// 0 while all addresses can be used.
    #[inline]
    pub(super) fn trouble(&self) -> u32 {
        self.trouble.load(Relaxed)
    }

    /// Notes that something may be wrong with an address.
    pub(super) fn note_trouble(&self) {
        // Not 0, whatever it was before.
        let _ = self.trouble.fetch_update(Relaxed, Relaxed, |trouble| {
            Some(trouble.wrapping_add(1).max(1))
        });
    }

    /// Notes that all addresses were seen to be well, unless something has gone wrong since `seen`.
    pub(super) fn is_well(&self, seen: u32) {
        let _ = self.trouble.compare_exchange(seen, 0, Relaxed, Relaxed);
    }

    pub(super) fn opening(&self) -> MutexGuard<'_, ()> {
        lock(&self.opening)
    }
}
