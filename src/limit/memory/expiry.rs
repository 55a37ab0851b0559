//! The order in which counters end, whatever they count by. A fixed window's end stands when it
//! begins; that of a bucket moves back with each request. So an end is only a lower bound until it is
//! its turn: what has moved back meanwhile is then queued again. A request that moves an end back has
//! nothing to do here, and each is looked at again at most once for each time it moved.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;

/// Slots by when what they count ends, the first on top.
#[derive(Debug, Default)]
pub(super) struct ExpiryQueue(BinaryHeap<Reverse<(u64, u32)>>);

impl ExpiryQueue {
    /// Queues a slot. Also one that is here already, if it ends sooner now.
    pub(super) fn push(&mut self, ends_ms: u64, slot: u32) {
        if self.0.len() == self.0.capacity() {
            // By a quarter, not to twice as many.
            self.0.reserve_exact((self.0.len() / 4).max(4));
        }
        self.0.push(Reverse((ends_ms, slot)));
    }

    /// How many there are, those counted that are here twice or gone.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Begins anew with these.
    pub(super) fn refill(&mut self, all: impl Iterator<Item = (u64, u32)>) {
        self.0 = all.map(Reverse).collect();
    }

    /// Takes out the slot that ends first, if that is by `until_ms`. `ends_of` says when a slot ends
    /// now, or that it has gone. Gives up after so many looks.
    pub(super) fn take_first(
        &mut self,
        until_ms: u64,
        looks: usize,
        ends_of: impl Fn(u32) -> Option<u64>,
    ) -> Option<u32> {
        for _ in 0..looks {
            let mut top = self.0.peek_mut()?;
            let Reverse((queued_ms, slot)) = *top;
            if queued_ms > until_ms {
                return None;
            }
            match ends_of(slot) {
                Some(ends_ms) if ends_ms > queued_ms => *top = Reverse((ends_ms, slot)),
                Some(_) => {
                    PeekMut::pop(top);
                    return Some(slot);
                }
                None => drop(PeekMut::pop(top)),
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ends_first_now_comes_first_wherever_it_was_queued() {
        let mut queue = ExpiryQueue::default();
        for (slot, ends_ms) in [(0, 10), (1, 20), (2, 30), (3, 40)] {
            queue.push(ends_ms, slot);
        }
        // 0 has moved behind 2, 1 has gone, and 3 ends sooner than it did.
        queue.push(25, 3);
        let ends_of = |slot| [Some(35), None, Some(30), Some(25)][slot as usize];
        assert_eq!(queue.take_first(9, 9, ends_of), None, "none ends by then");
        assert_eq!(queue.take_first(99, 1, ends_of), None, "it had one look");
        assert_eq!(queue.take_first(24, 9, ends_of), None);
        assert_eq!(queue.take_first(99, 9, ends_of), Some(3));
        assert_eq!(queue.take_first(99, 9, ends_of), Some(2));
        assert_eq!(queue.take_first(99, 9, ends_of), Some(0));
        let gone = |_| None;
        assert_eq!(queue.take_first(99, 9, gone), None);
        assert_eq!(queue.len(), 0);
    }
}
