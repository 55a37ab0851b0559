//! How much of the bodies of requests the process keeps in memory, so that they can be sent again. Each
//! worker takes room in large pieces, so that a request costs an addition and no locked instruction. Where
//! there is none left, a body is passed on without being kept, and sent once.

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// What all requests of the process may keep.
const MOST_IN_ALL: usize = 64 * 1024 * 1024;
/// How much a worker takes or gives back at once.
const PIECE: usize = 256 * 1024;

/// What the workers have taken.
static TAKEN: AtomicUsize = AtomicUsize::new(0);

/// What a worker has taken and no request of it uses.
#[derive(Debug)]
pub(super) struct Room {
    spare: Cell<usize>,
    taken: &'static AtomicUsize,
}

impl Default for Room {
    fn default() -> Self {
        Self::of(&TAKEN)
    }
}

impl Room {
    fn of(taken: &'static AtomicUsize) -> Self {
        Self {
            spare: Cell::new(0),
            taken,
        }
    }

    /// Takes room for so many bytes, if there is.
    pub(super) fn take(&self, bytes: usize) -> bool {
        let spare = self.spare.get();
        if let Some(left) = spare.checked_sub(bytes) {
            self.spare.set(left);
            return true;
        }
        let more = (bytes - spare).next_multiple_of(PIECE);
        if self.taken.fetch_add(more, Relaxed) + more > MOST_IN_ALL {
            self.taken.fetch_sub(more, Relaxed);
            return false;
        }
        self.spare.set(spare + more - bytes);
        true
    }

    /// Gives it back.
    pub(super) fn give(&self, bytes: usize) {
        let spare = self.spare.get() + bytes;
        // One piece stays, for the next request.
        let surplus = (spare / PIECE).saturating_sub(1) * PIECE;
        if surplus > 0 {
            self.taken.fetch_sub(surplus, Relaxed);
        }
        self.spare.set(spare - surplus);
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.taken.fetch_sub(self.spare.get(), Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_workers_together_have_so_much() {
        static ALL: AtomicUsize = AtomicUsize::new(0);
        let [one, other] = [Room::of(&ALL), Room::of(&ALL)];
        assert!(one.take(MOST_IN_ALL - PIECE));
        assert!(other.take(1));
        assert!(other.take(PIECE - 1));
        assert!(!other.take(1), "all is taken");
        assert!(!one.take(1));
        one.give(MOST_IN_ALL - PIECE);
        assert!(other.take(1));
        assert_eq!(
            ALL.load(Relaxed),
            3 * PIECE,
            "what is used, and one to spare"
        );
        other.give(PIECE + 1);
        drop((one, other));
        assert_eq!(ALL.load(Relaxed), 0);
    }
}
